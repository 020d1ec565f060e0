-- Checks the arrows between the parts: who may include, require or call what.
--
-- Run from the top of the tree: lua5.4 scripts/layers.lua. Prints each arrow
-- that points the wrong way and exits 1, or nothing and exits 0.

-- runtime/: each folder is a wing. A file includes, and calls, only what its own
-- wing holds and wings of lower floors; inside a wing no circle.
local floor_of = {
  base = 1, client = 1,
  storage = 2, delta = 2, trust = 3, slot = 3, policy = 3, cloud = 3, serve = 3, archive = 3, files = 3,
  package = 4,
  device = 5, fetch = 5, author = 5, supervise = 6, host = 7,
}

-- A build can leave these out, so no other wing uses them.
local optional = { author = true, serve = true }

-- The only files of runtime/ that know Lua.
local knows_lua = { host = true, host_script = true, host_commands = true, sandbox = true, sandbox_lua = true,
  sandbox_values = true, main = true }

-- Durable effects and clocks pass the seam in storage.h. What is not durable,
-- or runs before there is a device, is listed with its reason.
local seam = { system = true, system_files = true, system_cache = true, system_names = true, system_dirs = true,
  system_mounts = true, system_flash = true, system_uboot_env = true, storage_medium = true, system_partition = true,
  system_sysfs = true }
local effects = {
  "open", "openat", "creat", "fopen", "freopen", "pwrite", "pwritev", "fsync", "fdatasync", "sync", "syncfs",
  "sync_file_range", "rename", "renameat", "link", "linkat", "unlink", "unlinkat", "remove", "mkdir", "mkdirat",
  "fchown", "fstatat", "fstatvfs", "rmdir", "symlink", "readlink", "chmod", "fchmod", "stat", "lstat", "fstat",
  "statvfs", "statfs", "opendir",
  "truncate", "ftruncate", "fallocate", "posix_fallocate", "posix_fadvise", "flock", "lockf", "mkstemp", "mkdtemp",
  "time", "gettimeofday", "clock_gettime", "getrandom", "reboot", "system", "popen",
}
local excused = {
  listener = { unlink = "its socket, which is no data", chmod = "its socket", lstat = "its socket" },
  local_socket = { open = "the folder of a socket, when its path is too long" },
  sandbox_lock = { open = "/dev/null", fopen = "/proc, for a limit" },
  processes_system = { clock_gettime = "how long it has waited" },
  waits = { fstat = "its page of memory", ftruncate = "the same", clock_gettime = "when a wait began" },
  log = { open = "a descriptor of its own for stdout and stderr", fstat = "what they are" },
  program = { open = "/dev/null, for children and for standard files that are closed" },
  orphans = { fopen = "/proc", opendir = "/proc" },
  peer = { fopen = "/proc" },
  running_system = { fopen = "/proc", opendir = "/proc", stat = "/proc", readlink = "/proc" },
  moult_link = { open = "the folder of a socket whose path is too long", clock_gettime = "how long it waited" },
  folder = { opendir = "reads a server's folder, changes nothing", stat = "the same", fstatat = "the same",
    statvfs = "the same" },
  database = { open = "makes a server's database before SQLite opens it", stat = "its folder's owner",
    fchown = "gives it to that" },
  http_answer = { open = "serves files, changes nothing", fstat = "of a file it serves" },
}

-- bindings/x.c includes x.h; what else a binding needs, and why.
local binding_includes = {
  source = { "fetch", "package", "package_copy", "source_pushed", "storage" }, -- what opens one; of the system
  dial = { "fetch_options" },       -- those that it takes
  boot = { "config", "storage" },   -- the configuration it reads, of the system
  slot = { "slot_link", "storage" }, -- where links lead; of the system
  flash = { "digest", "storage" }, -- names a digest in hex; of the system
  json = { "json_load", "printable" }, -- json has no module of its own in runtime/
  channel = { "listener", "peer", "rights" }, -- the control socket, and who is at the other end
  archive = { "archive_reader", "storage" }, -- archive.h is libarchive's
  digest = { "storage" },           -- digest.file() reads through the seam
  mqtt = { "storage" },             -- the clock and chance are the system's
  secret = { "storage" },           -- the system's
  cloud_record = { "storage" },
  partial = { "storage" },          -- the system's
  records = { "config", "storage" }, -- the configuration it reads, of the system
  manifest = { "digest" },          -- names a digest in hex
  keys = { "minisign", "storage" },        -- ids as minisign shows them; the system's
  minisign = { "storage" },         -- the system's: keys are files
  -- Its other half; whose manifest it takes; which a configuration names; the system's.
  device = { "device_settle", "roots", "running", "status" },
  device_trial = { "device" },      -- methods of the same type
  device_hotfix = { "device", "hotfix", "script_archive" },
  device_install = { "device", "package", "status" },
  status = { "device", "digest", "history" }, -- of a device, which names digests in hex
  transfer = { "package" },
  package = { "bare_package", "minisign", "storage" }, -- one that nobody signed; the ring that is trusted, the spool
  verify = { "files_archive", "files_part", "minisign", "storage" }, -- what a part files does
  patch = { "storage" },            -- files of the system
  pack = { "digest", "minisign", "storage" }, -- hashes the product key, loads the secret one
  password = { "digest" },          -- a hash in hex
  httpd = { "http_text" },          -- a query becomes a table
}
local binding_helpers = { helpers = true, preload = true, error = true }


-- What the policy process lets a policy require.
local for_policies = { ["update.policy"] = true, ["update.version"] = true }

-- What a device's script requires.
local for_scripts = { ["update"] = true, ["update.aliyun"] = true, ["update.terminal"] = true,
  ["update.qinglian"] = true, ["sys"] = true,
  ["update.native.archive"] = true, ["update.native.flash"] = true,
  ["update.native.digest"] = true,
  ["sysplus"] = true, ["log"] = true,
  ["misc"] = true, ["libfota"] = true, ["libfota2"] = true }

-- Top level of the tree, besides dot-files.
local top = {
  ["CMakeLists.txt"] = true, runtime = true, bindings = true, lua = true, scripts = true, examples = true,
  spec = true, ["README.md"] = true, LICENSE = true,
}

package.path = "scripts/layers.d/?.lua;" .. package.path
local arrows_of = require "arrows"
local habits = require "habits"
local lines_of, read, bare, includes = arrows_of.lines_of, arrows_of.text, arrows_of.bare, arrows_of.includes
local stem = arrows_of.stem

local broken = 0

local function complain(format, ...)
  broken = broken + 1
  print(format:format(...))
end

local function set(list)
  local result = {}
  for _, name in ipairs(list) do
    result[name] = true
  end
  return result
end

-- A wing's README names its files and the wings that it uses, in at most 40 lines.
local function check_readmes(files, arrows)
  local text, uses = {}, {}
  for wing in pairs(floor_of) do
    local path = "runtime/" .. wing .. "/README.md"
    text[wing], uses[wing] = read(path), {}
    local _, lines = text[wing]:gsub("\n", "")
    if lines > 40 then complain("%s: %d lines, at most 40", path, lines) end
  end
  for file, at in pairs(files) do
    if not text[at.wing]:find("`" .. at.name .. "`", 1, true) then
      complain("runtime/%s/README.md does not name %s", at.wing, at.name)
    end
    for other in pairs(arrows[file]) do uses[at.wing][files[other].wing] = true end
  end
  for wing, used in pairs(uses) do
    local said = text[wing]:match "\nUses ([^.]+)" or ""
    for other in pairs(used) do
      if other ~= wing and not said:find("%f[%w]" .. other .. "%f[%W]") then
        complain("runtime/%s/README.md does not say that it uses %s", wing, other)
      end
    end
  end
end

local function check_arrows()
  local files, arrows = arrows_of.read()
  for file, at in pairs(files) do
    local floor = floor_of[at.wing]
    if not floor then
      complain("%s: in no wing of scripts/layers.lua", at.path)
    end
    for other, how in pairs(arrows[file]) do
      local to = files[other]
      local below = floor_of[to.wing]
      if floor and below and at.wing ~= to.wing and below >= floor then
        complain("%s %s %s: %s is not below %s", at.path, how, to.path, to.wing, at.wing)
      end
      if optional[to.wing] and at.wing ~= to.wing then
        complain("%s %s %s: a build can leave out %s", at.path, how, to.path, to.wing)
      end
      if to.name:find "^mqtt" and not at.name:find "^mqtt" then
        complain("%s %s %s: a build can leave out MQTT", at.path, how, to.path)
      end
      if other:find("_private%.h$") and at.wing ~= to.wing then
        complain("%s includes %s, which is private to its wing", at.path, to.path)
      end
    end
  end
  check_readmes(files, arrows)
  for _, circle in ipairs(arrows_of.circles(arrows)) do
    complain("%s: each leads to the next and back", table.concat(circle, " "))
  end
  return files
end

local function check_runtime()
  local files = check_arrows()
  for _, at in pairs(files) do
    local path, name = at.path, at.name
    local head = habits.head(at, files)
    if head then complain("%s %s", path, head) end
    for _, other in ipairs(path:find "%.h$" and habits.strangers(at, files) or {}) do
      complain("%s declares %s(), which does not carry its stem", path, other)
    end
    for _, file in includes(at.text) do
      if (file == "lua.h" or file == "lauxlib.h" or file == "lualib.h") and not knows_lua[name] then
        complain("%s includes %s: mechanism knows no Lua", path, file)
      end
    end
    if path:find("%.c$") and not seam[name] then
      for _, call in ipairs(effects) do
        local first = at.code:find("%f[%w_.>]" .. call .. "%s*%(")
        if first and not (excused[name] and excused[name][call]) then
          local _, line = at.code:sub(1, first):gsub("\n", "\n")
          complain("%s:%d calls %s(): durable effects and clocks go through storage.h", path, line + 1, call)
        end
      end
    end
  end
end

-- The configuration is read by Lua before any part of the mechanism runs.
local may_call = { config = true }

local function check_bindings()
  for _, path in ipairs(lines_of("git ls-files 'bindings/*.c'")) do
    local name, text = stem(path), read(path)
    local allowed = set(binding_includes[name] or {})
    allowed[name] = true
    if name ~= "helpers" and name ~= "preload" then
      for kind, file in includes(text) do
        local other = file:match("^([%w_]+)%.h$")
        if kind == '"' and other and not allowed[other] and not binding_helpers[other] then
          complain("%s includes %s: a binding exposes one module", path, file)
        end
      end
    end
    if not may_call[name] and bare(text):find("%f[%w_]lua_p?callk?%s*%(") then
      complain("%s calls back into Lua", path)
    end
  end
end

-- Modules of lua/ that are handed facts and give decisions: .luacheckrc lists
-- them, and forbids them os, io and the like.
local function pure_modules()
  local settings, pure = { files = {}, ipairs = ipairs }, {}
  assert(loadfile(".luacheckrc", "t", settings))()
  for path, rule in pairs(settings.files) do
    local name = rule.not_globals and path:match "^lua/(.+)%.lua$"
    if name then pure[name:gsub("/init$", ""):gsub("/", ".")] = true end
  end
  return pure
end

-- lua/depot/actions is the command line. What it shares with the API is below both.
local function is_upward(from, to)
  return to:find "^depot%.actions%." and from:find "^depot%." and not from:find "^depot%.actions%."
end

local function check_lua()
  local is_pure = pure_modules()
  for _, path in ipairs(lines_of("git ls-files 'lua/*.lua'")) do
    local name = path:match("^lua/(.+)%.lua$"):gsub("/init$", ""):gsub("/", ".")
    local text = read(path):gsub("%-%-[^\n]*", "")
    for other in text:gmatch("require%s*%(?%s*[\"']([%w_.]+)[\"']") do
      if is_pure[name] and not is_pure[other] then
        complain("%s is pure and requires %s", path, other)
      end
      local from, to = name:match("^%w+"), other:match("^%w+")
      if (from == "update" or from == "sys") and (to == "cli" or to == "depot") then
        complain("%s requires %s: never this way round", path, other)
      end
      if is_upward(name, other) then complain("%s requires %s, which is of the command line", path, other) end
    end
  end
  for _, path in ipairs(lines_of("git ls-files 'examples/*.lua' ':!examples/broker'")) do -- which is no device's
    local folder = path:match("^(.*)/")
    local text = read(path):gsub("%-%-[^\n]*", "")
    for other in text:gmatch("require%s*%(?%s*[\"']([%w_.]+)[\"']") do
      local own = io.open(folder .. "/" .. other:gsub("%.", "/") .. ".lua")
      if own then
        own:close()
      elseif not (for_scripts[other] or for_policies[other] or path:find("_spec%.lua$")) then
        complain("%s requires %s: an example needs only update, update.aliyun, sys and Luat's", path, other)
      end
    end
  end
end

local function check_habits()
  for _, path in ipairs(lines_of("git ls-files '*.c' '*.h'")) do
    for _, wrong in ipairs(habits.wrong(bare(read(path)))) do
      complain("%s:%d: %s", path, wrong[1], wrong[2])
    end
  end
end

local function check_tree()
  for _, path in ipairs(lines_of("git ls-files")) do
    local first = path:match("^[^/]+")
    if not top[first] and first:sub(1, 1) ~= "." then
      complain("%s: not one of the folders of this tree", path)
    end
  end
  local words = "git grep -nIE '\\b(TO" .. "DO|FIX" .. "ME|XX" .. "X)\\b|/(work|tmp)/(main|shared|wt|build)' -- ."
  for _, hit in ipairs(lines_of(words)) do
    complain("%s", hit)
  end
end

check_runtime()
check_bindings()
check_habits()
check_lua()
check_tree()
os.exit(broken == 0)

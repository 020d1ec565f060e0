-- Checks the arrows between the parts: who may include, require or call what.
--
-- Run from the top of the tree: lua5.4 scripts/layers.lua. Prints each arrow
-- that points the wrong way and exits 1, or nothing and exits 0.

-- runtime/: each folder is a wing. A file includes, and calls, only what its own
-- wing holds and wings of lower floors; inside a wing no circle.
local floor_of = {
  base = 1, storage = 2, delta = 2, trust = 3, slot = 3, policy = 3, cloud = 3, serve = 3, package = 4,
  device = 5, fetch = 5, author = 5, supervise = 6, host = 7,
}

-- The only files of runtime/ that know Lua.
local knows_lua = { host = true, host_commands = true, sandbox = true, sandbox_lua = true, main = true }

-- Durable effects and clocks pass the seam in storage.h. What is not durable,
-- or runs before there is a device, is listed with its reason.
local seam = { storage_system = true, storage_files = true, storage_cache = true, storage_names = true,
  storage_mounted = true, storage_flash = true, storage_boot = true, storage_medium = true, storage_partition = true,
  storage_sysfs = true }
local effects = {
  "open", "openat", "creat", "fopen", "freopen", "pwrite", "pwritev", "fsync", "fdatasync", "sync", "syncfs",
  "sync_file_range", "rename", "renameat", "link", "linkat", "unlink", "unlinkat", "remove", "mkdir", "mkdirat",
  "rmdir", "symlink", "readlink", "chmod", "fchmod", "stat", "lstat", "fstat", "statvfs", "statfs", "opendir",
  "truncate", "ftruncate", "fallocate", "posix_fallocate", "posix_fadvise", "flock", "lockf", "mkstemp", "mkdtemp",
  "time", "gettimeofday", "clock_gettime", "getrandom", "reboot", "system", "popen",
}
local excused = {
  channel = { unlink = "its socket, which is no data", chmod = "its socket", lstat = "its socket",
    stat = "its socket", open = "the folder of a socket, when its path is too long" },
  sandbox_lock = { open = "/dev/null", fopen = "/proc, for a limit" },
  processes_system = { open = "/dev/null for the standard input of children",
    clock_gettime = "how long it has waited" },
  waits = { fstat = "its page of memory", ftruncate = "the same", clock_gettime = "when a wait began" },
  log = { open = "a descriptor of its own for stdout and stderr", fstat = "what they are" },
  orphans = { fopen = "/proc", opendir = "/proc" },
  peer = { fopen = "/proc" },
  folder = { opendir = "reads a server's folder, changes nothing", stat = "the same" },
  http_answer = { open = "serves files, changes nothing", fstat = "of a file it serves" },
}

-- bindings/x.c includes x.h; what else a binding needs, and why.
local binding_includes = {
  source = { "fetch", "storage" },  -- source.http() is up_source_http() of fetch.h
  boot = { "config", "storage" },   -- the configuration it reads, of the system
  slot = { "slot_link", "storage" }, -- where links lead; of the system
  json = { "json_load", "printable" }, -- json has no module of its own in runtime/
  channel = { "peer", "rights" },             -- who is at the other end
  digest = { "storage" },           -- digest.file() reads through the seam
  mqtt = { "storage" },             -- the clock and chance are the system's
  secret = { "storage" },           -- the system's
  cloud_record = { "storage" },
  records = { "config", "storage" }, -- the configuration it reads, of the system
  policy = { "storage" },           -- keep() and kept() go through the seam
  manifest = { "digest" },          -- names a digest in hex
  keys = { "minisign", "storage" },        -- ids as minisign shows them; the system's
  minisign = { "storage" },         -- the system's: keys are files
  device = { "package" },           -- whose manifest it takes
  status = { "device", "digest", "history" }, -- of a device, which names digests in hex
  transfer = { "package" },
  package = { "minisign", "storage" }, -- the ring that is trusted, and the spool
  verify = { "minisign", "storage" },
  patch = { "storage" },            -- files of the system
  pack = { "digest", "minisign", "storage" }, -- hashes the product key, loads the secret one
  httpd = { "http_text" },          -- a query becomes a table
}
local binding_helpers = { helpers = true, preload = true, error = true }

-- lua/update: facts in, decision out. luacheck forbids them os, io and the like.
local pure = { "update.policy", "update.version", "update.engine.offer", "update.cloud.luat", "update.cloud.luat_session",
  "update.cloud.registry", "update.engine.full_package", "update.cloud.message_fields", "update.cloud.base64", "update.cloud.aliyun", "update.cloud.tencent",
  "update.engine.plausible", "update.config.nearest", "update.config.byte_order", "update.cloud.mqtt_session", "update.config.cloud_rules",
  "update.script.luat_absent", "update.script.luat_device", "update.script.luat_fota", "update.script.luat_log", "update.script.luat_mail",
  "update.cloud.resume_record", "update.cloud.mqtt_dialects",
  "depot.luat", "depot.luat_fitting", "depot.products", "depot.site", "depot.proxy", "depot.links",
  "depot.dialects", "depot.jobs", "depot.choice" }

-- What the policy process lets a policy require.
local for_policies = { ["update.policy"] = true, ["update.version"] = true }

-- What a device's script requires.
local for_scripts = { ["update"] = true, ["update.aliyun"] = true, ["sys"] = true, ["sysplus"] = true, ["log"] = true,
  ["misc"] = true, ["libfota"] = true, ["libfota2"] = true }

-- Top level of the tree, besides dot-files.
local top = {
  ["CMakeLists.txt"] = true, runtime = true, bindings = true, lua = true, scripts = true, examples = true,
  spec = true, ["README.md"] = true, LICENSE = true,
}

local broken = 0

local function complain(format, ...)
  broken = broken + 1
  print(format:format(...))
end

local function lines_of(command)
  local pipe = assert(io.popen(command))
  local result = {}
  for line in pipe:lines() do
    result[#result + 1] = line
  end
  pipe:close()
  return result
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

-- C without comments and the contents of strings, line breaks kept.
local function bare(text)
  text = text:gsub("/%*.-%*/", function(comment)
    return (comment:gsub("[^\n]", ""))
  end)
  text = text:gsub("//[^\n]*", "")
  text = text:gsub('\\.', "")
  return (text:gsub('"[^"\n]*"', '""'))
end

local function set(list)
  local result = {}
  for _, name in ipairs(list) do
    result[name] = true
  end
  return result
end

local function stem(path)
  return path:match("([^/]+)%.[ch]$")
end

local function includes(text)
  return text:gmatch('#%s*include%s+(["<])([^">]+)[">]')
end

-- What each file of runtime/ includes of its own tree, and whose functions it calls.
local function read_arrows()
  local files, defined, arrows = {}, {}, {}
  for _, path in ipairs(lines_of("git ls-files 'runtime/*.c' 'runtime/*.h'")) do
    local file, text = path:match("[^/]+$"), read(path)
    files[file] = { path = path, text = text, code = bare(text), wing = path:match("^runtime/(%w+)/"), name = stem(path) }
    for line in files[file].code:gmatch("[^\n]+") do
      local name = line:match("^%a[%w_ %*]-[ %*](up_[%w_]+)%(")
      if name and file:find("%.c$") and not line:find(";%s*$") and not line:find("^static") then
        defined[name] = file
      end
    end
  end
  for file, at in pairs(files) do
    arrows[file] = {}
    for kind, other in includes(at.text) do
      if kind == '"' and files[other] then arrows[file][other] = "includes" end
    end
    for name in at.code:gmatch("%f[%w_](up_[%w_]+)%s*%(") do
      local other = file:find("%.c$") and defined[name]
      if other and other ~= file then arrows[file][other] = "calls " .. name .. "() of" end
    end
  end
  return files, arrows
end

-- The files of one circle through each file, by depth first search.
local function circles_of(files, arrows)
  local index, low, on, stack, count, found = {}, {}, {}, {}, 0, {}
  local function visit(file)
    count = count + 1
    index[file], low[file], on[file] = count, count, true
    stack[#stack + 1] = file
    for other in pairs(arrows[file]) do
      if not index[other] then
        visit(other)
        low[file] = math.min(low[file], low[other])
      elseif on[other] then
        low[file] = math.min(low[file], index[other])
      end
    end
    if low[file] == index[file] then
      local circle = {}
      repeat
        local other = table.remove(stack)
        on[other] = nil
        circle[#circle + 1] = other
      until other == file
      if #circle > 1 then
        table.sort(circle)
        found[#found + 1] = circle
      end
    end
  end
  for file in pairs(files) do
    if not index[file] then visit(file) end
  end
  return found
end

local function check_arrows()
  local files, arrows = read_arrows()
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
      if other:find("_private%.h$") and at.wing ~= to.wing then
        complain("%s includes %s, which is private to its wing", at.path, to.path)
      end
    end
  end
  for _, circle in ipairs(circles_of(files, arrows)) do
    complain("%s: each leads to the next and back", table.concat(circle, " "))
  end
  return files
end

local function check_runtime()
  for _, at in pairs(check_arrows()) do
    local path, name = at.path, at.name
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

local function check_lua()
  local is_pure = set(pure)
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
check_lua()
check_tree()
os.exit(broken == 0)

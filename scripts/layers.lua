-- Checks the arrows between the parts: who may include, require or call what.
--
-- Run from the top of the tree: lua5.4 scripts/layers.lua. Prints each arrow
-- that points the wrong way and exits 1, or nothing and exits 0. A new file
-- needs a place in the lists below; that is the point.

-- runtime/: a module includes only modules of a lower floor, and on the ground
-- floor also its neighbours; x_private.h is shared by x.c and the files above
-- it that implement the rest of x.h.
local floors = {
  { "error", "printable", "bytes", "crc32c", "storage", "processes", "log", "version", "waits" },
  { "storage_cache", "storage_sysfs", "storage_waits", "relay" },
  { "storage_flash", "storage_boot", "storage_files", "digest", "seal", "ed25519", "record",
    "json_load", "tar", "source", "loop", "channel", "url", "fetch_options", "coder", "address", "moves", "elf",
    "match", "resolver", "mqtt_queue", "orphans", "peer", "rights", "host_commands" },
  { "processes_system", "storage_partition", "script_archive", "slot_link", "fields", "keyset", "fetch_head", "secret",
    "cloud_record", "literal", "delta", "delta_cost", "record_private" },
  { "boot", "storage_mounted", "storage_medium", "storage_names", "slot", "minisign", "manifest", "tree", "unpack",
    "fetch", "policy", "record_half", "sandbox_answer", "sandbox_lock", "sandbox_lua", "http_text", "http_listen",
    "http_door", "folder", "signals", "mqtt", "delta_private", "delta_plan" },
  { "storage_system", "slot_private", "minisign_private", "manifest_format", "index", "config", "source_http",
    "http_answer", "history", "old_image", "policy_good", "child", "notify", "mqtt_private", "mqtt_tls" },
  { "slot_plain", "slot_mtd", "slot_ubi", "slot_inspect", "slot_medium", "host", "httpd", "mqtt_options",
    "mqtt_events", "mqtt_calls", "mqtt_client", "mqtt_link" },
  { "minisign_format", "minisign_public", "minisign_secret", "signed", "codec", "delta_maker", "index_reader", "blocks",
    "generation", "journal", "httpd_private" },
  { "boot_private", "package", "delta_blocks", "permit", "keys", "httpd_request", "inventory",
    "generation_reader" },
  { "generation_kept", "boot_file", "boot_uboot", "layout", "pack", "patch", "verify", "gates", "reuse",
    "keys_format" },
  { "patch_private" },
  { "patch_make", "patch_apply" },
  { "device" },
  { "device_private" },
  { "device_state", "device_boot", "device_gates", "device_clean", "device_traces", "provision_end", "provision",
    "install", "trial", "device_start", "device_time", "device_kept_out", "device_quarantine", "device_source",
    "device_kept", "device_script", "device_armed", "records" },
  { "transfer", "status", "supervisor_private", "sandbox" },
  { "transfer_private" },
  { "transfer_state", "transfer_open", "transfer_reuse", "transfer_unfinished" },
  { "supervisor", "supervisor_restart", "supervisor_script", "supervisor_lines", "supervisor_trouble" },
  { "supervisor_say", "main" },
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
local pure = { "update.policy", "update.version", "update.offer", "update.luat", "update.luat_request",
  "update.clouds", "update.fallback", "update.offer_fields", "update.base64", "update.aliyun_dialect", "update.tencent",
  "update.plausible", "update.nearest", "update.byte_order", "update.mqtt_session", "update.config_clouds",
  "update.luat_absent", "update.luat_device", "update.luat_fota", "update.luat_log", "update.luat_mail",
  "update.resume_record", "update.mqtt_dialects",
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

local function check_runtime()
  local floor_of = {}
  for floor, names in ipairs(floors) do
    for _, name in ipairs(names) do
      floor_of[name] = floor
    end
  end
  for _, path in ipairs(lines_of("git ls-files 'runtime/*.c' 'runtime/*.h'")) do
    local name, text = stem(path), read(path)
    local floor = floor_of[name]
    if not floor then
      complain("%s: not on any floor of scripts/layers.lua", path)
    end
    for kind, file in includes(text) do
      local other = file:match("^([%w_]+)%.h$")
      if kind == '"' and other and other ~= name and other ~= name .. "_private" then
        local below = floor_of[other]
        if not below and not knows_lua[name] then
          complain("%s includes %s, which has no floor", path, file)
        elseif below and floor and below >= floor and not (below == 1 and floor == 1) then
          complain("%s (floor %d) includes %s (floor %d)", path, floor, file, below)
        end
      end
      if (file == "lua.h" or file == "lauxlib.h" or file == "lualib.h") and not knows_lua[name] then
        complain("%s includes %s: mechanism knows no Lua", path, file)
      end
    end
    if path:find("%.c$") and not seam[name] then
      local code = bare(text)
      for _, call in ipairs(effects) do
        local at = code:find("%f[%w_.>]" .. call .. "%s*%(")
        if at and not (excused[name] and excused[name][call]) then
          local _, line = code:sub(1, at):gsub("\n", "\n")
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

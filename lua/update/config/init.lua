--- What a device is told about itself: a Lua table file, read as data.
--
-- The file is read by update.config.table_file. Every field is checked; a field
-- that is unknown, missing or of the wrong kind is named. Relative paths count
-- from the file's folder, so a device can live in one directory.
--
-- @module update.config

local built_in = require "update.built_in"
local checkers = require "update.config.checkers"
local cloud_rules = require "update.config.cloud_rules"
local file_roots = require "update.config.file_roots"
local natives = require "update.natives"
local table_file = require "update.config.table_file"

local M = {}

--- Every field: see update.config.fields.
M.fields = require "update.config.fields"

local function relations(config)
  local wrong = cloud_rules.wrong_together(config)
  if wrong then return wrong end
  if config.script and config.script.groups and not config.script.user then
    return "script.groups is only for script.user"
  end
  if config.control_verbs and not config.control_group then return "control_verbs is only for a control_group" end
  if config.journal_dir and config.journal_dir:gsub("/+$", "") == config.state:gsub("/+$", "") then
    return "journal_dir is the state directory, which has the first file of the journal; name another one"
  end
  local slots = config.core and config.core.slots
  if not slots then return end
  for _, name in ipairs { "fw_env", "cmdline" } do
    if config.core[name] and config.core.boot ~= "uboot" then
      return ("core.%s is only for core.boot = \"uboot\""):format(name)
    end
  end
  if slots.a == slots.b then return "core.slots.a and core.slots.b are the same: no core is changed in place" end
  for name, path in pairs(slots) do
    if (config.state .. "/"):sub(1, #path + 1) == path .. "/" then
      return ("state is in core.slots.%s; it must be outside both slots"):format(name)
    elseif path:sub(1, #config.state + 1) == config.state .. "/" then
      return ("core.slots.%s is inside state; put it elsewhere"):format(name)
    end
  end
end

-- What a U-Boot board needs unless told otherwise.
local function board(config)
  local core = config.core
  if not core or core.boot ~= "uboot" then return end
  core.fw_env = core.fw_env or "/etc/fw_env.config"
  core.cmdline = core.cmdline or "/proc/cmdline"
  config.restart = config.restart or { "reboot" }
end

--- Check a table and make it whole.
-- @tparam table given what the file returned
-- @tparam string folder absolute path that relative ones count from
-- @tparam function sha256 text -> hex
-- @treturn table every field of M.fields, defaults filled in, paths absolute; besides:
--   `product_key` is the hash and `product_key_text` what was given; `clouds` is
--   always an array
-- @treturn nil,string,string message without the file's name, "usage"
function M.normalise(given, folder, sha256)
  if type(given) ~= "table" then return nil, "must return one table", "usage" end
  local config, wrong = checkers.fields(given, M.fields, { folder = folder, prefix = "" })
  if not config then return nil, wrong, "usage" end
  wrong = relations(config)
  if wrong then return nil, wrong, "usage" end
  board(config)
  config.keys = config.keys or config.state .. "/keys"
  wrong = file_roots.wrong(config)
  if wrong then return nil, wrong, "usage" end
  config.clouds = config.clouds or { config.cloud }
  config.cloud = nil
  for _, cloud in ipairs(config.clouds) do cloud_rules.complete(cloud, config) end
  if config.backoff.most < config.backoff.least then
    return nil, "field backoff.most must not be below backoff.least", "usage"
  end
  config.product_key_text = config.product_key
  config.product_key = sha256(config.product_key)
  return config
end

local function absolute(path)
  if path:sub(1, 1) == "/" then return path end
  local ok, host = pcall(require, "update.native.host")
  local here = ok and host.cwd or os.getenv("PWD") or "."
  return here .. "/" .. path:gsub("^%./+", "")
end

--- Read, run and check a configuration file.
-- @tparam string path
-- @treturn table as normalise() gives it, and `path`, absolute
-- @treturn nil,string,string message that names the file and the field, "usage"
function M.load(path)
  local shown = absolute(path)
  local given, why, failure = table_file.load(path, "configuration", shown)
  if not given then return nil, why, failure end
  path = shown
  local config, message, code = M.normalise(given, path:match("^(.*)/[^/]*$"), natives.digest.sha256)
  if not config then return nil, ("%s: %s"):format(path, message), code end
  config.path = path
  if cloud_rules.holds_secret(config) then
    local private
    private, message = natives.secret.check(path)
    if not private then return nil, message, "usage" end
  end
  local pushes = cloud_rules.pushing(config)
  if pushes and not built_in.has "mqtt" then
    return nil, ("%s: cloud %s pushes over MQTT, which this program was built without (MOULT_MQTT)"):format(path,
      pushes), "usage"
  end
  return config
end

--- Where `moult run` keeps the copy of a configuration with which the device came up: runtime/device/config_kept.h.
-- @tparam string path of the configuration
-- @treturn string
function M.kept(path)
  return path .. ".good"
end

--- The configuration; or, when it cannot be used, its kept copy.
-- @tparam string path
-- @treturn table as load() gives it
-- @treturn string|nil what is wrong with the file, when it is the copy
-- @treturn nil,string,string message and code word of load()
function M.load_or_kept(path)
  local config, message, code = M.load(path)
  if config then return config end
  config = M.load(M.kept(path))
  if not config then return nil, message, code end
  return config, ("%s; going on with %s"):format(message, M.kept(path))
end

return M

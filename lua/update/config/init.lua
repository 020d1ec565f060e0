--- What a device is told about itself: a Lua table file, read as data.
--
-- The file is read by update.config.table_file. Every field is checked; a field
-- that is unknown, missing or of the wrong kind is named. Relative paths count
-- from the file's folder, so a device can live in one directory.
--
-- @module update.config

local built_in = require "update.built_in"
local cloud_rules = require "update.config.cloud_rules"
local dialect_file = require "update.config.dialect_file"
local config_limits = require "update.config.limits"
local natives = require "update.natives"
local nearest = require "update.config.nearest"
local table_file = require "update.config.table_file"

local M = {}

local VALUES = 10000 -- in one field of free form

--- Every field: see update.config.fields.
M.fields = require "update.config.fields"

local check_fields

-- Each checker: (value, field, context) -> normalised value | nil, what is wrong.
local checkers = {}

function checkers.string(value, field)
  if type(value) ~= "string" or value == "" then return nil, "must be a string that is not empty" end
  if field.max and #value > field.max then return nil, ("is longer than %d bytes"):format(field.max) end
  if value:find("%c") then return nil, "must not hold control characters" end
  return value
end

-- One level of an MQTT topic.
function checkers.topic(value, field)
  local text, wrong = checkers.string(value, field)
  if not text then return nil, wrong end
  if text:find("[^\33-\126]") or text:find("[/+#]") then
    return nil, "must be of printable characters without blank, /, + and #"
  end
  return text
end

function checkers.path(value, field, context)
  local text, wrong = checkers.string(value, field)
  if not text then return nil, wrong end
  if #text > 3072 then return nil, "is too long for a path" end
  if text:sub(1, 1) == "/" then return text end
  return context.folder .. "/" .. text
end

function checkers.url(value, field)
  local text, wrong = checkers.string(value, field)
  if not text then return nil, wrong end
  if not text:find("^https?://[^/]") then return nil, "must begin with http:// or https:// and name a host" end
  if not natives.url.check(text) then return nil, "cannot be read as a URL" end
  return text
end

function checkers.boolean(value)
  if type(value) ~= "boolean" then return nil, "must be true or false" end
  return value
end

function checkers.integer(value, field)
  local number = math.type(value) and math.tointeger(value)
  if not number then return nil, "must be an integer" end
  if number < field.min or number > field.max then
    return nil, ("must be from %d to %d"):format(field.min, field.max)
  end
  return number
end

function checkers.word(value, field)
  for _, choice in ipairs(field.choices) do
    if value == choice then return value end
  end
  local quoted = {}
  for i, choice in ipairs(field.choices) do quoted[i] = ("%q"):format(choice) end
  return nil, "must be " .. table.concat(quoted, " or ")
end

function checkers.table(value, field, context)
  if type(value) ~= "table" then return nil, "must be a table" end
  return check_fields(value, field.fields, context)
end

-- A field for clouds of another kind is named as such, rather than as unknown.
function checkers.cloud(value, field, context)
  local cloud, wrong, named = checkers.table(value, field, context)
  if not cloud then return nil, wrong, named end
  wrong = cloud_rules.wrong(cloud, context.prefix)
  if wrong then return nil, wrong, true end
  return cloud
end

-- Their kinds and fields are known from here on.
function checkers.dialects(value, field, context)
  local count = type(value) == "table" and table_file.length(value)
  if not count then return nil, "must be an array of paths" end
  if count > field.max then return nil, ("has more than %d paths"):format(field.max) end
  local paths = {}
  for i, name in ipairs(value) do
    local path, wrong = checkers.path(name, {}, context)
    if not path then return nil, ("must be an array of paths; one %s"):format(wrong) end
    local ok, message = dialect_file.add(path)
    if not ok then return nil, message, true end
    paths[i] = path
  end
  return paths
end

function checkers.restart(value)
  if value == "exit" then return value end
  local count = type(value) == "table" and table_file.length(value)
  if not count or count == 0 then return nil, "must be \"exit\" or an array of words" end
  if count > 16 then return nil, "has more than 16 words" end
  for _, word in ipairs(value) do
    if type(word) ~= "string" or word == "" or word:find("%z") then return nil, "must be an array of words" end
  end
  return value
end

function checkers.names(value, field)
  local count = type(value) == "table" and table_file.length(value)
  if not count then return nil, "must be an array of names" end
  if count > field.max then return nil, ("has more than %d names"):format(field.max) end
  for _, name in ipairs(value) do
    if not checkers.string(name, { max = 32 }) then return nil, "must be an array of names of at most 32 bytes" end
  end
  return value
end

-- A table may be in it many times, so what is looked at is counted.
local function check_data(value, depth, looked)
  local kind = type(value)
  if kind == "string" or kind == "boolean" or math.type(value) == "integer" then return value end
  if kind == "number" and value == value and value - value == 0 then return value end
  if kind == "number" then return nil, "must not hold a number that is not finite" end
  if kind ~= "table" then return nil, "must not hold a " .. kind end
  if depth > 8 then return nil, "is nested too deeply" end
  for key, element in pairs(value) do
    if type(key) ~= "string" and math.type(key) ~= "integer" then return nil, "must have words or numbers as keys" end
    looked.count = looked.count + 1
    if looked.count > VALUES then return nil, ("holds more than %d values"):format(VALUES) end
    local ok, wrong = check_data(element, depth + 1, looked)
    if ok == nil then return nil, wrong end
  end
  return value
end

function checkers.data(value)
  if type(value) ~= "table" then return nil, "must be a table" end
  return check_data(value, 1, { count = 0 })
end

function checkers.limits(value)
  local limits, wrong = checkers.data(value)
  if not limits then return nil, wrong end
  wrong = config_limits.wrong(limits)
  if wrong then return nil, wrong, true end
  return limits
end

function checkers.array(value, field, context)
  local count = type(value) == "table" and table_file.length(value)
  if not count or count == 0 then return nil, "must be an array of tables" end
  local out = {}
  for i, cloud in ipairs(value) do
    local wrong
    local inner = { folder = context.folder, prefix = ("%s[%d]."):format(field.name, i) }
    out[i], wrong = checkers.cloud(cloud, field, inner)
    if not out[i] then return nil, wrong, true end
  end
  return out
end

local function names(fields)
  local list = {}
  for i, field in ipairs(fields) do list[i] = field.name end
  return list
end

local function unknown(key, fields, context)
  if type(key) ~= "string" then
    local where = context.prefix == "" and "the table" or "field " .. context.prefix:sub(1, -2)
    return where .. " holds a value without a name"
  end
  return ("unknown field %s%s%s"):format(context.prefix, key, nearest.hint(key, names(fields)))
end

-- The third value says that the message names its field already.
function check_fields(given, fields, context)
  local out, known = {}, {}
  for _, field in ipairs(fields) do known[field.name] = true end
  for key in pairs(given) do -- first: what is missing may be there, misspelt
    if not known[key] then return nil, unknown(key, fields, context), true end
  end
  for _, field in ipairs(fields) do
    local value = given[field.name]
    if value == nil then value = field.default end
    if value == nil and field.required then
      return nil, ("field %s%s is missing: %s"):format(context.prefix, field.name, field.meaning), true
    end
    if value ~= nil then
      local inner = context
      if field.fields then inner = { folder = context.folder, prefix = context.prefix .. field.name .. "." } end
      local checked, wrong, named = checkers[field.type](value, field, inner)
      if checked == nil then
        if not named then wrong = ("field %s%s %s"):format(context.prefix, field.name, wrong) end
        return nil, wrong, true
      end
      out[field.name] = checked
    end
  end
  return out
end

local function relations(config)
  local wrong = cloud_rules.wrong_together(config)
  if wrong then return wrong end
  if config.script and config.script.groups and not config.script.user then
    return "script.groups is only for script.user"
  end
  if config.journal_dir and config.journal_dir:gsub("/+$", "") == config.state:gsub("/+$", "") then
    return "journal_dir is the state directory, where the first file of the journal lies; name another one"
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
      return ("state lies in core.slots.%s; it must outlive both slots"):format(name)
    elseif path:sub(1, #config.state + 1) == config.state .. "/" then
      return ("core.slots.%s lies inside state; give it a place of its own"):format(name)
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
  local config, wrong = check_fields(given, M.fields, { folder = folder, prefix = "" })
  if not config then return nil, wrong, "usage" end
  wrong = relations(config)
  if wrong then return nil, wrong, "usage" end
  board(config)
  config.keys = config.keys or config.state .. "/keys"
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
  local pushes = cloud_rules.pushing(config)
  if pushes and not built_in.has "mqtt" then
    return nil, ("%s: cloud %s pushes over MQTT, which this program was built without (MOULT_MQTT)"):format(path,
      pushes), "usage"
  end
  if cloud_rules.holds_secret(config) then
    local private
    private, message = natives.secret.check(path)
    if not private then return nil, message, "usage" end
  end
  return config
end

return M

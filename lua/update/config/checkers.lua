--- What each type of field takes in a configuration.
--
-- @module update.config.checkers

local cloud_rules = require "update.config.cloud_rules"
local config_limits = require "update.config.limits"
local dialect_file = require "update.config.dialect_file"
local file_roots = require "update.config.file_roots"
local free_form = require "update.config.free_form"
local natives = require "update.natives"
local nearest = require "update.config.nearest"
local table_file = require "update.config.table_file"
local unsigned = require "update.cloud.unsigned"

local M = {}

-- Each checker: (value, field, context) -> normalised value | nil, what is wrong, whether that names the field.
local checkers = {}

function checkers.string(value, field)
  if type(value) ~= "string" or value == "" then return nil, "must be a string and not empty" end
  if field.max and #value > field.max then return nil, ("is longer than %d bytes"):format(field.max) end
  if value:find("%c") then return nil, "must not hold control characters" end
  return value
end

-- A name or an address; what else people write there has a field of its own, and a password would be shown.
function checkers.host(value, field)
  local text, wrong = checkers.string(value, field)
  if not text then return nil, wrong end
  if text:find("[/@%s]") then return nil, "must be a name or an address, without a scheme, user or password" end
  if text:find("^[^:]*:%d+$") then return nil, "must be a name or an address; the port is a field of its own" end
  return text
end

-- One level of an MQTT topic.
function checkers.topic(value, field)
  local text, wrong = checkers.string(value, field)
  if not text then return nil, wrong end
  if text:find("[^\33-\126]") or text:find("[/+#]") then
    return nil, "must have printable characters only, without spaces, /, + and #"
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
  if value == false and field.none then return false end
  if type(value) ~= "table" then return nil, field.none and "must be a table or false" or "must be a table" end
  return M.fields(value, field.fields, context)
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
  if type(value) ~= "table" or #value == 0 then return nil, "must be \"exit\" or an array of words" end
  return checkers.command(value)
end

function checkers.command(value)
  local count = type(value) == "table" and table_file.length(value)
  if not count or count == 0 then return nil, "must be an array of words" end
  if count > 16 then return nil, "has more than 16 words" end
  for _, word in ipairs(value) do
    if type(word) ~= "string" or word == "" or word:find("%z") then return nil, "must be an array of words" end
  end
  return value
end

function checkers.roots(value, field, context)
  return file_roots.check(value, field, function(given, prefix)
    return M.fields(given, field.fields, { folder = context.folder, prefix = prefix })
  end)
end

function checkers.names(value, field)
  local count = type(value) == "table" and table_file.length(value)
  if not count then return nil, "must be an array of names" end
  if count > field.max then return nil, ("has more than %d names"):format(field.max) end
  for _, name in ipairs(value) do
    if not checkers.string(name, { max = 32 }) then return nil, "must be an array of names of at most 32 bytes" end
    if field.choices then
      local known, wrong = checkers.word(name, field)
      if not known then return nil, ("%s, each of them"):format(wrong) end
    end
  end
  return value
end

local ENTRY = { from = "string", lua = "boolean" }

-- An entry that is more than an address.
local function wrong_entry(entry)
  if type(entry) ~= "table" then return nil end
  for name, value in pairs(entry) do
    if ENTRY[name] ~= type(value) then return "may only have from = ADDRESS and lua = true" end
  end
end

-- Beginnings of addresses: update.cloud.unsigned.
function checkers.prefixes(value, field)
  local count = type(value) == "table" and table_file.length(value)
  if not count then return nil, "must be an array of addresses" end
  if count > field.max then return nil, ("has more than %d addresses"):format(field.max) end
  for _, entry in ipairs(value) do
    local text, wrong = checkers.string(unsigned.prefix(entry), { max = 1024 })
    wrong = text and unsigned.wrong(text) or wrong or wrong_entry(entry)
    if wrong then return nil, ("must be an array of addresses; one %s"):format(wrong) end
  end
  return value
end

function checkers.data(value)
  if type(value) ~= "table" then return nil, "must be a table" end
  return free_form.check(value)
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

--- Check a table by its fields.
-- @tparam table given
-- @tparam {table,...} fields rows of update.config.fields
-- @tparam table context folder (that relative paths count from), prefix (of names in messages)
-- @treturn table|nil the same with defaults, paths absolute | nil, what is wrong, true
function M.fields(given, fields, context)
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

return M

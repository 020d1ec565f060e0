--- The dialects that a cloud of the configuration may speak. Each is a module and a row here.
--
-- Pure. A dialect is a table with
--
-- - `name`: the `kind` of its clouds; `over`: "http", the cloud is asked; "mqtt", it pushes; only
--   built in: "call", the application calls;
-- - `wrong`, or nil: function(cloud, prefix of its fields) -> what does not fit together in a cloud, or nil;
-- - `fields`, or nil: fields of the configuration for this kind only, rows as in
--   update.config.fields. Their values are in the options of request() and connection(), in
--   reports, and in the third argument of decode();
-- - over HTTP: request(), decode(), recognises(), and bare() or nil; see update.cloud.luat; `in_body`:
--   the answer to a question is never a package; its body says where that is;
-- - over MQTT: topics(), subscriptions(), parse_topic(), connection(), decode(), encode(),
--   refusal(), numbers, `asks` or nil, and traits: those of update.cloud.mqtt_session,
--   `certificate` (a certificate can replace the secret), `calls` (scripts may drive its
--   updates, see update.agent.aliyun_calls); see update.cloud.aliyun.
--
-- @module update.cloud.registry

local shared = require "update.config.cloud_fields"

local M = {}

local BUILT_IN = { require "update.cloud.luat", require "update.cloud.aliyun", require "update.cloud.tencent",
  require "update.cloud.terminal", (require "update.cloud.qinglian") }

-- The members that a dialect must have, with their types.
local NEEDED = {
  http = { request = "function", decode = "function", recognises = "function" },
  mqtt = { topics = "function", subscriptions = "function", parse_topic = "function", connection = "function",
    decode = "function", encode = "function", refusal = "function", numbers = "table", traits = "table" },
}

-- The types that a dialect's own fields may have, and what else such a row needs.
local TYPES = { string = {}, boolean = {}, topic = {}, path = {}, url = {}, integer = { "min", "max" },
  word = { "choices" } }

local dialects, built_in, kinds_of = {}, {}, {}

--- The fields of a cloud, of all dialects.
M.fields = table.move(shared, 1, #shared, 1, {})

local kinds = shared[1].choices

--- @treturn table|nil the dialect of a kind
function M.of(kind)
  return dialects[kind]
end

--- Whether a cloud pushes its offers over MQTT.
-- @tparam table cloud a row of config.clouds
function M.is_mqtt(cloud)
  local dialect = dialects[cloud.kind]
  return dialect ~= nil and dialect.over == "mqtt"
end

--- Whether updates of a cloud begin when the application calls.
function M.is_called(cloud)
  local dialect = dialects[cloud.kind]
  return dialect ~= nil and dialect.over == "call"
end

--- Whether a field is for clouds of a kind.
-- @tparam table field a row of M.fields
-- @tparam string kind
function M.takes(field, kind)
  local own = kinds_of[field]
  if own then return own[kind] == true end
  return not field.over or field.over == dialects[kind].over
end

--- The values of a cloud's fields that belong to its dialect only.
-- @treturn table
function M.own(cloud)
  local own = {}
  for _, field in ipairs(dialects[cloud.kind].fields or {}) do own[field.name] = cloud[field.name] end
  return own
end

local function wrong_field(field)
  if type(field) ~= "table" or type(field.name) ~= "string" or not field.name:find "^%l[%l%d_]*$" then
    return "the name of a field must be of lower-case letters"
  end
  local more = TYPES[field.type]
  if not more then return ("field %s has an unknown type"):format(field.name) end
  if field.default ~= nil then return ("field %s has a default; put it into the dialect"):format(field.name) end
  if type(field.meaning) ~= "string" then return ("field %s has no meaning"):format(field.name) end
  for _, name in ipairs(more) do
    if field[name] == nil then return ("field %s has no %s"):format(field.name, name) end
  end
  for _, other in ipairs(shared) do
    if other.name == field.name then return ("field %s: every dialect has it already"):format(field.name) end
  end
end

local function wrong_dialect(dialect)
  if type(dialect) ~= "table" then return "a dialect must be a table" end
  if type(dialect.name) ~= "string" or not dialect.name:find "^%l[%l%d_]*$" or #dialect.name > 32 then
    return "a dialect needs a name of lower-case letters"
  end
  local needed = NEEDED[dialect.over]
  if not needed then return ("dialect %s: over must be \"http\" or \"mqtt\""):format(dialect.name) end
  local missing = {}
  for name, kind in pairs(needed) do
    if type(dialect[name]) ~= kind then missing[#missing + 1] = ("%s (%s)"):format(name, kind) end
  end
  table.sort(missing)
  if missing[1] then return ("dialect %s has no %s"):format(dialect.name, table.concat(missing, ", ")) end
  for _, field in ipairs(dialect.fields or {}) do
    local wrong = wrong_field(field)
    if wrong then return ("dialect %s: %s"):format(dialect.name, wrong) end
  end
end

-- Two dialects may have a field of the same name; the row of the first counts. Clouds of other kinds do not have it, so
-- update.config.cloud_rules reports a missing one.
local function register_field(given, kind)
  for _, other in ipairs(M.fields) do
    if other.name == given.name then
      kinds_of[other][kind] = true
      return
    end
  end
  local field = {}
  for name, value in pairs(given) do field[name] = value end
  field.needed, field.required = field.required, nil
  table.insert(M.fields, field)
  kinds_of[field] = { [kind] = true }
end

local function register(dialect)
  if not dialects[dialect.name] then kinds[#kinds + 1] = dialect.name end
  dialects[dialect.name] = dialect
  for _, field in ipairs(dialect.fields or {}) do register_field(field, dialect.name) end
end

-- An error in a dialect from outside must not end the agent; the message counts as one that cannot be understood.
local function guarded(dialect, name)
  local method = dialect[name]
  local instead = (name == "topics" or name == "subscriptions") and {} or nil
  return function(...)
    local results = table.pack(pcall(method, ...))
    if results[1] then return table.unpack(results, 2, results.n) end
    return instead, ("dialect %s: %s: %s"):format(dialect.name, name, tostring(results[2])), "internal"
  end
end

--- Add a dialect that is not built in, or replace one that was added.
-- @tparam table dialect see above
-- @treturn boolean true | nil, message, "usage"
function M.add(dialect)
  local wrong = wrong_dialect(dialect)
  if wrong then return nil, wrong, "usage" end
  if built_in[dialect.name] then
    return nil, ("dialect %s is built in; give yours another name"):format(dialect.name), "usage"
  end
  local copy = {}
  for name, value in pairs(dialect) do
    copy[name] = type(value) == "function" and guarded(dialect, name) or value
  end
  register(copy)
  return true
end

for _, dialect in ipairs(BUILT_IN) do
  register(dialect)
  built_in[dialect.name] = true
end

return M

--- The dialects that a cloud of the configuration may speak: a module each, and a row here.
--
-- Pure. A dialect is a table with
--
-- - `name`: the `kind` of its clouds; `over`: "http", it is asked, or "mqtt", it pushes; and
--   built in alone "call": the application calls, and nobody is asked;
-- - `fields`, or nil: fields of the configuration for this kind alone, rows as in
--   update.config.fields. What a cloud says in them is in the options of request() and
--   connection(), in reports, and the third argument of decode();
-- - over HTTP: request(), decode(), recognises(), and bare() or nil; see update.cloud.luat; `in_body`:
--   the answer to a question is never a package, but says in its body where that is;
-- - over MQTT: topics(), subscriptions(), parse_topic(), connection(), decode(), encode(),
--   refusal(), numbers, `asks` or nil, and traits: what update.cloud.mqtt_session is told,
--   `certificate` (a certificate does instead of the secret), `calls` (scripts may drive its
--   updates, see update.agent.aliyun_calls); see update.cloud.aliyun.
--
-- @module update.cloud.registry

local shared = require "update.config.cloud_fields"

local M = {}

local BUILT_IN = { require "update.cloud.luat", require "update.cloud.aliyun", require "update.cloud.tencent",
  (require "update.cloud.terminal") }

-- What a dialect must have, and what of it is no function.
local NEEDED = {
  http = { request = "function", decode = "function", recognises = "function" },
  mqtt = { topics = "function", subscriptions = "function", parse_topic = "function", connection = "function",
    decode = "function", encode = "function", refusal = "function", numbers = "table", traits = "table" },
}

-- Types that a field of its own may have, and what such a row must say besides.
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

--- Whether a cloud pushes over MQTT rather than being asked.
-- @tparam table cloud a row of config.clouds
function M.is_mqtt(cloud)
  local dialect = dialects[cloud.kind]
  return dialect ~= nil and dialect.over == "mqtt"
end

--- Whether nobody is asked for a cloud: the application calls.
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

--- What a cloud says in the fields that belong to its dialect alone.
-- @treturn table
function M.own(cloud)
  local own = {}
  for _, field in ipairs(dialects[cloud.kind].fields or {}) do own[field.name] = cloud[field.name] end
  return own
end

local function wrong_field(field)
  if type(field) ~= "table" or type(field.name) ~= "string" or not field.name:find "^%l[%l%d_]*$" then
    return "a field without a name of small letters"
  end
  local more = TYPES[field.type]
  if not more then return ("field %s has an unknown type"):format(field.name) end
  if field.default ~= nil then return ("field %s has a default; let the dialect know it"):format(field.name) end
  if type(field.meaning) ~= "string" then return ("field %s has no meaning"):format(field.name) end
  for _, name in ipairs(more) do
    if field[name] == nil then return ("field %s has no %s"):format(field.name, name) end
  end
  for _, other in ipairs(shared) do
    if other.name == field.name then return ("field %s is one that every dialect has"):format(field.name) end
  end
end

local function wrong_dialect(dialect)
  if type(dialect) ~= "table" then return "a dialect is a table" end
  if type(dialect.name) ~= "string" or not dialect.name:find "^%l[%l%d_]*$" or #dialect.name > 32 then
    return "a dialect needs a name of small letters"
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

-- Two dialects may have a field of the same name; the first says what it looks like. Clouds of other kinds do not have
-- it, so that update.config.cloud_rules says when it is missing.
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

-- A fault of a dialect from outside is a message that cannot be understood, and never the end of the agent.
local function guarded(dialect, name)
  local method = dialect[name]
  local instead = (name == "topics" or name == "subscriptions") and {} or nil
  return function(...)
    local results = table.pack(pcall(method, ...))
    if results[1] then return table.unpack(results, 2, results.n) end
    return instead, ("dialect %s: %s: %s"):format(dialect.name, name, tostring(results[2])), "internal"
  end
end

--- Add a dialect that is not built in, or another form of one that was added.
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

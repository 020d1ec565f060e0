--- The OpenAPI 3.1 document of the API, from the route table.
--
-- Pure.
--
-- @module depot.api.openapi

local fields = require "depot.api.fields"
local route_table = require "depot.api.route_table"

local M = {}

local TYPES = {
  string = function(rule)
    return { type = "string", maxLength = rule.most or 1000, enum = rule.one_of }
  end,
  integer = function(rule) return { type = "integer", minimum = rule.least or 0, maximum = rule.most } end,
  boolean = function() return { type = "boolean" } end,
  strings = function(rule)
    return { type = "array", items = { type = "string" }, maxItems = rule.most or 10000 }
  end,
  map = function() return { type = "object", additionalProperties = { type = "string" } } end,
}

local function schema_of(rule)
  local schema = TYPES[rule.type](rule)
  schema.description = rule.about
  return schema
end

local function parameters(json, route)
  local list = json.array {}
  for name in route.path:gmatch "{(%w+)}" do
    list[#list + 1] = { name = name, ["in"] = "path", required = true, description = route_table.IDS[name],
      schema = { type = "string" } }
  end
  for _, name in ipairs(fields.names(route.query)) do
    list[#list + 1] = { name = name, ["in"] = "query", required = route.query[name].need or false,
      schema = schema_of(route.query[name]) }
  end
  return list
end

local function body_of(json, route)
  if not route.body then return nil end
  local properties, required = {}, json.array {}
  for _, name in ipairs(fields.names(route.body)) do
    properties[name] = schema_of(route.body[name])
    if route.body[name].need then required[#required + 1] = name end
  end
  return { required = true, content = { ["application/json"] = { schema = { type = "object", properties = properties,
    required = required, additionalProperties = false } } } }
end

local function operation(json, route)
  local name = route.path:gsub("[{}]", ""):gsub("[/_](%w)", function(c) return c:upper() end)
  return { operationId = route.method:lower() .. name, summary = route.about, parameters = parameters(json, route),
    requestBody = body_of(json, route),
    description = ("Role: %s. Verb: %s."):format(route.role, route.verb),
    security = route.role == "none" and json.array {} or json.array { { token = json.array {} } },
    responses = { ["200"] = { description = "Done" }, default = { description = "A failure", content = {
      ["application/json"] = { schema = { ["$ref"] = "#/components/schemas/Error" } } } } } }
end

--- @tparam table json update.native.json
-- @tparam {table,...} routes
-- @tparam string base of all paths
-- @treturn table
function M.document(json, routes, base)
  local paths = {}
  for _, route in ipairs(routes) do
    paths[route.path] = paths[route.path] or {}
    paths[route.path][route.method:lower()] = operation(json, route)
  end
  local text = { type = "string" }
  return { openapi = "3.1.0", info = { title = "Moult depot", version = "1" },
    servers = json.array { { url = base } }, paths = paths,
    components = { securitySchemes = { token = { type = "http", scheme = "bearer" } }, schemas = { Error = {
      type = "object", required = json.array { "error" }, properties = { error = { type = "object",
        required = json.array { "code", "message", "request" },
        properties = { code = text, message = text, field = text, hint = text, request = text } } } } } } }
end

return M

-- What the target `depot_api` does with an input. The first byte picks who reads the rest: a route with the arguments
-- of its query, the JSON body of a route, a filter, a form, or cookies and ids.

local fields = require "depot.api.fields"
local filters = require "depot.filter"
local form = require "depot.console.form"
local ids = require "depot.api.ids"
local json = require "update.native.json"
local multipart = require "depot.console.multipart"
local people = require "depot.api.people"
local route_table = require "depot.api.route_table"
local routers = require "depot.api.router"
local wheres = require "depot.store.where"

local LIMITS = { depth = 8, size = 1048576 }
local NOW = 1700000000000

local routes = route_table.all()
local router = routers.new(routes)

local TYPES = { string = "string", integer = "number", boolean = "boolean", strings = "table", map = "table" }

-- What is accepted has the type of its rule, and no other name.
local function check(rules, given)
  local args, message, code = fields.check(rules, given)
  if not args then return assert(message and code == "usage") end
  for name, value in pairs(args) do
    assert(type(value) == TYPES[rules[name].type], name)
    if rules[name].type == "string" then assert(utf8.len(value) and #value <= (rules[name].most or 1000)) end
  end
end

local readers = {}

-- "GET /path?name=value"
readers[0] = function(bytes)
  local method, path, query = bytes:match "^(%u+) ([^?]*)%??(.*)$"
  if not method then return end
  local route, params = router:find(method, path)
  if not route then return end
  for _, value in pairs(params) do assert(not value:find("/", 1, true)) end
  check(route.query or {}, form.read(query))
end

readers[1] = function(bytes)
  if bytes == "" then return end
  local route = routes[bytes:byte() % #routes + 1]
  local body = json.decode(bytes:sub(2), LIMITS)
  if type(body) == "table" then check(route.body or {}, body) end
end

local ROW = { cloud = "aliyun", product = "pk", device = "dev1", release = "1.0.0", state = "failed", code = -2,
  core = 17, heard = NOW - 1000, hardware = "B" }
local ABOUT = { tags = function() return { "lab" } end, groups = function() return { "north" } end }
local FACTS = { groups = function() return {} end, releases = function() return { "1.0.0", "1.0.1" } end }

readers[2] = function(bytes)
  local filter, message, code = filters.parse(bytes)
  if not filter then return assert(message and code == "usage") end
  assert(type(filters.means(filter, ROW, NOW, ABOUT)) == "boolean")
  local text, values = wheres.of(filter, NOW, FACTS):text()
  -- A text from outside is a value, for which the statement has a place.
  assert(select(2, text:gsub("%?", "")) == #values, text)
end

-- A form: its boundary in the first line.
readers[3] = function(bytes)
  local head, body = bytes:match "^([^\n]*)\n(.*)$"
  if not head then return form.read(bytes) end
  local boundary = multipart.boundary("multipart/form-data; boundary=" .. head)
  local read = boundary and multipart.read(body, boundary)
  for name, text in pairs(read or {}) do assert(type(name) == "string" and type(text) == "string") end
end

readers[4] = function(bytes)
  local value = people.cookie_of(bytes, "moult")
  assert(value == nil or not value:find "[;%s]")
  local id = ids.read(bytes)
  assert(not id or ids.of(id) == bytes)
end

return function(bytes)
  if bytes ~= "" then readers[bytes:byte() % 5](bytes:sub(2)) end
end

--- From a request to an answer: who asks, what he means, whether he may, what comes of it.
--
-- Each step either goes on or fails with a code word. A route runs in a
-- coroutine, so that it can wait for a child without holding up the others.
--
-- @module depot.api.answering

local errors = require "depot.api.errors"
local fields = require "depot.api.fields"
local may = require "depot.api.may"
local objects = require "depot.api.objects"
local proxy = require "depot.proxy"
local route_table = require "depot.api.route_table"
local times = require "depot.times"

local M = {}

local SAFE = { GET = true, HEAD = true }
local BODY = { depth = 8, size = 1048576 }

local Answering = {}
Answering.__index = Answering

--- @tparam table parts world, people, passwords, limits, router, routes, natives, hosts ({[host] = true}), origins
--   ({[origin] = true}), base (URL), proxies ({[address] = true}), clock (-> seconds), incoming (depot.api.incoming),
--   receiving (uploads whose bytes come), receive (function(call, path, offset)), live
function M.new(parts) return setmetatable(parts, Answering) end

--- Whether the request's origin is ours, as browsers say.
function Answering:is_own(request)
  local origin = request.headers.origin
  if origin then return self.origins[origin] == true end
  return request.headers["sec-fetch-site"] == "same-origin"
end

-- A request of a session that changes something.
local function check_session(self, call)
  local request, route = call.request, call.route
  if not self:is_own(request) then
    return nil, "the request does not come from this server's pages (Origin)", "forbidden"
  end
  if route.role == "none" then return true end
  local said = request.headers["x-csrf-token"]
  if said ~= call.actor.csrf then
    return nil, "the session's token is missing or wrong (X-CSRF-Token)", "forbidden", "csrf"
  end
  return true
end

-- Who asks; and whether he may ask at all.
local function admit(self, call)
  local actor = false
  local request, route = call.request, call.route
  if route.role ~= "none" then
    local message, code
    actor, message, code = self.people:who(request)
    if actor == nil then return nil, message, code end
    if not actor then return nil, "nobody is logged in", "login" end
    call.actor = actor
    call.world.actor = { name = actor.name, address = call.address }
    -- A page of the console asks several routes.
    request.wait = not request.internal and self.limits:ask(actor.key, self.clock()) or nil
    if request.wait then return nil, "more than 20 requests a second", "limited" end
  end
  if not SAFE[request.method] and not request.internal and (not actor or actor.session) then
    local ok, message, code, field = check_session(self, call)
    if not ok then return nil, message, code, field end
  end
  if route.session_only and not actor.session then
    return nil, "a token cannot do this; log in", "forbidden"
  end
  return true
end

local function read_query(_, call)
  -- What follows it would be cut off in silence.
  if (call.request.raw_query or ""):find("%00", 1, true) then
    return nil, "the query has a byte zero", "usage"
  end
  local query, message, code, field = fields.check(call.route.query or {}, call.request.query)
  call.query = query
  return query, message, code, field
end

local function read_body(self, call)
  local request, route = call.request, call.route
  local body = {}
  if not SAFE[request.method] and #request.body > 0 then
    if not (request.headers["content-type"] or ""):find "^application/json" then
      return nil, "the body has to be application/json", "usage"
    end
    local message
    body, message = self.natives.json.decode(request.body, BODY)
    if type(body) ~= "table" or #body > 0 then
      return nil, "the body is no JSON object" .. (message and ": " .. message or ""), "usage"
    end
  end
  local args, message, code, field = fields.check(route.body or {}, body)
  if not args then return nil, message, code, field end
  call.args = args
  for name, value in pairs(call.query) do
    if args[name] == nil then args[name] = value end
  end
  return true
end

-- Load what the path names; a product that the actor may not see is not there.
local function load_objects(_, call)
  for name, text in pairs(call.params) do
    local kind = objects.kinds[name]
    if kind then
      local object, message, code = kind.load(call.world, text)
      if not object then return nil, message, code end
      local product = kind.product and kind.product(object)
      if product and not may.sees(call.actor, product) then
        return nil, select(2, kind.load(call.world, "-")), "missing"
      end
      call.objects[name], call.kind = object, name
      call.product = product or call.product
    end
  end
  return true
end

local function allow(_, call)
  local route, actor = call.route, call.actor
  local role = route.role
  if role == "none" or role == "self" then return true end
  local given = call.request.query[route.read_when or ""]
  if given == "1" or given == "true" then role = "viewer" end
  local allowed
  if route.scope == "any" then
    allowed = may.anywhere(actor, route.verb, role)
  else
    allowed = may.may(actor, route.verb, role, call.product)
  end
  if allowed then return true end
  return nil, ("this takes the role %s%s"):format(role, actor.token and ", and a token that may " .. route.verb or ""),
    "forbidden"
end

local function match(_, call)
  local kind = objects.kinds[call.kind or ""]
  if not route_table.MATCHED[call.request.method] or not kind or not kind.etag then return true end
  local wanted = call.request.headers["if-match"]
  if not wanted then return nil, "If-Match is missing", "precondition" end
  if wanted == kind.etag(call.world, call.objects[call.kind]) then return true end
  local last = call.world.store:last_change(kind.name(call.objects[call.kind]))
  return nil, last and ("it was changed meanwhile, last by %s at %s"):format(last.actor,
    times.shown(last.at // 1000)) or "it was changed meanwhile", "changed"
end

local STEPS = { admit, load_objects, allow, read_query, read_body, match }

function Answering:_run(call)
  for _, step in ipairs(STEPS) do
    local ok, message, code, field = step(self, call)
    if not ok then return nil, message, code, field end
  end
  return call.route.run(call)
end

local JSON = "application/json"

-- Every text that goes out is valid UTF-8 without what controls a terminal.
function Answering:_clean(value)
  if type(value) == "string" then return self.natives.printable.text(value) end
  if type(value) ~= "table" then return value end
  local keys = {}
  for key in pairs(value) do keys[#keys + 1] = key end
  for _, key in ipairs(keys) do value[key] = self:_clean(value[key]) end
  return value
end

local function headers_of(more)
  local headers = { ["Content-Type"] = JSON, ["Cache-Control"] = "no-store", ["X-Content-Type-Options"] = "nosniff",
    ["Referrer-Policy"] = "no-referrer" }
  for name, value in pairs(more or {}) do headers[name] = value end
  return headers
end

--- The answer to a failure. `request.wait`: in how many seconds the same may succeed.
-- @treturn table {status, headers, body}
function Answering:failure(request, code, message, field)
  local status, object = errors.of(code or "internal", message or "?", field, ("%x"):format(request.id))
  local more = {}
  local wait = status == 503 and 1 or request.wait
  if wait then more["Retry-After"] = ("%d"):format(wait) end
  if status == 401 then more["WWW-Authenticate"] = 'Bearer realm="moult"' end
  if request.early then more.Connection = "close" end
  return { status = status, headers = headers_of(more), body = self.natives.json.encode(self:_clean(object)) .. "\n",
    note = object.error.message }
end

function Answering:_result(call, result, extra)
  extra = extra or {}
  if extra.file then return { file = extra.file, headers = headers_of(extra.headers) } end
  if extra.stream then return { stream = true, call = call, headers = headers_of(extra.headers) } end
  local kind = objects.kinds[call.kind or ""]
  local more = extra.headers or {}
  if kind and kind.etag and call.objects[call.kind] and call.request.method ~= "DELETE" then
    more.ETag = kind.etag(call.world, call.objects[call.kind])
  end
  return { status = extra.status or 200, headers = headers_of(more),
    body = type(result) == "string" and result or self.natives.json.encode(result) .. "\n" }
end

--- The call of a request: its route, and what the route is handed. nil, message, code: there is none.
function Answering:call(request)
  local path = request.path:sub(#route_table.PREFIX + 1)
  local method = request.method == "HEAD" and "GET" or request.method
  local route, params = self.router:find(method, path)
  if not route then
    return nil, next(params) and ("%s is not for this path"):format(method) or "there is no such path",
      next(params) and "method" or "missing"
  end
  local said = proxy.said(self.proxies, request)
  local address = next(self.proxies) and said.client or request.client
  return { request = request, route = route, params = params, objects = {}, args = {}, query = {}, address = address,
    people = self.people, passwords = self.passwords, json = self.natives.json, natives = self.natives,
    base = self.base, routes = self.routes, prefix = route_table.PREFIX, incoming = self.incoming,
    receiving = self.receiving, receive = self.receive, live = self.live, tasks = self.tasks,
    world = self.world:with { actor = { name = "nobody", address = address } } }
end

--- Whether a request is for this server: a name in Host that is not ours may be an attack on the address.
function Answering:is_ours(request)
  return self.hosts[(request.headers.host or ""):lower()] == true
end

--- Do what a request for a route asks for.
-- @treturn value|nil result of the route, and what else it says of the answer; nil, message, code, field
-- @treturn table as the fifth: the call
function Answering:perform(request)
  local call, message, code = self:call(request)
  if not call then return nil, message, code end
  self.world:refresh()
  local result, why, word, field = self:_run(call)
  if result == nil then return nil, why or "?", word or "internal", field end
  if call.world.undoable then
    why = why or {}
    why.headers = why.headers or {}
    why.headers["X-Undo"] = ("%d"):format(call.world.undoable)
  end
  -- A text is a file of lines, each printable already (depot.record_forms).
  return type(result) == "string" and result or self:_clean(result), why, nil, nil, call
end

--- Answer a request; call it in a coroutine.
-- @treturn table {status, headers, body}
function Answering:answer(request)
  if not self:is_ours(request) then
    return self:failure(request, "host", "this server does not go by the name in Host; see --admin-url")
  end
  if self.console and self.console:means(request.path) then
    return self.console:answer(request)
  end
  local result, why, word, field, call = self:perform(request)
  if result == nil then return self:failure(request, word, why, field) end
  return self:_result(call, result, why)
end

return M

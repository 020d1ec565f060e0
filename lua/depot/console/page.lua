--- A page while it is made: who looks at it, in which language and zone, and what the API answers him.
--
-- @module depot.console.page

local form = require "depot.console.form"
local objects = require "depot.api.objects"
local random = require "depot.random"
local rights = require "depot.api.may"
local words = require "depot.console.words"
local times = require "depot.times"
local zones = require "depot.rollout.zone"

local M = {}

local Page = {}
Page.__index = Page

--- Ask a route as whoever sent a request.
-- @tparam table console depot.console
-- @tparam table request
-- @tparam string method
-- @tparam string path
-- @tparam[opt] table query
-- @tparam[opt] table body
-- @tparam[opt] {[name]=text} more headers; without them it is a page that asks, and changes nothing
-- @treturn value|nil as depot.api.answering, perform()
function M.ask(console, request, method, path, query, body, more)
  local headers = { host = request.headers.host, cookie = request.headers.cookie, origin = request.headers.origin,
    ["sec-fetch-site"] = request.headers["sec-fetch-site"], ["content-type"] = "application/json",
    ["x-forwarded-for"] = request.headers["x-forwarded-for"] }
  for name, value in pairs(more or {}) do headers[name] = value end
  local asked = { id = request.id, method = method, path = "/api/v1" .. path, query = query or {}, headers = headers,
    client = request.client, body = body and console.answers.natives.json.encode(body) or "",
    internal = method == "GET" or more == nil, in_place = method == "PUT" and not body }
  return console.answers:perform(asked)
end

--- Ask a route; with a body, one that only says what would happen.
-- @treturn table|nil what it answers; nil, message, code
-- @treturn string the ETag
function Page:ask(path, query, body)
  local result, extra, code, _, call = M.ask(self.console, self.request, body and "POST" or "GET", path, query, body)
  if not result then return nil, extra, code end
  local kind = call.kind and objects.kinds[call.kind]
  return result, kind and kind.etag and kind.etag(call.world, call.objects[call.kind])
end

--- The same for what the page cannot do without.
function Page:need(path, query)
  local result, more, code = self:ask(path, query)
  if not result then self:fail(more, code) end
  return result, more
end

--- There is no such page, or not for this user.
function Page.fail(_, message, code) error({ message = message, code = code }, 0) end

--- The page is about something of this product.
function Page:of_product(hash)
  for _, product in ipairs(self.products) do
    if product.product_key == hash then self.product = product end
  end
end

--- A text that a route gave, nil for null; and the same for a number.
function Page.text(value) return type(value) == "string" and value or nil end

function Page.number(value) return math.type(value) == "integer" and value or nil end

Page.query = form.query

-- Arguments as a page may show them: lines of text without what controls a terminal or turns the order of letters.
local function shown(printable, args)
  local lines = {}
  for name, value in pairs(args) do lines[name] = value:gsub("[^\r\n]+", printable.text) end
  return lines
end

--- Whether the user may ask for a route, as the API decides it: of the product that it names, else of the page's.
function Page:may(method, path)
  local route, params = self.console.answers.router:find(method, path)
  if not route or route.role == "none" then return route ~= nil end
  if not self.actor then return false end
  if route.role == "self" then return true end
  if route.scope == "any" then return rights.anywhere(self.actor, route.verb, route.role) end
  return rights.may(self.actor, route.verb, route.role, params.P or self.product and self.product.product_key)
end

--- A time in the zone of the user, else UTC.
function Page:time(seconds)
  local zone = self.zone and zones.load(self.zone)
  return os.date("!%Y-%m-%d %H:%M", seconds + (zone and zone:offset(seconds) or 0)) .. (zone and "" or " UTC")
end

--- A time for programs.
function Page.stamp(seconds) return times.stamp(seconds) end

--- Begin a page.
-- @tparam table console depot.console
-- @tparam table request
-- @tparam {[name]=text} args
function M.new(console, request, args)
  local cookie_of, cookies = console.cookie_of, request.headers.cookie
  local actor = console.answers.people:who(request) or nil
  local lang = words.language(actor and actor.lang, args.lang or cookie_of(cookies, "lang"),
    request.headers["accept-language"])
  local self = setmetatable({ console = console, request = request, actor = actor, lang = lang, path = request.path,
    args = shown(console.answers.natives.printable, args), products = {},
    zone = actor and actor.tz and zones.load(actor.tz) and actor.tz or nil,
    t = function(key, ...) return words.of(lang, key, ...) end }, Page)
  local kept = {}
  for name, value in pairs(self.args) do
    if name ~= "lang" and name ~= "undo" then kept[name] = value end
  end
  self.here = self.path .. form.query(kept)
  if args.lang then self.set_lang = ("lang=%s; Path=/; SameSite=Lax; Max-Age=31536000"):format(lang) end
  if actor then
    local products = self:ask "/products"
    self.products = products and products.items or {}
  else
    self.form = cookie_of(cookies, "moult-form") or random.hex()
  end
  return self
end

return M

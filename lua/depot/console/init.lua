--- The console: pages for people over the routes of the API.
--
-- A page asks the same routes, with the same rights, as a program would; it has
-- none of its own. A form is sent to /do/ROUTE with the method and the ETag in
-- it. Everything works without script.
--
-- @module depot.console

local form = require "depot.console.form"
local frame = require "depot.console.frame"
local objects = require "depot.api.objects"
local people_pages = require "depot.console.pages.people"
local random = require "depot.random"
local router = require "depot.api.router"
local static = require "depot.console.static"
local views = require "depot.console.views"
local words = require "depot.console.words"

local M = {}

local Console = {}
Console.__index = Console

local Page = {}
Page.__index = Page

local CSP = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
  .. "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
-- Not of a route's arguments.
local OURS = { csrf = true, form = true, method = true, etag = true, back = true, confirm = true, expect = true,
  dry_run = true }
local KEEPS_EMPTY = { note = true, tags = true }

--- @tparam table answers depot.api.answering
-- @tparam function cookie_of function(header, name) -> value
function M.new(answers, cookie_of)
  return setmetatable({ answers = answers, cookie_of = cookie_of, router = router.new(views.list) }, Console)
end

-- Ask a route as whoever sent the request.
local function ask(console, request, method, path, query, body, more)
  local headers = { host = request.headers.host, cookie = request.headers.cookie, origin = request.headers.origin,
    ["sec-fetch-site"] = request.headers["sec-fetch-site"], ["content-type"] = "application/json",
    ["x-forwarded-for"] = request.headers["x-forwarded-for"] }
  for name, value in pairs(more or {}) do headers[name] = value end
  local asked = { id = request.id, method = method, path = "/api/v1" .. path, query = query or {}, headers = headers,
    client = request.client, body = body and console.answers.natives.json.encode(body) or "",
    internal = method == "GET" or more == nil }
  return console.answers:perform(asked)
end

--- Ask a route; with a body, one that only says what would happen.
-- @treturn table|nil what it answers; nil, message, code
-- @treturn string the ETag
function Page:ask(path, query, body)
  local result, extra, code, _, call = ask(self.console, self.request, body and "POST" or "GET", path, query, body)
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

local function html_headers(more)
  local headers = { ["Content-Type"] = "text/html; charset=utf-8", ["Cache-Control"] = "no-store",
    ["X-Content-Type-Options"] = "nosniff", ["Content-Security-Policy"] = CSP,
    -- Not no-referrer: a browser would not say then where a form comes from.
    ["Referrer-Policy"] = "same-origin", ["Cross-Origin-Opener-Policy"] = "same-origin" }
  for name, value in pairs(more or {}) do headers[name] = value end
  return headers
end

local function redirect(to, more)
  local headers = html_headers(more)
  headers.Location = to
  return { status = 303, headers = headers, body = "" }
end

-- Where to go after a form: a path here.
local function back_of(text)
  return text and text:find "^/[^/\\]?" and not text:find "^//" and not text:find "[%c\\]" and text or "/"
end

-- Arguments as a page may show them: lines of text without what controls a terminal or turns the order of letters.
function Console:_shown(args)
  local shown = {}
  for name, value in pairs(args) do shown[name] = value:gsub("[^\r\n]+", self.answers.natives.printable.text) end
  return shown
end

function Console:_page(request, args)
  local known = self.answers.people:who(request)
  local actor = known or nil
  local lang = words.language(actor and actor.lang, args.lang or self.cookie_of(request.headers.cookie, "lang"),
    request.headers["accept-language"])
  local page = setmetatable({ console = self, request = request, args = self:_shown(args), actor = actor, lang = lang,
    path = request.path, products = {}, date = os.date,
    t = function(key, ...) return words.of(lang, key, ...) end }, Page)
  if args.lang then page.set_lang = ("lang=%s; Path=/; SameSite=Lax; Max-Age=31536000"):format(lang) end
  if actor then
    local products = page:ask "/products"
    page.products = products and products.items or {}
  else
    page.form = self.cookie_of(request.headers.cookie, "moult-form") or random.hex()
  end
  return page
end

local function finish(page, status)
  local cookies = { page.set_lang }
  if page.form then cookies[#cookies + 1] = ("moult-form=%s; Path=/; HttpOnly; SameSite=Strict"):format(page.form) end
  return { status = status or 200, headers = html_headers { ["Set-Cookie"] = #cookies > 0 and cookies or nil },
    body = frame.page(page) }
end

local STATUS = { missing = 404, forbidden = 403, login = 401, limited = 429, busy = 503, changed = 412, conflict = 409 }

local function failure(page, message, code)
  page.title = page.t "failed_title"
  page.body = views.failure(page, message, code)
  return finish(page, STATUS[code] or 422)
end

function Console:_get(request)
  local view, params = self.router:find("GET", request.path)
  local page = self:_page(request, request.query)
  page.params = view and params
  if not view then return failure(page, "there is no such page", "missing") end
  if not page.actor and not view.open then
    return redirect("/login" .. form.query { back = request.path ~= "/" and request.path or nil })
  end
  page:of_product(params.product)
  local ok, result = pcall(function()
    if params.product and not page.product then page:fail("there is no such product", "missing") end
    return view.show(page)
  end)
  if not ok then
    if type(result) ~= "table" then error(result, 0) end
    return failure(page, result.message, result.code)
  end
  if result then return redirect(result) end
  return finish(page)
end

-- The arguments of a route, of what a form has.
local function args_of(fields)
  local args = {}
  for name, value in pairs(fields) do
    if not OURS[name] and (value ~= "" or KEEPS_EMPTY[name]) then args[name] = value end
  end
  return args
end

local METHODS = { POST = true, PATCH = true, PUT = true, DELETE = true }

function Console:_do(request)
  local fields = form.read(request.body)
  local route = request.path:sub(4)
  local page = self:_page(request, {})
  page.params, page.path = {}, back_of(fields.back)
  if fields.expect and fields.expect ~= fields.confirm then
    return failure(page, page.t "type_name", "usage")
  end
  -- A log-in needs a token, too: of the page that the form stands on.
  if not page.actor and (not fields.form or fields.form ~= self.cookie_of(request.headers.cookie, "moult-form")) then
    page.args = { back = page.path }
    people_pages.log_in(page)
    return finish(page, 403)
  end
  local args = args_of(fields)
  local result, extra, code = ask(self, request, METHODS[fields.method] and fields.method or "POST", route, {},
    next(args) and args or nil, { ["x-csrf-token"] = fields.csrf, ["if-match"] = fields.etag })
  if result then
    if result.link or result.token then
      people_pages.shown(page, result)
      return finish(page)
    end
    return redirect(page.path, extra and extra.headers)
  end
  if code == "login" and not page.actor then
    page.message, page.args = extra, { back = page.path, token = fields.token }
    people_pages[route == "/session/once" and "once" or "log_in"](page)
    return finish(page, 401)
  end
  return failure(page, extra, code)
end

--- Answer a request that is not for the API; call it in a coroutine.
-- @treturn table {status, headers, body}
function Console:answer(request)
  local file = static.files[request.path]
  if file then
    return { status = 200, headers = { ["Content-Type"] = file[1], ["Cache-Control"] = "max-age=600",
      ["X-Content-Type-Options"] = "nosniff" }, body = file[2] }
  end
  if request.method == "POST" and request.path:find "^/do/" then return self:_do(request) end
  if request.method ~= "GET" and request.method ~= "HEAD" then
    return { status = 405, headers = html_headers { Allow = "GET" }, body = "" }
  end
  return self:_get(request)
end

return M

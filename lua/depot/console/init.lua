--- The console: pages for people over the routes of the API.
--
-- A page asks the same routes, with the same rights, as a program would; it has
-- none of its own. A form is sent to /do/ROUTE with the method and the ETag in
-- it. Everything works without script.
--
-- @module depot.console

local form = require "depot.console.form"
local frame = require "depot.console.frame"
local multipart = require "depot.console.multipart"
local pages = require "depot.console.page"
local people_pages = require "depot.console.pages.people"
local receiving = require "depot.console.receiving"
local route_table = require "depot.api.route_table"
local router = require "depot.api.router"
local static = require "depot.console.static"
local views = require "depot.console.views"

local M = {}

local Console = {}
Console.__index = Console

local CSP = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
  .. "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
-- Not of a route's arguments.
local OURS = { csrf = true, form = true, method = true, etag = true, back = true, confirm = true, expect = true,
  dry_run = true, again = true, again_route = true }
local KEEPS_EMPTY = { hardware = true, note = true, support_until = true, tags = true, text = true, tz = true,
  zone = true }

--- @tparam table answers depot.api.answering
-- @tparam function cookie_of function(header, name) -> value
function M.new(answers, cookie_of)
  return setmetatable({ answers = answers, cookie_of = cookie_of, router = router.new(views.list) }, Console)
end

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

local function finish(page, status, headers)
  local cookies = { page.set_lang }
  if headers then cookies[#cookies + 1] = headers["Set-Cookie"] end
  if page.form then cookies[#cookies + 1] = ("moult-form=%s; Path=/; HttpOnly; SameSite=Strict"):format(page.form) end
  return { status = status or 200, headers = html_headers { ["Set-Cookie"] = #cookies > 0 and cookies or nil,
      -- Whose body has not come.
      Connection = page.request.early and "close" or nil },
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
  local page = pages.new(self, request, request.query)
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

-- The fields of a form as one text, to be sent after a log-in.
local function kept(fields)
  local copy = {}
  for name, value in pairs(fields) do
    if name ~= "csrf" and name ~= "form" then copy[name] = value end
  end
  return form.query(copy)
end

local METHODS = { POST = true, PATCH = true, PUT = true, DELETE = true }

-- What a form has, with or without a file.
local function fields_of(request)
  local boundary = multipart.boundary(request.headers["content-type"])
  if not boundary then return form.read(request.body) end
  return multipart.read(request.body, boundary)
end

-- Where to go after a form: what was made may have its number there.
local function on(path, result)
  return (path:gsub("{(%l+)}", function(name) return tostring(result[name] or "") end))
end

-- The same, with the number of the change if it can be taken back.
local function after(path, result, headers)
  local to, id = on(path, result), headers and headers["X-Undo"]
  if not id then return to end
  local base, mark = to:match "^([^#]*)(.*)$"
  return base .. (base:find("?", 1, true) and "&" or "?") .. "undo=" .. id .. mark
end

-- The page that answers a form leads to where that stood.
local function answer_to(page, back) page.params, page.path, page.here = {}, back, back end

-- A form with a package.
function Console:_upload(request)
  local page = pages.new(self, request, {})
  answer_to(page, "/")
  if not page.actor then return failure(page, page.t "session_ended", "login") end
  if not self.answers:is_own(request) then
    return failure(page, "the form does not come from this server's pages (Origin)", "forbidden")
  end
  local done, message, code, fields = receiving.take(self, request, function(method, path, body, headers)
    return pages.ask(self, request, method, path, {}, body, headers)
  end, function(path) return page:ask(path) end)
  answer_to(page, back_of(fields and fields.back))
  if not done then return failure(page, message, code) end
  return redirect(on(page.path, done))
end

function Console:_do(request)
  local fields, fault = fields_of(request)
  local route = request.path:sub(4)
  local page = pages.new(self, request, {})
  answer_to(page, back_of(fields and fields.back))
  if not fields then return failure(page, fault, "usage") end
  if fields.expect and fields.expect ~= fields.confirm then
    return failure(page, page.t "type_name", "usage")
  end
  -- A log-in needs a token, too: of the page that the form stands on.
  if not page.actor and (not fields.form or fields.form ~= self.cookie_of(request.headers.cookie, "moult-form")) then
    -- What was entered is not lost because the session ended meanwhile.
    page.args = { back = page.path, route = fields.csrf and route, again = fields.csrf and kept(fields) }
    page.message = fields.csrf and page.t "ended_meanwhile"
    people_pages.log_in(page)
    return finish(page, 403)
  end
  local args = args_of(fields)
  local result, extra, code = pages.ask(self, request, METHODS[fields.method] and fields.method or "POST", route, {},
    next(args) and args or nil, { ["x-csrf-token"] = fields.csrf, ["if-match"] = fields.etag })
  if result and fields.again then
    page.form = nil
    people_pages.again(page, result.csrf, fields.again_route or "", form.read(fields.again:sub(2)))
    return finish(page, 200, extra and extra.headers)
  elseif result then
    if people_pages.shown(page, route, result) then return finish(page) end
    local headers = extra and extra.headers
    return redirect(after(page.path, result, headers), headers)
  end
  if code == "login" and not page.actor then
    page.message, page.args = extra, { back = page.path, token = fields.token }
    people_pages[route == "/session/once" and "once" or "log_in"](page)
    return finish(page, 401)
  end
  return failure(page, extra, code)
end

--- Whether a path is the console's.
function Console.means(_, path)
  return path == receiving.PATH or path:sub(1, #route_table.PREFIX) ~= route_table.PREFIX
end

--- Answer a request that is not for the API; call it in a coroutine.
-- @treturn table {status, headers, body}
function Console:answer(request)
  local file = static.files[request.path]
  if file then
    return { status = 200, headers = { ["Content-Type"] = file[1], ["Cache-Control"] = "max-age=600",
      ["X-Content-Type-Options"] = "nosniff" }, body = file[2] }
  end
  if request.method == "POST" and request.path == receiving.PATH then return self:_upload(request) end
  if request.method == "POST" and request.path:find "^/do/" then return self:_do(request) end
  if request.method ~= "GET" and request.method ~= "HEAD" then
    return { status = 405, headers = html_headers { Allow = "GET" }, body = "" }
  end
  return self:_get(request)
end

return M

--- The console in the same process, and a browser without script: pages and forms.
--
-- @module spec.support.console_world

local api_world = require "spec.support.api_world"
local assert = require "luassert"
local form = require "depot.console.form"
local ids = require "depot.api.ids"

local M = {}

M.PASSWORD = "correct horse battery"
--- A name that must stay text.
M.HOSTILE = "\"'><script>alert(1)</script>\226\128\174&amp;\27[31m"

local World = {}
World.__index = World

--- A folder as in spec.support.api_world, and ann, who may do everything.
-- @tparam string dir
-- @treturn table w (of spec.support.api_world), session (ann's), and the methods below
function M.open(dir)
  local w = api_world.open(dir)
  w.api.answers.limits.ask = function() end
  w:user("ann", { [""] = "admin" })
  return setmetatable({ w = w, session = w:log_in("ann", M.PASSWORD) }, World)
end

--- A page.
-- @tparam string path
-- @tparam[opt] table as session of another user
-- @tparam[opt] table headers
function World:get(path, as, headers)
  headers = headers or {}
  headers.Cookie = headers.Cookie or (as or self.session).cookie
  return self.w:ask("GET", "/" .. path, { headers = headers })
end

--- A page that is there and shows texts.
-- @treturn string its body
function World:shows(path, ...)
  local page = self:get(path)
  assert.equal(200, page.status, page.body)
  for _, text in ipairs { ... } do assert.is_truthy(page.body:find(text, 1, true), text .. " in\n" .. page.body) end
  return page.body
end

--- Send a form.
function World:post(path, fields, as, headers)
  as, headers = as or self.session, headers or {}
  headers["Content-Type"] = "application/x-www-form-urlencoded"
  headers.Origin = headers.Origin == nil and self.w.origin or headers.Origin
  headers.Cookie = headers.Cookie or as.cookie
  fields.csrf = fields.csrf or as.csrf
  return self.w:ask("POST", "/" .. path, { headers = headers, body = form.query(fields):sub(2) })
end

--- Send a form with a file, as browsers do: to the route for packages, or to another.
-- @tparam string name of the file
-- @tparam string bytes
-- @tparam[opt] table o fields, field (of the file), route, as, headers
function World:send(name, bytes, o)
  o = o or {}
  local as, parts, headers = o.as or self.session, {}, o.headers or {}
  local fields = { csrf = as.csrf or self.session.csrf, back = ("/p/%s/releases"):format(self.w.pk) }
  for key, value in pairs(o.fields or {}) do fields[key] = value end
  for key, value in pairs(fields) do
    parts[#parts + 1] = ('--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'):format(key, value)
  end
  parts[#parts + 1] = ('--x\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n\r\n'):format(
    o.field or o.route and "devices" or "file", name)
  local body = table.concat(parts) .. bytes .. "\r\n--x--\r\n"
  headers.Cookie, headers.Origin = as.cookie, headers.Origin or self.w.origin
  headers["Content-Type"] = "multipart/form-data; boundary=x"
  return self.w:ask("POST", o.route or "/uploads/form", { headers = headers, body = body })
end

--- What is in a hidden field of a page's form for a route.
function World.hidden(_, page, route, name)
  local text = page.body:match(('<form action="/do%s".-</form>'):format((route:gsub("%p", "%%%0"))))
  local input = ('<input name="%s" type="hidden" value="([^"]*)">'):format(name)
  local value = assert(text, "no form for " .. route):match(input)
  return value and (value:gsub("&quot;", '"'):gsub("&#39;", "'"):gsub("&amp;", "&"))
end

--- The id of a device of the product "pk".
function World.device(_, name) return ids.of { cloud = "aliyun", product = "pk", device = name } end

function World:close() self.w:close() end

return M

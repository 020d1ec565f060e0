--- An admin server for specs, in the same process, and a client that speaks to it.
--
-- @module spec.support.api_world

local apis = require "depot.api"
local acts = require "depot.acts"
local depot_world = require "spec.support.depot_world"
local natives = require "update.natives"
local raw = require "spec.support.raw_http"
local users = require "depot.acts.users"

local M = {}

local World = {}
World.__index = World

--- A folder with the package METER_1.0.1.upd of product "pk", three of its devices and one of "other".
-- @tparam string dir
-- @tparam[opt] table options of depot.api
function M.open(dir, options)
  local self = setmetatable(depot_world.with_devices(dir), World)
  self.requests, self.other = {}, natives.digest.sha256 "other"
  assert(self.store:put { cloud = "aliyun", product = "other", device = "far", hash = self.other, heard = 5000 })
  self:serve(options)
  return self
end

--- Begin to serve, or begin anew.
function World:serve(options)
  if self.api then self.api:close() end
  options = options or {}
  options.dir, options.listen = self.dir, "127.0.0.1:0"
  options.on_request = function(event) table.insert(self.requests, event) end
  self.api = assert(apis.open(options))
  self.origin = options.origin or "http://" .. self.api:address()
end

function World:step() assert(self.api:step(1)) end

--- A user with roles, and a token of his.
-- @treturn string token
function World:user(name, roles, token)
  return depot_world.user(self.store, name, roles, token)
end

--- Send a request as it is, and wait for the answer.
function World:raw(bytes)
  local client = raw.connect(self.api:address())
  client:send(bytes)
  raw.pump(function() self:step() end, { client }, function() return client:answer() or client.closed end)
  client:close()
  return client:answer()
end

--- Ask.
-- @tparam string method
-- @tparam string path below the prefix, or with it
-- @tparam[opt] table with token; body (a table: JSON); headers; session {cookie, csrf}
-- @treturn table answer with status, headers, body; and object, if it is JSON
function World:ask(method, path, with)
  with = with or {}
  local lines, body = {}, with.body and (type(with.body) == "string" and with.body or natives.json.encode(with.body))
    or ""
  local headers = { Host = self.api:address(), Connection = "close" }
  if with.token then headers.Authorization = "Bearer " .. with.token end
  if with.session then
    headers.Cookie, headers["X-CSRF-Token"], headers.Origin = with.session.cookie, with.session.csrf, self.origin
  end
  if #body > 0 then headers["Content-Type"] = "application/json" end
  if method ~= "GET" then headers["Content-Length"] = tostring(#body) end
  for name, value in pairs(with.headers or {}) do headers[name] = value or nil end
  for name, value in pairs(headers) do lines[#lines + 1] = name .. ": " .. value end
  if path:sub(1, 2) ~= "//" then path = "/api/v1" .. path else path = path:sub(2) end
  local answer = self:raw(("%s %s HTTP/1.1\r\n%s\r\n\r\n%s"):format(method, path, table.concat(lines, "\r\n"), body))
  if answer and (answer.headers["content-type"] or ""):find "json" then
    answer.object = natives.json.decode(answer.body)
  end
  return answer
end

--- Set a user's password by a one-time link; log in.
-- @treturn table session {cookie, csrf}
function World:log_in(name, password)
  local world = { natives = natives, store = self.store, actor = { name = "spec" } }
  local row = assert(self.store:account(name))
  local link = assert(acts.change(world, function() return users.link(world, row) end))
  local answer = self:ask("POST", "/session/once", { body = { token = link, password = password },
    headers = { Origin = self.origin } })
  assert(answer.status == 201, answer.body)
  return { cookie = answer.headers["set-cookie"]:match "^[^;]+", csrf = answer.object.csrf, secret = link }
end

function World:close()
  self.api:close()
  self.store:close()
  self.folder.remove()
end

return M

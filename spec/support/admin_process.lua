--- An admin server in a process of its own, for specs of clients that wait for it.
--
-- @module spec.support.admin_process

local depot_world = require "spec.support.depot_world"
local natives = require "update.natives"

local M = {}

local PATIENCE = 20 -- seconds

local Process = {}
Process.__index = Process

local function read(path)
  local file <close> = io.open(path, "rb")
  return file and file:read "a" or ""
end

--- A folder with the package METER_1.0.1.upd of product "pk" and three of its devices, and a server of it.
-- @tparam string dir
-- @tparam[opt] string words further options
-- @treturn table folder, dir (of the packages), store, url, pk (hash of the product's key)
function M.start(dir, words)
  local self = setmetatable(depot_world.with_devices(dir), Process)
  self.log = dir .. "/log"
  local program = require("update.native.host").program
  self.command = assert(natives.command.start { "sh", "-c",
    ("exec %s depot admin %s --admin 127.0.0.1:0 %s >%s 2>&1"):format(program, self.dir, words or "", self.log) })
  self:wait("the address", function()
    self.url = read(self.log):match "admin on (https?://%S+)"
    return self.url
  end)
  return self
end

--- Wait for something.
function Process:wait(what, done)
  local till, loop <close> = natives.loop.now() + PATIENCE, natives.loop.new()
  while not done() do
    assert(natives.loop.now() < till, "nothing came of " .. what .. "; the log: " .. read(self.log))
    loop:poll(20)
  end
end

--- A user with roles, and a file with a token of his.
-- @treturn string path
-- @treturn string token
function Process:token(name, roles, wanted)
  local secret = depot_world.user(self.store, name, roles, wanted)
  local path = ("%s/../%s.token"):format(self.dir, name)
  local file <close> = assert(io.open(path, "wb"))
  file:write(secret, "\n")
  return path, secret
end

--- What the server has logged.
function Process:said() return read(self.log) end

function Process:close()
  self.command:close()
  self.store:close()
  self.folder.remove()
end

return M

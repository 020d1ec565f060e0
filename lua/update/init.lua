--- The module `update` of a device's script.
--
--     PROJECT, VERSION, PRODUCT_KEY = "METER", "1.0.0", "..."
--     local sys, update = require "sys", require "update"
--     update.request(function(ready) if ready then sys.restart "update" end end, nil, 4 * 3600 * 1000)
--     sys.run()
--
-- The functions are those of update.script.api.
--
-- @module update

local natives = require "update.natives"
local sys = require "sys"

local has_host, host = pcall(require, "update.native.host")
local control = has_host and host.control

local update = require("update.script.api").new {
  sys = sys, tasks = sys.scheduler(), json = natives.json,
  connect = control and function() return natives.channel.connect(control) end,
  globals = function() return _G end,
  log = function(line) io.stderr:write("script: ", line, "\n") end,
}

_G.update = require("update.script.luat_absent").complete(update, "update") -- as Luat's does it
return update

--- The update module of POS terminals, for a script that was written against the vendor's DM layer.
--
--     local terminal = require "update.terminal"
--     terminal.app_RegisterUpdateStateHandle(function(state) print(state) end) -- 1 updated, 2 failed, 4 not upgraded
--     terminal.app_RegisterDownLoadStepHandle(function(file, total, step) print(file, step, total) end)
--     terminal.app_SendUpdateModuleUpdatedMsg_HB("cmnet", "user", "1234", "10.1.2.3", "8083", "080507",
--       "/fw/UPDATE_080507.upd", 1)
--
-- One to one: dm_app_SendUpdateModuleUpdatedMsg_HB and the registration of both
-- callbacks; mdma_... is the same for the other thread of the vendor's
-- programs. The configuration has a cloud of kind "terminal". The package is one
-- of Moult's, and the version is its release or that of its files; or it is a
-- bare .tar.gz from a source of `trust.unsigned`. Success is told when the new
-- release is confirmed, so after a restart; a state that no handler took is kept
-- until one does. A type that is not 1, 2 or 4 ends with state 4.
--
-- @module update.terminal

local sys = require "sys"
local update = require "update"

return require("update.script.terminal_calls").new { ask = update.ask, on = update.on, sys = sys }

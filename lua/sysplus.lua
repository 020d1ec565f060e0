--- `require "sysplus"` of scripts written for LuatOS: the functions of sys for tasks with a letter box.
--
-- @module sysplus

local sys = require "sys"

local sysplus = {}
for _, name in ipairs(require("update.script.luat_mail").NAMES) do sysplus[name] = sys[name] end
return sysplus

--- `require "log"` of scripts written for Luat. See update.script.luat_log for the functions.
--
-- @module log

local log = require("update.script.luat_globals").log
_G.log = log
return log

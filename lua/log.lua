--- `require "log"` of scripts written for Luat. See update.luat_log for the functions.
--
-- @module log

local log = require("update.luat_globals").log
_G.log = log
return log

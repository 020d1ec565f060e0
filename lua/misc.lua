--- `require "misc"` of scripts written for Luat. See update.script.luat_device for the functions.
--
-- @module misc

local misc = require("update.script.luat_globals").misc
_G.misc = misc
return misc

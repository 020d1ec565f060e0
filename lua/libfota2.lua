--- `require "libfota2"` of scripts written for LuatOS. See update.script.luat_fota for its function.
--
-- @module libfota2

return (select(2, require("update.script.luat_globals").fota()))

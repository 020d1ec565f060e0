--- `require "libfota"` of scripts written for LuatOS. See update.script.luat_fota for its function.
--
-- @module libfota

return (require("update.script.luat_globals").fota())

--- `require "libfota"` of scripts written for LuatOS. See update.luat_fota for its function.
--
-- @module libfota

return (require("update.luat_globals").fota())

--- Aliyun's OTA calls for a script that was written against the vendor's C SDK.
--
--     local ota = require "update.aliyun"
--     local h = assert(ota.init("a1PK", "dev1"))
--     h:report_version(VERSION)
--     while not h:is_fetching() do sys.wait(1000) end
--     repeat assert(h:fetch_yield(1)) until h:is_fetch_finish()
--     if h:ioctl "check_firmware" then sys.restart "update" end
--
-- One to one: IOT_OTA_Init, ReportVersion, IsFetching, FetchYield,
-- IsFetchFinish, ReportProgress, Ioctl, Deinit. What differs is who does the
-- work. The agent fetches, verifies and writes; fetch_yield() lets it and says how
-- many more bytes are verified and in place. Nothing here is needed for
-- updates: without a call of init() the agent does all of it alone.
--
-- Each function is also a method of the handle. Failure is nil, message, code.
--
-- @module update.aliyun

return require("update.script.aliyun_calls").new(require("update").ask)

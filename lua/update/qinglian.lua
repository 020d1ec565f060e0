--- The update calls and callbacks of the Qinglian device SDK, for a script on a device of that cloud.
--
--     local qinglian = require "update.qinglian"
--     function qinglian.iot_status_cb(state, ts) end                    -- 0 connected, 1 disconnected, 11, 12
--     function qinglian.iot_ota_info_cb(name, version, total, crc16) end -- firmware is announced
--     function qinglian.iot_ota_upgrade_cb() end                        -- the cloud's order: it is armed
--     function qinglian.iot_patches_list_cb(count, list) end            -- items: name, version, total_len
--     function qinglian.iot_chunk_cb(stat, offset, size, data) return qinglian.ACK_OK end -- the bytes, in order
--     qinglian.iot_patch_req(name, version)  -- 0: asked for; -1: not in the list, or something is under way
--     qinglian.iot_patch_end(name, version, qinglian.DEV_STA_PATCH_SUCCESS) -- of what this program itself took;
--     -- with DEV_STA_PATCH_FAILED what the agent takes fails its test, or is undone
--     local seconds = qinglian.iot_get_onlinetime()                     -- since 1970 by the cloud; 0: not known
--
-- The names are the SDK's; a script defines the callbacks that it wants. The agent
-- logs in, receives and installs by itself: a patch that policy chose needs no
-- iot_patch_req, and its test tells the cloud how it did. With restart_when = "script" the
-- script restarts after iot_ota_upgrade_cb, as a program of the SDK does.
--
-- @module update.qinglian

local sys = require "sys"
local update = require "update"

return require("update.script.qinglian_calls").new { ask = update.ask, sys = sys }

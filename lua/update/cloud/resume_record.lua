--- The record of an offer that is kept over a restart: that of Tencent's SDK with more members.
--
-- Pure. The SDK's own {"version", "downloaded_size"} is read too. The other
-- members say which firmware it was and how far its installation got. The link
-- is not kept, because it contains a signature. How much is really on the
-- medium is read from there.
--
-- @module update.cloud.resume_record

local fields = require "update.cloud.message_fields"

local M = {}

local STAGES = { fetching = true, installing = true, failed = true }
local TEXT_MAX = 256 -- bytes

--- @tparam table record of update.cloud.mqtt_session: version, size, md5, offset (bytes), stage, code, text
-- @treturn table for JSON
function M.encode(record)
  return { version = record.version, downloaded_size = record.offset, file_size = record.size, md5sum = record.md5,
    stage = record.stage, code = record.code, text = record.text and fields.text(record.text, TEXT_MAX) }
end

--- @tparam any object decoded JSON
-- @treturn table|nil the record; nil: invalid
function M.decode(object)
  if type(object) ~= "table" then return nil end
  local version, offset = fields.version(object.version), fields.integer(object.downloaded_size)
  if not version or not offset or offset < 0 then return nil end
  return { version = version, offset = offset, size = fields.size(object.file_size),
    md5 = fields.digest("md5", object.md5sum), stage = STAGES[object.stage] and object.stage or "fetching",
    code = type(object.code) == "string" and object.code:match("^%l+$") or nil,
    text = type(object.text) == "string" and fields.text(object.text, TEXT_MAX) or nil }
end

return M

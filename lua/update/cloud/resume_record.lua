--- What is kept of an offer over a restart, in the form of Tencent's SDK and then some.
--
-- Pure. The SDK keeps {"version", "downloaded_size"}, which is read too; the
-- other members say which firmware it was, and how far its installation got. No
-- member leads to the object: links carry signatures. How much of it is really
-- on the medium is found out anew from there.
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
-- @treturn table|nil the record; nil when it is none
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

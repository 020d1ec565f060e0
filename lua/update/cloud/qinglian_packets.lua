--- What a device of the Qinglian cloud sends, as actions of update.cloud.qinglian_session.
--
-- Pure. `s` is the state of the session, `out` takes the actions.
--
-- @module update.cloud.qinglian_packets

local qinglian = require "update.cloud.qinglian"

local M = {}

--- Send a packet. A device counts its requests.
function M.send(s, out, packet)
  packet.type = "send"
  if not packet.response then
    packet.sequence, s.sequence = s.sequence, s.sequence + 1
  end
  out[#out + 1] = packet
end

function M.request(s, out, opcode, body)
  M.send(s, out, { opcode = opcode, body = body })
end

--- @tparam table to the packet that is answered
-- @tparam integer errcode
-- @tparam[opt] table data owner, offset, version
-- @tparam[opt=0] integer qos
function M.answer(s, out, opcode, to, errcode, data, qos)
  M.send(s, out, { opcode = opcode, response = true, sequence = to.sequence, qos = qos,
    body = qinglian.answer(s.token, errcode, data) })
end

function M.log(out, format, ...)
  out[#out + 1] = { type = "log", text = format:format(...) }
end

return M

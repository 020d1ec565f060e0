--- The transfer of one package to one device of the Qinglian cloud, piece by piece.
--
-- One piece is in flight. The next is sent when the device has acknowledged it;
-- one that is refused is sent again a few times. The device repeats its last
-- acknowledgement by itself, and skips a piece that it has. The file is
-- opened for each piece: a thousand devices would need as many descriptors.
--
-- @module depot.qinglian_transfer

local frame = require "update.cloud.qinglian_frame"

local M = {}

local Transfer = {}
Transfer.__index = Transfer

local REFUSED = 3        -- times that a piece is sent again
local SILENCE = 130000   -- ms after which the device has given it up

--- @tparam table offer entry, size, release
-- @tparam integer chunk bytes of a piece, as the device wants
-- @tparam integer now ms
-- @treturn table transfer
function M.new(offer, chunk, now)
  return setmetatable({ offer = offer, chunk = chunk, offset = 0, refused = 0, moved = now, percent = 0 }, Transfer)
end

--- The piece that is in flight, as a body.
-- @treturn string|nil nil: the file is gone, or shorter than it was
function Transfer:piece()
  local file <close> = io.open(self.offer.entry.path, "rb")
  if not file or not file:seek("set", self.offset) then return nil end
  local data = file:read(math.min(self.chunk, self.offer.size - self.offset))
  if not data then return nil end
  self.length = #data
  return frame.chunk { owner = 1, last = self.offset + #data == self.offer.size, offset = self.offset, data = data }
end

--- The device acknowledged a piece, or refused it.
-- @tparam integer errcode
-- @tparam integer offset
-- @tparam integer now ms
-- @treturn string "next": send the piece in flight; "again": the same; "done": it was the last; "stale": it is about
--   another piece; "refused"
function Transfer:heard(errcode, offset, now)
  if errcode ~= -2 and offset ~= self.offset then return "stale" end
  self.moved = now
  if errcode == -1 then
    self.refused = self.refused + 1
    return self.refused <= REFUSED and "again" or "refused"
  elseif errcode ~= 0 then
    return "refused"
  end
  self.offset, self.refused = self.offset + self.length, 0
  if self.offset < self.offer.size then return "next" end
  self.complete = true
  return "done"
end

--- The acknowledged percentage, if it has risen since the last call.
-- @treturn integer|nil
function Transfer:news()
  local percent = self.offset * 100 // self.offer.size
  if percent < self.percent + 5 and percent < 100 then return nil end
  self.percent = percent
  return percent
end

--- Whether the device may still wait for the next piece.
function Transfer:is_alive(now)
  return now - self.moved < SILENCE
end

return M

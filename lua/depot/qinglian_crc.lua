--- The CRC of packages, which Qinglian's announcements carry.
--
-- The depot has one loop, so one piece of a file is read in each step.
--
-- @module depot.qinglian_crc

local frame = require "update.cloud.qinglian_frame"

local M = {}

local Sums = {}
Sums.__index = Sums

local PIECE = 256 * 1024

function M.new()
  return setmetatable({ known = {} }, Sums)
end

--- The CRC of a package. If it is not known yet, the computation begins.
-- @tparam table entry of the catalog: name, path, tag
-- @treturn integer|nil nil: not yet
function Sums:of(entry)
  local seen = self.known[entry.name]
  if seen and seen.tag == entry.tag then return seen.crc end
  if self.work then return nil end
  local file = io.open(entry.path, "rb")
  if file then self.work = { name = entry.name, tag = entry.tag, file = file, crc = 0xFFFF } end
end

function Sums:busy()
  return self.work ~= nil
end

--- Read a piece.
function Sums:step()
  local work = self.work
  if not work then return end
  local piece = work.file:read(PIECE)
  if piece then
    work.crc = frame.crc16(piece, work.crc)
    return
  end
  work.file:close()
  self.known[work.name] = { tag = work.tag, crc = work.crc }
  self.work = nil
end

function Sums:close()
  if self.work then self.work.file:close() end
  self.work = nil
end

return M

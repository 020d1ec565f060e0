--- Gives a program the bytes of a package of the Qinglian cloud, by iot_chunk_cb of the vendor's SDK.
--
-- The program gets each piece when the engine has used it up, and the cloud sends
-- the next when the program has dealt with it. The last piece comes when every
-- digest is right: whoever has it has a package that is verified. A program that
-- refuses a piece, or is silent for a minute, gets no more; that never harms the
-- update.
--
-- @module update.agent.qinglian_copy

local base64 = require "update.cloud.base64"

local M = {}

--- The kinds of chunks, as the SDK numbers them.
M.FIRMWARE, M.PATCH = 0x00, 0x10

local LAST = 0x01
local WITHIN = 60 -- seconds for the program to deal with one

local Copy = {}
Copy.__index = Copy

--- @tparam table news update.agent.qinglian_news
-- @tparam integer kind
-- @tparam integer size bytes of the package
function M.new(news, kind, size)
  return setmetatable({ news = news, kind = kind, size = size, at = 0, goes_on = news:wants_copies() }, Copy)
end

--- A piece came.
function Copy:add(bytes)
  self.piece = self.goes_on and bytes or nil
end

--- Hand the piece over, in a task.
-- @tparam[opt] boolean whole whether every digest is right
function Copy:hand_over(whole)
  local bytes = self.piece
  if not bytes or not whole and self.at + #bytes >= self.size then return end
  self.piece = nil
  local number = self.news:add("chunk", { stat = self.kind | (whole and LAST or 0), offset = self.at, size = #bytes,
    data = base64.encode(bytes) })
  self.at = self.at + #bytes
  self.goes_on = self.news:await_heard(number, WITHIN)
end

return M

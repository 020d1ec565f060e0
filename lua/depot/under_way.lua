--- By which links downloads are under way, so that the rest of one is served without asking again. Pure.
--
-- The oldest are forgotten; those are asked about once more.
--
-- @module depot.under_way

local M = {}

local UnderWay = {}
UnderWay.__index = UnderWay

local MOST = 5000 -- links of one generation; two are kept

--- @tparam[opt] integer most
function M.new(most) return setmetatable({ young = {}, old = {}, count = 0, most = most or MOST }, UnderWay) end

--- A link holds, and is being used.
-- @tparam table query of the link
-- @tparam table entry of the catalog
function UnderWay:note(query, entry)
  if self.young[query.Signature] == entry.tag then return end
  if self.count >= self.most then self.young, self.old, self.count = {}, self.young, 0 end
  self.young[query.Signature], self.count = entry.tag, self.count + 1
end

--- Whether a download by a link is under way, of the file that has the name now.
function UnderWay:has(query, entry)
  return (self.young[query.Signature] or self.old[query.Signature]) == entry.tag
end

return M

--- Rows of the ledger of hotfixes, as device:hotfixes() gives them: oldest first.
--
-- Pure.
--
-- @module update.engine.ledger

local M = {}

--- Whether it passed its test, and was not undone.
-- @tparam table row state
-- @treturn boolean
function M.is_in_force(row)
  return row.state == "fresh" or row.state == "applied"
end

--- Whether two are the same version of the same hotfix.
-- @tparam table|nil a name, version
-- @tparam table b name, version
-- @treturn boolean
function M.is_same(a, b)
  return a ~= nil and a.name == b.name and a.version == b.version
end

--- What became of this version.
-- @tparam {table,...} ledger
-- @tparam table item name, version
-- @treturn table|nil its row
function M.find(ledger, item)
  for i = #ledger, 1, -1 do
    if M.is_same(ledger[i], item) then return ledger[i] end
  end
end

--- The row of that folder.
-- @tparam {table,...} ledger
-- @tparam string id
-- @treturn table|nil row
function M.of_id(ledger, id)
  for _, row in ipairs(ledger) do
    if row.id == id then return row end
  end
end

--- The newest row of a name that is in force.
-- @tparam {table,...} ledger
-- @tparam string name
-- @tparam[opt] string but id of one that does not count
-- @treturn table|nil row
function M.leading(ledger, name, but)
  for i = #ledger, 1, -1 do
    local row = ledger[i]
    if row.name == name and row.id ~= but and M.is_in_force(row) then return row end
  end
end

return M

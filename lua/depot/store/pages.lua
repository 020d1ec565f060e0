--- Devices, events and jobs a page at a time, and what they add up to.
--
-- `methods` are those of depot.store. A page begins after a key, so that no page gets slower than the first.
--
-- @module depot.store.pages

local M = { methods = {} }

--- For depot.store_tables.
M.statements = {
  jobs_after = [[SELECT * FROM device WHERE rollout = ?1 AND (?5 IS NULL OR state = ?5)
    AND (cloud, product, device) > (?2, ?3, ?4) ORDER BY cloud, product, device LIMIT ?6]],
  -- The index knows no case, so it is asked first.
  devices_named = [[SELECT * FROM device WHERE device = ?1 COLLATE NOCASE AND device = ?1 ORDER BY cloud, product
    LIMIT ?2]],
  tags_of = "SELECT tag FROM tag WHERE cloud = ? AND product = ? AND device = ? ORDER BY tag",
  stalled = [[SELECT count(CASE WHEN state = 'pending' THEN 1 END) AS open,
    max(CASE WHEN state NOT IN ('pending', 'upgrading') THEN changed END) AS last FROM device WHERE rollout = ?]],
  -- Not further back than this, for there may be many other events.
  last_connection = [[SELECT at, code, text FROM event WHERE id > (SELECT max(id) FROM event) - 20000
    AND what = 'connection' ORDER BY id DESC LIMIT 1]],
  events_before = [[SELECT * FROM event WHERE id < ?1 AND (?2 IS NULL OR hash = ?2) AND (?3 IS NULL OR rollout = ?3)
    AND (?4 IS NULL OR what = ?4) ORDER BY id DESC LIMIT ?5]],
  events_of_one = [[SELECT * FROM event WHERE device = ?1 AND cloud = ?2 AND product = ?3 AND id < ?4
    ORDER BY id DESC LIMIT ?5]],
  last_event = "SELECT max(id) AS id FROM event",
}

local Methods = M.methods

--- Devices with a job of a rollout, after one of them.
function Methods:jobs_after(rollout, after, state, limit)
  return self.statements.jobs_after:all(rollout, after.cloud or "", after.product or "", after.device or "", state,
    limit)
end

--- Devices of that name.
function Methods:devices_named(name, limit) return self.statements.devices_named:all(name, limit) end

--- Set `tags` of some rows.
function Methods:tag_rows(rows)
  for _, row in ipairs(rows) do
    local found, message, code = self.statements.tags_of:all(row.cloud, row.product, row.device)
    if not found then return nil, message, code end
    row.tags = {}
    for i, line in ipairs(found) do row.tags[i] = line.tag end
  end
  return rows
end

--- The jobs of a rollout that wait (open), and when the last verdict came (last, ms).
function Methods:stalled(rollout) return self.statements.stalled:first(rollout) end

--- What the depot last said about its broker: at, code, text; false: nothing.
function Methods:last_connection() return self.statements.last_connection:first() end

--- Events, the newest first.
-- @tparam table which before (an id, or nil), hash, rollout, what (or nil)
-- @tparam integer limit
function Methods:events_before(which, limit)
  return self.statements.events_before:all(which.before or math.maxinteger, which.hash, which.rollout, which.what,
    limit)
end

--- Events of one device, the newest first.
function Methods:events_of_one(row, before, limit)
  return self.statements.events_of_one:all(row.device, row.cloud, row.product, before or math.maxinteger, limit)
end

--- The number of the newest event; 0: there is none.
function Methods:last_event()
  local row, message, code = self.statements.last_event:first()
  return row and (row.id or 0), message, code
end

return M

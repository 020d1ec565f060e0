--- Removes what is old: events and counts of days after 400 days, audit rows after five years, unless the settings say
-- otherwise; a slice at a time.
--
-- Of the audit the id and hash of the last row that was removed are kept, so that the chain can still be checked.
-- `methods` are those of depot.store.
--
-- @module depot.store.retention

local daily = require "depot.store.daily"

local M = { methods = {} }

local DAY = 86400000 -- ms
local DAYS = { events = 400, audit = 5 * 365 }

--- Days at most.
M.MOST = 36500

--- Rows that one call removes at most, of each kind.
M.SLICE = 1000

M.statements = {
  prune_events = "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE at < ? ORDER BY at LIMIT ?)",
  -- The newest row stays, since the next one holds its hash.
  old_audit = [[SELECT max(id) AS id FROM (SELECT id FROM audit WHERE at < ? AND id < (SELECT max(id) FROM audit)
    ORDER BY id LIMIT ?)]],
  oldest = [[SELECT (SELECT min(at) FROM event) AS event,
    (SELECT at FROM audit WHERE id < (SELECT max(id) FROM audit) ORDER BY id LIMIT 1) AS audit,
    (SELECT min(day) FROM daily) AS day]],
  newest_event = "SELECT at FROM event ORDER BY id DESC LIMIT 1",
  size = "SELECT page_count * page_size AS n FROM pragma_page_count(), pragma_page_size()",
  prune_audit = "DELETE FROM audit WHERE id <= ?",
}

local Methods = M.methods

local function prune_audit(store, before)
  local old, message, code = store.statements.old_audit:first(before, M.SLICE)
  if not old then return nil, message, code end
  if not old.id then return 0 end
  local last
  last, message, code = store:audit_row(old.id)
  if not last then return nil, message, code end
  local done
  done, message, code = store:set_setting("audit_kept", ("%d %s"):format(last.id, last.hash))
  if done then done, message, code = store.statements.prune_audit:run(old.id) end
  return done, message, code
end

--- Bytes of the database.
function Methods:size()
  local row = self.statements.size:first()
  return row and row.n or 0
end

--- For how many days events and audit are kept.
-- @treturn table|nil events, audit; nil, message, code
function Methods:kept_days()
  local days = {}
  for name, default in pairs(DAYS) do
    local text, message, code = self:setting(name .. "_days")
    if text == nil then return nil, message, code end
    days[name] = text and math.tointeger(tonumber(text)) or default
  end
  return days
end

--- Change that, within change().
function Methods:set_kept_days(days)
  for name in pairs(DAYS) do
    local ok, message, code = self:set_setting(name .. "_days", ("%d"):format(days[name]))
    if not ok then return nil, message, code end
  end
  return true
end

--- Remove a slice of what is old; call it within change().
-- @tparam integer now ms
-- @treturn boolean|nil whether there may be more; nil, message, code
function Methods:prune(now)
  local days, message, code = self:kept_days()
  if not days then return nil, message, code end
  local events
  events, message, code = self.statements.prune_events:run(now - days.events * DAY, M.SLICE)
  if not events then return nil, message, code end
  local counts
  counts, message, code = self.statements.prune_days:run(daily.day_of(now - days.events * DAY))
  if not counts then return nil, message, code end
  local rows
  rows, message, code = prune_audit(self, now - days.audit * DAY)
  if not rows then return nil, message, code end
  return events == M.SLICE or rows == M.SLICE
end

--- When something happened last.
-- @treturn integer|false|nil ms; false: nothing ever; nil, message, code
function Methods:newest_event()
  local row, message, code = self.statements.newest_event:first()
  if not row then return row, message, code end
  return row.at
end

--- Whether prune() would find something.
-- @treturn boolean|nil nil, message, code
function Methods:has_old(now)
  local days, message, code = self:kept_days()
  if not days then return nil, message, code end
  local row
  row, message, code = self.statements.oldest:first()
  if not row then return nil, message, code end
  return (row.event or now) < now - days.events * DAY or (row.audit or now) < now - days.audit * DAY
    or (row.day or "9") < daily.day_of(now - days.events * DAY)
end

--- The last audit row that was removed for its age.
-- @treturn table|false|nil id, hash; false: none was; nil, message, code
function Methods:audit_kept()
  local text, message, code = self:setting "audit_kept"
  if not text then return text, message, code end
  local id, hash = text:match "^(%d+) (%x+)$"
  if not id then return nil, "the mark of the removed audit rows is damaged", "corrupt" end
  return { id = math.tointeger(tonumber(id)), hash = hash }
end

return M

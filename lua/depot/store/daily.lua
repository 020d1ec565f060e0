--- How many devices ran what on each day.
--
-- A running depot writes the day's counts again and again, so the last of them stay: the most common releases of each
-- product, and the others together as "". A day on which no depot ran is not there. `methods` are those of depot.store.
--
-- @module depot.store.daily

local M = { methods = {} }

local KEPT = 20 -- releases of a product that are kept by their names

--- For depot.store.schema. A day is UTC's, as 2026-11-30.
M.schema = [[
  CREATE TABLE daily (
    hash TEXT NOT NULL, day TEXT NOT NULL, release TEXT NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (hash, day, release)) WITHOUT ROWID;
  CREATE INDEX daily_day ON daily (day);
]]

M.statements = {
  drop_day = "DELETE FROM daily WHERE day = ?",
  put_day = [[INSERT INTO daily
    SELECT hash, ?1, iif(place <= ?2, release, ''), sum(n) FROM (
      SELECT hash, release, n, row_number() OVER (PARTITION BY hash ORDER BY release = '', n DESC, release) AS place
        FROM (SELECT hash, release, sum(n) AS n FROM standing WHERE n > 0 GROUP BY hash, release))
    GROUP BY 1, 3]],
  daily = "SELECT day, release, n FROM daily WHERE hash = ? AND day >= ? AND day < ? ORDER BY day, n DESC, release",
  prune_days = "DELETE FROM daily WHERE day < ?",
}

local Methods = M.methods

--- The day of a time.
-- @tparam integer now ms
function M.day_of(now) return os.date("!%Y-%m-%d", now // 1000) end

--- Write what devices run now as the counts of the day, within change().
-- @tparam integer now ms
-- @treturn integer|nil nil, message, code
function Methods:note_day(now)
  local day = M.day_of(now)
  local done, message, code = self.statements.drop_day:run(day)
  if done then done, message, code = self.statements.put_day:run(day, KEPT) end
  return done, message, code
end

--- What the devices of a product ran on the days from one until before another.
-- @tparam string hash
-- @tparam string from day
-- @tparam string till day
-- @treturn {{day, runs = {{release, n},...}},...}|nil those that are not the most common together are ""; nil, message,
--   code
function Methods:daily(hash, from, till)
  local rows, message, code = self.statements.daily:all(hash, from, till)
  if not rows then return nil, message, code end
  local days = {}
  for _, row in ipairs(rows) do
    local last = days[#days]
    if not last or last.day ~= row.day then
      last = { day = row.day, runs = {} }
      days[#days + 1] = last
    end
    table.insert(last.runs, { release = row.release, n = row.n })
  end
  return days
end

return M

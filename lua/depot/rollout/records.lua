--- The rollouts in the store, and the jobs of their devices.
--
-- `methods` are those of depot.store. A rollout is read with its plan
-- (depot.rollout.plan) and, as `means`, its filter as parsed by depot.filter.
--
-- @module depot.rollout.records

local filters = require "depot.filter"
local plans = require "depot.rollout.plan"

local M = { methods = {} }

-- What changes in the life of a rollout.
local LIFE = { "state", "before", "reason", "priority", "plan", "wave", "wave_at", "soak_at", "starts_at",
  "limits_from", "verdicts", "failed", "ended", "judged" }
local MADE = { "kind", "package", "target", "hash", "cloud", "product", "source", "filter", "made" }

local function all(first, second)
  local names = table.move(first, 1, #first, 1, {})
  return table.move(second, 1, #second, #names + 1, names)
end
local COLUMNS = all(MADE, LIFE)

--- Since form 20: where a device is, if not where its product is; for windows.
M.zones = [[
  ALTER TABLE device ADD COLUMN zone TEXT;
  CREATE INDEX device_zone ON device (hash, zone) WHERE zone IS NOT NULL;
]]

--- Since form 21: the verdicts of each release that the automatic mode gives (depot.rollout.life).
M.judged = "ALTER TABLE rollout ADD COLUMN judged TEXT;"

--- For depot.store_tables.
M.statements = {
  rollouts = "SELECT * FROM rollout WHERE ended IS NULL ORDER BY id DESC",
  every_rollout = "SELECT * FROM rollout ORDER BY id DESC LIMIT ?",
  rollout = "SELECT * FROM rollout WHERE id = ?",
  make_rollout = ("INSERT INTO rollout (%s) VALUES (%s) RETURNING id"):format(table.concat(COLUMNS, ", "),
    ("?, "):rep(#COLUMNS - 1) .. "?"),
  save_rollout = ("UPDATE rollout SET %s = ? WHERE id = ?"):format(table.concat(LIFE, " = ?, ")),
  limit_rollouts = [[UPDATE rollout SET wave_at = min(wave_at, ?1), soak_at = min(soak_at, ?1),
    limits_from = min(limits_from, ?1) WHERE ended IS NULL]],
  add_member = "INSERT OR IGNORE INTO rollout_member VALUES (?, ?, ?)",
  member = "SELECT 1 AS yes FROM rollout_member WHERE rollout = ? AND cloud = ? AND device = ?",
  tally = "SELECT wave, state, n FROM tally WHERE rollout = ? AND n > 0 ORDER BY wave, state",
  recount = "SELECT wave, state, count(*) AS n FROM device WHERE rollout = ? GROUP BY wave, state ORDER BY wave, state",
  -- Where the tally and the jobs themselves differ: what one has and the other has not.
  differences = [[WITH counted AS MATERIALIZED (SELECT rollout, wave, state, count(*) FROM device
      WHERE rollout IS NOT NULL GROUP BY 1, 2, 3)
    SELECT * FROM (SELECT rollout, wave, state, n FROM tally WHERE n <> 0 EXCEPT SELECT * FROM counted)
    UNION SELECT * FROM (SELECT * FROM counted EXCEPT SELECT rollout, wave, state, n FROM tally WHERE n <> 0)]],
  clear_tally = "DELETE FROM tally",
  count_tally = [[INSERT INTO tally SELECT rollout, wave, state, count(*) FROM device WHERE rollout IS NOT NULL
    GROUP BY 1, 2, 3]],
  heard_in_wave = [[SELECT count(*) AS count, count(*) FILTER (WHERE state IN ('succeeded', 'failed', 'reverted'))
    AS verdicts, count(*) FILTER (WHERE state = 'succeeded') AS succeeded FROM device
    WHERE rollout = ? AND wave = ? AND heard >= ? AND state NOT IN ('superseded', 'cancelled')]],
  job_in_wave = "SELECT 1 AS yes FROM tally WHERE rollout = ? AND wave = ? AND n > 0 "
    .. "AND state NOT IN ('superseded', 'cancelled')",
  wanting = "SELECT 1 AS yes FROM device WHERE hash = ? AND release IS NOT ? LIMIT 1",
  unheard_member = [[SELECT 1 AS yes FROM rollout_member AS m WHERE rollout = ?1 AND NOT EXISTS (SELECT 1 FROM device
    WHERE device.device = m.device COLLATE NOCASE AND device.device = m.device AND device.cloud = m.cloud
      AND hash = ?2) LIMIT 1]],
  undecided = "SELECT 1 AS yes FROM device WHERE due <= ? AND hash = ? LIMIT 1",
  asking = "SELECT * FROM device WHERE hash = ? AND cloud IN ('luat', 'terminal') AND release IS NOT ?",
  -- An offer is open while its link lives, and until the device has a verdict once it has begun.
  in_flight = [[SELECT (SELECT count(*) FROM device WHERE rollout = ?1 AND state = 'upgrading')
    + (SELECT count(*) FROM device WHERE rollout = ?1 AND state = 'pending' AND ends > ?2) AS n]],
  due_of_rollout = "SELECT count(*) AS n FROM device WHERE due <= ?2 AND rollout = ?1 AND state = 'pending'",
  waiting = [[SELECT 1 AS yes FROM device WHERE rollout = ?1 AND state = 'pending' AND due IS NULL
    AND ends <= ?2 AND cloud <> 'luat' AND (?3 IS NULL OR coalesce(zone, '') IN (SELECT value FROM json_each(?3)))
    AND package NOT IN (SELECT value FROM json_each(?4)) LIMIT 1]],
  feed = [[UPDATE device SET due = ?2 WHERE (cloud, product, device) IN (SELECT cloud, product, device FROM device
    WHERE rollout = ?1 AND state = 'pending' AND due IS NULL AND ends <= ?3 AND cloud <> 'luat'
    AND (?5 IS NULL OR coalesce(zone, '') IN (SELECT value FROM json_each(?5)))
    AND package NOT IN (SELECT value FROM json_each(?6)) ORDER BY ends LIMIT ?4)]],
  zones_of = "SELECT DISTINCT zone FROM device WHERE hash = ? AND zone IS NOT NULL ORDER BY zone",
  -- Another rollout may give those something that have not begun, at once; Luat's devices get it when they ask.
  cancel_jobs = [[UPDATE device SET changed = ?2, renewing = NULL, again = NULL, state = 'cancelled',
    due = iif(state = 'pending' AND cloud <> 'luat' AND EXISTS (SELECT 1 FROM rollout WHERE id <> ?1
      AND ended IS NULL AND hash = (SELECT hash FROM rollout WHERE id = ?1)), ?2, NULL)
    WHERE rollout = ?1 AND state IN ('pending', 'upgrading')]],
  -- Due at once, for what the newer rollout gives. Luat's devices get that when they ask.
  supersede_jobs = [[UPDATE device SET state = 'superseded', changed = ?2, due = iif(cloud = 'luat', NULL, ?2),
    text = 'a newer rollout covers it' WHERE rollout = ?1 AND state = 'pending']],
  lost_jobs = "SELECT * FROM device WHERE rollout = ? AND state IN ('failed', 'reverted')",
}

local function read(store, row)
  row.means = row.filter and filters.parse(row.filter)
  row.plan = row.plan and store.json.decode(row.plan) or plans.BATCH
  row.judged = row.judged and store.json.decode(row.judged)
  return row
end

local function read_all(store, rows, message, code)
  for _, row in ipairs(rows or {}) do read(store, row) end
  return rows, message, code
end

local function values_of(store, rollout, names, last)
  local values = {}
  for i, name in ipairs(names) do
    local value = rollout[name]
    values[i] = type(value) == "table" and store.json.encode(value) or value
  end
  values[#names + 1] = last
  return table.unpack(values, 1, #names + (last and 1 or 0))
end

local Methods = M.methods

--- The rollouts that have not ended, the newest first.
function Methods:rollouts()
  return read_all(self, self.statements.rollouts:all())
end

--- The rollouts, ended ones too, the newest first; at most `limit`.
function Methods:every_rollout(limit)
  return read_all(self, self.statements.every_rollout:all(limit))
end

--- @treturn table|false|nil false: there is none of that number; nil, message, code
function Methods:rollout(id)
  local row, message, code = self.statements.rollout:first(id)
  return row and read(self, row), message, code
end

--- Record a rollout.
-- @tparam table rollout kind (batch, trial or auto; nil: batch), package (digest), target, hash; cloud, product, source
--   (release that devices run), filter (text) or nil: any; plan or nil: everybody at once; state or nil: running; and
--   more of depot.rollout.life
-- @tparam integer now ms
-- @treturn integer|nil its number; nil, message, code
function Methods:roll_out(rollout, now)
  local row = setmetatable({ made = now, kind = rollout.kind or "batch", state = rollout.state or "running",
    priority = rollout.priority or 0, wave = rollout.wave or 1, verdicts = 0, failed = 0 }, { __index = rollout })
  local made, message, code = self.statements.make_rollout:first(values_of(self, row, COLUMNS))
  return made and made.id, message, code
end

--- Write what has changed in the life of a rollout.
function Methods:save_rollout(rollout)
  return self.statements.save_rollout:run(values_of(self, rollout, LIFE, rollout.id))
end

--- A rollout is for these devices only.
function Methods:add_member(rollout, cloud, device)
  return self.statements.add_member:run(rollout.id, cloud, device)
end

function Methods:is_member(rollout, row)
  return self.statements.member:first(rollout.id, row.cloud, row.device)
end

--- How many jobs of a rollout are in which state: {wave, state, n}; `recount`: from the jobs themselves.
function Methods:tally(rollout, recount)
  return self.statements[recount and "recount" or "tally"]:all(rollout.id)
end

--- Count the jobs of all rollouts anew, and mend the tally if it was wrong, within change().
-- @treturn {integer,...}|nil the rollouts whose tally was wrong, in order; nil, message, code
function Methods:recount()
  local rows, message, code = self.statements.differences:all()
  if not rows then return nil, message, code end
  local seen, list = {}, {}
  for _, row in ipairs(rows) do
    if not seen[row.rollout] then list[#list + 1] = row.rollout end
    seen[row.rollout] = true
  end
  if #list == 0 then return list end
  table.sort(list)
  local done
  done, message, code = self.statements.clear_tally:run()
  if done then done, message, code = self.statements.count_tally:run() end
  return done and list, message, code
end

--- The devices of the last open wave that were heard since it opened: count, verdicts, succeeded.
function Methods:heard_in_wave(rollout)
  return self.statements.heard_in_wave:first(rollout.id, rollout.wave, rollout.wave_at or 0)
end

-- Whether a device that gets its job only when it asks is in the last open wave.
local function asks_in_wave(store, rollout, is_in)
  local rows, message, code = store.statements.asking:all(rollout.hash, rollout.target)
  if not rows then return nil, message, code end
  for _, row in ipairs(rows) do
    if is_in(row) then return true end
  end
  return false
end

-- Where all that are known run the release: whether no other can come. It can, unless members are fixed and known.
local function is_complete(self, rollout)
  if rollout.plan.members ~= "fixed" then return false end
  local row, message, code = self.statements.unheard_member:first(rollout.id, rollout.hash)
  if row == nil then return nil, message, code end
  return row == false
end

--- Whether nobody is in the last open wave, though devices of the product do not run the release; or all members are
-- fixed, and do.
-- @tparam table rollout
-- @tparam integer now ms
-- @tparam function is_in function(row) -> whether a device is
-- @treturn boolean|nil nil, message, code
function Methods:is_wave_empty(rollout, now, is_in)
  local statements = self.statements
  local row, message, code = statements.job_in_wave:first(rollout.id, rollout.wave)
  if row == false then row, message, code = statements.undecided:first(now, rollout.hash) end
  if row == nil then return nil, message, code end
  if row then return false end
  row, message, code = statements.wanting:first(rollout.hash, rollout.target)
  if row == nil then return nil, message, code end
  if not row then return is_complete(self, rollout) end
  local asks
  asks, message, code = asks_in_wave(self, rollout, is_in)
  if asks == nil then return nil, message, code end
  return not asks
end

--- How many offers of a rollout are open: those whose link ends after `ended`, and devices that have begun.
function Methods:in_flight(rollout, ended)
  local row, message, code = self.statements.in_flight:first(rollout.id, ended)
  return row and row.n, message, code
end

--- How many of its jobs are about to be offered.
function Methods:due_of_rollout(rollout, now)
  local row, message, code = self.statements.due_of_rollout:first(rollout.id, now)
  return row and row.n, message, code
end

--- The time zones that devices of a product have of their own.
-- @treturn {string,...}|nil nil, message, code
function Methods:zones_of(hash)
  local rows, message, code = self.statements.zones_of:all(hash)
  if not rows then return nil, message, code end
  for i, row in ipairs(rows) do rows[i] = row.zone end
  return rows
end

--- Whether feed() would find a job.
function Methods:has_waiting(rollout, ended, zones, off)
  return self.statements.waiting:first(rollout.id, ended, zones and self.json.encode(zones),
    self.json.encode(self.json.array(off)))
end

--- Make up to `most` waiting jobs of a rollout due: those that wait for it (depot.jobs), then those whose link ended
-- before `ended` (ms).
-- @tparam {string,...}|nil zones only of devices that have one of these; "": none of their own
-- @tparam {string,...} off digests of packages that are not offered
function Methods:feed(rollout, now, ended, most, zones, off)
  return self.statements.feed:run(rollout.id, now, ended, most, zones and self.json.encode(zones),
    self.json.encode(self.json.array(off)))
end

--- End its open jobs. A download that has begun cannot be called back.
function Methods:cancel_jobs(rollout, now)
  return self.statements.cancel_jobs:run(rollout.id, now)
end

--- End its jobs that have not begun, since a newer rollout covers its devices.
function Methods:supersede_jobs(rollout, now)
  return self.statements.supersede_jobs:run(rollout.id, now)
end

--- The rows whose job failed or was reverted.
function Methods:lost_jobs(rollout)
  return self.statements.lost_jobs:all(rollout.id)
end

return M

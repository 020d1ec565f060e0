--- How the devices stand: how many of a product run what, in which state.
--
-- The counts are kept by triggers in the transaction that changes a device, whoever makes it, so no page has to read
-- every device. Texts that a device does not have are "" here. `methods` are those of depot.store.
--
-- @module depot.store.standings

local M = { methods = {} }

-- What devices are counted by. A trigger has to name each.
local KEY = { "hash", "cloud", "product", "release", "other", "hardware", "state", "reason" }

local function each(format, between)
  local parts = {}
  for i, name in ipairs(KEY) do parts[i] = format:gsub("%%s", name) end
  return table.concat(parts, between)
end

local function values(of) return each("coalesce(" .. of .. ".%s, '')", ", ") end

local ENTER = ([[
    INSERT INTO standing VALUES (%s, 1, NEW.not_listening IS NOT NULL)
      ON CONFLICT DO UPDATE SET n = n + 1, unheard = unheard + excluded.unheard; END;
]]):format(values "NEW")

local LEAVE = ([[
    UPDATE standing SET n = n - 1, unheard = unheard - (OLD.not_listening IS NOT NULL) WHERE (%s) = (%s); END;
]]):format(table.concat(KEY, ", "), values "OLD")

local COUNTED = ([[SELECT %s, count(*) AS n, count(not_listening) AS unheard FROM device
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8]]):format(each("coalesce(%s, '') AS %s", ", "))

local CHANGES = ("OF %s, not_listening ON device WHEN %s OR (OLD.not_listening IS NULL) <> (NEW.not_listening IS NULL)")
  :format(table.concat(KEY, ", "), each("OLD.%s IS NOT NEW.%s", " OR "))

--- For depot.store.schema. A new database runs the count over no device.
M.schema = ([[
  DROP INDEX device_alike;
  CREATE INDEX device_alike ON device (hash, release, other, state);
  CREATE INDEX device_state ON device (state) WHERE state IS NOT NULL;
  CREATE TABLE standing (%s, n INTEGER NOT NULL, unheard INTEGER NOT NULL, PRIMARY KEY (%s)) WITHOUT ROWID;
  INSERT INTO standing %s;
  CREATE TRIGGER standing_new AFTER INSERT ON device BEGIN %s
  CREATE TRIGGER standing_gone AFTER DELETE ON device BEGIN %s
  CREATE TRIGGER standing_leave AFTER UPDATE %s BEGIN %s
  CREATE TRIGGER standing_enter AFTER UPDATE %s BEGIN %s
]]):format(each("%s TEXT NOT NULL", ", "), table.concat(KEY, ", "), COUNTED, ENTER, LEAVE, CHANGES, LEAVE, CHANGES,
  ENTER)

M.statements = {
  standing = [[SELECT cloud, nullif(hardware, '') AS hardware, nullif(release, '') AS release,
    nullif(other, '') AS other, nullif(state, '') AS state, sum(n) AS n, sum(unheard) AS unheard FROM standing
    WHERE hash = ? AND n > 0 GROUP BY 1, 2, 3, 4, 5]],
  standings = [[SELECT hash, cloud, nullif(hardware, '') AS hardware, nullif(release, '') AS release,
    nullif(other, '') AS other, nullif(state, '') AS state, sum(n) AS n, sum(unheard) AS unheard FROM standing
    WHERE n > 0 GROUP BY 1, 2, 3, 4, 5, 6]],
  products_seen = [[SELECT hash, cloud, product, sum(n) AS n FROM standing WHERE n > 0 GROUP BY hash, cloud, product
    ORDER BY cloud, product, hash]],
  silent_count = [[SELECT coalesce(sum(n), 0) AS n FROM standing
    WHERE hash = ? AND state = 'failed' AND reason = 'silent']],
  unknown_hardware = "SELECT coalesce(sum(n), 0) AS n FROM standing WHERE hash = ? AND hardware = ''",
  releases_run = "SELECT DISTINCT release FROM standing WHERE n > 0",
  devices_known = "SELECT coalesce(sum(n), 0) AS n FROM standing",
  -- MATERIALIZED: every device is read once.
  standing_differences = ([[WITH counted AS MATERIALIZED (%s)
    SELECT 1 AS yes FROM (SELECT * FROM (SELECT * FROM standing WHERE n <> 0 EXCEPT SELECT * FROM counted)
      UNION SELECT * FROM (SELECT * FROM counted EXCEPT SELECT * FROM standing WHERE n <> 0)) LIMIT 1]])
    :format(COUNTED),
  clear_standings = "DELETE FROM standing",
  count_standings = "INSERT INTO standing " .. COUNTED,
}

local Methods = M.methods

--- Each product of the devices, by cloud: hash, cloud, product, n.
function Methods:products_seen() return self.statements.products_seen:all() end

--- How many devices are known.
-- @treturn integer|nil nil, message, code
function Methods:devices_known()
  local row, message, code = self.statements.devices_known:first()
  return row and row.n, message, code
end

--- All that devices have in common, with the counts: hash, cloud, hardware, release, other, state, n, unheard (of them
-- do not listen).
function Methods:standings() return self.statements.standings:all() end

--- How a product's devices stand.
-- @treturn table|nil runs ({release, n}, the most common first, 100 at most), states ({[state] = n}), unheard (how many
--   do not listen), alike ({cloud, hardware, release, other, state, n}); nil, message, code
function Methods:standing(hash)
  local rows, message, code = self.statements.standing:all(hash)
  if not rows then return nil, message, code end
  local found, by_release = { runs = {}, states = {}, unheard = 0, alike = rows }, {}
  for _, row in ipairs(rows) do
    local key = row.release or false
    if not by_release[key] then
      by_release[key] = { release = row.release, n = 0 }
      table.insert(found.runs, by_release[key])
    end
    by_release[key].n = by_release[key].n + row.n
    if row.state then found.states[row.state] = (found.states[row.state] or 0) + row.n end
    found.unheard = found.unheard + row.unheard
  end
  table.sort(found.runs, function(a, b) return a.n > b.n end)
  for i = #found.runs, 101, -1 do found.runs[i] = nil end
  return found
end

--- How many jobs of a product failed because nothing was heard for a day.
function Methods:silent_count(hash)
  local row, message, code = self.statements.silent_count:first(hash)
  return row and row.n, message, code
end

--- How many devices of a product have a hardware that nobody told.
function Methods:unknown_hardware(hash)
  local row, message, code = self.statements.unknown_hardware:first(hash)
  return row and row.n, message, code
end

--- Count the devices anew, within change(), and mend the counts if they were wrong.
-- @treturn boolean|nil whether they were; nil, message, code
function Methods:recount_standings()
  local wrong, message, code = self.statements.standing_differences:first()
  if not wrong then return wrong, message, code end
  local done
  done, message, code = self.statements.clear_standings:run()
  if done then done, message, code = self.statements.count_standings:run() end
  return done and true, message, code
end

return M

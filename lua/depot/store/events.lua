--- What happened to devices and rollouts, and when: changes only, in the transaction that makes them.
--
-- A report that brings nothing new, and progress, are no events. Triggers record what happens to a device, whoever
-- makes the change. `methods` are those of depot.store.
--
-- An event: at (ms), what ("first heard", "runs", "offered", the state of a job, "rollout", "act", "connection"); hash
-- (product_key), cloud, product, device; rollout (number), actor (of a person), release, code, text.
--
-- @module depot.store.events

local M = { methods = {} }

local FIELDS = { "at", "what", "hash", "cloud", "product", "device", "rollout", "actor", "release", "code", "text" }

--- The columns, in the order in which they are shown and exported.
M.fields = table.move(FIELDS, 1, #FIELDS, 2, { "id" })

local LONGEST = 1024 -- bytes of a text

--- For depot.store_tables.
M.schema = [[
  CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, what TEXT NOT NULL, hash TEXT, cloud TEXT, product TEXT,
    device TEXT, rollout INTEGER, actor TEXT, release TEXT, code TEXT, text TEXT);
  CREATE INDEX event_device ON event (device, id) WHERE device IS NOT NULL;
  CREATE INDEX event_rollout ON event (rollout, id) WHERE rollout IS NOT NULL;
  CREATE INDEX event_at ON event (at);
  CREATE TRIGGER event_first AFTER INSERT ON device WHEN NEW.heard IS NOT NULL BEGIN
    INSERT INTO event (at, what, hash, cloud, product, device, release)
      VALUES (NEW.heard, 'first heard', NEW.hash, NEW.cloud, NEW.product, NEW.device, NEW.release); END;
  CREATE TRIGGER event_change AFTER UPDATE OF release, state ON device
    WHEN OLD.release IS NOT NEW.release OR OLD.state IS NOT NEW.state BEGIN
    INSERT INTO event (at, what, hash, cloud, product, device, release, text)
      SELECT coalesce(NEW.heard, 0), 'runs', NEW.hash, NEW.cloud, NEW.product, NEW.device, NEW.release,
        'before: ' || OLD.release WHERE OLD.release IS NOT NEW.release AND NEW.release IS NOT NULL;
    INSERT INTO event (at, what, hash, cloud, product, device, rollout, release, code, text)
      SELECT coalesce(NEW.changed, 0), NEW.state, NEW.hash, NEW.cloud, NEW.product, NEW.device, NEW.rollout,
        NEW.target, NEW.code, substr(coalesce(NEW.reason || ': ' || NEW.text, NEW.reason, NEW.text), 1, 1024)
        WHERE OLD.state IS NOT NEW.state AND NEW.state IS NOT NULL; END;
]]

M.statements = {
  put_event = ("INSERT INTO event (%s) VALUES (%s)"):format(table.concat(FIELDS, ", "),
    ("?, "):rep(#FIELDS - 1) .. "?"),
  events = [[SELECT * FROM event WHERE id > ?1 AND (?2 IS NULL OR at >= ?2) AND (?3 IS NULL OR product = ?3)
    ORDER BY id LIMIT ?4]],
  events_of_device = [[SELECT * FROM event WHERE device = ?5 AND id > ?1 AND (?2 IS NULL OR at >= ?2)
    AND (?3 IS NULL OR product = ?3) ORDER BY id LIMIT ?4]],
}

local Methods = M.methods

--- Record an event; call it within change().
-- @treturn true|nil nil, message, code
function Methods:note_event(event)
  local values = {}
  for i, name in ipairs(FIELDS) do values[i] = event[name] end
  for i, value in pairs(values) do
    if type(value) == "string" then values[i] = value:sub(1, LONGEST) end
  end
  local done, message, code = self.statements.put_event:run(table.unpack(values, 1, #FIELDS))
  return done and true, message, code
end

--- The event of an offer to a device.
function M.offer(row, now)
  return { at = now, what = "offered", hash = row.hash, cloud = row.cloud, product = row.product,
    device = row.device, rollout = row.rollout, release = row.target }
end

--- Record what became of a rollout.
function Methods:note_rollout(rollout, now)
  return self:note_event { at = now, what = "rollout", hash = rollout.hash, rollout = rollout.id,
    release = rollout.target, code = rollout.state, text = rollout.reason
      or rollout.plan and ("wave %d of %d"):format(rollout.wave, #rollout.plan.waves) or nil }
end

--- Events, the oldest first.
-- @tparam table which after (an id), since (ms, or nil), product, device (or nil)
-- @tparam integer limit
-- @treturn {table,...}|nil nil, message, code
function Methods:events(which, limit)
  local after = which.after or 0
  if which.device then
    return self.statements.events_of_device:all(after, which.since, which.product, limit, which.device)
  end
  return self.statements.events:all(after, which.since, which.product, limit)
end

return M

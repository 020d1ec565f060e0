--- Webhooks: where events of a product are sent, and how far that is.
--
-- `methods` are those of depot.store. `cursor` is the last event that was delivered, or need not be: what follows is
-- still to be sent, so nothing else has to be kept.
--
-- @module depot.store.webhooks

local M = { methods = {} }

--- For depot.store.schema, since form 25. secret: in the clear; NULL: it is sealed (depot.store.secrets).
M.schema = [[
  CREATE TABLE webhook (
    id INTEGER PRIMARY KEY AUTOINCREMENT, product TEXT NOT NULL, url TEXT NOT NULL, events TEXT NOT NULL, secret TEXT,
    enabled INTEGER NOT NULL DEFAULT 1, reason TEXT, cursor INTEGER NOT NULL, failing INTEGER,
    tries INTEGER NOT NULL DEFAULT 0, again INTEGER, problem TEXT, delivered INTEGER, made INTEGER NOT NULL);
]]

local WINDOW = 5000 -- events that are looked at at once

M.statements = {
  webhooks = "SELECT * FROM webhook ORDER BY id",
  webhook = "SELECT * FROM webhook WHERE id = ?",
  webhooks_on = "SELECT * FROM webhook WHERE enabled = 1 ORDER BY id",
  webhook_add = "INSERT INTO webhook (product, url, events, secret, cursor, made) VALUES (?, ?, ?, ?, ?, ?) "
    .. "RETURNING id",
  webhook_set = "UPDATE webhook SET url = ?, events = ?, enabled = ?, reason = ?, cursor = ?, failing = NULL, "
    .. "tries = 0, again = NULL, problem = NULL WHERE id = ?",
  webhook_drop = "DELETE FROM webhook WHERE id = ?",
  webhook_step = "UPDATE webhook SET cursor = max(cursor, ?), failing = ?, tries = ?, again = ?, problem = ?, "
    .. "delivered = ? WHERE id = ? AND url = ? AND failing IS ? AND tries = ?",
  webhook_off = "UPDATE webhook SET enabled = 0, reason = ? WHERE id = ? AND enabled = 1",
  webhooks_restored = "UPDATE webhook SET enabled = 0, reason = 'restored', cursor = ? WHERE enabled = 1",
  webhook_events = [[SELECT * FROM event WHERE id > ?1 AND id <= ?2 AND hash = ?3
    AND what IN (SELECT value FROM json_each(?4)) ORDER BY id LIMIT ?5]],
  last_event = "SELECT max(id) AS id FROM event",
}

local Methods = M.methods

local function read(store, row)
  if row then
    row.events = store.json.decode(row.events)
    row.was = { failing = row.failing, tries = row.tries }
  end
  return row
end

local function read_all(store, rows, message, code)
  for _, row in ipairs(rows or {}) do read(store, row) end
  return rows, message, code
end

--- All webhooks, or those that are on.
-- @treturn {table,...}|nil nil, message, code
function Methods:webhooks(only_on)
  return read_all(self, self.statements[only_on and "webhooks_on" or "webhooks"]:all())
end

--- @treturn table|false|nil false: there is none; nil, message, code
function Methods:webhook(id)
  local row, message, code = self.statements.webhook:first(id)
  return read(self, row), message, code
end

--- The number of the newest event; 0: there is none.
function Methods:last_event()
  local row, message, code = self.statements.last_event:first()
  return row and (row.id or 0), message, code
end

--- Record one, which begins with the next event.
-- @tparam table hook product (hash), url, events (names), secret (nil: it is sealed)
-- @treturn integer|nil its number; nil, message, code
function Methods:add_webhook(hook, now)
  local last, message, code = self:last_event()
  if not last then return nil, message, code end
  local made
  made, message, code = self.statements.webhook_add:first(hook.product, hook.url, self.json.encode(hook.events),
    hook.secret, last, now)
  return made and made.id, message, code
end

--- Write what people choose: url, events, enabled, reason, cursor; it is not failing any more.
function Methods:set_webhook(hook)
  return self.statements.webhook_set:run(hook.url, self.json.encode(hook.events), hook.enabled, hook.reason,
    hook.cursor, hook.id)
end

function Methods:drop_webhook(id) return self.statements.webhook_drop:run(id) end

--- Write how far it is: cursor, failing, tries, again, problem, delivered; unless a person has changed it since it was
-- read: what came of a message to where it led before says nothing about it.
-- @treturn integer|nil 1, or 0: it was changed; nil, message, code
function Methods:step_webhook(hook)
  return self.statements.webhook_step:run(hook.cursor, hook.failing, hook.tries, hook.again, hook.problem,
    hook.delivered, hook.id, hook.url, hook.was.failing, hook.was.tries)
end

--- It has failed for too long.
function Methods:give_up_webhook(id, reason) return self.statements.webhook_off:run(reason, id) end

--- What was to be sent from a store that was restored or copied is not; a person switches them on again.
function Methods:stop_webhooks()
  local last, message, code = self:last_event()
  if not last then return nil, message, code end
  return self.statements.webhooks_restored:run(last)
end

--- The next events for a webhook.
-- @tparam table hook
-- @tparam integer after number of an event
-- @tparam integer limit
-- @treturn {table,...}|nil nil, message, code
-- @treturn integer|string the last event that was looked at
function Methods:events_for(hook, after, limit)
  local last, message, code = self:last_event()
  if not last then return nil, message, code end
  local upto = math.min(after + WINDOW, last)
  local rows
  rows, message, code = self.statements.webhook_events:all(after, upto, hook.product,
    self.json.encode(self.json.array(hook.events)), limit)
  if not rows then return nil, message, code end
  return rows, math.max(after, upto)
end

return M

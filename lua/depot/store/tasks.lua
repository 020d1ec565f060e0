--- Long work in slices, in the store: what is to be done to which devices, and how far that is.
--
-- `methods` are those of depot.store. Progress is written in the transaction of each slice, so a server that is killed
-- goes on where it was.
--
-- @module depot.store.tasks

local M = { methods = {} }

--- For depot.store.schema, since form 23.
M.schema = [[
  CREATE TABLE task (
    id TEXT PRIMARY KEY, account INTEGER NOT NULL REFERENCES account ON DELETE CASCADE, product TEXT NOT NULL,
    verb TEXT NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL, actor TEXT NOT NULL, address TEXT, state TEXT NOT NULL,
    done INTEGER NOT NULL, total INTEGER NOT NULL, changed INTEGER NOT NULL, message TEXT, code TEXT,
    stepped INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE task_device (
    task TEXT NOT NULL REFERENCES task ON DELETE CASCADE, place INTEGER NOT NULL, cloud TEXT NOT NULL,
    product TEXT NOT NULL, device TEXT NOT NULL, PRIMARY KEY (task, place)) WITHOUT ROWID;
]]

M.statements = {
  task_add = "INSERT INTO task VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, 0, NULL, NULL, ?)",
  task_device_add = "INSERT INTO task_device VALUES (?, ?, ?, ?, ?)",
  task = "SELECT * FROM task WHERE id = ?",
  tasks_running = "SELECT * FROM task WHERE state = 'running' ORDER BY stepped, id",
  task_slice = [[SELECT device.* FROM task_device AS t JOIN device USING (cloud, product, device)
    WHERE t.task = ? AND t.place > ? AND t.place <= ? ORDER BY t.place]],
  task_step = "UPDATE task SET state = ?, done = ?, changed = ?, message = ?, code = ?, stepped = ? "
    .. "WHERE id = ? AND state = 'running' AND done = ?",
  tasks_sweep = "DELETE FROM task WHERE state <> 'running' AND (stepped <= ? OR stepped > ?)",
  tasks_clear = "DELETE FROM task",
}

local Methods = M.methods

--- Record one, with its devices, within change().
-- @tparam table task id, account, product (hash), verb, kind, data (a table), actor {name, address}
-- @tparam {table,...} rows of the devices
-- @tparam integer now ms
-- @treturn table|nil the task; nil, message, code
function Methods:add_task(task, rows, now)
  local done, message, code = self.statements.task_add:run(task.id, task.account, task.product, task.verb, task.kind,
    self.json.encode(task.data), task.actor.name, task.actor.address, #rows > 0 and "running" or "done", #rows, now)
  for i, row in ipairs(rows) do
    if done then
      done, message, code = self.statements.task_device_add:run(task.id, i, row.cloud, row.product, row.device)
    end
  end
  if not done then return nil, message, code end
  return self:task(task.id)
end

local function read(store, row)
  if row then row.data = store.json.decode(row.data) end
  return row
end

--- @treturn table|false|nil false: there is none; nil, message, code
function Methods:task(id)
  local row, message, code = self.statements.task:first(id)
  return read(self, row), message, code
end

--- Those that have not ended, the one that has waited longest first.
-- @treturn {table,...}|nil nil, message, code
function Methods:running_tasks()
  local rows, message, code = self.statements.tasks_running:all()
  for _, row in ipairs(rows or {}) do read(self, row) end
  return rows, message, code
end

--- Devices of a task as they are now, without those that were forgotten.
-- @tparam table task
-- @tparam integer most how many places
function Methods:slice_of(task, most) return self.statements.task_slice:all(task.id, task.done, task.done + most) end

--- Write how far it is.
-- @tparam table task state, done, changed, message, code
-- @tparam integer before how far it was
-- @tparam integer now ms
-- @treturn true|nil nil, message, code: "conflict" if another server has gone on with it
function Methods:step_task(task, before, now)
  local count, message, code = self.statements.task_step:run(task.state, task.done, task.changed, task.message,
    task.code, now, task.id, before)
  if count == 0 then return nil, "another server goes on with it", "conflict" end
  return count and true, message, code
end

--- Remove those that ended before a time, or in what is the future now.
function Methods:sweep_tasks(before, now) return self.statements.tasks_sweep:run(before, now) end

function Methods:clear_tasks() return self.statements.tasks_clear:run() end

return M

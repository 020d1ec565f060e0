--- The devices that ask over HTTP: what they run, what they were given last, and what they were answered.
--
-- They are in <folder>/luat.db, apart from the jobs of devices on a broker.
-- Queries are answered even if it cannot be written. The last query of each
-- device waits in memory and is written once a second. A damaged database is
-- set aside, and a new one begun.
--
-- @module depot.http_devices

local files = require "depot.files"
local http_answers = require "depot.http_answers"
local rescue = require "depot.rescue"

local M = {}

local NAME = "/luat.db"

local HttpDevices = {}
HttpDevices.__index = HttpDevices

local EVERY = 1       -- seconds between two writes
local RETRY = 60      -- seconds until a database is opened again
local AT_ONCE = 500   -- rows in one transaction, since the loop waits for it
local WAITING = 10000 -- devices in memory, at most
local STRANGE = 100   -- of them with a key of no product
local MOST = 1000000  -- rows, at most: whoever knows the key of a product can name any device

local SCHEMA = [[
  CREATE TABLE IF NOT EXISTS http_device (
    product TEXT NOT NULL, device TEXT NOT NULL, release TEXT NOT NULL, target TEXT, given INTEGER,
    heard INTEGER NOT NULL, asked INTEGER NOT NULL, PRIMARY KEY (product, device)) WITHOUT ROWID;
]] .. http_answers.SCHEMA

local PUT = [[
  INSERT INTO http_device VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (product, device) DO UPDATE SET
    release = excluded.release, target = coalesce(excluded.target, target), given = coalesce(excluded.given, given),
    heard = excluded.heard, asked = asked + excluded.asked
]]

local HAS = "SELECT 1 AS yes FROM http_device WHERE product = ? AND device = ?"

local function path_of(dir) return dir .. NAME end

--- @tparam table natives database
-- @tparam string dir
-- @tparam function tell function(text): called once for each trouble with the database
-- @tparam[opt] integer most rows, MOST when absent
function M.new(natives, dir, tell, most)
  return setmetatable({ natives = natives, dir = dir, tell = tell, rows = {}, count = 0, strangers = 0, next_time = 0,
    most = most or MOST }, HttpDevices)
end

--- A device asked.
-- @tparam table question product (its firmware_name), device (id), release, target (given to it, or nil); of a query
--   of Luat's also key, code (0: a package), why, and whether the key is of no product (is_strange)
-- @tparam integer time seconds since 1970
-- @tparam[opt] integer asked how often, once when absent
function HttpDevices:note(question, time, asked)
  local key = question.product .. "\0" .. question.device
  local row = self.rows[key]
  if not row then
    if self.count >= WAITING or question.is_strange and self.strangers >= STRANGE then return end
    row = { product = question.product, device = question.device, asked = 0, answers = {} }
    self.rows[key], self.count = row, self.count + 1
    self.strangers, row.is_strange = self.strangers + (question.is_strange and 1 or 0), question.is_strange
  end
  if question.code then
    http_answers.add(row.answers, { hash = self.natives.digest.sha256(question.key), release = question.release,
      code = question.code, why = question.why }, time, asked)
  end
  if question.is_strange then return end
  row.release, row.heard, row.asked = question.release, time, row.asked + (asked or 1)
  if question.target then row.target, row.given = question.target, time end
end

function HttpDevices:_open()
  local db, message, code = self.natives.database.open(path_of(self.dir), { timeout = 0 })
  local ok, put, has, counted, answers
  if db then ok, message, code = db:execute(SCHEMA) end
  if ok then put, message, code = db:prepare(PUT) end
  if put then has, message, code = db:prepare(HAS) end
  if has then counted, message, code = db:prepare("SELECT count(*) AS n FROM http_device"):first() end
  if counted then answers, message, code = http_answers.writer(db) end
  if answers then
    self.db, self.put, self.has, self.known, self.answers = db, put, has, counted.n, answers
    return true
  end
  if db then db:close() end
  return nil, message, code
end

-- Write one row, unless the table is full: how many rows that adds.
local function write_row(self, row, known)
  if row.asked == 0 then -- of no product
    local written, message, code = self.answers:write(row)
    return written and 0, message, code
  end
  local has, message, code = self.has:first(row.product, row.device)
  if has == nil then return nil, message, code end
  if not has and known >= self.most then
    if not self.is_full then
      self.tell(("%s has %d devices and takes in no more: new ones get packages, but are not recorded"):format(
        path_of(self.dir), known))
    end
    self.is_full = true
    return 0
  end
  local ok
  ok, message, code = self.put:run(row.product, row.device, row.release, row.target, row.given, row.heard, row.asked)
  if ok then ok, message, code = self.answers:write(row) end
  return ok and (has and 0 or 1), message, code
end

local function write(self)
  local ok, message, code = self.db:execute "BEGIN IMMEDIATE"
  local done, known = {}, self.known
  for key, row in pairs(self.rows) do
    if not ok or #done == AT_ONCE then break end
    ok, message, code = write_row(self, row, known)
    done[#done + 1], known = key, known + (ok or 0)
  end
  if ok then ok, message, code = self.db:execute "COMMIT" end
  if not ok then
    if self.db:changing() then self.db:execute "ROLLBACK" end
    return nil, message, code
  end
  self.known = known
  for _, key in ipairs(done) do
    if self.rows[key].is_strange then self.strangers = self.strangers - 1 end
    self.rows[key] = nil
  end
  self.count = self.count - #done
  return true
end

--- Write the waiting rows when it is time.
-- @tparam number now seconds of a monotonic clock
function HttpDevices:step(now)
  if self.count == 0 or now < self.next_time then return end
  self.next_time = self.count > AT_ONCE and now or now + EVERY
  if self.db and self.db:has_moved() then self:_close() end
  local ok, message, code = true, nil, nil
  if not self.db then ok, message, code = self:_open() end
  if ok then ok, message, code = write(self) end
  if ok then
    self.trouble = nil
    return
  end
  self:_close()
  local aside = code == "corrupt" and rescue.set_aside(self.dir, NAME)
  self.next_time = aside and now or now + RETRY
  if aside then return self.tell(("%s; it is kept as %s, and a new one is begun"):format(message, aside)) end
  if not self.trouble then self.tell(("devices that ask over HTTP are not recorded: %s"):format(message)) end
  self.trouble = true
end

--- Milliseconds until step() has something to do; nil: nothing waits.
function HttpDevices:timeout(now)
  return self.count > 0 and math.max(0, math.ceil((self.next_time - now) * 1000)) or nil
end

function HttpDevices:_close()
  if self.db then self.db:close() end
  self.db = nil
end

--- Write the waiting rows and close.
function HttpDevices:close()
  self:step(math.huge)
  repeat -- at least once more after a damaged one
    local before = self.count
    self:step(math.huge)
  until self.count == before
  self:_close()
end

-- Whether the device runs what it was given. The version in its query says so.
local function state_of(row)
  if not row.target then return nil end
  local has = row.release == row.target or row.release:sub(1, #row.target + 2) == row.target .. "-V"
  return has and "succeeded" or "given"
end

--- Forget a device.
-- @tparam table row product, device
-- @treturn true|nil nil, message, code
function M.forget(natives, dir, row)
  if not files.exists(path_of(dir)) then return true end
  local db <close>, message, code = natives.database.open(path_of(dir))
  if not db then return nil, message, code end
  local done
  done, message, code = db:execute(SCHEMA)
  for _, of in ipairs { "device", "answer" } do
    local sql = ("DELETE FROM http_%s WHERE product = ? AND device = ?"):format(of)
    if done then done, message, code = db:prepare(sql):run(row.product, row.device) end
  end
  return done and true, message, code
end

-- What read(db) finds; nothing if there is no database, or not this table yet.
local function read_from(natives, dir, name, read)
  if not files.exists(path_of(dir)) then return {} end
  local db <close>, message, code = natives.database.open(path_of(dir), { readonly = true })
  if not db then return nil, message, code end
  local there
  there, message, code = db:prepare("SELECT 1 AS yes FROM sqlite_master WHERE name = ?"):first(name)
  if there then return read(db) end
  return there == false and {} or nil, message, code
end

--- What the queries of a device were answered.
-- @tparam {string,...} names spellings of its name
-- @treturn {table,...}|nil as depot.http_answers, read(); nil, message, code
function M.answers(natives, dir, names)
  return read_from(natives, dir, "http_answer", function(db) return http_answers.read(db, names) end)
end

--- The devices that asked, sorted; none if there is no database.
-- @treturn {table,...}|nil cloud ("luat"), product, device, release, target, state ("given", "succeeded" or nil),
--   heard, changed (ms), asked (how often); nil, message, code
function M.read(natives, dir)
  local rows, message, code = read_from(natives, dir, "http_device", function(db)
    return db:prepare("SELECT * FROM http_device ORDER BY product, device"):all()
  end)
  for _, row in ipairs(rows or {}) do
    row.cloud, row.state = "luat", state_of(row)
    row.heard, row.changed = row.heard * 1000, row.given and row.given * 1000
  end
  return rows, message, code
end

return M

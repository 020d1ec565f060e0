--- What queries over HTTP were answered, and why: in the database of depot.http_devices.
--
-- Answers that are alike and follow each other are one row with a count, and a device has its last ones only, so that
-- one that asks for ranges or every minute fills nothing. Queries with a key of no product are kept, too, because
-- that is a common mistake, but only of the last devices.
--
-- @module depot.http_answers

local M = {}

local KEPT = 20       -- rows of a device
local STRANGERS = 1000 -- rows with a key of no product
local LONGEST = 256   -- bytes of a reason
local UNKNOWN = 25    -- the vendor's number for it

--- For depot.http_devices. `hash`: SHA-256 of the key in the query.
M.SCHEMA = [[
  CREATE TABLE IF NOT EXISTS http_answer (
    device TEXT NOT NULL, product TEXT NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL, release TEXT NOT NULL,
    code INTEGER NOT NULL, why TEXT, first INTEGER NOT NULL, last INTEGER NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (device, product, seq)) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS http_answer_stranger ON http_answer (last) WHERE code = 25;
]]

local SQL = {
  newest = [[SELECT seq, hash, release, code, why FROM http_answer WHERE device = ? AND product = ?
    ORDER BY seq DESC LIMIT 1]],
  again = "UPDATE http_answer SET last = ?4, n = n + ?5 WHERE device = ?1 AND product = ?2 AND seq = ?3",
  put = "INSERT INTO http_answer VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
  prune = "DELETE FROM http_answer WHERE device = ? AND product = ? AND seq <= ?",
  prune_strangers = ([[DELETE FROM http_answer WHERE code = 25 AND last <
    (SELECT last FROM http_answer WHERE code = 25 ORDER BY last DESC LIMIT 1 OFFSET %d)]]):format(STRANGERS - 1),
}

local SAME = { "hash", "release", "code", "why" }

local function alike(a, b)
  for _, name in ipairs(SAME) do
    if a[name] ~= b[name] then return false end
  end
  return true
end

--- Add an answer to those that wait to be written.
-- @tparam {table,...} list
-- @tparam table answer hash (SHA-256 of the key in the query), release, code (the vendor's, 0: a package), why
-- @tparam integer time seconds since 1970
-- @tparam[opt] integer times it was given, once when absent
function M.add(list, answer, time, times)
  local last = list[#list]
  local why = answer.why and answer.why:sub(1, LONGEST)
  local new = { hash = answer.hash, release = answer.release, code = answer.code, why = why, first = time, last = time,
    n = times or 1 }
  if last and alike(last, new) then
    last.last, last.n = time, last.n + new.n
    return
  end
  list[#list + 1] = new
  if #list > KEPT then table.remove(list, 1) end
end

local Writer = {}
Writer.__index = Writer

--- @treturn table|nil writer for an open database with SCHEMA; nil, message, code
function M.writer(db)
  local self = setmetatable({}, Writer)
  for name, sql in pairs(SQL) do
    local statement, message, code = db:prepare(sql)
    if not statement then return nil, message, code end
    self[name] = statement
  end
  return self
end

-- Write one after the newest row, or add it to that.
local function write_one(self, row, answer, newest)
  if newest and alike(newest, answer) then
    return self.again:run(row.device, row.product, newest.seq, answer.last, answer.n)
  end
  local seq = newest and newest.seq + 1 or 1
  local ok, message, code = self.put:run(row.device, row.product, seq, answer.hash, answer.release, answer.code,
    answer.why, answer.first, answer.last, answer.n)
  if ok then ok, message, code = self.prune:run(row.device, row.product, seq - KEPT) end
  if ok and answer.code == UNKNOWN then ok, message, code = self.prune_strangers:run() end
  return ok, message, code
end

--- Write what waits for a device, within a transaction.
-- @tparam table row product, device, answers (see add)
-- @treturn true|nil nil, message, code
function Writer:write(row)
  for _, answer in ipairs(row.answers) do
    local newest, message, code = self.newest:first(row.device, row.product)
    if newest == nil then return nil, message, code end
    local ok
    ok, message, code = write_one(self, row, answer, newest)
    if not ok then return nil, message, code end
  end
  return true
end

--- The answers to the queries of a name, the newest first.
-- @tparam table db
-- @tparam {string,...} names spellings of the device's name
-- @treturn {table,...}|nil product (as the query has it), hash, device, release, code, why, first, last (seconds since
--   1970), n; nil, message, code
function M.read(db, names)
  local found = {}
  local statement = db:prepare "SELECT * FROM http_answer WHERE device = ?"
  for _, name in ipairs(names) do
    local rows, message, code = statement:all(name)
    if not rows then return nil, message, code end
    table.move(rows, 1, #rows, #found + 1, found)
  end
  table.sort(found, function(a, b)
    if a.last ~= b.last then return a.last > b.last end
    return a.seq > b.seq
  end)
  return found
end

return M

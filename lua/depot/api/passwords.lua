--- Passwords: hashed in children, two at once; 16 more wait.
--
-- Whoever calls is a coroutine, which yields a function that says whether it can go on.
--
-- @module depot.api.passwords

local random = require "depot.random"

local M = {}

local AT_ONCE, WAITING = 2, 16

--- Shortest and longest password, in bytes.
M.SHORTEST, M.LONGEST = 10, 256

local Passwords = {}
Passwords.__index = Passwords

function M.new(natives) return setmetatable({ natives = natives, running = {}, waiting = 0 }, Passwords) end

--- Why a text cannot be a password; nil: it can.
function M.fault(text)
  if #text < M.SHORTEST then return ("a password has at least %d characters"):format(M.SHORTEST) end
  if #text > M.LONGEST then return ("a password has at most %d bytes"):format(M.LONGEST) end
  if text:find "%c" then return "a password has no control characters" end
end

function Passwords:_count()
  local n = 0
  for _ in pairs(self.running) do n = n + 1 end
  return n
end

-- Wait for a place.
function Passwords:_enter()
  if self:_count() < AT_ONCE then return true end
  if self.waiting >= WAITING then return nil, "too many people log in at this moment", "limited", 1 end
  self.waiting = self.waiting + 1
  repeat
    coroutine.yield(function() return self:_count() < AT_ONCE end)
  until self:_count() < AT_ONCE
  self.waiting = self.waiting - 1
  return true
end

--- The hash of a password; call it in a coroutine.
-- @treturn string|nil hex; nil, message, code: "limited" if too many wait, with the seconds
-- after which to try again
function Passwords:hash(text, salt)
  local ok, message, code, wait = self:_enter()
  if not ok then return nil, message, code, wait end
  local job
  job, message, code = self.natives.password.start(text, salt)
  if not job then return nil, message, code end
  self.running[job] = true
  local hex
  repeat
    hex, message, code = job:result()
    if code == "again" then coroutine.yield(function() return job end) end
  until code ~= "again"
  self.running[job] = nil
  job:close()
  return hex, message, code
end

--- What has to be polled: adds {fd, read} to `watches`.
function Passwords:watch(watches)
  for job in pairs(self.running) do watches[#watches + 1] = { fd = job:fd(), read = true } end
end

--- A new salt.
function M.salt() return random.hex():sub(1, 32) end

--- Whether two texts are the same, in the same time wherever they differ.
function M.equal(a, b)
  if #a ~= #b then return false end
  local different = 0
  for i = 1, #a do different = different | (a:byte(i) ~ b:byte(i)) end
  return different == 0
end

function Passwords:close()
  for job in pairs(self.running) do job:close() end
  self.running = {}
end

return M

--- Who asks: by a session's cookie, or by a token. Log-in and log-out.
--
-- A session is 256 random bits in a cookie, kept as their hash. It ends after 12
-- hours without a request, after 7 days, and when its user's rights change. What
-- changes something also needs the session's own token and an origin that is
-- ours, so that no other page can act with the cookie. A request with a bearer
-- token needs neither, and its cookies do not count.
--
-- @module depot.api.people

local passwords = require "depot.api.passwords"
local random = require "depot.random"

local M = {}

local IDLE, LONGEST = 12 * 3600 * 1000, 7 * 86400 * 1000 -- ms
local SEEN = 60 * 1000 -- ms after which the time of the last request is written again
-- What the password of an unknown user is compared with, so that he costs the same.
local NOBODY = { salt = ("0"):rep(32), password = ("0"):rep(64) }

local People = {}
People.__index = People

--- @tparam table parts world, limits, passwords, secure (boolean: over TLS), now (-> ms), clock (-> seconds)
function M.new(parts)
  local self = setmetatable(parts, People)
  self.cookie = parts.secure and "__Host-moult" or "moult"
  return self
end

--- The value of a cookie of ours.
function M.cookie_of(header, name)
  for key, value in (header or ""):gmatch "([^=;%s]+)=([^;%s]*)" do
    if key == name then return value end
  end
end

-- The Set-Cookie of a session; "": it ends.
function People:set_cookie(value)
  return ("%s=%s; Path=/; HttpOnly; SameSite=Lax%s%s"):format(self.cookie, value, self.secure and "; Secure" or "",
    value == "" and "; Max-Age=0" or "")
end

local function set_of(text)
  if not text then return nil end
  local set = {}
  for word in text:gmatch "%S+" do set[word] = true end
  return set
end

-- The actor of an account, as its rights are now.
function People:_actor(id, fields)
  local store = self.world.store
  local account, message, code = store:account_by_id(id)
  if account == nil then return nil, message, code end
  if not account or account.disabled == 1 then return false end
  local roles
  roles, message, code = store:roles(id)
  if not roles then return nil, message, code end
  fields.name, fields.account, fields.roles, fields.lang, fields.tz = account.name, id, roles, account.lang, account.tz
  return fields
end

function People:_by_token(text)
  local secret = text:match "^[Bb]earer +(moult_%x+)$"
  local now = self.now()
  local row, message, code
  row, message, code = self.world.store:token(self.world.store.sha256(secret or ""))
  if row == nil then return nil, message, code end
  if not row or row.ends <= now then return nil, "the token is not valid, or has ended", "login" end
  local actor
  actor, message, code = self:_actor(row.account, { key = "token " .. row.id, token = row.id, verbs = set_of(row.verbs),
    products = set_of(row.products) })
  if actor == nil then return nil, message, code end
  if not actor then return nil, "the user of the token is disabled", "login" end
  if not row.used or row.used < now - SEEN then self.world.store:token_used(row.id, now) end
  return actor
end

function People:_by_session(secret)
  local store, now = self.world.store, self.now()
  local hash = store.sha256(secret)
  local row, message, code = store:session(hash)
  if row == nil then return nil, message, code end
  if not row or row.ends <= now or row.seen <= now - IDLE then return false end
  local actor
  actor, message, code = self:_actor(row.account, { key = "session " .. hash, session = hash, csrf = row.csrf })
  if actor and row.seen < now - SEEN then store:session_seen(hash, now) end
  return actor, message, code
end

--- Who sends a request.
-- @treturn table|false|nil actor; false: nobody; nil, message, code
function People:who(request)
  local bearer = request.headers.authorization
  if bearer then return self:_by_token(bearer) end
  local secret = M.cookie_of(request.headers.cookie, self.cookie)
  if not secret then return false end
  return self:_by_session(secret)
end

--- Begin a session.
-- @treturn table|nil {csrf, cookie}; nil, message, code
function People:begin(account, address)
  local store, now = self.world.store, self.now()
  local secret, csrf = random.hex(), random.hex()
  local ok, message, code = store:sweep_sessions(now, now - IDLE)
  if ok then
    ok, message, code = store:add_session { hash = store.sha256(secret), account = account, csrf = csrf, made = now,
      ends = now + LONGEST, address = address }
  end
  if not ok then return nil, message, code end
  return { csrf = csrf, cookie = self:set_cookie(secret) }
end

--- Check a name and a password; call it in a coroutine.
-- @treturn table|nil account; nil, message, code, with "limited" also the seconds to wait
function People:check(name, password, address)
  local store = self.world.store
  local wait = self.limits:try(name, address, self.clock())
  if wait then return nil, ("too many tries; try again in %d s"):format(wait), "limited", wait end
  local account, message, code = store:account(name)
  if account == nil then return nil, message, code end
  local known = account and account.password and account or NOBODY
  local hex
  hex, message, code, wait = self.passwords:hash(password, known.salt)
  if not hex then return nil, message, code, wait end
  local right = passwords.equal(hex, known.password)
  if not right or known == NOBODY or account.disabled == 1 then
    self.limits:failed(name, self.clock())
    return nil, "name or password is wrong", "login"
  end
  self.limits:succeeded(name)
  return account
end

return M

--- Routes of log-in and oneself.
--
-- @module depot.api.routes.people

local acts = require "depot.acts"
local NAME = require("depot.api.routes.users").NAME
local objects = require "depot.api.objects"
local passwords = require "depot.api.passwords"
local tokens = require "depot.acts.tokens"
local zones = require "depot.rollout.zone"

local M = {}

local function me(call)
  local actor, null = call.actor, call.json.null
  local verbs = {}
  for verb in pairs(actor.verbs or {}) do verbs[#verbs + 1] = verb end
  return { name = actor.name, roles = actor.roles, lang = actor.lang or null, tz = actor.tz or null,
    csrf = actor.csrf or null, verbs = actor.verbs and call.json.array(verbs) or null }
end

-- Begin a session, and say so in the audit.
local function begin(call, account)
  local session, message, code
  local done
  done, message, code = acts.change(call.world, function()
    local why, word
    session, why, word = call.people:begin(account.id, call.address)
    return session, why, word
  end, { verb = "session.begin", object = "user " .. account.name })
  if not done then return nil, message, code end
  return { csrf = session.csrf, name = account.name }, { status = 201, headers = { ["Set-Cookie"] = session.cookie } }
end

-- Whether a password is right, and if that may not be tried now, when it may.
local function check(call, name, password)
  local account, message, code, wait = call.people:check(name, password, call.address)
  call.request.wait = wait
  return account, message, code
end

local function log_in(call)
  local account, message, code = check(call, call.args.name:lower(), call.args.password)
  if not account then return nil, message, code end
  call.world.actor = { name = account.name, address = call.address }
  return begin(call, account)
end

local function log_out(call)
  local done, message, code = acts.change(call.world, function()
    return call.world.store:drop_session(call.actor.session or "")
  end, { verb = "session.end", object = "user " .. call.actor.name })
  if not done then return nil, message, code end
  return {}, { headers = { ["Set-Cookie"] = call.people:set_cookie "" } }
end

-- Set a password, and end the sessions that the old one began.
local function set_password(call, account, password, but)
  local fault = passwords.fault(password)
  if fault then return nil, fault, "usage", "password" end
  local salt = passwords.salt()
  local hex, message, code = call.passwords:hash(password, salt)
  if not hex then return nil, message, code end
  local store = call.world.store
  return acts.change(call.world, function()
    local ok, why, word = store:set_password(account.id, salt, hex)
    if ok then ok, why, word = store:drop_once(account.id, acts.now()) end
    if ok then ok, why, word = store:drop_sessions(account.id, but) end
    return ok, why, word
  end, { verb = "user.password", object = "user " .. account.name })
end

local function by_link(call)
  local store = call.world.store
  local link, message, code = store:once(store.sha256(call.args.token), acts.now())
  if link == nil then return nil, message, code end
  local account
  if link then account, message, code = store:account_by_id(link.account) end
  if account == nil and code then return nil, message, code end
  if not account or account.disabled == 1 then
    return nil, "the link is not valid, was used, or has ended; ask for another one", "login"
  end
  call.world.actor = { name = account.name, address = call.address }
  local done, field
  done, message, code, field = set_password(call, account, call.args.password)
  if not done then return nil, message, code, field end
  return begin(call, account)
end

local function change_me(call)
  local store, args = call.world.store, call.args
  local account, message, code = store:account_by_id(call.actor.account)
  if not account then return nil, message, code end
  if args.password then
    if not args.old then return nil, "old is missing: the password until now", "usage", "old" end
    local known
    known, message, code = check(call, account.name, args.old)
    if not known then return nil, message, code end
    local done, field
    done, message, code, field = set_password(call, account, args.password, call.actor.session)
    if not done then return nil, message, code, field end
  end
  if args.tz and args.tz ~= "" then
    local zone
    zone, message = zones.load(args.tz)
    if not zone then return nil, message, "usage", "tz" end
  end
  if args.lang or args.tz then
    account.lang, account.tz = args.lang or account.lang, args.tz or account.tz
    local done
    done, message, code = acts.change(call.world, function() return store:save_account(account) end,
      { verb = "user.settings", object = "user " .. account.name })
    if not done then return nil, message, code end
    call.actor.lang, call.actor.tz = account.lang, account.tz
  end
  return me(call)
end

local function my_tokens(call)
  local rows, message, code = call.world.store:tokens(call.actor.account)
  if not rows then return nil, message, code end
  local items = {}
  for i, row in ipairs(rows) do items[i] = tokens.object(call.world, row) end
  return { items = call.json.array(items), next = call.json.null }
end

local function make_token(call)
  local args = call.args
  local secret, row, code = tokens.add(call.world, call.actor, { name = args.name, days = args.days,
    verbs = args.verbs, products = args.products })
  if not secret then return nil, row, code end
  local object = tokens.object(call.world, row)
  object.token = secret
  return object, { status = 201 }
end

local function drop_token(call)
  local id = objects.number_of(call.params.token)
  local count, message, code = id and tokens.drop(call.world, call.actor, id) or 0, nil, nil
  if count == nil then return nil, message, code end
  if count == 0 then return nil, "there is no such token", "missing" end
  return {}
end

local function my_sessions(call)
  local rows, message, code = call.world.store:sessions(call.actor.account)
  if not rows then return nil, message, code end
  local items = {}
  for i, row in ipairs(rows) do
    items[i] = { id = row.hash:sub(1, 16), made = row.made // 1000, seen = row.seen // 1000, ends = row.ends // 1000,
      address = row.address or call.json.null, current = row.hash == call.actor.session }
  end
  return { items = call.json.array(items), next = call.json.null }
end

local function drop_session(call)
  local rows, message, code = call.world.store:sessions(call.actor.account)
  if not rows then return nil, message, code end
  for _, row in ipairs(rows) do
    if row.hash:sub(1, 16) == call.params.session then
      local done
      done, message, code = acts.change(call.world, function() return call.world.store:drop_session(row.hash) end,
        { verb = "session.end", object = "user " .. call.actor.name })
      if not done then return nil, message, code end
      return {}
    end
  end
  return nil, "there is no such session", "missing"
end

local PASSWORD = { type = "string", most = passwords.LONGEST, need = true, about = "the password" }

M.routes = {
  { "POST", "/session", "none", log_in, verb = "self", about = "Log in", body = { name = NAME, password = PASSWORD } },
  { "DELETE", "/session", "self", log_out, verb = "self", about = "Log out" },
  { "POST", "/session/once", "none", by_link, verb = "self", about = "Set a password by a one-time link, and log in",
    body = { token = { type = "string", most = 64, need = true, about = "of the link" }, password = PASSWORD } },
  { "GET", "/me", "self", me, verb = "read", about = "Who you are, and what you may" },
  { "PATCH", "/me", "self", change_me, verb = "self", about = "Change your password, language or time zone", body = {
    password = { type = "string", most = passwords.LONGEST, about = "the new password" },
    old = { type = "string", most = passwords.LONGEST, about = "the password until now" },
    lang = { type = "string", one_of = { "en", "zh" }, about = "language of the console" },
    tz = { type = "string", most = 64, about = "time zone, as Asia/Shanghai" } } },
  { "GET", "/me/tokens", "self", my_tokens, verb = "self", about = "Your tokens" },
  { "POST", "/me/tokens", "self", make_token, verb = "self", about = "Make a token, which is shown once", body = {
    name = { type = "string", most = 64, need = true, about = "what it is for" },
    days = { type = "integer", least = 1, most = 366, about = "until it ends (90)" },
    verbs = { type = "strings", most = 20, about = "what it may, at most; all if absent" },
    products = { type = "strings", most = 100, about = "for these products only; all if absent" } } },
  { "DELETE", "/me/tokens/{token}", "self", drop_token, verb = "self", about = "End a token" },
  { "GET", "/me/sessions", "self", my_sessions, verb = "self", about = "Your sessions" },
  { "DELETE", "/me/sessions/{session}", "self", drop_session, verb = "self", about = "End a session" },
}

-- A token is no way to more rights.
for _, route in ipairs(M.routes) do route.session_only = route[1] ~= "GET" and route[2]:find "^/me" ~= nil end

return M

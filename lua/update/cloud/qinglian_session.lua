--- How a device behaves towards the Qinglian cloud, as a state machine: log-in, heartbeat, lists.
--
-- Pure: `step(state, event)` returns the next state and an array of actions. The
-- caller owns connection, clock, engine and cipher. update.cloud.qinglian_firmware
-- handles firmware, update.cloud.qinglian_patches patches. A device takes one at a time.
--
-- The log-in reports the release. So a device logs in once its release is
-- confirmed, and never while one is on trial. For the cloud an upgrade has
-- succeeded when a log-in shows its release.
--
-- Events, each with `now` (seconds, monotonic) and perhaps `uptime` (which goes on while the system is suspended):
--
-- - `connected`, `disconnected`; `tick`, once a second
-- - `settled`: release; `unsettled`: something is armed or on trial
-- - `packet`: opcode, sequence, errno, body (decrypted bytes; nil if that failed), object (the body as JSON, or nil)
-- - `begun`: policy agreed; `consumed`: the pushed bytes are used up; `complete`: everything is in place and read back;
--   `ended`: code, text, retry_after: how an install ended that was not armed
-- - `armed`: ok; `acked`: the broker has the answer to the upgrade command
-- - `want`: items of the list that are to be asked for, in order; `patch_begun`, `patch_consumed`, `patch_complete`,
--   `patch_ended`: as for firmware; `patch_result`: name, version, ok: how a patch did in its test
--
-- Actions:
--
-- - `send`: packet for update.cloud.qinglian_frame, `clear` if its body is not encrypted, `qos` (0)
-- - `authed`: the log-in has succeeded; `clock`: time (seconds since 1970); `blocked`: seconds for which to close the
--   connection, errno, text
-- - `begin`: offer {size, version, crc, name}; `push`: bytes; `stop`: code, text: no more bytes will come
-- - `listed`: items {name, version, size, crc}, verify (whether the cloud told us to ask)
-- - `patch_begin`: item; `patch_push`: bytes; `patch_stop`: code, text
-- - `arm`; `restart`; `log`: text
--
-- @module update.cloud.qinglian_session

local firmware = require "update.cloud.qinglian_firmware"
local packets = require "update.cloud.qinglian_packets"
local patches = require "update.cloud.qinglian_patches"
local qinglian = require "update.cloud.qinglian"

local M = {}

local OP, ERRNO = qinglian.OP, qinglian.ERRNO

-- Seconds.
local AGAIN = 1         -- until a log-in that failed is tried again
local LOGIN_WITHIN = 20 -- for both steps of it
local HEARTBEAT = 180
local BLOCKED = 1800    -- for a device that the cloud does not want

local function copy(t)
  local out = {}
  for name, value in pairs(t) do out[name] = value end
  return out
end

--- The state at the start of the agent.
-- @tparam table o product (number), mac, crypt (of qinglian.CRYPT), chunk (bytes), period (seconds between two
--   checks), random (function -> 0 to 32767), sign (function(rand) -> text), device_sign (function(key, id, rand) ->
--   text), unwrap (function(text) -> key or nil)
-- @treturn table state; its `key` is that of the device, once it is known
function M.new(o)
  return { o = o, link = "down", sequence = 0, }
end

local send, request, log = packets.send, packets.request, packets.log

local function begin_again(s, now)
  s.link, s.due = "connected", now + AGAIN
end

local function failed(s, event, out, text)
  log(out, "the log-in failed: %s", text)
  begin_again(s, event.now)
end

local function register(s, now, out)
  local o = s.o
  s.rand = o.random()
  s.link, s.since = "logging in", s.since or now
  send(s, out, { opcode = OP.register, clear = true, body = qinglian.register { product = o.product,
    sign = o.sign(s.rand), rand = s.rand, mac = o.mac, crypt = o.crypt } })
end

local function authenticate(s, out)
  local o = s.o
  s.rand, s.told = o.random(), s.release
  send(s, out, { opcode = OP.authenticate, body = qinglian.authenticate { product = o.product, sign = o.sign(s.rand),
    device_sign = o.device_sign(s.key, s.id, s.rand), rand = s.rand, id = s.id, release = s.release } })
end

local answers = {} -- of the cloud to a log-in

answers[OP.register] = function(s, event, out)
  if s.link ~= "logging in" then return end
  if event.errno == ERRNO.limit or event.errno == ERRNO.bound then
    s.link = "down"
    out[#out + 1] = { type = "blocked", errno = event.errno, seconds = BLOCKED, text = event.errno == ERRNO.limit
      and "the cloud has no licence left for this device" or "this MAC is bound to another product" }
    return
  end
  if event.errno ~= 0 then return failed(s, event, out, ("registration, errno %d"):format(event.errno)) end
  local data = qinglian.part(event.object, "data")
  local id, key = qinglian.text(data.dev_id, 64), s.o.unwrap(data.dev_key)
  if (qinglian.errcode(event.object) or 0) ~= 0 or not id or not key then
    return failed(s, event, out, "registration, an answer that is not usable")
  end
  s.id, s.key = id:sub(1, 16), key
  authenticate(s, out)
end

answers[OP.authenticate] = function(s, event, out)
  if s.link ~= "logging in" then return end
  if event.errno ~= 0 then return failed(s, event, out, ("authentication, errno %d"):format(event.errno)) end
  local data = qinglian.part(event.object, "data")
  local token = qinglian.text(data.token, 44)
  if qinglian.errcode(event.object) ~= 0 or not token or not qinglian.text(data.iotid, 64)
      or math.type(data.ts) ~= "integer" then
    return failed(s, event, out, "authentication, an answer that is not usable")
  end
  s.link, s.token, s.since, s.beat = "authed", token, nil, event.now
  s.check_at = s.check_at or event.uptime or event.now
  out[#out + 1] = { type = "clock", time = data.ts }
  out[#out + 1] = { type = "authed" }
  firmware.logged_in(s, event.now, out)
  patches.logged_in(s, out)
end

local heard = {} -- of the cloud to a device that it knows

for opcode, handler in pairs(patches.heard) do heard[opcode] = handler end
for opcode, handler in pairs(firmware.heard) do heard[opcode] = handler end

local on = {}

function on.connected(s, event)
  s.link, s.due, s.since = "connected", event.now, nil
end

function on.disconnected(s)
  s.link = "down"
end

function on.settled(s, event)
  -- The cloud learns by a log-in alone what became of an upgrade.
  if s.link == "authed" and (s.told ~= event.release or s.settled == false) then
    s.link, s.due = "connected", event.now
  end
  s.settled, s.release = true, event.release
end

function on.unsettled(s)
  s.settled = false
end

function on.tick(s, event, out)
  local now = event.now
  firmware.tick(s, event, out)
  patches.tick(s, event, out)
  if s.link == "logging in" and now - s.since > LOGIN_WITHIN then
    s.link, s.due, s.since = "connected", now, nil
  end
  if s.link == "connected" and s.settled and now >= s.due then return register(s, now, out) end
  if s.link ~= "authed" then return end
  if now - s.beat >= HEARTBEAT then
    s.beat = now
    request(s, out, OP.heartbeat, qinglian.heartbeat(s.token))
  end
  if s.firmware or s.patch or not s.settled then return end
  local uptime = event.uptime or now
  if uptime >= s.check_at then
    s.check_at = uptime + s.o.period
    firmware.check(s, now, qinglian.WHY.timer, out)
  elseif s.latest then
    patches.idle(s, now, out)
  end
end

function on.packet(s, event, out)
  if s.link == "down" then return end
  if answers[event.opcode] then return answers[event.opcode](s, event, out) end
  if s.link ~= "authed" or not heard[event.opcode] then return end
  if event.errno == ERRNO.token then
    log(out, "the cloud does not know our token any more")
    return begin_again(s, event.now - AGAIN)
  elseif event.errno ~= 0 then
    return log(out, "errno %d in 0x%04x", event.errno, event.opcode)
  end
  heard[event.opcode](s, event, out)
end

heard[OP.heartbeat] = function(_, event, out)
  local time = type(event.object) == "table" and event.object.value
  if math.type(time) == "integer" and time > 0 then out[#out + 1] = { type = "clock", time = time } end
end

for _, part in ipairs { firmware, patches } do
  for name, handler in pairs(part.on) do on[name] = handler end
end

--- The next state and what to do.
-- @tparam table state from new() or step(); not changed
-- @tparam table event see above; `type` names it
-- @treturn table state
-- @treturn {table,...} actions, in order
function M.step(state, event)
  local handler = on[event.type]
  if not handler then error(("unknown event '%s'"):format(tostring(event.type)), 2) end
  local s, out = copy(state), {}
  if s.firmware then s.firmware = copy(s.firmware) end
  if s.patch then s.patch = copy(s.patch) end
  handler(s, event, out)
  return s, out
end

return M

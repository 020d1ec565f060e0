--- The device's side of firmware from the Qinglian cloud: ask, announcement, pieces, upgrade.
--
-- Pure, and a part of update.cloud.qinglian_session, which describes events and actions. `s` is the state of the
-- session, which it may change; `s.firmware` is the transfer: stage ("asked", "announced", "receiving", "complete",
-- "upgrading"), offer, at (the next offset), crc, since (of its last step), pending (the piece that is not
-- acknowledged yet: sequence, offset, last, since), told (the last acknowledgement), begun (policy agreed).
--
-- A piece is acknowledged once the reader has used it up, the last one once everything
-- is in place and read back. Firmware that policy does not want is refused, and ignored for a while.
--
-- @module update.cloud.qinglian_firmware

local frame = require "update.cloud.qinglian_frame"
local packets = require "update.cloud.qinglian_packets"
local qinglian = require "update.cloud.qinglian"

local M = {}

local OP = qinglian.OP
local request, answer, log = packets.request, packets.answer, packets.log

-- Seconds.
local STEP_WITHIN = 120   -- from one step of a transfer to the next
local POLICY_WITHIN = 20  -- for policy to say yes
local TELL_AGAIN = 30     -- without a piece: the last acknowledgement may be lost
local RESTART_AFTER = 10  -- of the upgrade command, should the broker not have the answer
local ASK_AGAIN = 60      -- after a transfer that stopped
local LEFT_OUT = 900      -- what policy does not want, unless it says
local LEFT_OUT_MOST = 86400

local TELL_TIMES = 3

-- Failures that say nothing about the firmware itself.
local PASSING = { network = true, busy = true }

local function key_of(offer)
  return ("%s/%d/%d"):format(offer.version, offer.size, offer.crc)
end

-- End the transfer, and tell the reader.
local function stop(s, code, text, out)
  local transfer = s.firmware
  s.firmware = nil
  if transfer and transfer.stage ~= "asked" then out[#out + 1] = { type = "stop", code = code, text = text } end
end

--- Ask for firmware.
-- @tparam integer why of qinglian.WHY
-- @tparam[opt] table of product and release, of a forced upgrade
function M.check(s, now, why, out, of)
  stop(s, "busy", "the cloud begins anew", out)
  s.firmware = { stage = "asked", since = now }
  request(s, out, OP.check, qinglian.check(s.token, { why = why, product = of and of.product or s.o.product,
    release = of and of.release or s.release, chunk = s.o.chunk }))
end

--- After a log-in, ask again or repeat the last acknowledgement, because either may have been lost.
function M.logged_in(s, now, out)
  local transfer = s.firmware
  if transfer and transfer.stage == "asked" then
    s.firmware, s.check_at = nil, now
  elseif transfer and transfer.told and not transfer.pending and transfer.stage ~= "upgrading" then
    answer(s, out, OP.chunk, transfer.told, 0, { owner = 1, offset = transfer.told.offset })
  end
end

local STAGES_UNDER_WAY = { announced = true, receiving = true, complete = true, upgrading = true }

local function stage(s)
  return s.firmware and s.firmware.stage
end

local function is_owner(object)
  return type(object) == "table" and object.owner == 1
end

M.heard = {}

M.heard[OP.verify] = function(s, event, out)
  local errcode = not is_owner(event.object) and -1 or (s.patch or STAGES_UNDER_WAY[stage(s)]) and -2 or 0
  answer(s, out, OP.verify, event, errcode)
  if errcode == 0 then M.check(s, event.now, qinglian.WHY.verify, out) end
end

M.heard[OP.by_app] = function(s, event, out)
  local errcode = not is_owner(event.object) and -1 or (s.patch or stage(s) == "upgrading") and -2 or 0
  answer(s, out, OP.by_app, event, errcode)
  if errcode == 0 then M.check(s, event.now, qinglian.WHY.app, out) end
end

M.heard[OP.forced] = function(s, event, out)
  local object = type(event.object) == "table" and event.object or {}
  local product = math.type(object.product_id) == "integer" and qinglian.product(object.product_id)
  local good = is_owner(object) and product and qinglian.is_release(object.version)
  local errcode = not good and -1 or (s.patch or stage(s) == "upgrading") and -2 or 1 -- sic: 1 is yes
  answer(s, out, OP.forced, event, errcode)
  if errcode == 1 then
    M.check(s, event.now, qinglian.WHY.forced, out, { product = product, release = object.version })
  end
end

local function is_left_out(s, offer, now)
  return s.left_out and s.left_out.key == key_of(offer) and now < s.left_out.till
end

M.heard[OP.info] = function(s, event, out)
  local function say(errcode) answer(s, out, OP.info, event, errcode, { owner = 1 }) end
  if stage(s) ~= "asked" then return answer(s, out, OP.info, event, -2, { owner = stage(s) and 1 or 0 }) end
  local offer = qinglian.announced(event.object)
  s.firmware = nil
  if not offer then
    log(out, "what the cloud announces is not usable")
    return say(-1)
  elseif not offer.size or offer.version == s.release then
    s.latest = true
    return say(1)
  elseif is_left_out(s, offer, event.now) then
    s.check_at = math.max(s.check_at, s.left_out.till)
    log(out, "%s is left out for %d s more", offer.version, math.ceil(s.left_out.till - event.now))
    return say(-1)
  end
  s.firmware = { stage = "announced", offer = offer, at = 0, crc = 0xFFFF, since = event.now }
  s.accepted = nil
  say(0)
  out[#out + 1] = { type = "begin", offer = offer }
end

local function refuse(s, to, errcode, offset, out)
  answer(s, out, OP.chunk, to, errcode, { owner = 1, offset = offset })
end

M.heard[OP.chunk] = function(s, event, out)
  local chunk, transfer = frame.read_chunk(event.body or ""), s.firmware
  if not chunk then return refuse(s, event, -1, 0, out) end
  if chunk.offset > 0 and chunk.offset <= (s.accepted or -1) then return end -- the cloud missed our answer
  if stage(s) ~= "announced" and stage(s) ~= "receiving" then return refuse(s, event, -2, 0, out) end
  if chunk.offset == 0 and transfer.at > 0 then return refuse(s, event, -2, 0, out) end
  if transfer.pending then return refuse(s, event, -1, chunk.offset, out) end
  local fault = frame.fault_of(chunk, transfer)
  if fault then
    log(out, "a piece of %s is refused: %s", transfer.offer.version, fault)
    refuse(s, event, -1, chunk.offset, out)
    return stop(s, "network", "the cloud sent a wrong piece: " .. fault, out)
  end
  s.accepted = chunk.offset
  transfer.stage, transfer.since, transfer.at = "receiving", event.now, chunk.offset + #chunk.data
  transfer.crc = frame.crc16(chunk.data, transfer.crc)
  transfer.pending = { sequence = event.sequence, offset = chunk.offset, last = chunk.last, since = event.now }
  out[#out + 1] = { type = "push", bytes = chunk.data }
end

M.heard[OP.upgrade] = function(s, event, out)
  if not is_owner(event.object) or stage(s) ~= "complete" then
    return answer(s, out, OP.upgrade, event, is_owner(event.object) and -2 or -1, { owner = 1, version = "" })
  end
  s.firmware.stage, s.firmware.since, s.firmware.command = "upgrading", event.now, { sequence = event.sequence }
  out[#out + 1] = { type = "arm" }
end

M.on = {}

function M.on.begun(s)
  if s.firmware then s.firmware.begun = true end
end

local function acknowledge(s, now, out)
  local transfer = s.firmware
  transfer.told = { sequence = transfer.pending.sequence, offset = transfer.pending.offset }
  transfer.since, transfer.told_at, transfer.told_times, transfer.pending = now, now, 1, nil
  if s.link == "authed" then
    answer(s, out, OP.chunk, transfer.told, 0, { owner = 1, offset = transfer.told.offset })
  end
end

function M.on.consumed(s, event, out)
  local pending = s.firmware and s.firmware.pending
  if pending and not pending.last then acknowledge(s, event.now, out) end
end

function M.on.complete(s, event, out)
  local pending = s.firmware and s.firmware.pending
  if not pending or not pending.last then return end
  acknowledge(s, event.now, out)
  s.firmware.stage = "complete"
end

-- Refuse the open request, and ignore the firmware for a while.
local function give_up(s, now, code, retry_after, out)
  local transfer = s.firmware
  s.accepted = transfer.told and transfer.told.offset -- what is refused was never taken, and may come again
  if transfer.pending and s.link == "authed" then refuse(s, transfer.pending, -1, transfer.pending.offset, out) end
  local rest = math.min(LEFT_OUT_MOST, retry_after or PASSING[code] and 60 or LEFT_OUT)
  s.left_out = { key = key_of(transfer.offer), till = now + rest }
  s.check_at = math.min(s.check_at or math.huge, now + rest)
  s.firmware = nil
end

function M.on.ended(s, event, out)
  local transfer = s.firmware
  if not transfer or transfer.stage == "asked" or transfer.stage == "upgrading" then return end
  log(out, "%s: %s (%s)", transfer.offer.version, event.text or "it ended", event.code or "internal")
  give_up(s, event.now, event.code, event.retry_after, out)
end

function M.on.armed(s, event, out)
  local transfer = s.firmware
  if stage(s) ~= "upgrading" then return end
  transfer.since, transfer.armed = event.now, event.ok
  answer(s, out, OP.upgrade, transfer.command, event.ok and 0 or -1, { owner = 1,
    version = transfer.offer.version }, event.ok and 1 or 0)
  if not event.ok then s.firmware = nil end
end

local function restart(s, out)
  s.firmware = nil
  out[#out + 1] = { type = "restart" }
end

function M.on.acked(s, _, out)
  if stage(s) == "upgrading" and s.firmware.armed then restart(s, out) end
end

local function tell_again(s, now, out)
  local transfer = s.firmware
  if stage(s) ~= "receiving" or transfer.pending or s.link ~= "authed" then return end
  if now - transfer.told_at < TELL_AGAIN or transfer.told_times > TELL_TIMES then return end
  transfer.told_at, transfer.told_times = now, transfer.told_times + 1
  answer(s, out, OP.chunk, transfer.told, 0, { owner = 1, offset = transfer.told.offset })
end

--- Check the timeouts of a transfer.
function M.tick(s, event, out)
  local transfer, now = s.firmware, event.now
  if not transfer or transfer.stage == "complete" then return end
  if transfer.stage == "upgrading" then
    if transfer.armed and now - transfer.since >= RESTART_AFTER then restart(s, out) end
    return
  end
  local pending = transfer.pending
  if pending and not transfer.begun and now - pending.since >= POLICY_WITHIN then
    log(out, "%s: policy takes longer than %d s", transfer.offer.version, POLICY_WITHIN)
    give_up(s, now, "deferred", nil, out)
    out[#out + 1] = { type = "stop", code = "busy", text = "policy took too long" }
  elseif now - transfer.since > STEP_WITHIN then
    stop(s, "network", "the cloud sends no more", out)
    s.check_at = math.min(s.check_at, now + ASK_AGAIN)
  else
    tell_again(s, now, out)
  end
end

return M

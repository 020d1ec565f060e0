--- The device's side of patches from the Qinglian cloud: list, request, pieces, result.
--
-- Pure, and a part of update.cloud.qinglian_session, which describes events and actions. `s` is the state of the
-- session, which it may change. `s.patch` is the one under way: stage ("asked", "receiving", "testing"), item, at (the
-- next offset), crc, since (of its last step), pending (the piece that is not acknowledged yet: sequence, offset, last,
-- since), told (offset of the last acknowledged piece), begun (policy agreed). `s.wanted` are the items to ask for
-- after it, `s.results` those that the cloud may not have heard.
--
-- A piece is acknowledged once the reader has used it up, the last one once every
-- digest is right. A wrong piece is refused, and the right one may follow. The
-- cloud sends the last piece again after a lost link: one that is there already is
-- acknowledged again. The slot stays taken until the test has ended.
--
-- @module update.cloud.qinglian_patches

local frame = require "update.cloud.qinglian_frame"
local packets = require "update.cloud.qinglian_packets"
local qinglian = require "update.cloud.qinglian"

local M = {}

local OP = qinglian.OP
local request, answer, log = packets.request, packets.answer, packets.log

-- Seconds.
local LISTS = 21600      -- between two lists
local STEP_WITHIN = 120  -- from one step of a transfer to the next
local POLICY_WITHIN = 20 -- for policy to say yes
local ASK_AGAIN = 60     -- after a transfer that stopped
local LEFT_OUT = 900     -- what policy does not want, unless it says
local LEFT_OUT_MOST = 86400

local RESULTS = 16 -- that are kept for the cloud

-- Failures that say nothing about the patch itself, so that the cloud is not told that it failed.
local OPEN = { network = true, busy = true, deferred = true, refused = true, nospace = true }

local function key_of(item) return item.name .. "\n" .. item.version end

local function is_left_out(s, item, now)
  local till = (s.left_out_patches or {})[key_of(item)]
  return till ~= nil and now < till
end

local function leave_out(s, item, now, seconds)
  local rest = math.min(LEFT_OUT_MOST, seconds)
  local kept = { [key_of(item)] = now + rest }
  for key, till in pairs(s.left_out_patches or {}) do
    if till > now and not kept[key] then kept[key] = till end
  end
  s.left_out_patches = kept
  s.list_at = math.min(s.list_at or math.huge, now + rest)
end

local function ask_for_list(s, now, why, out)
  s.list_at, s.list_why = now + LISTS, why
  request(s, out, OP.list, qinglian.list(s.token, why, s.o.chunk))
end

local function is_busy(s) return s.firmware ~= nil or s.patch ~= nil end

-- Ask for the next wanted one, if nothing else is under way.
local function go_on(s, now, out)
  while s.link == "authed" and s.settled and not is_busy(s) and s.wanted and s.wanted[1] do
    local item = s.wanted[1]
    s.wanted = table.move(s.wanted, 2, #s.wanted, 1, {})
    if not is_left_out(s, item, now) then
      s.patch = { stage = "asked", item = item, at = 0, crc = 0xFFFF, since = now }
      request(s, out, OP.patch_request, qinglian.want(s.token, item))
      out[#out + 1] = { type = "patch_begin", item = item }
    end
  end
end

local function reply_to_chunk(s, to, errcode, offset, out)
  answer(s, out, OP.patch_chunk, to, errcode, { offset = offset })
end

-- End the transfer without a result.
local function drop(s, now, code, text, out)
  local item = s.patch.item
  log(out, "patch %s %s: %s", item.name, item.version, text)
  s.patch = nil
  s.list_at = math.min(s.list_at or math.huge, now + ASK_AGAIN)
  out[#out + 1] = { type = "patch_stop", code = code, text = text }
  go_on(s, now, out)
end

M.heard = {}

M.heard[OP.list_now] = function(s, event, out)
  local own = { sequence = s.sequence } -- this answer alone does not repeat the cloud's number
  s.sequence = s.sequence + 1
  answer(s, out, OP.list_now, own, is_busy(s) and -2 or 0)
  if is_busy(s) then
    s.list_at = event.now + LISTS
  else
    ask_for_list(s, event.now, qinglian.WHY.verify, out)
  end
end

M.heard[OP.list] = function(s, event, out)
  if s.patch then return log(out, "a list in the middle of a patch is ignored") end
  local items, wrong = qinglian.items(event.object)
  if wrong > 0 then log(out, "%d items of the list of patches are not usable", wrong) end
  local open = {}
  for _, item in ipairs(items) do
    if not is_left_out(s, item, event.now) then open[#open + 1] = item end
  end
  if #open > 0 then out[#out + 1] = { type = "listed", items = open, verify = s.list_why == qinglian.WHY.verify } end
end

-- What is wrong with a piece: nil: nothing.
local function fault_of(chunk, patch)
  return frame.fault_of(chunk, { offer = patch.item, at = patch.at, crc = patch.crc })
end

M.heard[OP.patch_chunk] = function(s, event, out)
  local chunk, patch = frame.read_patch_chunk(event.body or ""), s.patch
  if not chunk then return reply_to_chunk(s, event, -1, 0, out) end
  if not patch then return reply_to_chunk(s, event, -2, 0, out) end
  local pending = patch.pending
  if pending and pending.offset == chunk.offset then -- the cloud is impatient: its latest number is answered
    patch.pending = { sequence = event.sequence, offset = pending.offset, last = pending.last, since = pending.since }
    return
  elseif patch.told == chunk.offset then
    return reply_to_chunk(s, event, 0, chunk.offset, out)
  elseif patch.stage == "testing" then
    return reply_to_chunk(s, event, -2, 0, out)
  elseif pending then
    return reply_to_chunk(s, event, -1, chunk.offset, out)
  end
  local fault = fault_of(chunk, patch)
  if fault then
    log(out, "a piece of patch %s %s is refused: %s", patch.item.name, patch.item.version, fault)
    reply_to_chunk(s, event, -1, chunk.offset, out)
    -- The right bytes cannot follow any more: the sum of all is another.
    if fault == frame.WRONG_SUM then drop(s, event.now, "network", "the CRC is wrong", out) end
    return
  end
  patch.stage, patch.since, patch.at = "receiving", event.now, chunk.offset + #chunk.data
  patch.crc = frame.crc16(chunk.data, patch.crc)
  patch.pending = { sequence = event.sequence, offset = chunk.offset, last = chunk.last, since = event.now }
  out[#out + 1] = { type = "patch_push", bytes = chunk.data }
end

-- The cloud's answer to a result, or to a request: the first is done with, the second says nothing.
M.heard[OP.patch_end] = function(s, event)
  local left = {}
  for _, one in ipairs(s.results or {}) do
    if one.sequence ~= event.sequence then left[#left + 1] = one end
  end
  s.results = left
end

local function tell(s, one, out)
  one.sequence = s.sequence
  request(s, out, OP.patch_end, qinglian.result(s.token, one, one.ok))
end

local function result(s, item, ok, out)
  local kept = table.move(s.results or {}, math.max(1, #(s.results or {}) - RESULTS + 2), #(s.results or {}), 1, {})
  local one = { name = item.name, version = item.version, ok = ok, told = s.link == "authed" }
  kept[#kept + 1], s.results = one, kept
  if one.told then tell(s, one, out) end
end

--- After a log-in: a request or a result may have been lost. A result that was told twice is not told again, because
-- a cloud need not answer.
function M.logged_in(s, out)
  local patch, left = s.patch, {}
  for _, one in ipairs(s.results or {}) do
    local again = { name = one.name, version = one.version, ok = one.ok, told = true }
    tell(s, again, out)
    if not one.told then left[#left + 1] = again end
  end
  s.results = left
  if patch and patch.stage == "asked" then request(s, out, OP.patch_request, qinglian.want(s.token, patch.item)) end
end

M.on = {}

--- The items to ask for, in order, one after the other.
function M.on.want(s, event, out)
  s.wanted = event.items
  go_on(s, event.now, out)
end

function M.on.patch_begun(s)
  if s.patch then s.patch.begun = true end
end

local function acknowledge(s, now, out)
  local patch = s.patch
  local pending = patch.pending
  patch.told, patch.since, patch.pending = pending.offset, now, nil
  if s.link == "authed" then reply_to_chunk(s, pending, 0, pending.offset, out) end
end

function M.on.patch_consumed(s, event, out)
  local pending = s.patch and s.patch.pending
  if pending and not pending.last then acknowledge(s, event.now, out) end
end

function M.on.patch_complete(s, event, out)
  local pending = s.patch and s.patch.pending
  if not pending or not pending.last then return end
  acknowledge(s, event.now, out)
  s.patch.stage = "testing"
end

--- It was not applied.
function M.on.patch_ended(s, event, out)
  local patch = s.patch
  if not patch then return end
  local item, code = patch.item, event.code or "internal"
  log(out, "patch %s %s: %s (%s)", item.name, item.version, event.text or "it ended", code)
  if patch.pending and s.link == "authed" then reply_to_chunk(s, patch.pending, -1, patch.pending.offset, out) end
  s.patch = nil
  leave_out(s, item, event.now, event.retry_after or (code == "network" or code == "busy") and ASK_AGAIN or LEFT_OUT)
  if not OPEN[code] then result(s, item, false, out) end
  go_on(s, event.now, out)
end

--- It was tested; or one that was applied before is undone.
function M.on.patch_result(s, event, out)
  local patch = s.patch
  result(s, event, event.ok, out)
  if patch and key_of(patch.item) == key_of(event) then
    if patch.pending and s.link == "authed" then reply_to_chunk(s, patch.pending, 0, patch.pending.offset, out) end
    s.patch = nil
    go_on(s, event.now, out)
  end
end

--- Nothing is under way: ask for the next, or for a list if it is time.
function M.idle(s, now, out)
  go_on(s, now, out)
  if not s.patch and now >= (s.list_at or now) then ask_for_list(s, now, qinglian.WHY.timer, out) end
end

--- Check the timeouts of a transfer.
function M.tick(s, event, out)
  local patch, now = s.patch, event.now
  if not patch or patch.stage == "testing" then return end
  local pending = patch.pending
  if pending and not patch.begun and now - pending.since >= POLICY_WITHIN then
    out[#out + 1] = { type = "patch_stop", code = "busy", text = "policy took too long" }
    M.on.patch_ended(s, { now = now, code = "deferred", text = "policy took too long" }, out)
  elseif now - patch.since > STEP_WITHIN then
    drop(s, now, "network", "the cloud sends no more", out)
  end
end

return M

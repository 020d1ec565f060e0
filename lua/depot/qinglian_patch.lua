--- What the Qinglian cloud says to one device about patches, as a state machine.
--
-- Pure: `step(state, event)` returns the next state and an array of actions.
--
-- One piece is in flight. It is sent again when the device refuses it (a few times)
-- or is silent, for a device repeats nothing here. After silence a refusal may mean
-- that the device had the piece and its answer was lost: the next one shows.
-- A device whose last list request is newer than its patch has given the patch up,
-- so no list is ever sent in the middle of one.
--
-- Events, each with `now` (ms):
--
-- - `login`; `tick`, about once a second; `busy`: whether firmware is under way, with both
-- - `asks`: sequence, chunk (bytes), items {id, name, version, size, crc}: what it may have
-- - `wants`: sequence, item: it is allowed to have this one
-- - `answers`: sequence, errcode, offset: to a piece; `called`: errcode: to the order to ask
-- - `reports`: item, ok: how the test went
-- - `verify`: item, wait (ms): a person wants to see it tried on this device
-- - `freed`: it asked for firmware, so it has no patch under way; `foreign`: it is of another product
-- - `gone`: the item under way was deleted or cannot be read
--
-- Actions:
--
-- - `list`: items that fit; `call`: order it to ask for its list
-- - `piece`: sequence, item, offset, length, last
-- - `note`: item, state ("preparing", "downloading", "downloaded", "done", "failed"), percent, text: how far it is
--
-- @module depot.qinglian_patch

local M = {}

-- Milliseconds.
local SILENCE = 5000     -- after which a piece is sent again
local LOST = 120000      -- without an answer, after which the device has given it up
local CALL_AGAIN = 30000 -- after a device that was busy, or said nothing
local CALL_SOON = 3000   -- after it was busy for the first time: a question of its own may just be under way
local ASKED_WITHIN = 120000 -- for the first stage of a verification

local REFUSED = 3  -- times that a piece is sent again
local AROUND = 127 -- bytes of a packet that a device takes beyond its pieces
local LIST_AROUND = 16 + 2 + 5 + 32 + 16 + #'{"res":{"errcode":0},"value":[]}' -- header, topic, padding
local MOST = 255   -- patches in a list

--- The state of a device that has not logged in.
-- @tparam integer first number of the pieces
function M.new(first)
  return { sequence = first or 0, chunk = 1024 }
end

local function note(out, item, state, fields)
  local action = fields or {}
  action.type, action.item, action.state = "note", item, state
  out[#out + 1] = action
end

local function is_tried(s, item)
  return s.trying ~= nil and s.trying.item.id == item.id
end

local function fail(s, item, text, out)
  if is_tried(s, item) then s.trying = nil end
  note(out, item, "failed", { text = text })
end

-- Send the piece in flight; as a new one it gets a new number, which the device repeats.
local function send(s, now, out, again)
  local t = s.transfer
  t.length = math.min(t.chunk, t.item.size - t.offset)
  if not again then
    s.sequence = s.sequence + 1 & 0xFFFFFFFF
    t.sequence = s.sequence
  end
  t.sent = now
  out[#out + 1] = { type = "piece", sequence = t.sequence, item = t.item, offset = t.offset, length = t.length,
    last = t.offset + t.length == t.item.size }
end

local function stop(s, text, out)
  local item = s.transfer.item
  s.transfer = nil
  fail(s, item, text, out)
end

local function advance(s, now, out)
  local t = s.transfer
  t.offset = t.offset + t.length
  if t.offset < t.item.size then
    local percent = t.offset * 100 // t.item.size
    if percent >= t.percent + 5 then
      t.percent = percent
      note(out, t.item, "downloading", { percent = percent })
    end
    return send(s, now, out)
  end
  s.transfer = nil
  if is_tried(s, t.item) then s.trying.till, s.trying.stage = now + s.trying.wait, "downloaded" end
  note(out, t.item, "downloaded", { percent = 100 })
end

local function call(s, now, busy, out)
  if not s.authed or s.transfer or busy then return end
  s.trying.called = now
  out[#out + 1] = { type = "call" }
end

local on = {}

function on.login(s, event, out)
  s.authed, s.asked = true, nil
  if s.transfer then
    s.transfer.unsure = true
    send(s, event.now, out, true)
  elseif s.trying and s.trying.stage == "preparing" then
    call(s, event.now, event.busy, out)
  end
end

function on.asks(s, event, out)
  if not s.authed or event.sequence <= (s.asked or -1) then return end -- an old one
  s.asked, s.chunk = event.sequence, event.chunk
  on.freed(s, event, out)
  local room, items = event.chunk + AROUND - LIST_AROUND, {}
  for _, item in ipairs(event.items) do
    room = room - #('{"n":"","v":"","tl":,"c":},' .. item.name .. item.version .. item.size .. item.crc)
    if room < 0 or #items == MOST then break end
    items[#items + 1] = item
  end
  out[#out + 1] = { type = "list", items = items }
end

function on.wants(s, event, out)
  if not s.authed or event.sequence <= (s.asked or -1) then return end
  s.asked = event.sequence
  if s.transfer and s.transfer.item.id ~= event.item.id then stop(s, "the device gave it up", out) end
  s.transfer = { item = event.item, offset = 0, chunk = s.chunk, refused = 0, percent = 0, since = event.now }
  if is_tried(s, event.item) then s.trying.stage = "downloading" end
  note(out, event.item, "downloading", { percent = 0 })
  send(s, event.now, out)
end

local function is_last(t) return t.offset + t.length == t.item.size end

local function refused(s, now, out)
  local t = s.transfer
  if t.unsure and not t.guessed and not is_last(t) then -- perhaps it had this one
    t.unsure, t.guessed = nil, t.length
    return advance(s, now, out)
  elseif t.guessed then
    t.offset, t.guessed = t.offset - t.guessed, nil
  end
  t.refused, t.unsure = t.refused + 1, nil
  if t.refused > REFUSED then return stop(s, "it refused a piece", out) end
  send(s, now, out)
end

function on.answers(s, event, out)
  local t, errcode = s.transfer, event.errcode
  -- A piece that is none is refused with offset 0, and so is any that is not waited for.
  local fits = t and event.sequence == t.sequence and (event.offset == t.offset or errcode ~= 0 and event.offset == 0)
  if not fits then return end
  t.since = event.now
  if errcode == 0 or errcode == -2 and t.unsure and is_last(t) then -- it has them all, and waits for nothing
    t.refused, t.unsure, t.guessed = 0, nil, nil
    return advance(s, event.now, out)
  end
  if errcode == -1 then return refused(s, event.now, out) end
  stop(s, "it has given the patch up", out)
end

function on.called(s, event, out)
  if not s.trying or s.trying.stage ~= "preparing" then return end
  if event.errcode == 0 then return end
  note(out, s.trying.item, "preparing", { text = "the device is busy" })
  if not s.trying.busy then s.trying.called = event.now - CALL_AGAIN + CALL_SOON end
  s.trying.busy = true
end

function on.reports(s, event, out)
  if s.transfer and s.transfer.item.id == event.item.id then s.transfer = nil end
  if is_tried(s, event.item) then s.trying = nil end
  note(out, event.item, event.ok and "done" or "failed", { result = event.ok,
    text = not event.ok and "the device says that its test failed" or nil })
end

function on.verify(s, event, out)
  if s.trying and s.trying.item.id ~= event.item.id then
    fail(s, s.trying.item, "another patch is verified on this device", out)
  end
  s.trying = { item = event.item, wait = event.wait, stage = "preparing", till = event.now + ASKED_WITHIN }
  note(out, event.item, "preparing", { percent = 0 })
  call(s, event.now, event.busy, out)
end

function on.freed(s, _, out)
  if s.transfer then stop(s, "the device gave it up", out) end
end

function on.foreign(s, _, out)
  if s.trying then fail(s, s.trying.item, "the device belongs to another product", out) end
end

function on.gone(s, _, out)
  if s.transfer then stop(s, "it was deleted or changed while it was sent", out) end
end

local LATE = { preparing = "the device did not ask for it in time", downloaded = "no result in time" }

function on.tick(s, event, out)
  local t, now = s.transfer, event.now
  if t and now - t.since > LOST then
    stop(s, "the device is silent", out)
  elseif t and s.authed and now - t.sent >= SILENCE then
    t.unsure = true
    send(s, now, out, true)
  end
  local trying = s.trying
  if not trying then return end
  if LATE[trying.stage] and now >= trying.till then return fail(s, trying.item, LATE[trying.stage], out) end
  if trying.stage == "preparing" and now - (trying.called or -CALL_AGAIN) >= CALL_AGAIN then
    call(s, now, event.busy, out)
  end
end

local function copy(t)
  local out = {}
  for name, value in pairs(t) do out[name] = value end
  return out
end

--- The next state and what to do.
-- @tparam table state from new() or step(); not changed
-- @tparam table event see above; `type` names it
-- @treturn table state
-- @treturn {table,...} actions, in order
function M.step(state, event)
  local s, out = copy(state), {}
  if s.transfer then s.transfer = copy(s.transfer) end
  if s.trying then s.trying = copy(s.trying) end
  on[event.type](s, event, out)
  return s, out
end

--- Whether there is anything that time may change.
function M.is_active(state)
  return state.transfer ~= nil or state.trying ~= nil
end

return M

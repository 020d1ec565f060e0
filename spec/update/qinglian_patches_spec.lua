-- Patches of the Qinglian cloud, by the pure machines of both sides: every sequence of events to a depth.

local cloud = require "depot.qinglian_patch"
local frame = require "update.cloud.qinglian_frame"
local qinglian = require "update.cloud.qinglian"
local session = require "update.cloud.qinglian_session"
local key_of = require "spec.support.state_key"

local OP = qinglian.OP
local CHUNK = 128
local IMAGE = ("0123456789abcdef"):rep(12) -- 192 bytes: two pieces
local ITEM = { id = 1, name = "fix", version = "v1", size = #IMAGE, crc = frame.crc16(IMAGE) }

local function copy(t)
  local out = {}
  for name, value in pairs(t) do out[name] = value end
  return out
end

-- A device that is logged in, whose firmware is the latest. A value: each step returns another.
-- `job`: what was pushed to the reader; `eaten`: how much of it the reader used up; `sent`: what it says, in order.
local function device()
  local d = { at = 0, sent = {}, eaten = 0, begun = 0, broken = {}, state = session.new { product = 7,
    mac = "00:0c:29:4b:5b:1f", crypt = 1, chunk = CHUNK, period = 1e9, random = function() return 1 end,
    sign = function() return "S" end, device_sign = function() return "D" end,
    unwrap = function(text) return text end } }
  return d
end

local acts = {}

local function broken(d, text) d.broken[#d.broken + 1] = text end

function acts.send(d, action)
  local errcode = math.tointeger(tonumber(action.body:match '"errcode":(%-?%d+)'))
  local offset = math.tointeger(tonumber(action.body:match '"offset":(%d+)'))
  d.sent[#d.sent + 1] = { opcode = action.opcode, sequence = action.sequence, errcode = errcode, offset = offset,
    body = action.body, ok = action.body:find('"s":0', 1, true) ~= nil }
  if action.opcode == OP.list and (d.state.patch or d.state.firmware) then broken(d, "a busy one asks for a list") end
  if action.opcode == OP.patch_chunk and errcode == 0 then
    local reach = math.min(offset + CHUNK, #IMAGE)
    if reach > d.eaten then broken(d, "bytes are acknowledged that are not used up") end
    if reach == #IMAGE and not d.complete then broken(d, "the last piece is acknowledged before all is right") end
  end
end

function acts.patch_begin(d)
  if d.job then broken(d, "two at the same time") end
  d.job, d.eaten, d.complete, d.begun = "", 0, false, d.begun + 1
end

function acts.patch_push(d, action)
  if not d.job then return broken(d, "bytes for nobody") end
  d.job = d.job .. action.bytes
  if IMAGE:sub(1, #d.job) ~= d.job then broken(d, "wrong bytes") end
end

function acts.patch_stop(d) d.job = nil end
function acts.begin(d) broken(d, "firmware begins") end
function acts.listed(d, action) d.listed = action.items end
for _, name in ipairs { "clock", "authed", "log" } do acts[name] = function() end end

local function go(d, event)
  local after = copy(d)
  after.sent, after.broken = table.move(d.sent, 1, #d.sent, 1, {}), table.move(d.broken, 1, #d.broken, 1, {})
  local was = d.state.patch
  event.now = d.at
  if event.type == "patch_ended" or event.type == "patch_result" then after.job = nil end
  local actions
  after.state, actions = session.step(d.state, event)
  for _, action in ipairs(actions) do
    if action.type == "patch_begin" and was and not after.state.patch then broken(after, "begun and gone") end
    acts[action.type](after, action)
  end
  if (after.job ~= nil) ~= (after.state.patch ~= nil) then broken(after, "slot and reader disagree") end
  if after.state.patch and after.state.firmware then broken(after, "two slots") end
  return after
end

local function hear(d, opcode, fields)
  local event = fields or {}
  event.type, event.opcode, event.errno, event.sequence = "packet", opcode, 0, event.sequence or 9000
  return go(d, event)
end

local function log_in(d)
  d = go(d, { type = "disconnected" })
  d = go(d, { type = "connected" })
  d = go(d, { type = "tick" })
  d = hear(d, OP.register, { object = { res = { errcode = 0 }, data = { dev_id = "id", dev_key = "key" } } })
  return hear(d, OP.authenticate, { object = { res = { errcode = 0 },
    data = { iotid = "i", token = "tok", ts = 1600000000 } } })
end

-- One that is idle, and was told that it has the latest firmware.
local function idle()
  local d = log_in(go(device(), { type = "settled", release = "01.00" }))
  d = go(d, { type = "tick" })
  d = hear(d, OP.info, { object = { res = { errcode = 0 }, value = { owner = 1, ftotallen = 0 } } })
  d.sent = {}
  return d
end

local LIST = { res = { errcode = 0 }, value = { { n = "fix", v = "v1", tl = #IMAGE, c = ITEM.crc } } }

-- Everything that was asked for is taken.
local function choose(d)
  if not d.listed then return d end
  local items = d.listed
  d = copy(d)
  d.listed = nil
  return go(d, { type = "want", items = items })
end

local function listed(d) return choose(hear(d, OP.list, { object = LIST })) end

local function chunk_at(offset, wrong)
  local data = IMAGE:sub(offset + 1, offset + CHUNK)
  return frame.patch_chunk { last = offset + #data >= #IMAGE, offset = wrong and offset + 1 or offset,
    data = #data > 0 and data or "x" }
end

-- The reader takes a step: it agrees, uses up what was pushed, and at the end all is right.
local function read(d)
  if not d.job or #d.job == d.eaten then return d end
  d = go(d, { type = "patch_begun" })
  d = copy(d)
  d.eaten = #d.job
  if d.eaten < #IMAGE then return go(d, { type = "patch_consumed" }) end
  d.complete = true
  return go(d, { type = "patch_complete" })
end

local function test(d, ok)
  if not d.complete or not d.job then return d end
  return go(d, { type = "patch_result", name = "fix", version = "v1", ok = ok })
end

local function later(d, seconds)
  d = copy(d)
  d.at = d.at + seconds
  return go(d, { type = "tick" })
end

local function last(d) return d.sent[#d.sent] or {} end

describe("Qinglian's device with patches", function()
  it("asks for a list, then for a patch, takes it and says how it did", function()
    local d = go(idle(), { type = "tick" })
    assert.equal(OP.list, last(d).opcode)
    d = listed(d)
    assert.equal('{"req":{"token":"tok"},"data":{"n":"fix","v":"v1"}}', last(d).body)
    assert.equal(OP.patch_request, last(d).opcode)
    d = read(hear(d, OP.patch_chunk, { body = chunk_at(0), sequence = 71 }))
    assert.same({ OP.patch_chunk, 71, 0, 0 }, { last(d).opcode, last(d).sequence, last(d).errcode, last(d).offset })
    d = read(hear(d, OP.patch_chunk, { body = chunk_at(CHUNK), sequence = 72 }))
    assert.equal('{"res":{"errcode":0,"token":"tok"},"data":{"offset":128}}', last(d).body)
    d = test(d, true)
    assert.equal('{"req":{"token":"tok"},"data":{"n":"fix","v":"v1","s":0}}', last(d).body)
    assert.same({ OP.patch_end, false }, { last(d).opcode, d.state.patch ~= nil })
    assert.equal('"s":-1', test(read(hear(read(hear(listed(d), OP.patch_chunk, { body = chunk_at(0) })),
      OP.patch_chunk, { body = chunk_at(CHUNK) })), false).sent[#d.sent + 4].body:match '"s":%-?%d+')
    assert.same({}, d.broken)
  end)

  it("is busy while it has one: -2 to the order to ask, and to verify firmware", function()
    local d = hear(listed(idle()), OP.list_now)
    assert.same({ OP.list_now, -2 }, { last(d).opcode, last(d).errcode })
    d = hear(d, OP.verify, { object = { owner = 1 } })
    assert.same({ OP.verify, -2 }, { last(d).opcode, last(d).errcode })
    d = hear(idle(), OP.list_now)
    assert.same({ 0, OP.list }, { d.sent[1].errcode, d.sent[2].opcode })
    assert.not_equal(9000, d.sent[1].sequence)
    assert.match('"upgradetype":1', d.sent[2].body)
  end)

  it("asks every six hours, late rather than never, and not in the middle of a patch", function()
    local d = go(idle(), { type = "tick" })
    for _ = 1, 2 do
      local before = #d.sent
      d = later(d, 21599)
      for i = before + 1, #d.sent do assert.not_equal(OP.list, d.sent[i].opcode) end
      d = later(d, 7)
      assert.equal(OP.list, last(d).opcode)
    end
    d = listed(d)
    local before = #d.sent
    for _ = 1, 2 do d = read(hear(d, OP.patch_chunk, { body = chunk_at(#(d.job or "")) })) end
    d = later(d, 21600)
    for i = before + 1, #d.sent do assert.not_equal(OP.list, d.sent[i].opcode) end
    d = later(test(d, true), 0)
    assert.equal(OP.list, last(d).opcode)
  end)

  it("takes the right piece after a wrong one, and ends with the CRC of all", function()
    local d = hear(listed(idle()), OP.patch_chunk, { body = chunk_at(0, true) })
    assert.same({ -1, 1 }, { last(d).errcode, last(d).offset })
    d = read(hear(d, OP.patch_chunk, { body = chunk_at(0) }))
    assert.equal(0, last(d).errcode)
    local bad = chunk_at(CHUNK):sub(1, -2) .. "!"
    d = hear(d, OP.patch_chunk, { body = bad })
    assert.same({ -1, CHUNK }, { last(d).errcode, last(d).offset })
    assert.is_nil(d.job)
    d = hear(d, OP.patch_chunk, { body = chunk_at(CHUNK) })
    assert.same({ -2, 0 }, { last(d).errcode, last(d).offset })
  end)

  local wrong = {
    { "empty", "" }, { "without a byte of data", "\0\0\0\0\0" }, { "that says 2 for the last", "\2\0\0\0\0x" },
    { "that skips", frame.patch_chunk { last = false, offset = 129, data = "x" } },
    { "at the end of all numbers", frame.patch_chunk { last = false, offset = 0xFFFFFFFF, data = "x" } },
    { "that overlaps", frame.patch_chunk { last = false, offset = 127, data = "x" } },
    { "that grows beyond what was announced", frame.patch_chunk { last = false, offset = 128, data = ("x"):rep(200) } },
    { "that is the last too early", frame.patch_chunk { last = true, offset = 128, data = "x" } },
    { "whose end is not the last", frame.patch_chunk { last = false, offset = 128, data = IMAGE:sub(129) } },
  }
  for _, row in ipairs(wrong) do
    it("refuses a piece " .. row[1] .. ", and takes the right one after it", function()
      local d = read(hear(listed(idle()), OP.patch_chunk, { body = chunk_at(0) }))
      d = hear(d, OP.patch_chunk, { body = row[2] })
      assert.equal(-1, last(d).errcode)
      assert.equal(128, #d.job)
      d = read(hear(d, OP.patch_chunk, { body = chunk_at(CHUNK) }))
      assert.same({ 0, CHUNK }, { last(d).errcode, last(d).offset })
    end)
  end

  it("forgets one after more than 120 s without a step", function()
    local d = listed(idle())
    assert.is_not_nil(later(d, 120).state.patch)
    assert.is_nil(later(d, 121).state.patch)
    d = later(d, 121)
    assert.equal(OP.list, last(later(d, 60)).opcode)
  end)

  it("goes on after a lost link, and tells a result again that may be lost, once", function()
    local d = read(hear(listed(idle()), OP.patch_chunk, { body = chunk_at(0) }))
    d = log_in(d)
    d = hear(d, OP.patch_chunk, { body = chunk_at(0) })
    assert.same({ 0, 0 }, { last(d).errcode, last(d).offset })
    d = test(read(hear(d, OP.patch_chunk, { body = chunk_at(CHUNK) })), true)
    local before = #d.sent
    d = log_in(log_in(d))
    local told = 0
    for i = before + 1, #d.sent do told = told + (d.sent[i].opcode == OP.patch_end and 1 or 0) end
    assert.equal(1, told)
    local answered = test(read(hear(read(hear(listed(d), OP.patch_chunk, { body = chunk_at(0) })), OP.patch_chunk,
      { body = chunk_at(CHUNK) })), true)
    answered = hear(answered, OP.patch_end, { sequence = last(answered).sequence })
    assert.not_equal(OP.patch_end, last(log_in(answered)).opcode)
  end)

  it("leaves out what policy defers until then, and tells the cloud of one that is wrong", function()
    local d = hear(listed(idle()), OP.patch_chunk, { body = chunk_at(0) })
    d = go(d, { type = "patch_ended", code = "deferred", text = "battery", retry_after = 500 })
    assert.same({ OP.patch_chunk, -1 }, { last(d).opcode, last(d).errcode })
    assert.is_nil(listed(d).state.patch)
    assert.is_not_nil(listed(later(d, 500)).state.patch)
    d = go(hear(listed(idle()), OP.patch_chunk, { body = chunk_at(0) }), { type = "patch_ended", code = "untrusted" })
    assert.same({ OP.patch_end, false }, { last(d).opcode, last(d).ok })
  end)

  it("gives policy 20 s", function()
    local d = later(hear(listed(idle()), OP.patch_chunk, { body = chunk_at(0) }), 19)
    assert.is_not_nil(d.job)
    d = later(d, 1)
    assert.same({ OP.patch_chunk, -1, 0 }, { last(d).opcode, last(d).errcode, last(d).offset })
    assert.is_nil(d.job)
  end)

  local events = {
    function(d) return hear(d, OP.patch_chunk, { body = chunk_at(math.min(#(d.job or ""), CHUNK)) }) end,
    function(d) return hear(d, OP.patch_chunk, { body = chunk_at(0) }) end,
    function(d) return hear(d, OP.patch_chunk, { body = chunk_at(0, true) }) end,
    read,
    function(d) return test(d, true) end,
    function(d) return go(d, { type = "patch_ended", code = "write", text = "full" }) end,
    function(d) return listed(hear(d, OP.list_now)) end,
    log_in,
    function(d) return later(d, 121) end,
    function(d) return hear(d, OP.verify, { object = { owner = 1 } }) end,
  }

  it("breaks no rule in 100,000 sequences of events, five deep", function()
    local seen = {}
    local function walk(d, depth)
      assert.is_nil(d.broken[1])
      if depth == 0 then return 1 end
      local key, count = depth .. key_of(d), 0
      if seen[key] then return seen[key] end
      for _, event in ipairs(events) do count = count + walk(event(d), depth - 1) end
      seen[key] = count
      return count
    end
    assert.equal(100000, walk(listed(idle()), 5))
  end)
end)

-- Both sides and what is between them: messages that are lost, doubled and late.

-- `up` and `down`: messages on their way; `c`: the cloud's machine; `got`: results that it knows
local function pair()
  local p = { d = idle(), c = cloud.new(100), up = {}, down = {}, now = 0, broken = {} }
  return p
end

local says = {}

function says.list(p)
  p.down[#p.down + 1] = { opcode = OP.list, object = LIST }
end

function says.call(p) p.down[#p.down + 1] = { opcode = OP.list_now } end

function says.piece(p, action)
  local data = IMAGE:sub(action.offset + 1, action.offset + action.length)
  if #data + 5 + 16 > CHUNK + 127 then p.broken[#p.broken + 1] = "too large" end
  p.down[#p.down + 1] = { opcode = OP.patch_chunk, sequence = action.sequence,
    body = frame.patch_chunk { last = action.last, offset = action.offset, data = data } }
end

function says.note(p, action)
  if action.state == "done" then p.done = true end
end

local function tell(p, event)
  local before = p.c.transfer
  event.now = p.now
  local actions
  p.c, actions = cloud.step(p.c, event)
  local pieces = 0
  for _, action in ipairs(actions) do
    if action.type == "piece" then pieces = pieces + 1 end
    if action.type == "list" and p.c.transfer then p.broken[#p.broken + 1] = "a list beside a patch" end
    says[action.type](p, action)
  end
  local after = p.c.transfer
  if pieces > 1 then p.broken[#p.broken + 1] = "two pieces in flight" end
  if before and after and before.item.id == after.item.id and math.abs(after.offset - before.offset) > CHUNK
      and after.offset > 0 then
    p.broken[#p.broken + 1] = "a piece is skipped"
  end
end

-- What the device said goes on its way, unless the link is down.
local function collect(p)
  for _, message in ipairs(p.d.sent) do p.up[#p.up + 1] = message end
  p.d = copy(p.d)
  p.d.sent = {}
end

local function snapshot(p)
  local q = copy(p)
  for _, name in ipairs { "up", "down", "broken" } do q[name] = table.move(p[name], 1, #p[name], 1, {}) end
  return q
end

local function arrives_up(p, message)
  local opcode = message.opcode
  if opcode == OP.list then
    tell(p, { type = "asks", sequence = message.sequence, chunk = CHUNK, items = p.done and {} or { ITEM } })
  elseif opcode == OP.patch_request then
    tell(p, { type = "wants", sequence = message.sequence, item = ITEM })
  elseif opcode == OP.patch_chunk then
    tell(p, { type = "answers", sequence = message.sequence, errcode = message.errcode, offset = message.offset })
  elseif opcode == OP.list_now then
    tell(p, { type = "called", errcode = message.errcode })
  elseif opcode == OP.patch_end then
    tell(p, { type = "reports", item = ITEM, ok = message.ok })
  end
end

local function arrives_down(p, message)
  p.d = choose(hear(p.d, message.opcode, copy(message)))
  collect(p)
end

local function up(p, times)
  local message = table.remove(p.up, 1)
  for _ = 1, message and times or 0 do arrives_up(p, message) end
end

local function down(p, times)
  local message = table.remove(p.down, 1)
  for _ = 1, message and times or 0 do arrives_down(p, message) end
end

local function link(p)
  p.up, p.down = {}, {}
  p.d = log_in(p.d)
  tell(p, { type = "login" })
  collect(p)
end

local function wait(p, seconds)
  p.now = p.now + seconds * 1000
  p.d = later(p.d, seconds)
  collect(p)
  tell(p, { type = "tick" })
end

local between = {
  function(p) down(p, 1) end,
  function(p) up(p, 1) end,
  function(p) down(p, 0) end,
  function(p) up(p, 0) end,
  function(p) down(p, 2) end,
  function(p)
    p.d = read(p.d)
    collect(p)
  end,
  link,
  function(p) wait(p, 6) end,
  function(p) wait(p, 122) end,
}

-- From now on everything arrives: the patch does, too.
local function heal(p)
  for _ = 1, 60 do
    while #p.up + #p.down > 0 do
      up(p, 1)
      down(p, 1)
      p.d = test(read(p.d), true)
      collect(p)
    end
    if p.done and not p.d.state.patch then return true end
    local is_quiet = not p.d.state.patch and not cloud.is_active(p.c)
    wait(p, is_quiet and 21600 or 6) -- a person's time is over then, and the device asks by itself
    if p.d.state.link ~= "authed" then link(p) end
  end
  return false
end

-- A device that was told to ask for the patch.
local function started(events)
  local p = pair()
  tell(p, { type = "login" })
  tell(p, { type = "verify", item = ITEM, wait = 60000 })
  for _ = 1, events do
    if #p.down > 0 then down(p, 1) elseif #p.up > 0 then up(p, 1) end
    p.d = read(p.d)
    collect(p)
  end
  return p
end

describe("both sides of a patch", function()
  for _, case in ipairs { { 0, 4 }, { 5, 5 }, { 8, 4 } } do
    local first, deep = table.unpack(case)
    local all = math.tointeger(9 ^ deep)
    it(("break no rule in %d sequences from message %d on, and come to the end"):format(all, first), function()
      local seen, healed = {}, 0
      local function walk(p, depth)
        assert.is_nil(p.broken[1] or p.d.broken[1])
        if depth == 0 then return 1 end
        local key, count = depth .. key_of(p), 0
        if seen[key] then return seen[key] end
        if depth == 1 then
          local q = snapshot(p)
          assert.is_true(heal(q))
          assert.is_nil(q.broken[1] or q.d.broken[1])
          healed = healed + 1
        end
        for _, event in ipairs(between) do
          local q = snapshot(p)
          event(q)
          count = count + walk(q, depth - 1)
        end
        seen[key] = count
        return count
      end
      assert.equal(all, walk(started(first), deep))
      assert.is_true(healed > 0)
    end)
  end
end)

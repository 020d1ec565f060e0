-- What becomes of a rollout: every state by every event. A row says in which states an event leads where; in each other
-- state it is refused, or changes nothing if nobody has asked for it.

local life = require "depot.rollout.life"
local plans = require "depot.rollout.plan"

local STATES = { "draft", "scheduled", "running", "soaking", "waiting", "paused", "finished", "cancelled" }
local NOT_ENDED = "draft, scheduled, running, soaking, waiting, paused"
local NOW = 1000000 -- ms
local LAST = 4 -- wave
local FIXED, BY_HAND = plans.read { members = "fixed" }, plans.read { advance = "hand" }

local function by(event, facts)
  return function(rollout) return life.apply(rollout, event, NOW, facts) end
end

-- A verdict, of which the counts are no matter here. It is never refused.
local function verdict(what)
  return function(rollout)
    life.judge(rollout, what, NOW)
    rollout.verdicts, rollout.failed = 0, 0
    return rollout.state
  end
end

-- Events: name; what happens; the rollout's fields before it; whether it is refused where no row is. Then its rows:
-- states; the next one; what is then so.
local events = {
  { "start; release verified", by "start", {}, true,
    { "draft", "running", { wave = 1, wave_at = NOW, limits_from = NOW } } },
  { "start; release not verified", by("start", { obstacle = "no device has verified it" }), {}, true },
  { "start; at a time", by("start", { at = NOW + 1 }), {}, true,
    { "draft", "scheduled", { wave = 0, starts_at = NOW + 1 } } },
  { "start; at a time that is over", by("start", { at = NOW }), {}, true, { "draft", "running", { wave = 1 } } },
  { "its time", by "due", { starts_at = NOW }, true,
    { "scheduled", "running", { wave = 1, wave_at = NOW, limits_from = NOW } } },
  { "its time; not verified, or withdrawn", by("due", { obstacle = "it is withdrawn" }), { starts_at = NOW }, true,
    { "scheduled", "paused", { wave = 0, before = "scheduled", reason = "it is withdrawn" } } },
  { "wave done, not the last", by "wave_done", { wave = 1 }, true,
    { "running", "soaking", { wave = 1, soak_at = NOW } } },
  { "last wave done, members fixed", by "wave_done", { wave = LAST, plan = FIXED }, true,
    { "running", "finished", {} } },
  { "last wave done, members open", by "wave_done", { wave = LAST }, true, { "running", "running", { wave = LAST } } },
  { "soak over; by time", by "soaked", { wave = 1 }, true, { "soaking", "running", { wave = 2, wave_at = NOW } } },
  { "soak over; by hand", by "soaked", { wave = 1, plan = BY_HAND }, true, { "soaking", "waiting", { wave = 1 } } },
  { "wave empty for long; by time", by "empty", { wave = 1 }, true, { "running", "running", { wave = 2 } } },
  { "wave empty for long; by hand", by "empty", { wave = 1, plan = BY_HAND }, true,
    { "running", "waiting", { wave = 1 } } },
  { "last wave empty for long, members fixed", by "empty", { wave = LAST, plan = FIXED }, true,
    { "running", "finished", {} } },
  { "last wave empty for long, members open", by "empty", { wave = LAST }, true,
    { "running", "running", { wave = LAST } } },
  { "advance", by "advance", { wave = 1 }, true, { "waiting", "running", { wave = 2, wave_at = NOW } } },
  { "limit reached", by "limit", { wave = 2 }, true,
    { "running, soaking, waiting", "paused", { wave = 2, before = "state", reason = "limit" } } },
  { "the verdict that reaches the limit", verdict "failed", { wave = 2, plan = plans.read { limit = "1" } }, false,
    { "running, soaking, waiting", "paused", { wave = 2, before = "state", reason = "limit" } } },
  { "device reverts", verdict "reverted", { wave = 2 }, false },
  { "pause", by "pause", {}, true,
    { "running, soaking, waiting, scheduled", "paused", { before = "state", reason = "person" } } },
  { "store restored or folder copied", by "restored", {}, true,
    { "draft, scheduled, running, soaking, waiting", "paused", { before = "state", reason = "restored" } },
    { "paused", "paused", { before = "running", reason = "restored" } } },
  { "resume", by "resume", { verdicts = 9, failed = 3 }, true,
    { "paused", "running", { limits_from = NOW, verdicts = 0, failed = 0, before = false, reason = false } } },
  { "resume; soak anew", by "resume", { before = "soaking", soak_at = 1 }, true,
    { "paused", "soaking", { limits_from = NOW, soak_at = NOW } } },
  { "resume; waited before", by "resume", { before = "waiting" }, true, { "paused", "waiting", {} } },
  { "resume; scheduled before", by "resume", { before = "scheduled" }, true, { "paused", "scheduled", {} } },
  { "resume; draft before", by "resume", { before = "draft" }, true, { "paused", "draft", { wave = 0 } } },
  { "change of pace, limits, window", by "change", { wave = 1, wave_at = 5 }, true,
    { NOT_ENDED, "state", { wave = 1, wave_at = 5 } } },
  { "cancel", by "cancel", {}, true, { NOT_ENDED, "cancelled", { reason = "person", before = false } } },
  { "release withdrawn", by "withdrawn", {}, true,
    { NOT_ENDED, "cancelled", { reason = "withdrawn", before = false } } },
  { "newer rollout covers its whole target", by "overtaken", {}, true,
    { NOT_ENDED, "finished", { reason = "superseded", before = false } } },
}

local function rollout_in(state, fields)
  local made = { state = state, wave = 0, verdicts = 0, failed = 0, plan = plans.read { limit = "2" } }
  if state == "paused" then made.before, made.reason = "running", "person" end
  for name, value in pairs(fields) do made[name] = value end
  return made
end

local function find(event, state)
  for i = 5, #event do
    for name in event[i][1]:gmatch "[^, ]+" do
      if name == state then return event[i] end
    end
  end
end

local function assert_unchanged(event, state, rollout, answer, message, code)
  if event[4] then
    assert.same({ nil, "refused" }, { answer, code })
    assert.is_true(message == "no device has verified it" or message:find("that is " .. state, 1, true) ~= nil, message)
  else
    assert.equal(state, answer)
  end
  assert.same(rollout_in(state, event[3]), rollout)
end

describe("a rollout", function()
  for _, event in ipairs(events) do
    for _, state in ipairs(STATES) do
      local row = find(event, state)
      local after = row and (row[2] == "state" and state or row[2])
      it(("that is %s, and %s, is then %s"):format(state, event[1], after or "the same"), function()
        local rollout = rollout_in(state, event[3])
        local answer, message, code = event[2](rollout)
        if not row then return assert_unchanged(event, state, rollout, answer, message, code) end
        assert.equal(after, answer)
        assert.equal(after, rollout.state)
        for name, value in pairs(row[3]) do
          assert.equal(value == "state" and state or value, rollout[name] or false, name)
        end
      end)
    end
  end
end)

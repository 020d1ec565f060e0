-- What becomes of a device's job: every state by every event. A row says in which states an event does what; in each
-- other state that event changes nothing.

local acts = require "depot.rollout.acts"
local job_reports = require "depot.job_reports"
local job_world = require "spec.support.job_world"

local STATES = { "–", "pending", "upgrading", "succeeded", "failed", "reverted", "superseded", "cancelled" }
local DAY = 24 * 3600000 -- ms
local WHO = "aliyun/pk/dn"
local AT_NOON = { waves = "100", limit = "none", window = "12:00-13:00" } -- each world begins at midnight
local RETRIES = { texts = { waves = "100", limit = "none", retries = "2", backoff = "1m" } }

local function retry(world) world:person(function(parts, rollout) assert(acts.retry(parts, rollout)) end) end

-- The row is due, and the depot handles it.
local function due(world)
  world:set { due = world.now }
  world:step(0)
end

local function newer(world) world:newer() end

local function dead_link(world)
  world.depot:link_died(WHO, 1)
  world:step(0)
end

local function fetched(world)
  world.depot:fetched({ cloud = "aliyun", product = "pk", device = "dn" }, 1)
  world:step(0)
end

local function reports(release) return function(world) world:report(release) end end
local function progress(percent) return function(world) world:progress(percent) end end
local function person(event) return function(world) world:apply(event) end end

local function all(...)
  local steps = { ... }
  return function(world)
    for _, step in ipairs(steps) do step(world) end
  end
end

local function wait(ms) return function(world) world:step(ms) end end

-- Events: name; what happens; the row's fields before it; more: unheard (nobody has subscribed to the offers), texts
-- (of the plan). Then the rows of the event: states; the next one (nil: the same); how many offers; what is then so:
-- fields of the row, and verified, refused (its link is).
local events = {
  { "granted; higher; not resting; no open job of its class", due, {}, {},
    { "–", "pending", 1, { target = "2.0.0", offers = 1, due = false } },
    { "pending", nil, 1, { offers = 2, due = false } }, -- its link had ended
    { "upgrading", nil, 1, { offers = 2, due = false } } },
  { "due; window closed", due, { ends = 0, offers = 0 }, { texts = AT_NOON },
    { "–", "pending", 0, { ends = 0, offers = 0, due = false } },
    { "pending", nil, 0, { ends = 0, offers = 0, due = false } },
    { "upgrading", nil, 1, { offers = 1 } } }, -- it has begun
  { "due; nobody subscribed", due, {}, { unheard = true },
    { "–", "pending", 1, { offers = 0, not_listening = true, due = true } },
    { "pending", nil, 1, { offers = 1, not_listening = true, due = true } },
    { "upgrading", nil, 1, { offers = 1, not_listening = true, due = true } } },
  { "progress", progress(50), {}, {},
    { "pending", "upgrading", 0, { step = 50, finished = false } },
    { "upgrading", nil, 0, { step = 50, finished = false } } },
  { "100 %", progress(100), {}, {}, { "pending, upgrading", "upgrading", 0, { finished = true } } },
  { "all bytes", fetched, {}, {}, { "pending, upgrading", "upgrading", 0, { finished = true } } },
  { "reports target", reports "2.0.0", {}, {},
    { "pending, upgrading", "succeeded", 0, { verified = true, reason = false, due = false } },
    { "succeeded", nil, 0, { verified = true } },
    { "failed, reverted, superseded, cancelled", "succeeded", 0, { reason = "late", verified = false } } },
  { "reports something newer", reports "2.5.0", {}, {},
    { "pending, upgrading", "superseded", 0, { release = "2.5.0", due = false } } },
  { "reports another; finished; less than three times", reports "1.0.0", { finished = true, tries = 1 }, {},
    { "–", "pending", 1, { tries = 0 } }, -- it is granted
    { "pending, upgrading", "pending", 1, { tries = 2, finished = false } },
    { "succeeded", "reverted", 0, {} } },
  { "reports another; finished; for the third time", reports "1.0.0", { finished = true, tries = 2 }, {},
    { "–", "pending", 1, { tries = 0 } },
    { "pending, upgrading", "failed", 0, { reason = "came_back", failures = 1 } },
    { "succeeded", "reverted", 0, {} } },
  { "reports another; not finished", reports "1.0.0", { tries = 2 }, {},
    { "–", "pending", 1, { tries = 0 } },
    { "pending, upgrading", "pending", 1, { tries = 2, offers = 2 } },
    { "succeeded", "reverted", 0, { verified = false } } },
  { "link dead; renewals < 3", dead_link, { renewals = 2 }, {},
    { "pending, upgrading", "upgrading", 0, { renewals = 3, due = true, offers = 0 } } },
  { "link dead; renewals 3", dead_link, { renewals = 3 }, {},
    { "pending, upgrading", "failed", 0, { reason = "expired", code = -2, failures = 1 } } },
  { "says that its link is dead; renewals < 3", progress(-2), { renewals = 2, ends = job_world.START }, {},
    { "pending, upgrading", "upgrading", 0, { renewals = 3, code = -2, offers = 0 } } },
  { "says that its link is dead; renewals 3", progress(-2), { renewals = 3, ends = job_world.START }, {},
    { "pending, upgrading", "failed", 0, { reason = "expired", code = -2, failures = 1 } } },
  { "vendor's failure, link alive", progress(-1), {}, {},
    { "pending, upgrading", "failed", 0, { code = -1, reason = false, failures = 1 } } },
  { "due; 10 counted offers", due, { offers = 10 }, {},
    { "–", "pending", 1, { offers = 1 } },
    { "pending", "failed", 0, { reason = "never_began", failures = 1 } },
    { "upgrading", nil, 1, { offers = 11 } } }, -- it has begun: its link is dead, or the broker lost the session
  { "no word for 24 h", wait(DAY + 60000), {}, {},
    { "pending", nil, 1, { offers = 2 } }, -- its link has ended
    { "upgrading", "failed", 0, { reason = "silent", failures = 1 } } },
  { "newer release granted", newer, {}, {},
    { "–, failed, reverted, superseded, cancelled, succeeded", "pending", 1, { target = "3.0.0", offers = 1 } },
    { "pending", "pending", 1, { target = "3.0.0", offers = 1, failures = 0 } },
    { "upgrading", nil, 0, { target = "2.0.0" } } }, -- its download goes on
  { "rollout cancelled", person "cancel", {}, {},
    { "pending", "cancelled", 0, { due = false, refused = true } },
    { "upgrading", "cancelled", 0, { due = false, refused = false } } },
  { "rollout cancelled; link dead", all(person "cancel", dead_link), {}, {},
    { "pending, upgrading", "cancelled", 0, { renewals = 0, due = false } } },
  { "rollout cancelled; vendor's failure", all(person "cancel", progress(-1)), {}, {},
    { "pending, upgrading", "cancelled", 0, { failures = 0, code = false } } },
  { "release withdrawn", person "withdrawn", {}, {},
    { "pending", "cancelled", 0, { due = false, refused = true } },
    { "upgrading", "cancelled", 0, { due = false, refused = false } } },
  { "pause", person "pause", {}, {},
    { "pending", nil, 0, { due = false, refused = true } },
    { "upgrading", nil, 0, { due = false, refused = false } } },
  { "pause; due", all(person "pause", due), {}, {},
    { "pending", nil, 0, { due = false, ends = 0, refused = true } },
    { "upgrading", "pending", 0, { due = false, ends = 0 } } }, -- only one whose link is dead is due
  { "pause; link dead", all(person "pause", dead_link), {}, {},
    { "pending", nil, 0, { refused = true, renewals = 0 } },
    { "upgrading", "pending", 0, { refused = true, renewals = 0, ends = 0 } } }, -- its download is over
  { "pause; link dead; resume", all(person "pause", dead_link, wait(job_reports.SETTLE), person "resume"), {}, {},
    { "–", "pending", 1, { offers = 1 } },
    { "pending", nil, 0, { renewals = 0 } },
    { "upgrading", "pending", 1, { renewals = 0, offers = 2 } } },
  { "resume", all(person "pause", person "resume"), {}, {},
    { "–", "pending", 1, { offers = 1 } },
    { "pending", nil, 0, { offers = 1, due = false, refused = false } },
    { "upgrading", nil, 0, { due = false } } },
  { "due while paused; resume", all(person "pause", due, person "resume"), {}, {},
    { "–", "pending", 1, { offers = 1 } },
    { "pending", nil, 1, { offers = 2, due = false } },
    { "upgrading", "pending", 1, { offers = 2, due = false } } },
  { "retry by a person", retry, { failures = 2, offers = 10, tries = 3 }, {},
    { "failed, reverted", "pending", 1, { failures = 0, offers = 1, tries = 0 } } },
  { "vendor's failure; retry by rule, after back-off", all(progress(-1), wait(60000)), {}, RETRIES,
    { "pending, upgrading", "pending", 1, { failures = 1, offers = 1, tries = 0, code = false } } },
  { "vendor's failure; failures = N", all(progress(-1), wait(60000), due), { failures = 2 }, RETRIES,
    { "–", "pending", 1, {} },
    { "pending, upgrading", "failed", 0, { failures = 3, code = -1 } } },
}

-- What is so of a row and its world. Where true or false is wanted, any value is as true, and none as false.
local function assert_so(so, world)
  local row = world:row()
  row.verified, row.refused = world:is_verified(), world:refuses()
  for name, value in pairs(so) do
    local is = row[name]
    if type(value) == "boolean" then is = is ~= nil and is ~= false and is ~= 0 end
    assert.equal(value, is, name)
  end
end

local function find(rows, state)
  for i = 5, #rows do
    for name in rows[i][1]:gmatch "[^, ]+" do
      if name == state then return rows[i] end
    end
  end
end

describe("a job", function()
  local world
  after_each(function() world:close() end)

  for _, event in ipairs(events) do
    local name, happens, fields, more = table.unpack(event, 1, 4)
    for _, state in ipairs(STATES) do
      local row = find(event, state)
      local after = row and row[2] or state
      it(("that is %s, and %s, is then %s"):format(state, name, row and after or "the same"), function()
        world = job_world.new(state, fields, more.texts)
        local before = world:row()
        assert.equal(state, before.state or "–")
        happens(world)
        local offers = world:offers(more.unheard)
        local now = world:row()
        assert.equal(after, now.state or "–")
        assert.equal(row and row[3] or 0, offers, "offers")
        if row then return assert_so(row[4], world) end
        for _, column in ipairs { "changed", "package", "target", "reason", "code", "failures", "offers", "tries",
          "renewals", "finished", "rollout", "wave" } do
          assert.equal(before[column], now[column], column)
        end
      end)
    end
  end

  it("goes on with its download when a newer release is granted, which it gets when that is over", function()
    for name, is_over in pairs { dead = dead_link, failed = progress(-2), another = reports "1.0.0" } do
      world = job_world.new "upgrading"
      world:newer()
      assert.same({ "upgrading", "2.0.0", 0 }, { world:row().state, world:row().target, world:offers() }, name)
      is_over(world)
      world:step(job_reports.SETTLE)
      assert.same({ "pending", "3.0.0", 1 }, { world:row().state, world:row().target, world:offers() }, name)
    end
  end)

  it("stays when a newer rollout is scheduled, until that begins", function()
    world = job_world.new "pending"
    world:newer(world.now + 3600000)
    world:step(60000)
    assert.same({ "running", "scheduled" }, { world.store:rollout(1).state, world.store:rollout(2).state })
    assert.same({ "pending", "2.0.0" }, { world:row().state, world:row().target })
    world:step(3600000)
    assert.same({ "finished", "running" }, { world.store:rollout(1).state, world.store:rollout(2).state })
    assert.same({ "pending", "3.0.0" }, { world:row().state, world:row().target })
  end)

  it("has taken the place of another, whose link is refused once that release is withdrawn", function()
    world = job_world.new "pending"
    world:newer()
    assert.same({ "pending", "3.0.0" }, { world:row().state, world:row().target })
    assert.same({ false, false }, { world:refuses "2.0.0", world:refuses "3.0.0" })
    world:withdraw "2.0.0"
    assert.same({ true, false }, { world:refuses "2.0.0", world:refuses "3.0.0" })
  end)

  it("ends with its device, whose links are refused", function()
    world = job_world.new "pending"
    world:person(function(parts) assert(parts.store:forget(world:row())) end)
    assert.is_false(world.store:get("aliyun", "pk", "dn"))
    assert.is_true(world:refuses())
  end)

  it("falls back after each success, and each success after that is late", function()
    world = job_world.new "succeeded"
    for _ = 1, 2 do
      world:report "1.0.0"
      assert.same({ "reverted" }, { world:row().state, world:row().reason })
      world:report "2.0.0"
      assert.same({ "succeeded", "late" }, { world:row().state, world:row().reason })
      assert.is_false(world:is_verified())
      world:step(60000)
    end
  end)

  it("has no late success once it was tried again", function()
    world = job_world.new "reverted"
    retry(world)
    world:report "2.0.0"
    assert.same({ "succeeded" }, { world:row().state, world:row().reason })
  end)
end)

-- A second rollout after one that was cancelled, paused, withdrawn or overtaken; and a device that comes back.

local acts = require "depot.rollout.acts"
local job_world = require "spec.support.job_world"
local jobs = require "depot.jobs"
local natives = require "update.natives"
local plans = require "depot.rollout.plan"

local HASH = natives.digest.sha256 "pk"

describe("after one rollout another", function()
  local world

  local function open(state, fields, texts) world = job_world.new(state or "pending", fields, texts) end

  after_each(function() world:close() end)

  -- A rollout of a release, for a narrower set of devices, so that the first is not overtaken.
  local function roll_out(release, fields)
    local rollout = { package = "d" .. release, target = release, hash = HASH, state = "draft", wave = 0,
      product = "pk", plan = plans.read { waves = "100", limit = "none" } }
    for name, value in pairs(fields or {}) do rollout[name] = value end
    local id
    world:person(function(parts)
      assert(world.store:verify({ package = rollout.package, target = release, cloud = "aliyun", product = "pk",
        device = "lab" }, world.now))
      id = assert(world.store:roll_out(rollout, world.now))
      assert(acts.start(parts, assert(world.store:rollout(id))))
    end)
    return id
  end

  local function apply(id, event)
    world:person(function(parts) assert(acts.apply(parts, assert(world.store:rollout(id)), event)) end)
  end

  local function add(release, sequence)
    local entry = { name = release .. ".upd", size = 1000, tag = "t", manifest = { digest = "d" .. release,
      sequence = sequence, release = release, parts = { { kind = "script" } }, product_key = HASH } }
    world.packages[#world.packages + 1] = entry
    world.depot:look()
  end

  -- What the device was offered since the last look, and its job.
  local function seen()
    local offers = world:offers()
    local row = world:row()
    return { offers, row.state, row.target, row.rollout }
  end

  for _, event in ipairs { "cancel", "withdrawn" } do
    it(("a device is given at once what the other still gives, when the newer one ends by %s"):format(event), function()
      open()
      add("3.0.0", 3)
      local id = roll_out "3.0.0"
      assert.same({ 1, "pending", "3.0.0", id }, seen())
      apply(id, event)
      assert.same({ 1, "pending", "2.0.0", 1 }, seen())
    end)
  end

  it("a device that has begun is left alone until its download has ended", function()
    open()
    add("3.0.0", 3)
    local id = roll_out "3.0.0"
    seen()
    world:progress(10)
    apply(id, "cancel")
    world:step(600000)
    assert.same({ 0, "cancelled", "3.0.0", id }, seen())
    world:report "1.0.0"
    assert.same({ 1, "pending", "2.0.0", 1 }, seen())
  end)

  it("one that has succeeded by the newer one is offered nothing older when that is cancelled", function()
    open()
    add("3.0.0", 3)
    local id = roll_out "3.0.0"
    seen()
    world:report "3.0.0"
    apply(id, "cancel")
    world:step(600000)
    assert.same({ 0, "succeeded", "3.0.0", id }, seen())
  end)

  it("nothing is made due where no other rollout goes on", function()
    open()
    apply(1, "cancel")
    assert.is_nil(world:row().due)
    assert.same({ 0, "cancelled", "2.0.0", 1 }, seen())
  end)

  for _, before in ipairs { "cancel", "pause and cancel" } do
    it(("the same release can be given again after %s"):format(before), function()
      open()
      if before ~= "cancel" then apply(1, "pause") end
      apply(1, "cancel")
      local id = roll_out "2.0.0"
      assert.same({ 1, "pending", "2.0.0", id }, seen())
      world:report "2.0.0"
      assert.same({ 0, "succeeded", "2.0.0", id }, seen())
    end)
  end

  it("a withdrawn release is followed by a higher one, and a device that runs it is taken along", function()
    open()
    world:report "2.0.0"
    assert.equal("succeeded", world:row().state)
    world:withdraw "2.0.0"
    apply(1, "withdrawn")
    add("3.0.0", 3)
    local id = roll_out "3.0.0"
    assert.same({ 1, "pending", "3.0.0", id }, seen())
  end)

  it("a paused one goes on where it was, also after a newer one was cancelled meanwhile", function()
    open("pending", { ends = 0, offers = 0 })
    apply(1, "pause")
    world:offers()
    add("3.0.0", 3)
    local id = roll_out "3.0.0"
    assert.same({ 1, "pending", "3.0.0", id }, seen())
    apply(id, "cancel")
    assert.same({ 0, "cancelled", "3.0.0", id }, seen())
    apply(1, "resume")
    assert.same({ 1, "pending", "2.0.0", 1 }, seen())
  end)

  it("a device that was forgotten comes back as a new one, and gets what goes on", function()
    open()
    world:offers()
    assert(world.store:change())
    assert(world.store:forget(world:row()))
    assert(world.store:commit())
    assert.is_false(world.store:get("aliyun", "pk", "dn"))
    world:progress(50) -- of a download that had begun
    world:report "1.0.0"
    assert.same({ 1, "pending", "2.0.0", 1 }, seen())
    world:report "2.0.0"
    assert.same({ 0, "succeeded", "2.0.0", 1 }, seen())
  end)

  it("try after try counts its own failures", function()
    open("pending", nil, { waves = "100", limit = "none", retries = "2", backoff = "1m" })
    for try = 1, 3 do
      world:progress(-3)
      assert.equal(try, world:row().failures)
      world:step(61000)
      world:offers()
    end
    assert.equal("failed", world:row().state)
    world:person(function(parts, rollout) assert(acts.retry(parts, rollout)) end)
    assert.same({ 1, "pending", "2.0.0", 1 }, seen())
    assert.equal(0, world:row().failures)
  end)

  -- A person lets the device try again, by the command or its page.
  local function retry()
    local row = world:row()
    assert.is_true(jobs.retry(row, world.now))
    world:set(row)
    world:step(0)
  end

  for _, state in ipairs { "failed", "reverted" } do
    it(("a %s device tries again when a person says so, though its rollout has finished"):format(state), function()
      open(state)
      world:person(function(_, rollout)
        rollout.state, rollout.ended = "finished", world.now
        assert(world.store:save_rollout(rollout))
      end)
      retry()
      assert.same({ 1, "pending", "2.0.0" }, { table.unpack(seen(), 1, 3) })
      world:progress(10)
      world:report "2.0.0"
      assert.equal("succeeded", world:row().state)
    end)
  end

  it("a failed device of a cancelled rollout that tries again is given what another gives", function()
    open "failed"
    apply(1, "cancel")
    local id = roll_out "2.0.0"
    assert.same({ 0, "failed", "2.0.0", 1 }, seen()) -- it rests until a person says so
    retry()
    assert.same({ 1, "pending", "2.0.0", id }, seen())
  end)

  it("what was withdrawn is not tried again", function()
    open "failed"
    world:withdraw "2.0.0"
    apply(1, "withdrawn")
    retry()
    world:report "1.0.0"
    assert.same({ 0, "cancelled", "2.0.0", 1 }, seen())
  end)

  it("a device that had not begun when its rollout finished is given the release all the same", function()
    open("pending", { ends = job_world.START - 3600000 })
    world:offers() -- the broker has taken one, and nothing came of it
    world:step(1900000)
    world:offers()
    world:person(function(_, rollout)
      rollout.state, rollout.ended = "finished", world.now
      assert(world.store:save_rollout(rollout))
    end)
    world:report "1.0.0"
    assert.same({ 1, "pending", "2.0.0", 1 }, seen())
    assert.is_false(world:refuses())
  end)
end)

-- Who is admitted where a product's rollouts are for admitted devices only.

local admission = require "depot.acts.admission"
local depot_world = require "spec.support.depot_world"
local fake_mqtt = require "spec.support.fake_mqtt"
local filters = require "depot.filter"
local fleet = require "depot.fleet"
local folders = require "spec.support.folder"
local natives = require "update.natives"
local patch_store = require "depot.patch_store"
local plans = require "depot.rollout.plan"
local products = require "depot.acts.products"
local rollouts = require "depot.acts.rollouts"
local store = require "depot.store"

local PK = natives.digest.sha256 "pk"

describe("admission", function()
  local home = folders.new()
  local dir, s, depot, mqtt, now, package

  local function world()
    return { natives = natives, dir = dir, store = s, actor = { name = "ann" }, packages = { package },
      by_digest = { [package.manifest.digest] = package }, opts = {} }
  end

  local function step(ms)
    now = now + (ms or 0)
    assert(depot:step())
  end

  -- It sees what other processes changed.
  local function look()
    depot.board:take_back()
    for _ = 1, 3 do step(600) end
  end

  local function set(wishes)
    local set_to, message, code = products.set(world(), function() return products.find(world(), "pk") end, wishes)
    if set_to then look() end
    return set_to, message, code
  end

  local function report(name)
    table.insert(mqtt.events, { kind = "message", qos = 1, retain = false, topic = "/ota/device/inform/pk/" .. name,
      payload = '{"id":"1","params":{"version":"1.0.0"}}' })
    for _ = 1, 3 do step(600) end
  end

  local function offers()
    local names = {}
    for _, message in ipairs(mqtt.sent) do names[#names + 1] = message.topic:match "[^/]+$" end
    mqtt.sent = {}
    return table.concat(names, " ")
  end

  local function row(name) return s:get("aliyun", "pk", name) end

  local function roll_out(plan)
    local id = assert(s:roll_out({ package = package.manifest.digest, target = "2.0.0", hash = PK, plan = plan }, now))
    assert(s:make_due(package, now))
    return id
  end

  before_each(function()
    dir = home.make "keys"
    s = assert(store.open(natives, dir))
    package = depot_world.entry(2, "2.0.0", { product_key = PK, project = "METER" })
    mqtt, now = fake_mqtt(), os.time() * 1000
    depot = fleet.new({
      mqtt = mqtt, store = s, json = natives.json, sha256 = natives.digest.sha256, now = function() return now end,
      packages = function() return { package } end, link = function(e) return "http://h/" .. e.name, 1800 end,
      digests = { of = function() return "0123" end, step = function() end, busy = function() return false end,
        close = function() end },
      on_event = function() end,
    }, { settle = 0, pace = 1000 })
    depot:look()
    mqtt.events[1] = { kind = "connected", session = true }
    report "known"
  end)

  after_each(function()
    depot:close()
    s:close()
    home.remove()
  end)

  it("is everybody's by default", function()
    roll_out()
    look()
    report "stranger"
    assert.equal("known stranger", offers())
  end)

  it("is of those that were known, that a person admits, and that a list names", function()
    assert.equal("listed", set({ admit = "listed" }).admit)
    assert(s:change())
    local group = { id = assert(s:add_group(PK, "lab", nil)) }
    assert(s:set_in_group(group, "", "lab1", true))
    assert(s:commit())
    roll_out()
    look()
    assert.equal("known", offers())
    for _, name in ipairs { "stranger", "other", "lab1" } do report(name) end
    assert.equal("lab1", offers())
    assert.same({ "1.0.0", nil, nil, 1 }, { row("stranger").release, row("stranger").state, row("stranger").admitted,
      row("lab1").admitted })
    assert.equal(2, s:unadmitted(PK))
    local found = assert(s:select(s:where(assert(filters.parse "-admitted:yes"), now)))
    assert.same({ 2, "other" }, { #found, found[1].device })
    assert.equal(1, admission.admit(world(), function() return { row "stranger" } end, true))
    assert.equal(0, admission.admit(world(), function() return { row "stranger" } end, true))
    look()
    assert.equal("stranger", offers())
    -- A delivery's list has one that has reported already.
    assert.equal(1, admission.register(world(), { cloud = "aliyun", product = "pk", hash = PK }, { "new", "other" }))
    look()
    assert.equal("other", offers())
    report "new"
    assert.equal("new", offers())
    set { admit = "open" }
    report "late"
    assert.equal("late", offers())
  end)

  it("may be taken back, which ends the open job", function()
    set { admit = "listed" }
    roll_out()
    look()
    assert.equal("known", offers())
    assert.equal(1, admission.admit(world(), function() return { row "known" } end, false))
    look()
    assert.equal("cancelled", row("known").state)
    assert.is_true(depot.board:refuses "aliyun/pk/known")
    report "known"
    assert.equal("", offers())
    local audited = s:audited(nil, 1)[1]
    assert.same({ "device.set", "device known", "not admitted" }, { audited.verb, audited.object, audited.after })
  end)

  it("does not matter to a rollout that names its devices", function()
    set { admit = "listed" }
    report "stranger"
    local plan = plans.read { waves = "100", soak = "0", members = "fixed" }
    assert(s:add_member({ id = roll_out(plan) }, "aliyun", "stranger"))
    look()
    assert.equal("stranger", offers())
  end)

  it("is why a rollout would not reach a device", function()
    set { admit = "listed" }
    report "stranger"
    local found = assert(rollouts.reach(world(), { package = package.manifest.digest, target = "2.0.0", hash = PK,
      plan = plans.BATCH, priority = 0 }))
    assert.same({ 1, { ["not admitted"] = 1 } }, { found.reaches, found.others })
  end)

  it("is asked for released hotfixes, too, but not for those that are tried", function()
    set { admit = "listed" }
    local patches = assert(patch_store.new(s))
    local mac = "00:0c:29:4b:5b:1f"
    assert(s:change())
    local fix = assert(patches:add({ hash = PK, name = "fix", version = "v1", digest = "d", size = 1, crc = 0 }, 1))
    assert(patches:stage(fix.id, "released"))
    assert(s:put { cloud = "qinglian", product = "7", device = mac, hash = PK })
    assert.equal(0, #patches:open_for(PK, mac))
    assert(patches:put { patch = fix.id, device = mac, trial = 1 })
    assert.equal(1, #patches:open_for(PK, mac))
    assert(patches:put { patch = fix.id, device = mac })
    assert(s:put { cloud = "qinglian", product = "7", device = mac, hash = PK, admitted = 1 })
    assert.equal(1, #patches:open_for(PK, mac))
    assert(s:commit())
  end)

  it("is not for an automatic product, which offers to every device", function()
    set { admit = "listed" }
    local refused, message, code = set { mode = "auto" }
    assert.same({ nil, "conflict" }, { refused, code })
    assert.matches("offers to every device", message)
    assert.equal("auto", set({ mode = "auto", admit = "open" }).mode)
    assert.equal("conflict", (select(3, set { admit = "listed" })))
    assert.equal("usage", (select(3, set { admit = "some" })))
    assert.equal("auto", products.find(world(), "pk").mode)
  end)
end)

-- What a device may have: batches, rollouts in waves, and the automatic mode.

local filters = require "depot.filter"
local grants = require "depot.grants"
local natives = require "update.natives"
local places = require "depot.rollout.place"
local plans = require "depot.rollout.plan"
local world = require "spec.support.depot_world"

local entry = world.entry

describe("depot.grants", function()
  local function job(row, entries, rollouts, auto)
    local by_digest = {}
    for _, e in ipairs(entries) do by_digest[e.manifest.digest] = e end
    for i, r in ipairs(rollouts or {}) do
      r.id, r.plan, r.priority = i, r.plan or plans.BATCH, r.priority or 0
      r.state, r.wave = r.state or "running", r.wave or 1
    end
    local got = grants.of(row, { packages = entries, by_digest = by_digest, rollouts = rollouts or {},
      mode = function() return auto and "auto" or "staged" end,
      sha256 = natives.digest.sha256, is_member = function(_, device) return device.device == "member" end,
      shuts_out = function(device) return device.stranger == true end })
    return got and got.kind .. " " .. got.target
  end

  local row = { cloud = "aliyun", product = "p", device = "dn", hash = "h", release = "1.0" }

  it("gives no device anything by itself", function()
    assert.is_nil(job(row, { entry(2, "1.1") }))
  end)

  it("gives the newest full package of the product when told to", function()
    local list = { entry(2, "1.1"), entry(3, "1.2"), entry(4, "1.3", { product_key = "x" }),
      entry(5, "1.4", { parts = { { kind = "core", delta = true } } }),
      entry(6, "1.5", { devices = { other = true } }) }
    assert.equal("auto 1.2", job(row, list, nil, true))
    assert.equal("auto 1.5", job({ hash = "h", device = "other", release = "1.0" }, list, nil, true))
  end)

  it("gives no release back that is older than the one that runs", function()
    local list = { entry(2, "1.1"), entry(3, "1.2") }
    assert.is_nil(job({ hash = "h", device = "dn", release = "1.2" }, list, nil, true))
    assert.is_nil(job({ hash = "h", device = "dn", release = "x", other = "1.2" }, list, nil, true))
    assert.is_nil(job({ hash = "h", device = "dn", release = "1.10" }, list, nil, true)) -- not in the catalog
    assert.equal("auto 1.2", job({ hash = "h", device = "dn", release = "1.1.9" }, list, nil, true))
    local cores = { entry(2, "1.1-V22") }
    assert.is_nil(job({ hash = "h", device = "dn", release = "1.1-V23" }, cores, nil, true))
    assert.is_nil(job({ hash = "h", device = "dn", release = "1.2-V9" }, cores, nil, true))
    assert.equal("auto 1.1-V22", job({ hash = "h", device = "dn", release = "1.1-V9" }, cores, nil, true))
    assert.equal("auto 1.1-V22", job({ hash = "h", device = "dn", release = "1.1" }, cores, nil, true))
    assert.is_nil(job({ hash = "h", device = "dn", release = "app-2018" }, list, nil, true)) -- nothing tells
    local early = { entry(2, "v1.1-rc10") }
    assert.equal("auto v1.1-rc10", job({ hash = "h", device = "dn", release = "1.1-rc2" }, early, nil, true))
    assert.equal("auto v1.1-rc10", job({ hash = "h", device = "dn", release = "1.1-rc2-V7" }, early, nil, true))
    assert.is_nil(job({ hash = "h", device = "dn", release = "1.1" }, early, nil, true))
    assert.is_nil(job({ hash = "h", device = "dn", release = "1.1-rc10" }, early, nil, true))
    local build = { entry(2, "1.1+b2") }
    assert.is_nil(job({ hash = "h", device = "dn", release = "1.1+b1" }, build, nil, true)) -- nothing tells
    assert.equal("auto 1.1+b2", job({ hash = "h", device = "dn", release = "1.1+b1" },
      { entry(1, "1.1+b1"), build[1] }, nil, true))
    assert.equal("auto 1.2", job({ hash = "h", device = "dn", release = "app-2018", other = "1.0" }, list, nil, true))
    assert.is_nil(job({ hash = "h", device = "dn" }, list, nil, true)) -- nothing reported yet
  end)

  it("gives packages of rollouts, the highest sequence first", function()
    local list = { entry(2, "1.1"), entry(3, "1.2") }
    local function rollout(release, fields)
      local r = { package = "d" .. release, target = release, hash = "h" }
      for name, value in pairs(fields or {}) do r[name] = value end
      return r
    end
    assert.equal("batch 1.2", job(row, list, { rollout "1.1", rollout "1.2" }))
    assert.equal("batch 1.1", job(row, list, { rollout "1.1", rollout("1.2", { source = "0.9" }) }))
    assert.equal("batch 1.1", job(row, list, { rollout "1.1", rollout("1.2", { cloud = "tencent" }) }))
    assert.equal("batch 1.2", job(row, list, { rollout("1.2", { cloud = "aliyun", product = "p", source = "1.0" }) }))
    local lab = { filter = "name:d*", means = filters.parse "name:d*" }
    assert.equal("batch 1.2", job(row, list, { rollout("1.2", lab), rollout "1.1" }))
    lab.means = filters.parse "-name:d*"
    assert.equal("batch 1.1", job(row, list, { rollout("1.2", lab), rollout "1.1" }))
    lab.means = nil -- what nobody can read means nobody
    assert.equal("batch 1.1", job(row, list, { rollout("1.2", lab), rollout "1.1" }))
    assert.is_nil(job(row, list, { rollout "1.9", rollout("1.1", { hash = "x" }), rollout("1.2", { product = "q" }) }))
  end)

  it("says when the hardware of a device is why it gets nothing", function()
    local list = { entry(2, "1.1", { hardware = { "A" } }), entry(3, "1.2", { hardware = { "B" } }),
      entry(4, "1.3", { hardware = { "A" }, devices = { other = true } }) }
    local function why(hardware, release)
      local by_digest = {}
      for _, e in ipairs(list) do by_digest[e.manifest.digest] = e end
      local given, text = grants.of_rollout({ package = "d" .. release, hash = "h", plan = plans.BATCH, priority = 0,
        state = "running", wave = 1 }, { cloud = "aliyun", product = "p", device = "dn", hash = "h", release = "1.0",
        hardware = hardware }, { packages = list, by_digest = by_digest, rollouts = {},
        shuts_out = function() return false end })
      return given and given.target or text
    end
    assert.same({ "1.1", "other hardware", "hardware unknown", "not on the list" },
      { why("A", "1.1"), why("B", "1.1"), why(nil, "1.1"), why("A", "1.3") })
    assert.equal("auto 1.1", job({ hash = "h", device = "dn", release = "1.0", hardware = "A" }, list, nil, true))
    assert.is_nil(job(row, list, nil, true))
  end)

  it("rolls nothing out over a newer release, or an unordered one unless the source is named", function()
    local list = { entry(2, "1.1"), entry(3, "1.2"), entry(4, "blue") }
    local function given(release, target, source)
      return job({ hash = "h", device = "dn", release = release }, list,
        { { package = "d" .. target, target = target, hash = "h", source = source } })
    end
    assert.is_nil(given("1.2", "1.1"))
    assert.is_nil(given("1.2", "1.1", "1.2"))
    assert.is_nil(given("1.3", "1.2")) -- not in the catalog
    assert.is_nil(given("green", "1.2"))
    assert.equal("batch 1.2", given("green", "1.2", "green"))
    assert.equal("batch blue", given("1.2", "blue"))
    assert.is_nil(given("blue", "1.2"))
  end)

  describe("in waves", function()
    local list = { entry(2, "1.1") }
    local function given(device, fields)
      local rollout = { package = "d1.1", target = "1.1", hash = "h", plan = plans.read {} }
      for name, value in pairs(fields or {}) do rollout[name] = value end
      return job({ cloud = "aliyun", product = "p", hash = "h", device = device, release = "1.0" }, list, { rollout })
    end

    it("gives each device its release when its wave is open, and not before", function()
      local seen = {}
      for i = 1, 200 do
        local name = "dev" .. i
        local wave = places.wave({ 1, 10, 50, 100 }, places.of(natives.digest.sha256, "h", 2, name))
        seen[wave] = true
        for open = 0, 4 do
          assert.equal(open >= wave and "batch 1.1" or nil, (given(name, { wave = open })))
        end
      end
      assert.same({ true, true, true, true }, seen)
    end)

    for state, offers in pairs { draft = false, scheduled = false, running = true, soaking = true, waiting = true,
      paused = false } do
      it(("gives %s while the rollout is %s"):format(offers and "its release" or "nothing", state), function()
        assert.equal(offers and "batch 1.1" or nil, (given("dn", { state = state, wave = 4 })))
      end)
    end

    it("gives fixed members alone", function()
      local plan = plans.read { members = "fixed" }
      assert.is_nil(given("other", { wave = 4, plan = plan }))
      assert.equal("batch 1.1", given("member", { wave = 4, plan = plan }))
    end)
  end)
end)

-- A core by delta, from the depot onto a device: with the real program.

local world = require "spec.support.world"

describe("a device and deltas", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local w

  before_each(function() w = world.new() end)
  after_each(function() w:close() end)

  local old = world.core(17)

  -- Core 18, which differs from 17 in a few places and is longer.
  local function next_core(from)
    local image = old.image:sub(1, 20000) .. "eighteen" .. old.image:sub(20001, 50000):gsub("a", "b")
      .. old.image:sub(50001)
    return { version = 18, image = image, from = from or old }
  end

  local function assert_slot(name, image)
    assert.truthy(w:read(("slot-%s.img"):format(name)):sub(1, #image) == image)
  end

  it("takes the delta against its core, and runs the new one", function()
    w:device {}
    local core = next_core()
    w:publish { core = core }
    assert.is_true(#w:read("depot/p2-from-17.upd") < #w:read("depot/p2.upd") / 5)
    w:start("device", "run -v") -- with the gates that let it in
    local status = w:wait_status { phase = "idle", release = "1.0.1" }
    assert.same({ 18, "b" }, { status.core.version, status.core.running })
    assert_slot("b", core.image)
    assert.matches("core_version=17 version=1.0.0 %-> p2%-from%-17.upd %(delta against core 17%)", w:read("depot.log"))
    assert.is_nil((w:read("depot.log")):find("-> p2.upd", 1, true))
    assert.matches("gate source: ok, a delta against the core in slot a", w:read("device.log"))
  end)

  it("is told by doctor whether deltas can be made from the slot that runs", function()
    w:device {}
    local _, out = w:moult "doctor"
    assert.matches("ok    deltas     the running slot a is not mounted: deltas can be applied", out)
  end)

  it("asks for the full package when its core is another of that version", function()
    w:device {}
    local core = next_core { version = 17, image = old.image:sub(1, -2) .. "?" }
    w:publish { core = core }
    w:run()
    w:wait_status { phase = "idle", release = "1.0.1" }
    assert_slot("b", core.image)
    assert.matches("%(delta against core 17%).*p2.upd %(full, asks for no delta%)", w:read("depot.log"))
    assert.matches("agent: 1.0.1: [^\n]*slot a[^\n]*; asking for the full package", w:read("device.log"))
  end)

  it("waits on a metered link rather than take the full package, and says so", function()
    w:device { config = "limits = { data_cap = 20000 },",
      body = "update.setup { facts = function() return { metered = true } end }" }
    w:publish { core = next_core { version = 17, image = old.image .. "!" } }
    w:run()
    w:wait_log("device", "rule data_cap: stop, the full package needs %d+ bytes, over 20000")
    local code, out = w:moult "check"
    assert.equal(20, code)
    assert.matches("defer %(data_cap%)", out)
    local status = w:status()
    assert.same({ "idle", "1.0.0" }, { status.phase, status.release })
    assert.truthy(w:read("slot-b.img") == ("\0"):rep(1 << 20)) -- not a byte was fetched into it
  end)

  it("takes the full package when the owner's policy prefers it", function()
    w:write("policy.lua", [[
      local default = require "update.policy"
      return { decide = function(offer, device, limits)
        local decision, tree = default.decide(offer, device, limits)
        decision.prefer = "full"
        return decision, tree
      end }]])
    w:device { config = 'policy = "policy.lua",' }
    w:publish { core = next_core() }
    w:run()
    w:wait_status { phase = "idle", release = "1.0.1" }
    assert.matches("1.0.1: policy prefers the full package; asking for it", w:read("device.log"))
    assert.matches("p2.upd %(full, asks for no delta%)", w:read("depot.log"))
  end)

  it("is given what `depot pack` makes of a folder of cores", function()
    w:device {}
    local core = next_core()
    w:write("depot/core17.img", old.image)
    w:write("depot/core18.img", core.image)
    w:shell "cp -r src-1/app depot/app"
    w:write("depot/recipe.lua", [[return { project = "METER", product_key = "k-123", sequence = 7, version = "1.0.0",
      script = { dir = "app" }, core = { name = "Luat_RDA8910", version = 17, image = "core17.img" } }]])
    local code, out, err = w:moult "depot pack depot -k release.key -q"
    assert.equal(0, code, err)
    assert.matches("METER_1.0.0%-V18%-from%-17.upd: release 1%.0%.0%-V18, sequence 8, %d+ bytes, for core version 17",
      out)
    w:run()
    local status = w:wait_status { phase = "idle", release = "1.0.0-V18" }
    assert.same({ 18, "b" }, { status.core.version, status.core.running })
    assert_slot("b", core.image)
    assert.matches("%-> METER_1.0.0%-V18%-from%-17.upd %(delta against core 17%)", w:read("depot.log"))
  end)

  it("waits while the depot's packages are being made", function()
    local natives, pending = require "update.natives", require "depot.pending"
    w:device {}
    local coming = { name = "p2-from-17.upd", manifest = { project = "METER", sequence = 2, release = "1.0.1",
      product_key = natives.digest.sha256("k-123"), script_version = "1.0.1", core_name = "Luat_RDA8910",
      core_version = 18, parts = { { kind = "script" }, { kind = "core", delta = true, source_version = 17 } } } }
    assert(pending.write(natives, w:path("depot"), { coming }))
    w:run()
    w:wait_log("depot", "%-> code 43 ")
    local code, _, err = w:moult "check"
    assert.equal(5, code, err)
    assert(pending.write(natives, w:path("depot"), {}))
    assert.equal("idle", w:status().phase)
  end)
end)

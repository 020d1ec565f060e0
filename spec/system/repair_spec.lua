-- The script of the release that runs is damaged, and its archive is gone: the
-- same release may be installed again, and nothing else that is not newer.

local world = require "spec.support.world"

local TICK = world.TICK

describe("a device whose script is damaged for good", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local w

  before_each(function()
    w = world.new()
    w:configure("", { heartbeat = 10 })
    for n = 1, 2 do w:pack { version = "1.0." .. n, sequence = n, body = TICK } end
    assert.equal(0, (w:moult "provision p1.upd -q"))
    w:run()
    w:install("p2.upd", 4)
    w:wait_status({ phase = "idle", release = "1.0.2" }, 30)
  end)

  after_each(function()
    for name in pairs(w.running) do w:stop(name, "KILL") end
    w:close()
  end)

  local function damage() return type(w:status().script.damage) == "string" end

  local function spoil(how)
    w:stop "device"
    assert(w:shell(how or "rm state/script/2.tar && echo broken > state/script/2/main.lua"))
    w:run "spoilt.log"
    w:wait("its damage", damage, 30)
  end

  it("takes the same release once more, and is whole", function()
    assert.equal(3, (w:moult "install p2.upd -q")) -- nothing is wrong yet
    spoil()
    local code, _, err = w:moult "install p1.upd -q"
    assert.equal(15, code, err)
    local _, out = w:moult "explain p2.upd"
    assert.is_truthy(out:find "gate floor%s+the script of this release is damaged, so it may be installed again")
    assert.equal(4, (w:moult "install p2.upd -q"))
    w:wait("a whole script", function() return not damage() and w:status().phase == "idle" end, 30)
    w:wait("the script", function() return (w:read "spoilt.log"):find "working 1.0.2" end, 30)
    assert.equal(3, w:status().script.generation)
    assert.equal(3, (w:moult "install p2.upd -q"))
  end)

  it("takes it, too, if everything about scripts is lost", function()
    spoil "rm -r state/script"
    assert.equal(4, (w:moult "install p2.upd -q"))
    w:wait("a whole script", function() return not damage() and w:status().phase == "idle" end, 30)
    w:wait("the script", function() return (w:read "spoilt.log"):find "working 1.0.2" end, 30)
  end)

  it("is as before if that install is dropped", function()
    spoil()
    assert.equal(4, (w:moult "install p2.upd -q --progress=none"))
    w:moult "rollback"
    w:wait_status({ phase = "idle" }, 30)
    assert.equal(4, (w:moult "install p2.upd -q"))
    w:wait("a whole script", function() return not damage() and w:status().phase == "idle" end, 30)
  end)
end)

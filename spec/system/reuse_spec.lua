-- A full package over HTTP to a device whose running core holds most of it.

local world = require "spec.support.world"

local BLOCK = 256 * 1024

describe("reuse", function()
  if not world.new then
    return pending("needs the host")
  end
  local w

  -- The old image and a new one: two blocks have changed places, one is new, the rest is the same.
  local old = world.core(1, 8 * BLOCK).image
  local function block(image, i) return image:sub(i * BLOCK + 1, (i + 1) * BLOCK) end
  local fresh = table.concat { block(old, 1), block(old, 0), old:sub(2 * BLOCK + 1, 5 * BLOCK),
    block(world.core(2, 8 * BLOCK).image, 5), old:sub(6 * BLOCK + 1) }

  before_each(function()
    w = world.new()
  end)

  after_each(function()
    w:stop("depot")
    w:shell("rm -rf -- " .. w.dir)
  end)

  -- A device with the old core; `fields` goes into its configuration.
  local function device(fields)
    w:configure('core = { slots = { a = "slot-a.img", b = "slot-b.img" }, boot = "file" },' .. fields)
    w:pack { sequence = 1, version = "1.0.0", core = { version = 1, image = old } }
    assert.equal(0, (w:moult("provision p1.upd")))
    w:pack { sequence = 2, version = "1.0.0", core = { version = 2, image = fresh }, name = "depot/new.upd" }
    w:serve()
  end

  -- Bytes of the package that the depot sent for an install, and in how many answers.
  local function install()
    local before = #w:read("depot.log")
    local code, _, err = w:moult("install", w.url .. "/new.upd", "-v")
    assert.equal(4, code, err)
    local bytes, answers = 0, 0
    for n in w:read("depot.log"):sub(before + 1):gmatch("GET /new%.upd 206 (%d+) bytes") do
      bytes, answers = bytes + math.tointeger(tonumber(n)), answers + 1
    end
    assert.equal(fresh, w:read("slot-b.img"))
    assert.equal(old, w:read("slot-a.img"))
    return bytes, answers
  end

  it("fetches only the block that the device lacks", function()
    device("")
    local bytes, answers = install()
    assert.is_true(bytes < BLOCK + 32 * 1024, bytes)
    assert.is_true(bytes >= BLOCK, bytes)
    assert.is_true(answers <= 4, answers)
  end)

  it("can be switched off", function()
    device("reuse = false,")
    assert.is_true(install() > 8 * BLOCK)
  end)

  it("can be switched off by policy", function()
    w:write("policy.lua", [[
      local default = require "update.policy"
      return { decide = function(...)
        local decision, tree = default.decide(...)
        decision.reuse = false
        return decision, tree
      end }]])
    device('policy = "policy.lua",')
    assert.is_true(install() > 8 * BLOCK)
  end)

  it("finds the blocks that an earlier try left in the target", function()
    device("")
    w:write("slot-a.img", ("\0"):rep(#old)) -- nothing to be had there
    w:write("slot-b.img", fresh:sub(1, 4 * BLOCK) .. ("\1"):rep(#fresh - 4 * BLOCK))
    local before = #w:read("depot.log")
    assert.equal(4, (w:moult("install", w.url .. "/new.upd")))
    local bytes = 0
    for n in w:read("depot.log"):sub(before + 1):gmatch("GET /new%.upd 206 (%d+) bytes") do
      bytes = bytes + math.tointeger(tonumber(n))
    end
    assert.is_true(bytes < 4 * BLOCK + 32 * 1024 and bytes >= 4 * BLOCK, bytes)
    assert.equal(fresh, w:read("slot-b.img"))
  end)
end)

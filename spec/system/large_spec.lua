-- A core of more than 4 GiB, sparse: packs, verifies, installs, and what is
-- beyond 32 bits lands where it belongs.

local world = require "spec.support.world"

local GIB = 1 << 30
local SIZE = 4 * GIB + 300000
-- Offset and bytes of what is not zero: around 4 GiB, and the last bytes.
local MARKS = { { 0, "first" }, { 4 * GIB - 3, "across" }, { 4 * GIB + 262144, "beyond" }, { SIZE - 4, "last" } }

describe("a core over 4 GiB", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local w

  setup(function() w = world.new() end)
  teardown(function() w:close() end)

  local function free()
    local pipe = assert(io.popen(("df -B1 --output=avail '%s' | tail -n 1"):format(w.dir)))
    local bytes = pipe:read("n")
    pipe:close()
    return bytes
  end

  local function mark(name)
    local file = assert(io.open(w:path(name), "wb"))
    for _, row in ipairs(MARKS) do
      assert(file:seek("set", row[1]))
      assert(file:write(row[2]))
    end
    assert(file:close())
  end

  local function assert_marks(name)
    local file = assert(io.open(w:path(name), "rb"))
    assert.equal(SIZE, file:seek("end"))
    for _, row in ipairs(MARKS) do
      file:seek("set", row[1])
      assert.equal(row[2], file:read(#row[2]))
    end
    file:seek("set", 4 * GIB + 10)
    assert.equal(("\0"):rep(64), file:read(64))
    file:close()
  end

  it("packs, verifies, and installs", function()
    -- The slot is allocated as a slot is: zeros take room on the medium.
    if free() < SIZE + 2 * GIB then return pending("needs 6 GiB of free space") end
    w:configure [[core = { slots = { a = "slot-a.img", b = "slot-b.img" }, boot = "file" },]]
    w:pack { sequence = 1, version = "1.0.0", core = world.core(17) }
    assert.equal(0, (w:moult "provision p1.upd -q"))

    mark "big.img"
    w:write("big.lua", [[return { project = "METER", product_key = "k-123", hardware = { "rev-a" }, sequence = 2,
      version = "1.0.0", core = { name = "Luat_RDA8910", version = 22, image = "big.img" } }]])
    assert.equal(0, (w:moult "pack big.lua -o big.upd -k release.key -q"))
    assert.equal(0, (w:moult "verify big.upd -k keys"))
    local code, _, err = w:moult "install big.upd -q"
    assert.equal(4, code, err)
    assert_marks "slot-b.img"
    assert.equal("armed", w:status().phase)
  end)
end)

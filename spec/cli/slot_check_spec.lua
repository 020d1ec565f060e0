-- What doctor says of a slot, by what was seen of it.

local slot_check = require "cli.slot_check"

local KIB, MIB = 1024, 1024 * 1024

-- The media as update.native.slot has them.
local MEDIA = {
  file = { title = "regular file", made = true, cached = true },
  block = { title = "block device", cached = true },
  nor = { title = "NOR flash", erasable = true },
  nand = { title = "NAND flash", erasable = true, bad_blocks = true },
  ubi = { title = "UBI volume", atomic = true },
  ram = { title = "battery-backed RAM" }, -- one that doctor never heard of
}

local function view(overrides)
  local v = { there = true, mounted = false, writable = true, why = "", size = 64 * MIB,
    capacity = 64 * MIB, erase_size = 128 * KIB, write_size = 2 * KIB, blocks = 512, bad = 0 }
  for key, value in pairs(MEDIA[overrides.kind or "nand"]) do v[key] = value end
  for key, value in pairs(overrides) do v[key] = value end
  return v
end

describe("slot_check.judge", function()
  local cases = {
    { "tells the geometry of NAND",       {}, false, "ok",
      "/s, NAND flash of 64.0 MiB, erase blocks of 128 KiB, pages of 2.00 KiB, 0 of 512 blocks bad, 64.0 MiB usable" },
    { "takes a fiftieth of bad blocks",   { bad = 10 }, false, "ok", "10 of 512 blocks bad" },
    { "warns of more",                    { bad = 11 }, false, "warn", "11 of 512", "worn out" },
    { "tells the erase blocks of NOR",    { kind = "nor", erase_size = 64 * KIB }, false, "ok",
      "/s, NOR flash of 64.0 MiB, erase blocks of 64.0 KiB" },
    { "refuses flash that is read-only",  { writable = false, why = "the flash is read-only" }, false, "fail",
      "cannot be written: the flash is read-only", "device tree", "write" },
    { "tells what UBI divides",           { kind = "ubi", erase_size = 126 * KIB, blocks = 0 }, false, "ok",
      "/s, UBI volume of 64.0 MiB, logical blocks of 126 KiB" },
    { "knows a medium by its traits alone", { kind = "ram", blocks = 0 }, false, "ok",
      "/s, battery-backed RAM of 64.0 MiB" },
    { "tells a block device",             { kind = "block", erase_size = 0, blocks = 0 }, false, "ok",
      "/s, block device of 64.0 MiB" },
    { "tells where a link leads, and what that is at every boot",
      { kind = "block", blocks = 0, node = "/dev/sda2", identity = "PARTUUID=1" }, false, "ok",
      "/s -> /dev/sda2 (PARTUUID=1), block device" },
    { "tells no link of what is none",    { kind = "block", blocks = 0, node = "/s", identity = "" }, false, "ok",
      "/s, block device" },
    { "tells how it is read back",        { kind = "block", blocks = 0, read_back = "direct" }, false, "ok",
      "64.0 MiB, read back past the cache" },
    { "tells that there is no other way", { kind = "file", blocks = 0, read_back = "dropped" }, false, "ok",
      "64.0 MiB, read back after its cache is dropped" },
    { "warns of what stays in memory",    { kind = "file", blocks = 0, read_back = "cached" }, false, "warn",
      "perhaps partly from the cache", "cannot be read back from the medium" },
    { "has no such words for flash",      { kind = "nor", read_back = "direct" }, false, "ok",
      "erase blocks of 128 KiB" },
    { "refuses what nobody here may write", { kind = "block", blocks = 0, writable = false, why = "Permission denied" },
      false, "fail", "cannot be written: Permission denied", "user", "write" },
    { "takes the running slot mounted",   { kind = "block", mounted = true, blocks = 0 }, true, "ok", "block device" },
    { "refuses the other one mounted",    { kind = "block", mounted = true, blocks = 0 }, false, "fail", "is mounted",
      "unmount", "busy" },
    { "refuses what is not there",        { there = false }, false, "fail", "/s: no such file", "make the image",
      "write" },
  }
  for _, case in ipairs(cases) do
    local name, overrides, running, level, text, advice, code = table.unpack(case)
    it(name, function()
      local got = { slot_check.judge("/s", view(overrides), running) }
      assert.equal(level, got[1])
      assert.truthy(got[2]:find(text, 1, true), got[2])
      assert.equal(code, got[4])
      if advice then assert.truthy(got[3]:find(advice, 1, true), got[3]) else assert.is_nil(got[3]) end
    end)
  end
end)

describe("slot_check.state", function()
  local cases = {
    { "tells what a sync takes",        { "direct", 12 },          "ok",   "/d, a sync takes 12 ms, read back past" },
    { "takes one as long as the heartbeat", { "direct", 4000 },    "ok",   "4000 ms" },
    { "warns of a longer one",          { "direct", 4001 },        "warn", "4001 ms", "the heartbeat, 4 s" },
    { "warns of a state in memory",     { "cached", 0 },           "warn", "from the cache", "power fails" },
  }
  for _, case in ipairs(cases) do
    local name, found, level, text, advice = table.unpack(case)
    it(name, function()
      local got = { slot_check.state("/d", found[1], found[2], 4) }
      assert.equal(level, got[1])
      assert.truthy(got[2]:find(text, 1, true), got[2])
      if advice then assert.truthy(got[3]:find(advice, 1, true), got[3]) else assert.is_nil(got[3]) end
    end)
  end
end)

describe("slot_check.compare", function()
  it("says that one device is smaller", function()
    local text = slot_check.compare(view {}, view { size = 32 * MIB })
    assert.equal("they differ in size: 32.0 MiB and 64.0 MiB", text)
  end)

  it("has nothing to say of equal devices, of files, or of one that was not seen", function()
    assert.is_nil(slot_check.compare(view {}, view {}))
    assert.is_nil(slot_check.compare(view { kind = "file" }, view { size = 1 }))
    assert.is_nil(slot_check.compare(nil, view {}))
  end)
end)

describe("slot_check.source", function()
  local cases = {
    { "takes a slot that is not mounted",     { slot = "a", mounted = "no" }, nil, "ok",
      "the running slot a is not mounted" },
    { "takes one that is mounted read-only",  { slot = "b", mounted = "read-only" }, nil, "ok", "mounted read-only" },
    { "warns of one that is mounted read-write", { slot = "b", mounted = "read-write" }, nil, "warn",
      "the running slot b is mounted read-write: it cannot be the base of a delta", "read-only" },
    { "warns when that cannot be told",       nil, "slot /s: cannot tell", "warn", "cannot tell: no delta", "/proc" },
  }
  for _, case in ipairs(cases) do
    local name, source, message, level, text, advice = table.unpack(case, 1, 6)
    it(name, function()
      local got = { slot_check.source(source, message) }
      assert.equal(level, got[1])
      assert.truthy(got[2]:find(text, 1, true), got[2])
      if advice then assert.truthy(got[3]:find(advice, 1, true), got[3]) else assert.is_nil(got[3]) end
    end)
  end
end)

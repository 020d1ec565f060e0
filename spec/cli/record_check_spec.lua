-- What doctor says of the records and of what they lie on.

local record_check = require "cli.record_check"

local function file(state, size, path) return { path = path or "/s/journal.1", state = state, size = size or 65536 } end

describe("record_check.judge", function()
  local cases = {
    { "is content with whole files", { file "whole", file "whole" }, "ok", "journal: both files" },
    { "names what is gone",          { file "whole", file "absent" }, "warn", "/s/journal.1: absent" },
    { "names what is broken",        { file "broken", file "whole" }, "warn", "/s/journal.1: broken" },
    { "takes 64 KiB for long",       { file("whole", 65536), file("whole", 65536) }, "ok", "64 KiB" },
    { "takes less for short",        { file("whole", 65535), file("whole", 65536) }, "warn", "65535 bytes" },
  }
  for _, case in ipairs(cases) do
    local name, files, level, text = table.unpack(case)
    it(name, function()
      local lines = record_check.judge { { name = "journal", files = files } }
      assert.equal(1, #lines)
      assert.equal(level, lines[1].level)
      assert.matches(text, lines[1].text, 1, true)
      assert.equal(level == "warn", lines[1].advice ~= nil)
    end)
  end

  it("says all that is wrong", function()
    local lines = record_check.judge { { name = "journal", files = { file "absent", file "whole" } },
      { name = "boot", files = { file "whole", file("whole", 512) } } }
    assert.equal(2, #lines)
  end)
end)

describe("record_check.media", function()
  local MOUNTS = [[
22 1 179:2 / / rw,noatime shared:1 - ext4 /dev/mmcblk0p2 rw
23 22 179:3 / /data rw - ext4 /dev/mmcblk0p3 rw
24 22 0:30 / /with\040blank rw - ubifs ubi0:data rw
25 22 0:31 / /run rw - tmpfs tmpfs rw
26 22 8:1 / /disk rw - ext4 /dev/sda1 rw
]]
  local function look(state, rotational, second)
    return record_check.media({ state = state, journal_dir = second }, function(path)
      if path == "/proc/self/mountinfo" then return MOUNTS end
      return path:find "/%.%./queue" and rotational or nil
    end)
  end
  local cases = {
    { "finds the root",                  "/var/state",      "0\n", "ok",   "ext4 on /dev/mmcblk0p2: its controller" },
    { "finds the nearest",               "/data/state",     "0\n", "ok",   "/dev/mmcblk0p3" },
    { "does not take a name's beginning", "/database",      "0\n", "ok",   "/dev/mmcblk0p2" },
    { "knows a disk",                    "/disk/state",     "1\n", "ok",   "a disk" },
    { "knows what writes elsewhere",     "/with blank/s",   nil,   "ok",   "ubifs on ubi0:data: each write goes" },
    { "warns of memory",                 "/run/moult",      nil,   "warn", "gone after a power cut" },
    { "takes silence for a controller",  "/data",           nil,   "ok",   "proves nothing" },
  }
  for _, case in ipairs(cases) do
    local name, state, rotational, level, text = table.unpack(case)
    it(name, function()
      local lines = look(state, rotational)
      assert.equal(1, #lines)
      assert.equal(level, lines[1].level)
      assert.matches(text, lines[1].text, 1, true)
    end)
  end

  it("warns of a second directory in the same file system", function()
    assert.equal("warn", look("/data/state", "0\n", "/data/other")[2].level)
    assert.matches("is on /dev/sda1", look("/data/state", "0\n", "/disk/other")[2].text, 1, true)
  end)

  it("says when nothing can be seen", function()
    local lines = record_check.media({ state = "/s" }, function() return nil end)
    assert.matches("cannot be determined", lines[1].text, 1, true)
  end)
end)

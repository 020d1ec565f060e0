local digest = require "update.native.digest"
local files = require "spec.support.files"
local flash = require "update.native.flash"

-- The rules of raw flash and UBI, and what a power cut leaves, are in spec/native/flash_image_check.c.

local FIRMWARE = ("radio 2.1 "):rep(300000) -- 3 MB

local function shell(command) return (files.output_of(command):gsub("\n$", "")) end

-- Until it says no longer that a part is done.
local function whole(step, ...)
  local value, message, code
  repeat value, message, code = step(...) until code ~= "again"
  return value, message, code
end

describe("flash", function()
  local dir, path

  before_each(function()
    dir = shell "mktemp -d"
    path = dir .. "/radio.img"
  end)

  after_each(function()
    os.execute(("cd '%s' && for l in $(cat loops 2>/dev/null); do umount $l; losetup -d $l; done 2>/dev/null; "
      .. "rm -rf '%s'"):format(dir, dir))
    collectgarbage()
  end)

  -- A loop device of a file in `dir`; nil where none can be made.
  local function loop_of(name, size)
    local file = dir .. "/" .. name
    if size then assert(os.execute(("truncate -s %d '%s'"):format(size, file))) end
    local device, code = files.output_of(("losetup -f --show '%s'"):format(file))
    if code ~= 0 then return nil end
    device = device:match "%S+"
    os.execute(("echo %s >>'%s/loops'"):format(device, dir))
    return device
  end

  local function write_in_pieces(f, text, step)
    for at = 1, #text, step do assert.is_true(f:write(at - 1, text:sub(at, at + step - 1))) end
    assert.is_true(f:sync())
  end

  local function refused(wanted_code, pattern, ...)
    local f, message, code = flash.open(...)
    assert.is_nil(f)
    assert.equal(wanted_code, code, message)
    assert.matches("^flash /", message)
    assert.matches(pattern, message)
  end

  it("writes a file in pieces, which then holds the image and nothing else", function()
    files.write(path, ("old"):rep(2000000))
    local f <close> = assert(flash.open(path, #FIRMWARE))
    write_in_pieces(f, FIRMWARE, 100001)
    assert.equal(digest.sha256(FIRMWARE), whole(f.digest, f))
    assert.equal(digest.md5(FIRMWARE), whole(f.digest, f, "md5"))
    assert.equal(FIRMWARE:sub(11, 30), f:read(10, 20))
    assert.equal(FIRMWARE:sub(-5), f:read(#FIRMWARE - 5, 1 << 20))
    assert.equal("", f:read(#FIRMWARE, 10))
    assert.equal(FIRMWARE, files.read(path))
  end)

  it("makes a file that is missing, but no device", function()
    local f <close> = assert(flash.open(path, 10))
    write_in_pieces(f, "0123456789", 3)
    assert.equal("0123456789", files.read(path))
    refused("missing", "No such file", "/dev/no-such-device", 10)
    refused("missing", "No such file", dir .. "/none/radio.img", 10)
  end)

  it("reports the bytes that it has before the offset", function()
    files.write(path, "0123456789")
    local f <close> = assert(flash.open(path, 4))
    local g = f:geometry()
    assert.is_true(g.capacity > 10)
    g.capacity = nil
    assert.same({ node = path, identity = "", kind = "file", title = "regular file", image = 4, erase_size = 0,
      write_size = 0, blocks = 0, bad = 0, in_order = false, atomic = false }, g)
  end)

  it("keeps what lies before an image with an offset", function()
    files.write(path, "0123456789")
    local f <close> = assert(flash.open(path, 3, { offset = 4 }))
    write_in_pieces(f, "abc", 3)
    assert.equal("0123abc", files.read(path))
    assert.equal("abc", f:read(0, 10))
  end)

  it("reads an image that it cannot write", function()
    files.write(path, "0123456789")
    local f <close> = assert(flash.open(path, nil, { read_only = true, offset = 2, apart = { path } }))
    assert.equal(8, f:geometry().image)
    assert.equal("23456789", f:read(0, 100))
    assert.equal(digest.sha256 "23456789", whole(f.digest, f))
    local done, message, code = f:write(0, "x")
    assert.same({ nil, "flash " .. path .. ": is open to read only", "usage" }, { done, message, code })
  end)

  it("erases the given range, one part in each call", function()
    files.write(path, ("x"):rep(3 << 20))
    local f <close> = assert(flash.open(path, 3 << 20))
    assert.same({ nil, "nothing yet", "again" }, { f:erase() })
    assert.is_true(whole(f.erase, f))
    assert.is_true(f:sync())
    assert.equal(("\0"):rep(3 << 20), files.read(path))
    assert.is_true(f:write(0, "new"))
    assert.equal("usage", select(3, f:erase()))
  end)

  it("reads only what was synced", function()
    local f <close> = assert(flash.open(path, 10))
    assert.is_true(f:write(0, "01234"))
    assert.equal("usage", select(3, f:read(0, 5)))
    assert.equal("usage", select(3, f:digest()))
    assert.is_true(f:sync())
    assert.equal("01234", f:read(0, 5))
  end)

  it("raises when it is used wrongly", function()
    local f = assert(flash.open(path, 10))
    for _, wrong in ipairs {
      function() flash.open() end,
      function() flash.open(path) end,
      function() flash.open(path, 0) end,
      function() flash.open(path, -1) end,
      function() flash.open(path, "many") end,
      function() flash.open(path, 10, "offset") end,
      function() flash.open(path, 10, { offset = -1 }) end,
      function() flash.open(path, 10, { offset = "front" }) end,
      function() flash.open(path, 10, { apart = path }) end,
      function() flash.open(path, 10, { apart = { 1 } }) end,
      function() flash.open(path, 10, { apart = table.pack(("x"):rep(50, " "):byte(1, -1)) }) end,
      function() flash.open(path, nil, { read_only = "yes" }) end,
      function() f:write("x") end,
      function() f:write(-1, "x") end,
      function() f:write(0) end,
      function() f:read(0, -1) end,
      function() f:read(0, (1 << 20) + 1) end,
      function() f:digest "crc" end,
      function() f.write({}, 0, "x") end,
    } do
      assert.is_false(pcall(wrong))
    end
    f:close()
    f:close()
    for _, name in ipairs { "geometry", "erase", "write", "sync", "read", "digest" } do
      assert.error_matches(function() f[name](f, 0, "x") end, "closed flash")
    end
  end)

  it("refuses ranges beyond the image or the medium", function()
    local f <close> = assert(flash.open(path, 10))
    assert.equal("usage", select(3, f:write(8, "abc")))
    assert.equal("usage", select(3, f:write(11, "")))
    refused("nospace", "it has room for", path, 1 << 60)
    refused("usage", "not an absolute path", "/" .. ("x/"):rep(5000), 10)
    assert.equal("usage", select(3, flash.open("radio.img", 10)))
    refused("usage", "must be a regular file, a block device, an MTD or a UBI volume", dir, 10)
    refused("usage", "must be a regular file", "/dev/null", 10)
  end)

  it("refuses slots and state, under any of their names", function()
    files.write(path, "slot")
    assert(os.execute(("cd '%s' && ln radio.img hard && ln -s radio.img link && mkdir state && touch state/file "
      .. "&& ln -s state other"):format(dir)))
    local apart = { apart = { path, dir .. "/state", dir .. "/later" } }
    for _, name in ipairs { "radio.img", "hard", "link" } do
      refused("usage", "is on the same medium as %S+radio.img, which this device runs from", dir .. "/" .. name, 4,
        apart)
    end
    for _, name in ipairs { "state/file", "state/new", "other/new", "state/../state/new" } do
      refused("usage", "is part of %S+state, which this device runs from", dir .. "/" .. name, 4, apart)
    end
    refused("usage", "is part of %S+later", dir .. "/later", 4, apart)
    assert.equal("slot", files.read(path))
    assert.is_nil(io.open(dir .. "/later"))
    local f <close> = assert(flash.open(dir .. "/stateless", 4, apart))
    assert.is_true(f:write(0, "abcd"))
  end)

  it("writes a block device", function()
    local device = loop_of("chip.img", 4 << 20)
    if not device then return pending("no loop devices here") end
    do
      local f <close> = assert(flash.open(device, #FIRMWARE, { offset = 4096 }))
      assert.equal("block", f:geometry().kind)
      assert.equal(4 << 20, f:geometry().capacity)
      write_in_pieces(f, FIRMWARE, 1 << 16)
      assert.equal(digest.sha256(FIRMWARE), whole(f.digest, f))
      refused("busy", "Device or resource busy", device, 10) -- ours alone
    end
    assert.equal(("\0"):rep(4096) .. FIRMWARE .. ("\0"):rep((4 << 20) - 4096 - #FIRMWARE),
      files.read(dir .. "/chip.img"))
    refused("nospace", "it has room for 4194304", device, (4 << 20) + 1)
  end)

  it("refuses the block devices of slots and state, by their numbers", function()
    local device = loop_of("slot.img", 1 << 20)
    if not device then return pending("no loop devices here") end
    local numbers = shell("stat -c '%Hr %Lr' " .. device)
    refused("usage", "is on the same medium as %S+slot.img", device, 10, { apart = { dir .. "/slot.img" } })
    refused("usage", "is on the same medium as " .. device, dir .. "/slot.img", 10, { apart = { device } })
    if not os.execute(("mknod '%s/node' b %s 2>/dev/null"):format(dir, numbers)) then return end
    refused("usage", "is on the same medium as " .. device, dir .. "/node", 10, { apart = { device } })
  end)

  it("refuses a mounted medium", function()
    local device = loop_of("fs.img", 8 << 20)
    local mounted = device and os.execute(("PATH=$PATH:/usr/sbin:/sbin; mkfs.ext4 -q %s && mkdir '%s/mnt' && "
      .. "mount -o ro %s '%s/mnt' 2>/dev/null"):format(device, dir, device, dir))
    if not mounted then return pending("no loop mounts here") end
    refused("busy", "is mounted, or what lies on it is", device, 10)
    refused("busy", "is mounted, or what lies on it is", dir .. "/fs.img", 10)
    assert(flash.open(device, 10, { read_only = true })):close()
  end)

  it("refuses the medium of the root file system, by its number", function()
    local major, minor = shell("stat -c '%Hd %Ld' /"):match "^(%d+) (%d+)$"
    local node = dir .. "/node"
    if not major or major == "0" or not os.execute(("mknod '%s' b %s %s && head -c 1 '%s' >/dev/null 2>&1")
      :format(node, major, minor, node)) then
      return pending("the root is on no block device that can be opened here")
    end
    refused("busy", "the running system has its root on it", node, 10)
  end)
end)

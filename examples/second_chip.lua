-- A device script that keeps the firmware of a second chip as it came with the package: radio.bin, beside this file.
-- The chip's flash, eMMC partition or UBI volume is CHIP; what is there already is compared and left alone. As the
-- main.lua of a device, or alone:
--     CHIP=/dev/mtd5 moult run examples/second_chip.lua
PROJECT, VERSION, PRODUCT_KEY = "METER", "1.0.0", "k-123"
local sys = require "sys"
require "update"
local digest = require "update.native.digest"
local flash = require "update.native.flash"

local CHIP = os.getenv "CHIP" or "/dev/mtd5"
local IMAGE = arg[0]:match "^(.*)/" .. "/radio.bin"
local PIECE = 65536

-- What works in parts is called until it is done; the other tasks run in between.
local function whole(step, f)
  local value, message, code
  repeat
    value, message, code = step(f)
    if code == "again" then sys.wait(0) end
  until code ~= "again"
  return value, message, code
end

-- Whether the chip has this firmware. What cannot be read has not.
local function is_there(size, wanted)
  local f <close> = flash.open(CHIP, size, { read_only = true })
  return f and whole(f.digest, f) == wanted
end

local function write(image, size)
  local f <close>, message = flash.open(CHIP, size)
  if not f then return nil, message end
  local ok
  ok, message = whole(f.erase, f)
  for offset = 0, size - 1, PIECE do
    if not ok then return nil, message end
    ok, message = f:write(offset, image:read(PIECE))
    sys.wait(0)
  end
  if ok then ok, message = f:sync() end -- nothing is promised before this
  return ok, message
end

local function take(wanted)
  local image <close> = assert(io.open(IMAGE, "rb"))
  local size = image:seek "end"
  image:seek "set"
  if is_there(size, wanted) then return print "radio: the firmware is there already" end
  local ok, message = write(image, size)
  if not ok then return print("radio: " .. message) end
  print(is_there(size, wanted) and "radio: new firmware written" or "radio: the chip reads back something else")
end

sys.taskInit(function()
  take(assert(digest.file(IMAGE)))
  sys.publish "RADIO_READY"
end)
sys.run()

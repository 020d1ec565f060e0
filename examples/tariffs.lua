-- A device script that takes data from archives: whatever lies in the folder `in` as a .tar.gz or .zip is unpacked,
-- whole or not at all, and the newest tariff.txt is used. As the main.lua of a device, or alone:
--     moult run examples/tariffs.lua
PROJECT, VERSION, PRODUCT_KEY = "METER", "1.0.0", "k-123"
local sys = require "sys"
require "update"
local archive = require "update.native.archive"

local HOME = os.getenv "TARIFFS" or "/var/lib/meter"
local LIMITS = { bytes = 1 << 20, entries = 100 } -- a tariff is small; what is larger is no tariff

local taken = 0

local function take(name)
  taken = taken + 1
  local to = ("%s/tariff-%d-%d"):format(HOME, os.time(), taken)
  local a <close>, message = archive.open(HOME .. "/in/" .. name, LIMITS)
  local files
  if a then files, message = a:extract(to) end
  os.remove(HOME .. "/in/" .. name)
  if not files then return print(("tariffs: %s is not used: %s"):format(name, message)) end
  local file = io.open(to .. "/tariff.txt")
  print(("tariffs: %s: %s"):format(name, file and file:read "l" or "no tariff.txt in it"))
  if file then file:close() end
end

sys.taskInit(function()
  while true do
    local list <close> = assert(io.popen(("ls '%s/in' 2>/dev/null"):format(HOME)))
    for name in list:lines() do
      if name:find "%.tar%.gz$" or name:find "%.zip$" then take(name) end
    end
    sys.wait(1000)
  end
end)
sys.run()

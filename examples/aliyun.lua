-- A device of Aliyun IoT whose script drives its updates, call for call as with the vendor's C SDK. The main.lua of
-- a device whose cloud is of kind "aliyun" (README.md, "Connect to your cloud"), here played by a depot:
--     moult depot packages --keys release.pub --mqtt 127.0.0.1:1883
--     moult run -c config.lua
-- Without all of this the agent does the same by itself: a script need not know of its cloud.
PROJECT, VERSION, PRODUCT_KEY = "METER", "1.0.0", "k-123"
local sys, ota = require "sys", require "update.aliyun"

local function fetch(h)
  repeat
    local count, message, code = h:fetch_yield(1)
    if not count then return print(("update: %s (%s)"):format(message, code)) end
    print(("update: %d of %d bytes"):format(h:ioctl "fetched_size", h:ioctl "file_size"))
  until h:is_fetch_finish()
  if h:ioctl "check_firmware" then sys.restart "update" end
end

sys.taskInit(function()
  local h = assert(ota.init())
  assert(h:report_version(VERSION))
  print("ready, version " .. VERSION)
  while true do
    if h:is_fetching() then fetch(h) end
    sys.wait(1000)
  end
end)
sys.run()

-- A device of Tencent IoT Hub. The main.lua of a device whose cloud is of kind "tencent" (README.md, "Connect to your
-- cloud"), here played by a depot:
--     moult depot packages --keys release.pub --mqtt 127.0.0.1:1883
--     moult run -c config.lua
-- The agent reports, fetches, installs and restarts by itself; this script only watches, and says when it is well.
PROJECT, VERSION, PRODUCT_KEY = "METER", "1.0.0", "k-123"
local sys, update = require "sys", require "update"

update.on("progress", function(event) print(("update: %d of %d bytes"):format(event.done, event.total)) end)
update.on("state", function(phase) print("update: " .. phase) end)
update.on("error", function(message, code) print(("update: %s (%s)"):format(message, code)) end)

sys.taskInit(function()
  sys.wait(3000) -- what a meter does to know that it measures
  update.confirm()
  while true do
    print("working, version " .. VERSION)
    sys.wait(1000)
  end
end)
sys.run()

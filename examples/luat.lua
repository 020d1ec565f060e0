-- The smallest device script: it works, and asks its cloud for an update every four hours. Try it alone, or as
-- the main.lua of a device whose cloud is a depot (README.md, "The smallest device"):
--     moult run examples/luat.lua
--     moult depot packages
PROJECT, VERSION, PRODUCT_KEY = "METER", "1.0.0", "k-123"
local sys, update = require "sys", require "update"

update.request(nil, nil, 4 * 3600 * 1000) -- without a callback the new release starts at once

sys.taskInit(function()
  while true do
    print("working, version " .. VERSION)
    sys.wait(1000)
  end
end)
sys.run()

-- The application of a terminal, as far as updates go: what its server answered is in the file `order` (version, path,
-- port), and what a dialogue would show is printed.
PROJECT, VERSION, PRODUCT_KEY = "MIT", "1.0", "k-mit"
local sys = require "sys"
local terminal = require "update.terminal"

local STATES = { [1] = "updated", [2] = "the update failed", [4] = "not upgraded" }

terminal.app_RegisterUpdateStateHandle(function(state)
  print(("terminal: %s"):format(STATES[state]))
end)
terminal.app_RegisterDownLoadStepHandle(function(file, total, step)
  print(("terminal: %s, %d of %d bytes"):format(file, step, total))
end)

sys.taskInit(function()
  print "terminal: at work"
  while true do
    local order = io.open "order"
    if order then
      local version, path, port = order:read("l", "l", "l")
      order:close()
      os.remove "order"
      terminal.app_SendUpdateModuleUpdatedMsg_HB("cmnet", "user", "1234", "127.0.0.1", port, version, path, 0x01)
    end
    sys.wait(200)
  end
end)
sys.run()

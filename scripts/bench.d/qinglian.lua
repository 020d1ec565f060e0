--- A patch for N devices of the Qinglian cloud: run in the host, as `moult scripts/bench.d/qinglian.lua N`.

local result = require("spec.support.qinglian_fleet").run(math.tointeger(tonumber(arg[1])))
for _, name in ipairs { "done", "failed", "open", "messages", "seconds" } do
  print(("%s\t%.1f"):format(name, result[name]))
end

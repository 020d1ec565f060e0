--- How long one policy decision takes: run in the host.
--
-- Prints the median time in milliseconds of one decision by a fresh policy
-- process, from its start to the answer: policy.lua COUNT.

local json = require "update.native.json"
local loop = require "update.native.loop"
local policy = require "update.native.policy"
local socket = require "socket"

local question = json.encode {
  ask = "decide",
  sources = json.array {},
  offer = {
    cloud = "luat", size = 1048576, release = "1.0.1", version = "1.0.1", sequence = 2, to_fetch = 1048576,
    manifest = { parts = json.array { { kind = "script", size = 65536 } } },
  },
  device = {
    project = "BENCH", hardware = "rig", release = "1.0.0", version = "1.0.0", free = 1 << 30, memory = 1 << 28,
    time = 1800000000, time_set = true, uptime = 100,
  },
  limits = {}, hotfixes = json.array {}, facts = {},
}

local function decide(waiter)
  local begun = socket.gettime()
  local asked = assert(policy.start(question))
  while true do
    local answer, message, code = asked:step()
    if answer then
      assert(json.decode(answer).ok, answer)
      asked:close()
      return (socket.gettime() - begun) * 1000
    elseif code ~= "again" then
      error(message)
    end
    local watches = { { fd = asked:fd(), read = true } }
    if asked:wants_write() then
      watches[2] = { fd = asked:wants_write(), write = true }
    end
    waiter:poll(asked:remaining(), watches)
  end
end

local waiter = loop.new()
local times = {}
for i = 1, math.tointeger(arg[1]) do
  times[i] = decide(waiter)
end
table.sort(times)
print(("%.2f"):format(times[(#times + 1) // 2]))

--- What the first page of the console costs the server, and how much a browser has to load: run in the host.
--
--     moult scripts/bench.d/console.lua COUNT
--
-- Processor time in ms of the answer to the first page of a product with COUNT devices and a rollout under way: the
-- first time after the server's start, and the slowest of five more. Then the bytes of that page with its style, script
-- and icon, and of the largest list. Prints a line `name value` for each.

local api_world = require "spec.support.api_world"

local COUNT = math.tointeger(tonumber(arg[1]))
local STATES = { "succeeded", "succeeded", "succeeded", "pending", "upgrading" }

local dir = os.tmpname()
os.remove(dir)
assert(os.execute("mkdir -p " .. dir))
local w = api_world.open(dir)

local function fill()
  local s, digest = w.store, w.api.world.packages[1].manifest.digest
  local id = assert(s:roll_out({ package = digest, target = "1.0.1", hash = w.pk }, 1))
  local rollout = assert(s:rollout(id))
  rollout.state, rollout.wave, rollout.wave_at = "running", 1, os.time() * 1000
  assert(s:save_rollout(rollout))
  for i = 1, COUNT do
    if i % 1000 == 1 then assert(s:change()) end
    assert(s:put { cloud = i % 2 == 0 and "aliyun" or "tencent", product = "pk", device = ("meter-%06d"):format(i),
      hash = w.pk, release = "1.0." .. i % 10, package = digest, target = "1.0.1", kind = "batch",
      state = i % 50 == 0 and "failed" or STATES[i % 5 + 1],
      rollout = id, wave = 1, heard = 1767225600000 + i, changed = 1767225600000 })
    if i % 1000 == 0 or i == COUNT then assert(s:commit()) end
  end
end

local session

-- The answer, and the processor time that it took, in ms.
local function get(path)
  local began = os.clock()
  local answer = w:ask("GET", "/" .. path, { headers = { Cookie = session.cookie } })
  assert(answer.status == 200, answer.body)
  return answer, (os.clock() - began) * 1000
end

local function weigh(...)
  local sum = 0
  for _, path in ipairs { ... } do sum = sum + #get(path).body end
  return sum
end

fill()
w:user("ann", { [""] = "admin" })
session = w:log_in("ann", "correct horse battery")
w:serve()
local first = "/p/" .. w.pk
local _, cold = get(first)
local worst = 0
for _ = 1, 5 do worst = math.max(worst, (select(2, get(first)))) end
print("cold", ("%.1f"):format(cold))
print("warm", ("%.1f"):format(worst))
print("weight", weigh(first, "/static/console.css", "/static/console.js", "/static/icon.svg"))
print("list", weigh(first .. "/devices", "/static/console.css", "/static/console.js", "/static/icon.svg"))
w:close()
os.execute("rm -rf " .. dir)

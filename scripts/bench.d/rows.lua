--- How fast a depot's store answers when it has many devices: run in the host.
--
--     moult scripts/bench.d/rows.lua COUNT
--
-- Each figure is the slowest of five runs of an action, in ms of CPU, without the start of the program: status, lists
-- by filters, a page further on, and counts. Prints a line `name value` for each, and bytes of the database a device.

local natives = require "update.natives"
local store = require "depot.store"

local COUNT = math.tointeger(tonumber(arg[1]))
local HASH = natives.digest.sha256 "pk"
local STATES = { "succeeded", "succeeded", "succeeded", "pending", "failed" }

local dir = os.tmpname()
os.remove(dir)
assert(os.execute("mkdir -p " .. dir .. "/keys"))

local function fill()
  local s = assert(store.open(natives, dir))
  local rollout = assert(s:roll_out({ package = "d", target = "1.0.9", hash = HASH }, 1))
  for i = 1, COUNT do
    assert(s:change())
    local row = { cloud = i % 2 == 0 and "aliyun" or "tencent", product = "pk", device = ("meter-%06d"):format(i),
      hash = HASH, release = "1.0." .. i % 10, package = "d", target = "1.0.9", kind = "batch",
      state = STATES[i % 5 + 1],
      rollout = rollout, wave = 1, heard = 1767225600000 + i, changed = 1767225600000, tries = 0, renewals = 0 }
    assert(s:put(row))
    if i % 100 == 0 then assert(s:set_tag(row, "lab", true)) end
    if i % 1000 == 0 then assert(s:commit()) end
  end
  assert(s:commit())
  assert(s.db:execute "PRAGMA wal_checkpoint(TRUNCATE)")
  s:close()
end

local function run(action, verb, opts, name, as_text)
  local context = { verb = verb, dir = dir, name = name, opts = opts or {}, natives = natives,
    env = { json = not as_text, out = function() end, note = function() end } }
  return require("depot.actions." .. action).run(context)
end

local CASES = {
  { "status", function() return run("status", nil, nil, nil, true) end },
  { "name", function() return run("status", nil, { filter = "name:meter-000777" }) end },
  { "failed", function() return run("device", "list", { filter = "state:failed -release:1.0.3" }) end },
  { "prefix", function() return run("device", "list", { filter = "name:meter-0999*" }) end },
  { "tag", function() return run("device", "list", { filter = "tag:lab cloud:aliyun" }) end },
  { "rare", function()
    return run("device", "list", { filter = "release<1.0.1 heard<1d code:7" })
  end },
  { "rollouts", function() return run("rollout", "list") end },
  { "group", function() return run("group", "show", nil, "lab") end },
}

local function measure()
  assert(run("group", "create", { product = "pk", filter = "tag:lab -release<1.0.1" }, "lab"))
  for _, case in ipairs(CASES) do
    local worst = 0
    for _ = 1, 5 do
      local begun = os.clock()
      assert(case[2]())
      worst = math.max(worst, os.clock() - begun)
    end
    print(case[1], ("%.0f"):format(worst * 1000))
  end
  local file <close> = assert(io.open(dir .. "/depot.db", "rb"))
  print("bytes", file:seek "end" // COUNT)
end

local ok, why = xpcall(function()
  fill()
  measure()
end, debug.traceback)
os.execute("rm -rf " .. dir)
if not ok then
  io.stderr:write(why, "\n")
  os.exit(1)
end

-- Random histories of rollouts: devices that fail, fall back and fall silent, a person who pauses and changes, a depot
-- that is killed. A sample by default; MOULT_HISTORIES=100000 runs that many, MOULT_SEED=N begins with seed N.

local world = require "spec.support.rollout_world"

local COUNT = tonumber(os.getenv "MOULT_HISTORIES" or 60)
local FIRST = tonumber(os.getenv "MOULT_SEED" or 1)

describe("rollouts", function()
  it(("keep their rules in %d random histories"):format(COUNT), function()
    for seed = FIRST, FIRST + COUNT - 1 do
      local fault = world.run(seed)
      if fault then error(("MOULT_SEED=%d MOULT_HISTORIES=1: %s"):format(seed, fault), 0) end
    end
    for _, what in ipairs { "offered", "upgrading", "succeeded", "failed", "reverted", "superseded", "expired",
      "paused", "later wave", "cancelled" } do
      assert.is_true((world.seen[what] or 0) > 0, what .. " never happened")
    end
  end)
end)

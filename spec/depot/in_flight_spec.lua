-- How many offers of a rollout are open at once, and which devices are given another link when there is no room.

local job_world = require "spec.support.job_world"
local natives = require "update.natives"

describe("a rollout with room for one offer", function()
  local START = job_world.START
  local world

  before_each(function()
    -- The link of dn has ended long ago, and nobody has heard of it since.
    world = job_world.new("pending", { ends = START - 3600000, heard = START - 3700000 },
      { waves = "100", limit = "none", in_flight = "1" })
  end)

  after_each(function() world:close() end)

  local function join(device)
    assert(world.store:change())
    assert(world.store:put { cloud = "aliyun", product = "pk", device = device, release = "1.0.0", heard = world.now,
      hash = natives.digest.sha256 "pk", package = "d2.0.0", target = "2.0.0", kind = "batch", rollout = 1, wave = 1,
      state = "pending", ends = 0, offers = 0, tries = 0, renewals = 0, failures = 0, changed = world.now })
    assert(world.store:commit())
  end

  -- Who has been offered the release since the last look.
  local function offered()
    world:step(0)
    local names = {}
    for _, message in ipairs(world.mqtt.sent) do
      local name = message.topic:match "^/ota/device/upgrade/pk/(.*)"
      if name then
        names[#names + 1] = name
        table.insert(world.mqtt.events, { kind = "published", id = message.id })
      end
    end
    world.mqtt.sent = {}
    world:step(0)
    return table.concat(names, " ")
  end

  local function hear(device, kind, params)
    table.insert(world.mqtt.events, { kind = "message", qos = 1, retain = false,
      topic = ("/ota/device/%s/pk/%s"):format(kind, device),
      payload = natives.json.encode { id = "1", params = params } })
    world:step(0)
  end

  it("counts a device that begins late, gives it another link, and opens no more until it is done", function()
    assert.equal("dn", offered()) -- its link is dead, so it has its turn again
    join "second"
    assert.equal("", offered())
    world:step(1900000) -- that link ends, too
    assert.equal("second", offered())
    hear("dn", "progress", { step = "10", desc = "" }) -- it had begun in time, and says so now
    join "third"
    assert.equal("", offered())
    hear("second", "inform", { version = "2.0.0" })
    assert.equal("", offered()) -- dn is still under way
    world.depot:link_died "aliyun/pk/dn"
    world:step(0)
    world:step(5000)
    assert.equal("dn", offered())
    assert.equal(1, world:row().renewals)
    assert.equal("", offered())
    hear("dn", "inform", { version = "2.0.0" })
    assert.equal("third", offered())
  end)
end)

local check_clouds = require "update.cloud.check"

local facts = { release = "1.0.0", version = "1.0.0", core = { name = "Luat_RDA8910", version = 17 } }

describe("update.cloud.check", function()
  local function check(list, results)
    local asked = {}
    local engine = {
      inspect = function(_, w)
        asked[#asked + 1] = w.cloud
        return table.unpack(results[w.cloud])
      end,
    }
    local c = { project = "METER", product_key_text = "k", id = "1", clouds = {} }
    for i, name in ipairs(list) do c.clouds[i] = { kind = "luat", name = name, url = "http://" .. name } end
    return asked, check_clouds.all(c, engine, facts)
  end

  it("takes the first valid offer", function()
    local asked, verdict = check({ "a", "b", "c" }, { a = { nil, "latest", "nothing" }, b = { { decision = {} } } })
    assert.same({ "a", "b" }, asked)
    assert.equal("b", verdict.cloud)
  end)

  it("tells a failure rather than that another has nothing", function()
    local _, verdict, message, code = check({ "a", "b" },
      { a = { nil, "latest", "nothing" }, b = { nil, "no route", "network" } })
    assert.same({ nil, "no route", "network" }, { verdict, message, code })
  end)

  it("says that no cloud is configured", function()
    local _, verdict, _, code = check({}, {})
    assert.same({ nil, "usage" }, { verdict, code })
  end)
end)

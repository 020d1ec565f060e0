-- Whether nobody is in a wave: devices with a job, those that get one when they ask, and those that are being decided.

local natives = require "update.natives"
local store = require "depot.store"

describe("a wave", function()
  local NOW = 1000000
  local kept, rollout, is_in

  before_each(function()
    kept, is_in = assert(store.open_file(natives, ":memory:")), function() return false end
    assert(kept:change())
    rollout = assert(kept:rollout(assert(kept:roll_out({ package = "d2", target = "2", hash = "h" }, 1))))
  end)

  after_each(function() kept:close() end)

  local function put(device, fields)
    local row = { cloud = "aliyun", product = "p", device = device, hash = "h", release = "1", heard = 1 }
    for name, value in pairs(fields) do row[name] = value end
    assert(kept:put(row))
  end

  local function is_empty() return kept:is_wave_empty(rollout, NOW, function(row) return is_in(row) end) end

  it("is waited for while the depot knows no device that wants the release", function()
    assert.is_false(is_empty())
    put("a", { release = "2" })
    assert.is_false(is_empty())
    put("b", { hash = "other" })
    assert.is_false(is_empty())
    put("c", {})
    assert.is_true(is_empty())
  end)

  it("is over when all run the release and no other can come", function()
    put("a", { release = "2" })
    assert.is_false(is_empty())
    rollout.plan.members = "fixed"
    assert(kept:add_member(rollout, "aliyun", "a"))
    assert.is_true(is_empty())
    assert(kept:add_member(rollout, "aliyun", "A")) -- one that was never heard of
    assert.is_false(is_empty())
    put("A", { release = "2", cloud = "luat" })
    assert.is_false(is_empty())
    put("A", { release = "2" })
    assert.is_true(is_empty())
  end)

  it("has who has a job in it, unless another release took its place", function()
    put("c", { rollout = rollout.id, wave = 2, state = "pending" })
    assert.is_true(is_empty())
    for state, empty in pairs { pending = false, failed = false, succeeded = false, superseded = true,
      cancelled = true } do
      put("d", { rollout = rollout.id, wave = 1, state = state })
      assert.equal(empty, is_empty(), state)
    end
  end)

  it("is looked at again when every device of the product was decided", function()
    put("c", { due = NOW })
    assert.is_false(is_empty())
    put("c", { due = NOW + 1 })
    assert.is_true(is_empty())
  end)

  it("has who gets its job only when it asks", function()
    put("c", {})
    is_in = function(row)
      assert.not_equal("aliyun", row.cloud)
      return row.device == "imei"
    end
    for _, cloud in ipairs { "luat", "terminal" } do
      put("other", { cloud = cloud })
      assert.is_true(is_empty())
      put("imei", { cloud = cloud })
      assert.is_false(is_empty())
      put("imei", { cloud = cloud, release = "2" })
      assert.is_true(is_empty())
    end
  end)
end)

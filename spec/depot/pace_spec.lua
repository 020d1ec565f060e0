local pace = require "depot.pace"
local turns = require "depot.turns"

describe("depot.pace", function()
  local now, p

  before_each(function()
    now = 0
    p = pace.new(4, function() return now end)
  end)

  -- Who makes offers when both wait all the time, in half a minute.
  local function share(names)
    local made = { a = 0, b = 0 }
    for _ = 1, 3000 do
      now = now + 10
      for _, name in ipairs(names) do
        if p:room(name) >= 1 then
          p:take(name)
          made[name] = made[name] + 1
        end
      end
    end
    return made
  end

  it("allows so many offers a second, and no more at once than in a quarter of one", function()
    assert.equal(1, p:room "a")
    p:take "a"
    assert.equal(0, p:room "a")
    assert.equal(250, p:timeout())
    now = 249
    assert.equal(0, p:room "a")
    now = 250
    assert.equal(1, p:room "a")
    now = 100000
    assert.equal(1, p:room "a")
    p.rate = 400
    now = 200000
    assert.equal(100, p:room "a")
  end)

  it("is shared by both kinds while both wait, in any order", function()
    local made = share { "a", "b" }
    assert.is_true(math.abs(made.a - made.b) <= 1 and made.a + made.b >= 110, made.a .. " and " .. made.b)
  end)

  it("goes to one kind when the other is gone", function()
    share { "a", "b" }
    assert.is_true(share({ "a" }).a >= 100)
  end)
end)

describe("depot.turns", function()
  it("lets who asks wait in order, as many as are answered within seconds, and by connections", function()
    local now = 0
    local p = pace.new(1, function() return now end)
    local t = turns.new(p, 1000)
    assert.equal("now", t:admit "a")
    for i = 1, 10 do assert.equal("waits", t:admit("b" .. i)) end
    assert.equal("later", t:admit "c")
    assert.is_nil(t:next())
    assert.equal(1000, t:timeout())
    for i = 1, 10 do
      now = now + 1000
      assert.equal("b" .. i, t:next())
      assert.is_nil(t:next())
    end
    assert.is_nil(t:timeout())
    now = now + 1000
    assert.equal("now", t:admit "d")
    t = turns.new(p, 8)
    assert.same({ "waits", "waits", "later" }, { t:admit "a", t:admit "b", t:admit "c" })
  end)
end)

local ledger = require "update.engine.ledger"

describe("engine.ledger", function()
  local rows = {
    { id = "1", name = "clock", version = "1", state = "applied" },
    { id = "2", name = "clock", version = "2", state = "fresh" },
    { id = "3", name = "clock", version = "3", state = "quarantined" },
    { id = "4", name = "meter", version = "1", state = "testing" },
    { id = "5", name = "pump", version = "1", state = "undone" },
    { id = "6", name = "pump", version = "2", state = "dropped" },
  }

  it("knows what is in force", function()
    local found = {}
    for i, row in ipairs(rows) do found[i] = ledger.is_in_force(row) end
    assert.same({ true, true, false, false, false, false }, found)
  end)

  it("finds a version, a folder, and what leads of a name", function()
    assert.equal("2", ledger.find(rows, { name = "clock", version = "2" }).id)
    assert.is_nil(ledger.find(rows, { name = "clock", version = "4" }))
    assert.is_nil(ledger.find(rows, { name = "meter", version = "2" }))
    assert.equal("pump", ledger.of_id(rows, "5").name)
    assert.is_nil(ledger.of_id(rows, "7"))
    assert.equal("2", ledger.leading(rows, "clock").id)
    assert.equal("1", ledger.leading(rows, "clock", "2").id)
    assert.is_nil(ledger.leading(rows, "meter"))
    assert.is_nil(ledger.leading(rows, "pump"))
  end)

  it("takes nothing for nothing", function()
    assert.is_false(ledger.is_same(nil, rows[1]))
    assert.is_nil(ledger.leading({}, "clock"))
  end)
end)

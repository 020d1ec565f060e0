-- A depot that has always more to write lets others write, too.

local commits = require "depot.commits"

describe("depot.commits", function()
  local clock, store, parts, count

  before_each(function()
    clock, count = 0, 0
    store = { changing = true, commit = function() return true end, note_event = function() return true end }
    parts = commits.new { store = store, clock = function() return clock end, on_event = function() end,
      inbox = { committed = function() count = count + 1 end, is_full = function() return false end } }
    parts.offers = { flush = function() end }
  end)

  it("rests after a transaction that ended for its length, and for no longer than that takes", function()
    assert.is_true(parts:step(1000, true))
    assert.same({ 0, 0 }, { count, parts:rest() })
    clock = 50
    assert.is_true(parts:step(1050, true))
    assert.same({ 1, 3 }, { count, parts:rest() })
    clock = 52
    assert.equal(1, parts:rest())
    clock = 53
    assert.equal(0, parts:rest())
  end)

  it("does not rest when nothing more has come, nor without a clock", function()
    assert.is_true(parts:step(1000, true))
    assert.is_true(parts:step(1001, false))
    assert.same({ 1, 0 }, { count, parts:rest() })
    parts.clock = nil
    assert.is_true(parts:step(1000, true))
    assert.is_true(parts:step(1060, true))
    assert.same({ 2, 0 }, { count, parts:rest() })
  end)
end)

local places = require "update.engine.place"

describe("update.engine.place", function()
  it("is a copy with overriding fields, and changes only by its methods", function()
    local given = { cloud = "home", location = "http://h/p", tries = 3 }
    local place = places.new(given, { tries = 1, by_hand = true })
    assert.same({ "home", "http://h/p", 1, true }, { place.cloud, place.location, place.tries, place.by_hand })
    place:move "http://h/q"
    assert.same({ "http://h/q", "http://h/p", 3 }, { place.location, given.location, given.tries })
    assert.equal("http://h/q", places.new(place).location)
    assert.same({ nil, "home" }, { places.without(place, "location").location, place.cloud })
  end)

  it("refuses an unknown field, in the constructor, in reading and in writing", function()
    assert.error_matches(function() places.new { loction = "x" } end, "a place has no field loction")
    assert.error_matches(function() places.new({}, { trys = 1 }) end, "a place has no field trys")
    local place = places.new { location = "x" }
    assert.is_nil(place.tries)
    assert.error_matches(function() return place.trys end, "a place has no field trys")
    assert.error_matches(function() place.tries = 2 end, "field tries of a place is not changed from outside")
  end)
end)

describe("update.engine.patience", function()
  it("counts from the first failure, and begins anew after progress", function()
    local patience = require("update.engine.patience").new(600)
    assert.is_false(patience:failed(100))
    assert.is_false(patience:failed(699))
    assert.is_true(patience:failed(700))
    patience:moved()
    assert.is_false(patience:failed(701))
    assert.is_true(require("update.engine.patience").new(0):failed(5))
  end)
end)

local nearest = require "update.config.nearest"

describe("update.config.nearest", function()
  it("counts edits", function()
    assert.equal(0, nearest.distance("status", "status"))
    assert.equal(1, nearest.distance("status", "statu"))
    assert.equal(2, nearest.distance("status", "sttaus"))
    assert.equal(3, nearest.distance("", "abc"))
  end)

  it("takes a beginning of three letters for the word", function()
    assert.equal("provision", nearest.of("prov", { "status", "provision" }))
    assert.is_nil(nearest.of("xyzzy", { "status", "provision" }))
  end)

  it("hints at it, or names all", function()
    assert.equal("; did you mean status?", nearest.hint("sttus", { "status", "provision" }))
    assert.equal("; known are status, provision", nearest.hint("xyzzy", { "status", "provision" }))
  end)
end)

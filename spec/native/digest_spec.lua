local digest = require "update.native.digest"

describe("digest", function()
  it("knows the published values", function()
    assert.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", digest.sha256 "abc")
    assert.equal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", digest.sha256 "")
    assert.equal("900150983cd24fb0d6963f7d28e17f72", digest.md5 "abc")
    assert.matches("^ba80a53f981c4d0d6a2797b69f12f6e9", digest.new("blake2b512"):update("abc"):final())
  end)

  it("hashes in pieces, zero bytes too, and starts anew after final", function()
    local d = assert(digest.new "sha256")
    for _ = 1, 2 do
      d:update("a"):update(""):update("b\0")
      assert.equal(digest.sha256 "ab\0", d:final())
    end
    d:close()
    d:close()
    assert.error_matches(function() d:update "x" end, "closed")
  end)

  it("hashes a file, and says what is wrong with one", function()
    local path = os.tmpname()
    local f <close> = assert(io.open(path, "wb"))
    local text = ("0123456789abcdef"):rep(10000) .. "end"
    assert(f:write(text))
    f:flush()
    assert.equal(digest.sha256(text), digest.file(path))
    assert.equal(digest.md5(text), digest.file(path, "md5"))
    os.remove(path)
    local hex, message, code = digest.file(path)
    assert.is_nil(hex)
    assert.equal("missing", code)
    assert.matches(path, message, 1, true)
    hex, message, code = digest.file "/"
    assert.is_nil(hex)
    assert.equal("write", code)
    assert.matches("/: ", message, 1, true)
  end)

  it("raises on kinds it does not know", function()
    assert.error_matches(function() digest.new "crc" end, "invalid option")
    collectgarbage()
  end)
end)

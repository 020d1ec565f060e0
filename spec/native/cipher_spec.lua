local cipher = require "update.native.cipher"

local function bytes(text)
  return (text:gsub("%X", ""):gsub("%x%x", function(x) return string.char(tonumber(x, 16)) end))
end

-- NIST SP 800-38A, F.2.1.
local KEY = bytes "2b7e151628aed2a6abf7158809cf4f3c"
local IV = bytes "000102030405060708090a0b0c0d0e0f"
local TEXT = bytes "6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51"
local SECRET = bytes "7649abac8119b246cee98e9b12e9197d 5086cb9b507219ee95db113a917678b2"

describe("update.native.cipher", function()
  it("is AES-128 in CBC mode, both ways", function()
    assert.equal(SECRET, cipher.encrypt(KEY, IV, TEXT))
    assert.equal(TEXT, cipher.decrypt(KEY, IV, SECRET))
    assert.equal("", cipher.encrypt(KEY, IV, ""))
  end)

  it("takes whole blocks alone", function()
    for n = 1, 15 do
      local out, message, code = cipher.decrypt(KEY, IV, ("x"):rep(n))
      assert.is_nil(out)
      assert.match("no whole blocks", message)
      assert.equal("usage", code)
    end
  end)

  it("raises for a key or a vector of another length", function()
    assert.error_matches(function() cipher.encrypt("short", IV, TEXT) end, "16 bytes")
    assert.error_matches(function() cipher.encrypt(KEY, IV .. "x", TEXT) end, "16 bytes")
  end)
end)

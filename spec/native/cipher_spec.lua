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

  it("seals with a name, and opens only what was sealed so", function()
    -- The 16th case of McGrew and Viega's paper on GCM.
    local key = bytes "feffe9928665731c6d6a8f9467308308 feffe9928665731c6d6a8f9467308308"
    local nonce, name = bytes "cafebabefacedbaddecaf888", bytes "feedfacedeadbeeffeedfacedeadbeef abaddad2"
    local text = bytes("d9313225f88406e5a55909c5aff5269a 86a7a9531534f7da2e4c303d8a318a72"
      .. "1c3c0c95956809532fcf0e2449a6b525 b16aedf5aa0de657ba637b39")
    local sealed = bytes("522dc1f099567d07f47f37a32a84427d 643a8cdcbfe5c0c97598a2bd2555d1aa"
      .. "8cb08e48590dbb3da7b08b1056828838 c5f61e6393ba7a0abcc9f662 76fc6ece0f4e1768cddf8853bb2d551b")
    assert.equal(sealed, cipher.seal(key, nonce, name, text))
    assert.equal(text, cipher.unseal(key, nonce, name, sealed))
    assert.equal("", cipher.unseal(key, nonce, "", cipher.seal(key, nonce, "", "")))
    for i = 1, #sealed do
      local changed = sealed:sub(1, i - 1) .. string.char(sealed:byte(i) ~ 1) .. sealed:sub(i + 1)
      assert.equal("untrusted", select(3, cipher.unseal(key, nonce, name, changed)))
    end
    assert.equal("untrusted", select(3, cipher.unseal(key, nonce, name .. "x", sealed)))
    assert.equal("untrusted", select(3, cipher.unseal(key, ("x"):rep(12), name, sealed)))
    assert.equal("usage", select(3, cipher.unseal(key, nonce, name, sealed:sub(1, 15))))
    assert.error_matches(function() cipher.seal("short", nonce, name, text) end, "32 bytes")
    assert.error_matches(function() cipher.seal(key, "short", name, text) end, "12 bytes")
  end)
end)

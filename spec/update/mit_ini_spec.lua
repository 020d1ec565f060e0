local mit = require "update.cloud.mit_ini"

describe("mit_ini", function()
  local vendor = "[System]\r\ngprsip=222.76.149.190\r\ngprsport=5857\r\n[Update]\r\nproid=000000\r\nprover=000000\r\n"
    .. "downprover=\r\ndownfile=\r\nfile=\r\n"

  local function changed(text, values)
    return mit.change(assert(mit.parse(text)), "Update", values)
  end

  it("reads the vendor's example", function()
    local d = assert(mit.parse(vendor))
    assert.equal("000000", mit.get(d, "Update", "prover"))
    assert.equal("", mit.get(d, "Update", "downprover"))
    assert.equal("5857", mit.get(d, "system", "GPRSPORT"))
    assert.equal("", mit.get(d, "Update", "gprsport"))
    assert.equal("", mit.get(d, "Other", "prover"))
  end)

  it("changes the given values, and nothing else", function()
    assert.equal((vendor:gsub("downprover=", "downprover=080506"):gsub("downfile=", "downfile=A.tar.gz")),
      changed(vendor, { downprover = "080506", downfile = "A.tar.gz" }))
    assert.equal(vendor, changed(vendor, {}))
    assert.equal(vendor, changed(vendor, { prover = "000000" }))
  end)

  local kept = {
    { "line feeds alone", "[Update]\nprover=1\n", "[Update]\nprover=2\n" },
    { "no line end at the end", "[Update]\nprover=1", "[Update]\nprover=2" },
    { "a byte order mark", "\xef\xbb\xbf[Update]\r\nprover=1\r\n", "\xef\xbb\xbf[Update]\r\nprover=2\r\n" },
    { "comments, blanks, other keys", "; note\n\n[Update]\n  Prover = 1\nother=x = y\n",
      "; note\n\n[Update]\n  Prover =2\nother=x = y\n" },
    { "sections of the same keys", "[A]\nprover=7\n[Update]\nprover=1\n[B]\nprover=8\n",
      "[A]\nprover=7\n[Update]\nprover=2\n[B]\nprover=8\n" },
    { "bytes of another charset", "[Update]\nname=\xb8\xfc\nprover=1\n", "[Update]\nname=\xb8\xfc\nprover=2\n" },
  }
  for _, case in ipairs(kept) do
    it("keeps " .. case[1], function() assert.equal(case[3], changed(case[2], { prover = "2" })) end)
  end

  it("makes the section and the key where they are missing", function()
    assert.equal("[Update]\r\nprover=2\r\n", changed("", { prover = "2" }))
    assert.equal("[System]\nx=1\n[Update]\nprover=2\n", changed("[System]\nx=1\n", { prover = "2" }))
    assert.equal("[System]\nx=1\n[Update]\nprover=2\n", changed("[System]\nx=1", { prover = "2" }):gsub("\r", "") .. "")
    assert.equal("[Update]\nfile=\nprover=2\n\n[B]\n", changed("[Update]\nfile=\n\n[B]\n", { prover = "2" }))
  end)

  it("refuses a file that is not text", function()
    assert.same({ nil, "mit.ini: a NUL byte in it", "usage" }, { mit.parse "a\0b" })
    assert.equal("usage", select(3, mit.parse(("x"):rep(65537))))
    assert.truthy(mit.parse(("x"):rep(65536)))
  end)

  it("survives its example cut at every byte", function()
    for i = 0, #vendor do
      local text = changed(vendor:sub(1, i), { prover = "1", downprover = "2" })
      local d = assert(mit.parse(text))
      assert.same({ "1", "2" }, { mit.get(d, "Update", "prover"), mit.get(d, "Update", "downprover") })
    end
  end)
end)

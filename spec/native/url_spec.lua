local url = require "update.native.url"

describe("update.native.url", function()
  local shown = {
    { "http://h/p.upd?token=1",          "http://h/p.upd" },
    { "https://user:secret@h:1/p#x",     "https://h:1/p" },
    { "https://user:secret@h:99999/p",   "(unreadable URL)" },
    { "ftp://user:secret@h/p",           "ftp://h/p" },
    { "http://h/p",                      "http://h/p" },
    { "file?name.upd",                   "file?name.upd" },
    { "/a/b@c.upd",                      "/a/b@c.upd" },
  }
  for _, case in ipairs(shown) do
    it("shows " .. case[1] .. " as " .. case[2], function()
      assert.equal(case[2], url.shown(case[1]))
    end)
  end

  it("names the server without who asks it", function()
    assert.equal("http://h:1", url.server "http://user:secret@h:1/a/b?c=d")
    assert.equal("https://[::1]", url.server "https://user:secret@[::1]")
    assert.equal("(unreadable URL)", url.server "http://user:secret@h:x/")
  end)

  it("takes http and https, and shows no secret of a refused address", function()
    assert.is_true(url.check "HTTPS://user:secret@h/p")
    for _, bad in ipairs { "ftp://user:secret@h/", "http://user:secret@h:70000/", "http://",
      "http://user:secret@h /" } do
      local ok, message, code = url.check(bad)
      assert.same({ nil, "usage" }, { ok, code })
      assert.is_nil(message:find("secret", 1, true))
    end
  end)
end)

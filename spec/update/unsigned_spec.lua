local config = require "update.config"
local unsigned = require "update.cloud.unsigned"

describe("unsigned", function()
  local trusted = { "http://10.1.2.3:8080/fw/", "https://fw.example.org/", "file:///media/usb/" }

  -- An address, and the entry that it lies below.
  local cases = {
    { "http://10.1.2.3:8080/fw/U.tar.gz",          1 },
    { "http://10.1.2.3:8080/fw/a/b/U.tar.gz?x=..", 1 },
    { "HTTP://10.1.2.3:8080/fw/..U.tar.gz",        1 },
    { "https://FW.example.org:443/U.tar.gz",       2 },
    { "http://10.1.2.3:8080/fw",                   nil },
    { "http://10.1.2.3:8080/fwx/U.tar.gz",         nil },
    { "http://10.1.2.3:80801/fw/U.tar.gz",         nil },
    { "http://10.1.2.3/fw/U.tar.gz",               nil },
    { "https://10.1.2.3:8080/fw/U.tar.gz",         nil },
    { "http://fw.example.org/U.tar.gz",            nil },
    { "https://fw.example.org.evil/U.tar.gz",      nil },
    { "https://fw.example.org@evil/U.tar.gz",      nil },
    { "http://10.1.2.3:8080/fw/../U.tar.gz",       nil },
    { "http://10.1.2.3:8080/fw/%2e%2E/U.tar.gz",   nil },
    { "http://10.1.2.3:8080/fw/.%2e/U.tar.gz",     nil },
    { "http://10.1.2.3:8080/fw/..%2fU.tar.gz",     nil },
    { "http://10.1.2.3:8080/fw/..\\U.tar.gz",      nil },
    { "ftp://10.1.2.3:8080/fw/U.tar.gz",           nil },
    { "terminal",                                  nil },
    { "/fw/U.tar.gz",                              nil },
    { "/media/usb/U.tar.gz",                       3 },
    { "/media/usb/a b/U?x#y.tar.gz",               3 },
    { "file:///media/usb/U.tar.gz",                3 },
    { "/media/usb2/U.tar.gz",                      nil },
    { "/media/usb/../U.tar.gz",                    nil },
    { "media/usb/U.tar.gz",                        nil },
    { "http://media/usb/U.tar.gz",                 nil },
  }
  for _, case in ipairs(cases) do
    local url, entry = case[1], case[2]
    it(("%s %s"):format(entry and "trusts" or "does not trust", url), function()
      assert.equal(trusted[entry], (unsigned.trusts(trusted, url)))
      assert.is_nil((unsigned.trusts(nil, url)))
    end)
  end

  it("says what an address does not protect", function()
    assert.equal("unsigned, unencrypted", unsigned.risk(trusted[1]))
    assert.equal("unsigned", unsigned.risk(trusted[2]))
  end)

  it("makes a place of an archive that is trusted, and of nothing else", function()
    local device = { project = "P", product_key = "k", user = "nobody", files = { trim = true },
      trust = { unsigned = trusted } }
    assert.same({}, unsigned.place(device, "/elsewhere/METER_1.0.1.upd"))
    assert.same({ bare = { version = "080507", project = "P", product_key = "k", user = "nobody", trim = true },
      http = { max_redirects = 0 } }, unsigned.place(device, "/media/usb/UPDATE_080507.tar.gz"))
    assert.equal("9", unsigned.place(device, trusted[1] .. "U_8.tar.gz?t=1", "9").bare.version)
    assert.equal("8", unsigned.place(device, trusted[1] .. "U_8.tar.gz?t=1").bare.version)
    local _, message, code = unsigned.place(device, "/tmp/U_8.tar.gz")
    assert.equal("untrusted", code)
    assert.matches("U_8.tar.gz is an archive that nobody signed", message, 1, true)
    _, message, code = unsigned.place(device, "/media/usb/U.tar.gz")
    assert.equal("usage", code)
    assert.matches("give --files-version", message, 1, true)
  end)

  it("makes a place of a bare hotfix where an entry trusts it, and says whether that is so of Lua, too", function()
    local device = { project = "P", product_key = "k", user = "nobody",
      trust = { unsigned = { "http://h/fw/", { from = "file:///usb/", lua = true } } } }
    local function fix(name, version, more)
      local bare = { hotfix = { name = name, version = version }, project = "P", product_key = "k", user = "nobody" }
      for field, value in pairs(more or {}) do bare[field] = value end
      return { bare = bare, http = { max_redirects = 0 } }
    end
    assert.same(fix("clock", "v1"), unsigned.place(device, "http://h/fw/clock_v1.zip?t=_2.bin"))
    assert.same(fix("a_b", "2", { lua = true, opaque = true }), unsigned.place(device, "/usb/a_b_2.BIN"))
    assert.same({}, unsigned.place(device, "/tmp/clock_v1.zip"))
    for _, name in ipairs { "clock.zip", "_1.zip", "clock_.bin", ("n"):rep(17) .. "_1.zip",
      "n_" .. ("1"):rep(17) .. ".bin" } do
      local _, message, code = unsigned.place(device, "/usb/" .. name)
      assert.equal("usage", code)
      assert.matches("is not called NAME_VERSION.zip", message, 1, true)
    end
  end)

  it("trusts a cloud by its name, and nothing else by that", function()
    local entries = { { from = "cloud:site", lua = true }, "cloud:other" }
    assert.equal(entries[1], unsigned.trusts(entries, "cloud:site"))
    assert.equal(entries[2], unsigned.trusts(entries, "cloud:other"))
    for _, address in ipairs { "cloud:sit", "cloud:site2", "cloud:SITE", "http://site/", "http://cloud:site/",
      "/site" } do
      assert.is_nil(unsigned.trusts(entries, address))
    end
    assert.is_nil(unsigned.trusts({ "http://site/" }, "cloud:site"))
  end)

  it("knows an archive by its name", function()
    for name, is in pairs { ["/a/U.tar.gz"] = true, ["U.TAR.GZ?x=1"] = true, ["U.upd"] = false,
      ["U.upd?x=.tar.gz"] = false } do
      assert.equal(is, unsigned.is_archive(name))
    end
  end)

  local function normalise(entries)
    return config.normalise({ project = "P", product_key = "k", hardware = "h", id = "i", state = "s",
      trust = { unsigned = entries } }, "/d", function(text) return text end)
  end

  it("is an entry of the configuration, checked", function()
    assert.same(trusted, assert(normalise(trusted)).trust.unsigned)
    local refused = {
      { "terminal",                       "must be an array of addresses" },
      { { "terminal" },                   "field trust.unsigned must be an array of addresses; one must begin with" },
      { { "http://10.1.2.3/fw" },         "must end with a slash" },
      { { "http://10.1.2.3/" , "" },      "one must be a string and not empty" },
      { { "http://10.1.2.3/a?b/" },       "must end with a slash" },
      { { "http://a:b@10.1.2.3/" },       "must begin with" },
      { { "http://10.1.2.3/a/../" },      "must begin with" },
    }
    for _, case in ipairs(refused) do
      local got, message, code = normalise(case[1])
      assert.same({ nil, "usage" }, { got, code })
      assert.truthy(message:find(case[2], 1, true), message)
    end
  end)
end)

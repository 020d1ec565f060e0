local luat = require "update.cloud.luat"

local function device(overrides)
  local d = {
    project = "LUAT_IOT_SERVER_UPDATE", version = "1.0.0", product_key = "sVSCBogifQF6PfnncwVcRKaCbqO2YGfU",
    id = "866714040000001", core = { name = "Luat_RDA8910", version = 17 },
  }
  for name, value in pairs(overrides or {}) do
    d[name] = value
  end
  return d
end

local QUERY = "project_key=sVSCBogifQF6PfnncwVcRKaCbqO2YGfU&imei=866714040000001"
  .. "&firmware_name=LUAT_IOT_SERVER_UPDATE_Luat_RDA8910&core_version=17&dfota=1&version=1.0.0"

describe("luat.request", function()
  it("sends exactly the query of the vendor's client", function()
    local got = assert(luat.request(device()))
    assert.equal("http://iot.openluat.com/api/site/firmware_upgrade?" .. QUERY, got.url)
    assert.same({}, got.headers)
  end)

  it("asks for a link at the end of the query", function()
    assert.equal(luat.url .. "?" .. QUERY .. "&need_oss_url=1", luat.request(device(), { redirect = true }).url)
    assert.equal(luat.url, luat.bare(luat.url .. "?" .. QUERY))
    assert.equal("http://h/api?x=1", luat.bare("http://h/api?x=1&" .. QUERY))
    assert.equal("http://h/p.upd", luat.bare "http://h/p.upd")
  end)

  it("continues at an offset", function()
    assert.same({ Range = "bytes=0-" }, luat.request(device(), { offset = 0 }).headers)
    assert.same({ Range = "bytes=4096-" }, luat.request(device(), { offset = 4096 }).headers)
  end)

  local urls = {
    { "replaces what stands before the query",  "http://h:8080/up",     "http://h:8080/up?" .. QUERY },
    { "completes a URL that ends with ?",       "http://h/up?",         "http://h/up?" .. QUERY },
    { "adds to a query of the user's",          "http://h/up?site=a",   "http://h/up?site=a&" .. QUERY },
    { "leaves a URL after ### untouched",       "###http://h/a.bin?b",  "http://h/a.bin?b" },
  }
  for _, case in ipairs(urls) do
    it(case[1], function()
      assert.equal(case[3], luat.request(device(), { url = case[2] }).url)
    end)
  end

  it("says which files it has, as no VERSION does", function()
    local d = { product_key = "k", id = "1", project = "P", version = "1.0.0", files = { version = "080507 b" } }
    assert.matches("&version=1.0.0&files_version=080507%%20b$", luat.request(d).url)
  end)

  it("encodes only values that would break the request", function()
    local url = luat.request(device { project = "A B&C", version = "1.0+2" }).url
    assert.matches("firmware_name=A%20B%26C_Luat_RDA8910&", url, 1, true)
    assert.matches("version=1.0%2B2", url, 1, true)
  end)

  it("names no core for a device without one", function()
    local d = device()
    d.core = nil
    assert.equal(luat.url .. "?project_key=sVSCBogifQF6PfnncwVcRKaCbqO2YGfU&imei=866714040000001"
      .. "&firmware_name=LUAT_IOT_SERVER_UPDATE&dfota=1&version=1.0.0", luat.request(d).url)
  end)

  for _, field in ipairs { "project", "version", "product_key", "id" } do
    it("needs the device's " .. field, function()
      local got, message, code = luat.request(device { [field] = "" })
      assert.is_nil(got)
      assert.matches(field, message, 1, true)
      assert.equal("usage", code)
    end)
  end
end)

describe("luat.decode", function()
  it("takes 200 and 206 as the package", function()
    assert.same({ kind = "package" }, luat.decode { status = 200 })
    assert.same({ kind = "package" }, luat.decode { status = 206 })
  end)

  it("follows a link", function()
    assert.same({ kind = "redirect", url = "http://oss/x.bin?sign=1" },
      luat.decode { status = 302, location = "http://oss/x.bin?sign=1" })
  end)

  for _, location in ipairs { "", "ftp://h/x", "/x.bin", "http://", "http://h/ x", "http://h/\r\nA: b" } do
    it(("refuses to follow %q"):format(location), function()
      local got, message, code = luat.decode { status = 302, location = location }
      assert.is_nil(got)
      assert.matches("Location", message, 1, true)
      assert.equal("network", code)
    end)
  end

  it("refuses a redirect to nowhere", function()
    assert.equal("network", select(3, luat.decode { status = 301 }))
  end)

  it("waits 30 s while the package is made, with any status", function()
    for _, status in ipairs { 400, 404, 503 } do
      assert.same({ kind = "wait", seconds = 30, message = "busy", number = 43 },
        luat.decode { status = status, body = '{"code": 43, "msg": "busy"}' })
    end
  end)

  local words = { [3] = "refused", [17] = "refused", [21] = "refused", [25] = "missing", [26] = "missing",
    [27] = "nothing", [40] = "refused" }
  for number, word in pairs(words) do
    it(("takes code %d as %s"):format(number, word), function()
      local got, message, code, vendor = luat.decode { status = 404, body = ('{"code":%d,"msg":"no"}'):format(number) }
      assert.is_nil(got)
      assert.equal(("no (code %d)"):format(number), message)
      assert.same({ word, number }, { code, vendor })
    end)
  end

  it("explains a known code that comes without a message", function()
    assert.matches("latest version", select(2, luat.decode { status = 404, body = '{"code":"27"}' }), 1, true)
  end)

  local statuses = { [404] = "missing", [410] = "missing", [401] = "expired", [403] = "expired", [500] = "network",
    [503] = "network", [429] = "network", [408] = "network", [304] = "network", [400] = "refused", [418] = "refused" }
  for status, word in pairs(statuses) do
    it(("takes a bare %d as %s"):format(status, word), function()
      local got, message, code, number = luat.decode { status = status, body = "<html>sorry</html>" }
      assert.is_nil(got)
      assert.matches(tostring(status), message, 1, true)
      assert.equal(word, code)
      assert.is_nil(number)
    end)
  end

  describe("reads msg", function()
    local cases = {
      { "with UCS-2 escapes",                 [[\u5df2\u662f\u6700\u65b0]],  "已是最新" },
      { "with escaped quotes and slashes",    [[a\"b\\c\/d]],                [[a"b\c/d]] },
      { "with a pair of surrogates",          [[\ud83d\ude00!]],             "😀!" },
      { "with half a pair",                   [[\ud83d!]],                   "?!" },
      { "with line ends as blanks",           [[a\r\nb]],                    "a  b" },
      { "without control characters",         [[a\u001bb]],                  "a?b" },
      { "with a bad escape",                  [[\u12x]],                     "?12x" },
      { "in UTF-8",                           "最新",                        "最新" },
      { "with bytes that are none",           "a\xFFb",                      "a?b" },
      { "of 200 bytes whole",                 ("x"):rep(200),                ("x"):rep(200) },
      { "of 201 bytes cut",                   ("x"):rep(201),                ("x"):rep(200) },
      { "cut between characters",             ("x"):rep(199) .. "新",        ("x"):rep(199) },
    }
    for _, case in ipairs(cases) do
      it(case[1], function()
        local message = select(2, luat.decode { status = 404, body = ('{"msg":"%s","code":27}'):format(case[2]) })
        assert.equal(case[3] .. " (code 27)", message)
      end)
    end

    it("wherever the body is cut", function()
      local body = [[{"code":27,"msg":"\u5df2 \"x\" \ud83d\ude00"}]]
      for length = 0, #body do
        local got, message = luat.decode { status = 404, body = body:sub(1, length) }
        assert.is_nil(got)
        assert.is_truthy(utf8.len(message))
      end
    end)
  end)
end)

describe("luat.encode", function()
  it("has no report", function()
    assert.is_nil(luat.encode { what = "done" })
  end)
end)

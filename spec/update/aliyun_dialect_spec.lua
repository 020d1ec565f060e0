local aliyun = require "update.cloud.aliyun"
local digest = require "update.native.digest"
local json = require "update.native.json"

local MD5 = "93230c3bde425a9d7984a594ac55ea1e"
local SHA256 = ("ab"):rep(32)
local URL = "https://oss.example.com/n.upd?Expires=1502955804&Signature=XfgJ%3D"

local function decode(kind, text, module)
  return aliyun.decode(kind, assert(json.decode(text)), { module = module })
end

-- An offer as text; `data` and `outer` replace members, "" leaves one out.
local function push(data, outer)
  local inner = { size = "432945", version = '"2.0.0"', url = ('"%s"'):format(URL), md5 = ('"%s"'):format(MD5) }
  for name, value in pairs(data or {}) do inner[name] = value ~= "" and value or nil end
  local members = {}
  for name, value in pairs(inner) do members[#members + 1] = ('"%s":%s'):format(name, value) end
  return ('{%s,"data":{%s}}'):format(outer or '"code":"1000","id":1507707025,"message":"success"',
    table.concat(members, ","))
end

describe("aliyun: messages of a cloud", function()
  local plain = { version = "2.0.0", url = URL, size = 432945, md5 = MD5, id = "1507707025" }
  local forms = {
    { "the documented form", push() },
    { "a size in quotes, an id as string", push({ size = '"432945"' }, '"id":"1507707025","message":"success"') },
    { "an upper-case digest", push { md5 = ('"%s"'):format(MD5:upper()) } },
    { "sign with Md5 instead of md5", push { md5 = "", sign = ('"%s"'):format(MD5), signMethod = '"Md5"' } },
    { "sign with MD5, as documents write it", push { md5 = "", sign = ('"%s"'):format(MD5), signMethod = '"MD5"' } },
    { "both", push { sign = ('"%s"'):format(MD5), signMethod = '"Md5"' } },
    { "no code, no message", push({}, '"id":1507707025') },
    { "the module default", push { module = '"default"', isDiff = "0" } },
    { "an unknown method, which is no hint", push { sign = '"xyz"', signMethod = '"Crc99"' } },
    { "null members", push { module = "null", extData = "null", sign = "null" } },
  }
  for _, form in ipairs(forms) do
    it("understands " .. form[1], function()
      assert.same({ kind = "offer", offer = plain }, assert(decode("upgrade", form[2])))
    end)
  end

  it("understands a SHA-256 of any case, and extData", function()
    for _, method in ipairs { "SHA256", "Sha256", "sha256" } do
      local got = assert(decode("upgrade", push { md5 = "", sign = ('"%s"'):format(SHA256:upper()),
        signMethod = ('"%s"'):format(method), extData = '{"key":"value"}' })).offer
      assert.same({ SHA256, nil, { key = "value" } }, { got.sha256, got.md5, got.extra })
    end
  end)

  it("takes offers on the topics of requests too, and no echo of its own", function()
    assert.equal("offer", decode("request", push()).kind)
    assert.equal("offer", decode("get_reply", push({}, '"id":"3","code":200')).kind)
    assert.same({ kind = "other" }, decode("request", '{"id":"1","params":{"version":"1.0.0"}}'))
    assert.same({ kind = "nothing" }, decode("get_reply", '{"id":"3","code":200,"data":{}}'))
  end)

  it("says why an offer of several files, or over MQTT, cannot be installed", function()
    local got = decode("upgrade", '{"id":1,"data":{"version":"2.0.0","files":[{"fileUrl":"http://h/a"}]}}')
    assert.same({ "unfit", "2.0.0" }, { got.kind, got.version })
    assert.matches("several files", got.text)
    got = decode("upgrade", '{"id":2,"data":{"version":"2.0.0","size":5,"streamId":7,"dProtocol":"mqtt"}}')
    assert.equal("unfit", got.kind)
    assert.matches("over MQTT", got.text)
  end)

  it("leaves another module's firmware alone", function()
    assert.same({ kind = "other", why = "ignored an offer for module mcu: this device is module default" },
      decode("upgrade", push { module = '"mcu"' }))
    assert.matches("offer for module m  u:", decode("upgrade", push { module = '"m\\u001b\\nu"' }).why)
    assert.equal("other", decode("upgrade", push(), "mcu").kind)
    assert.equal("other", decode("upgrade", '{"id":1,"data":{"version":"2","module":"mcu","files":[]}}').kind)
    assert.equal("offer", decode("upgrade", push { module = '"mcu"' }, "mcu").kind)
  end)

  local damaged = {
    { "no object", "[]", "without a url" }, { "a number", "7", "a JSON object" },
    { "no data", '{"id":1}', "without a url" },
    { "an empty version", push { version = '""' }, "version is not usable" },
    { "33 characters of version", push { version = ('"%s"'):format(("9"):rep(33)) }, "version is not usable" },
    { "a size of nothing", push { size = "0" }, "size is not usable" },
    { "a size that is a word", push { size = '"big"' }, "size is not usable" },
    { "a size with a fraction", push { size = "1.5" }, "size is not usable" },
    { "another scheme", push { url = '"ftp://h/x"' }, "url is not usable" },
    { "a url with a blank", push { url = '"http://h/x y"' }, "url is not usable" },
    { "a url with a line break", push { url = '"http://h/x\\r\\nHost: evil"' }, "url is not usable" },
    { "a url of 4097 bytes", push { url = ('"http://h/%s"'):format(("x"):rep(4088)) }, "url is not usable" },
    { "a short digest", push { md5 = '"abcd"' }, "digest is damaged" },
    { "a digest that is a number", push { md5 = "5" }, "digest is damaged" },
  }
  for _, case in ipairs(damaged) do
    it("refuses " .. case[1], function()
      local got, message, code = decode("upgrade", case[2])
      assert.same({ nil, "corrupt" }, { got, code })
      assert.matches(case[3], message, 1, true)
    end)
  end

  it("tells a refusal with the cloud's own words", function()
    local got, message, code = decode("get_reply", '{"id":"3","code":6461,"message":"no\\nfirmware"}')
    assert.same({ nil, "the cloud says no firmware (code 6461)", "refused" }, { got, message, code })
  end)

  it("never fails on a message cut at any byte", function()
    local text = push { sign = ('"%s"'):format(MD5), signMethod = '"Md5"', extData = '{"a":[1]}' }
    for cut = 0, #text - 1 do assert.is_nil((json.decode(text:sub(1, cut)))) end
    local whole = json.decode(text)
    for _, name in ipairs { "size", "version", "url", "md5", "sign", "signMethod", "extData" } do
      for _, value in ipairs { json.null, {}, json.array {}, true, -1, 1.5, "", "\0", ("x"):rep(5000) } do
        local data = {}
        for key, old in pairs(whole.data) do data[key] = old end
        data[name] = value
        local got, _, code = aliyun.decode("upgrade", { data = data })
        assert(got or code == "corrupt")
      end
    end
  end)
end)

describe("aliyun: messages of a device", function()
  local function encode(report)
    local kind, object, qos = aliyun.encode(report, 7)
    return kind, json.encode(object), qos
  end

  it("has the vendor's forms", function()
    local cases = {
      { { kind = "version", version = "1.0.0" }, "inform", '{"id":"7","params":{"version":"1.0.0"}}', 1 },
      { { kind = "version", version = "1.0.0", module = "m" }, "inform",
        '{"id":"7","params":{"module":"m","version":"1.0.0"}}', 1 },
      { { kind = "ask", version = "1.0.0" }, "request", '{"id":"7","params":{"version":"1.0.0"}}', 1 },
      { { kind = "get" }, "get", '{"id":"7","params":{}}', 1 },
      { { kind = "progress", percent = 11, text = "" }, "progress", '{"id":"7","params":{"desc":"","step":"11"}}', 0 },
      { { kind = "progress", percent = 100, text = "x" }, "progress",
        '{"id":"7","params":{"desc":"x","step":"100"}}', 1 },
      { { kind = "fail", number = -3, text = "bad\n" }, "progress",
        '{"id":"7","params":{"desc":"bad ","step":"-3"}}', 1 },
    }
    for _, case in ipairs(cases) do
      assert.same({ case[2], case[3], case[4] }, { encode(case[1]) })
    end
  end)

  it("keeps a description short, of whole characters", function()
    local _, object = aliyun.encode({ kind = "fail", number = -1, text = ("固"):rep(100) }, 1)
    assert.equal(("固"):rep(42), object.params.desc)
    local _, broken = aliyun.encode({ kind = "fail", number = -1, text = "a\xff" }, 1)
    assert.equal("a?", broken.params.desc)
  end)

  it("is understood by a cloud from every generation of clients", function()
    local function heard(kind, text) return aliyun.heard(kind, json.decode(text)) end
    for _, id in ipairs { "0", '"0"', "1" } do
      local got = heard("inform", ('{"id":%s, "params":{"version":"1.0.0"}}'):format(id))
      assert.same({ "version", "1.0.0" }, { got.kind, got.version })
    end
    assert.equal("X", heard("inform", '{"id":"0","params":{"version":"1","module":"X"}}').module)
    assert.equal(11, heard("progress", '{"id":0,"params":{"step":"11","desc":""}}').percent)
    assert.equal(5, heard("progress", '{"id":0,"params": {"step": 5}}').percent)
    local failed = heard("progress", '{"id":0,"params":{"step":"-4","desc":"flash"}}')
    assert.same({ "fail", -4, "flash" }, { failed.kind, failed.number, failed.text })
    assert.equal("request", heard("request", '{"id":0,"params":{"version":"1.0.0"}}').kind)
    assert.equal("other", heard("request", push()).kind)
    assert.equal("get", heard("get", '{"id":"1","params":{}}').kind)
    assert.equal("corrupt", select(3, heard("inform", '{"id":0,"params":{}}')))
    assert.equal("corrupt", select(3, heard("progress", '{"id":0,"params":{"step":"101"}}')))
  end)

  it("and its own offers come back as they were", function()
    local offer = { version = "2.0.0", url = URL, size = 10, md5 = MD5 }
    for _, kind in ipairs { "upgrade", "request", "get_reply" } do
      local got = assert(aliyun.decode(kind, aliyun.push(offer, 5, kind == "get_reply"))).offer
      got.id = nil
      assert.same(offer, got)
    end
    assert.equal("Md5", aliyun.push(offer, 5).data.signMethod)
  end)
end)

describe("aliyun: topics and credentials", function()
  it("signs as the vendor's client does", function()
    local got = aliyun.connection({ product = "a1TestPK001", device = "dev01", secret = "secret01" }, digest)
    assert.equal("a1TestPK001.dev01|timestamp=2524608000000,_v=moult,securemode=3,signmethod=hmacsha256,lan=C,gw=0,"
      .. "ext=0|", got.client_id)
    assert.same({ "dev01&a1TestPK001", "a1TestPK001.iot-as-mqtt.cn-shanghai.aliyuncs.com", 1883, 120, false },
      { got.user, got.host, got.port, got.keepalive, got.clean })
    -- openssl dgst -sha256 -hmac secret01
    assert.equal("CEEF0933750EF29E72152C233C338756A8728AA90418F0D9F196AE3BAFF9C884", got.password)
  end)

  it("says which secure mode it uses", function()
    local got = aliyun.connection({ product = "p", device = "d", secret = "s", tls = true, host = "h", port = 443 },
      digest)
    assert.matches("securemode=2", got.client_id, 1, true)
    assert.same({ "h", 443 }, { got.host, got.port })
  end)

  it("knows its topics again", function()
    for kind, topic in pairs(aliyun.topics("pk", "dn")) do
      assert.same({ kind, "pk", "dn" }, { aliyun.parse_topic(topic) })
    end
    for _, topic in ipairs { "/ota/device/other/pk/dn", "ota/device/inform/pk/dn", "/ota/device/inform/pk",
      "/ota/device/inform/pk/dn/x", "/ota/device/get/", "" } do
      assert.is_nil(aliyun.parse_topic(topic))
    end
  end)
end)

describe("aliyun: refusals of an object store", function()
  local cases = {
    { "expired", { status = 403, body = "<Code>AccessDenied</Code><Message>Request has expired.</Message>" },
      "the link has expired" },
    { "with a token that expired", { status = 400, body = "<Code>ExpiredToken</Code>" }, "the link has expired" },
    { "wrongly signed", { status = 403, body = "<Error><Code>SignatureDoesNotMatch</Code></Error>" },
      "the signature of the link is not valid" },
    { "for another reason", { status = 403, body = "no" }, "refuses it %(HTTP 403%)" },
  }
  for _, case in ipairs(cases) do
    it("is told apart: " .. case[1], function() assert.matches(case[3], aliyun.refusal(case[2])) end)
  end

  it("is another matter with other statuses", function()
    for _, status in ipairs { 200, 206, 400, 404, 416, 500 } do assert.is_nil(aliyun.refusal { status = status }) end
  end)
end)

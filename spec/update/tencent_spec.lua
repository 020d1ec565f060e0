local base64 = require "update.cloud.base64"
local digest = require "update.native.digest"
local json = require "update.native.json"
local resume = require "update.cloud.resume_record"
local tencent = require "update.cloud.tencent"

local MD5 = "36eb5951179db14a631463a37a9322a2"

local function decode(text)
  return tencent.decode("update", assert(json.decode(text)))
end

local function push(data)
  local inner = { type = '"update_firmware"', file_size = "708482", md5sum = ('"%s"'):format(MD5), version = '"0.2"',
    url = '"https://ota.cos.example.com"' }
  for name, value in pairs(data or {}) do inner[name] = value ~= "" and value or nil end
  local members = {}
  for name, value in pairs(inner) do members[#members + 1] = ('"%s": %s'):format(name, value) end
  return "{" .. table.concat(members, ",") .. "}"
end

describe("tencent: messages of a cloud", function()
  local offer = { version = "0.2", url = "https://ota.cos.example.com", size = 708482, md5 = MD5 }

  it("is an offer, with numbers as numbers or strings and a digest of either case", function()
    for _, text in ipairs { push(), push { file_size = '"708482"' }, push { md5sum = ('"%s"'):format(MD5:upper()) } } do
      assert.same({ kind = "offer", offer = offer }, decode(text))
    end
  end)

  it("is the answer to a report of the version", function()
    local text = '{"result_code":%s,"result_msg":"%s","type":"report_version_rsp","version":"1.0.0"}'
    assert.same({ kind = "reply", ok = true, version = "1.0.0", text = "success (result_code 0)" },
      decode(text:format("0", "success")))
    assert.is_true(decode(text:format('"0"', "success")).ok)
    assert.same({ false, "no such device (result_code 503)" },
      { decode(text:format("503", "no such device")).ok, decode(text:format("503", "no such device")).text })
  end)

  it("is nothing to us when its type is unknown", function()
    assert.same({ kind = "other" }, decode '{"type":"report_progress_rsp"}')
    assert.same({ kind = "other" }, decode '{"type":["x"]}')
    assert.same({ kind = "other" }, decode "[]")
  end)

  local damaged = {
    { "no size", push { file_size = "" }, "size" }, { "a size of nothing", push { file_size = '"0"' }, "size" },
    { "no digest", push { md5sum = "" }, "md5" }, { "half a digest", push { md5sum = '"36eb"' }, "md5" },
    { "no version", push { version = "null" }, "version" }, { "no url", push { url = "[]" }, "url" },
  }
  for _, case in ipairs(damaged) do
    it("refuses an offer with " .. case[1], function()
      local got, message, code = decode(case[2])
      assert.same({ nil, ("an offer whose %s is not usable"):format(case[3]), "corrupt" }, { got, message, code })
    end)
  end

  it("refuses a message that is not an object, and an answer without a result", function()
    assert.equal("corrupt", select(3, decode "7"))
    assert.equal("corrupt", select(3, decode '{"type":"report_version_rsp"}'))
  end)
end)

describe("tencent: messages of a device", function()
  local cases = {
    { { kind = "version", version = "1.0.0" }, '{"report":{"version":"1.0.0"},"type":"report_version"}', 1 },
    { { kind = "ask", version = "1.0.0" }, '{"report":{"version":"1.0.0"},"type":"report_version"}', 1 },
    { { kind = "progress", percent = 34, version = "0.2" }, '{"report":{"progress":{"percent":"34","result_code":"0",'
      .. '"result_msg":"","state":"downloading"},"version":"0.2"},"type":"report_progress"}', 0 },
    { { kind = "burning", version = "0.2" }, '{"report":{"progress":{"result_code":"0","result_msg":"",'
      .. '"state":"burning"},"version":"0.2"},"type":"report_progress"}', 1 },
    { { kind = "done", version = "0.2" }, '{"report":{"progress":{"result_code":"0","result_msg":"",'
      .. '"state":"done"},"version":"0.2"},"type":"report_progress"}', 1 },
    { { kind = "fail", number = -4, text = "block 3: digest", version = "0.2" }, '{"report":{"progress":{'
      .. '"result_code":"-4","result_msg":"block 3: digest","state":"fail"},"version":"0.2"},'
      .. '"type":"report_progress"}', 1 },
  }
  for _, case in ipairs(cases) do
    it("has the vendor's form: " .. case[1].kind, function()
      local kind, object, qos = tencent.encode(case[1])
      assert.same({ "report", case[2], case[3] }, { kind, json.encode(object), qos })
      -- and the cloud's side takes it for what it is
      local heard = assert(tencent.heard(kind, object))
      local said = case[1]
      assert.same({ said.kind == "ask" and "version" or said.kind, said.version, said.percent, said.number },
        { heard.kind, heard.version, heard.percent, heard.number })
    end)
  end

  it("is understood as the vendor's client writes it", function()
    local function heard(text) return tencent.heard("report", json.decode(text)) end
    assert.same({ kind = "version", version = "1.0.0" },
      heard '{"type": "report_version", "report":{"version":"1.0.0"}}')
    assert.same({ kind = "progress", percent = 0, version = "0.2" }, heard('{"type": "report_progress", "report": '
      .. '{"progress": {"state":"downloading", "percent":"0", "result_code":"0", "result_msg":""}, "version": "0.2"}}'))
    local over = heard '{"type":"report_progress","report":{"progress":{"state":"downloading","percent":101}}}'
    assert.equal(100, over.percent)
    assert.same({ kind = "fail", number = -4, text = "time_out", version = "0.2" }, heard('{"type": "report_progress", '
      .. '"report": {"progress": {"state":"fail", "result_code":"-4", "result_msg":"time_out"}, "version": "0.2"}}'))
    assert.equal("corrupt", select(3, heard '{"type":"report_progress","report":{"progress":{"state":"x"}}}'))
    assert.equal("other", heard('{"type":"x"}').kind)
  end)

  it("and the cloud's own messages come back as they were", function()
    local offer = { version = "2", url = "http://h/x", size = 5, md5 = MD5 }
    assert.same(offer, tencent.decode("update", tencent.push(offer)).offer)
    assert.is_true(tencent.decode("update", tencent.reply("1")).ok)
    assert.is_false(tencent.decode("update", tencent.reply("1", 5, "no")).ok)
  end)
end)

describe("tencent: topics and credentials", function()
  it("signs as the vendor's client does", function()
    local crypto = { hmac = digest.hmac, nonce = "abc12" }
    local got = tencent.connection({ product = "PROD", device = "dev1", secret = "aGVsbG8gd29ybGQga2V5IQ==" }, crypto)
    assert.same({ client_id = "PRODdev1", user = "PRODdev1;21010406;abc12;9223372036854775807", keepalive = 240,
      -- openssl dgst -sha1 -mac HMAC -macopt hexkey:...
      password = "769435b07cb4176c053172fa0cce90015eba8d53;hmacsha1", host = "PROD.iotcloud.tencentdevices.com",
      port = 1883, clean = true }, got)
    got = tencent.connection({ product = "P", device = "d", secret = "AAAA", tls = { ca = "/ca" } }, crypto)
    assert.same({ 8883, "string" }, { got.port, type(got.password) })
    assert.equal("usage", select(3, tencent.connection({ product = "P", device = "d", secret = "no base64" }, crypto)))
  end)

  it("is known by its key over TLS, and by no password then", function()
    local got = tencent.connection({ product = "PROD", device = "dev1", secret = "aGVsbG8gd29ybGQga2V5IQ==", tls = {} },
      { hmac = digest.hmac, nonce = "abc12" })
    assert.same({ client_id = "PRODdev1", user = "PRODdev1;21010406;abc12;9223372036854775807", keepalive = 240,
      psk = { identity = "PRODdev1", key = "hello world key!" }, host = "PROD.iotcloud.tencentdevices.com",
      port = 8883, clean = true }, got)
  end)

  it("is known by its certificate, where it has one and no key", function()
    local got = tencent.connection({ product = "PROD", device = "dev1", tls = { cert = "/c", key = "/k" } },
      { hmac = digest.hmac, nonce = "abc12" })
    assert.same({ client_id = "PRODdev1", user = "PRODdev1;21010406;abc12;9223372036854775807", keepalive = 240,
      host = "PROD.iotcloud.tencentdevices.com", port = 8883, clean = true }, got)
  end)

  it("knows its topics again", function()
    for kind, topic in pairs(tencent.topics("P", "d")) do
      assert.same({ kind, "P", "d" }, { tencent.parse_topic(topic) })
    end
    for _, topic in ipairs { "$ota/other/P/d", "/ota/report/P/d", "$ota/report/P", "$ota/report/P/d/x" } do
      assert.is_nil(tencent.parse_topic(topic))
    end
  end)
end)

describe("the resume record", function()
  it("has the SDK's fields and more", function()
    local record = { version = "0.2", size = 10, md5 = MD5, offset = 4, stage = "failed", code = "corrupt", text = "x" }
    assert.equal(('{"code":"corrupt","downloaded_size":4,"file_size":10,"md5sum":"%s","stage":"failed","text":"x",'
      .. '"version":"0.2"}'):format(MD5), json.encode(resume.encode(record)))
    assert.same(record, resume.decode(resume.encode(record)))
  end)

  it("is read in the SDK's own form, and not when it is damaged", function()
    assert.same({ version = "0.2", offset = 139972, stage = "fetching" },
      resume.decode(json.decode '{"version":"0.2", "downloaded_size":139972}'))
    for _, text in ipairs { "[]", "7", "{}", '{"version":"0.2"}', '{"version":"0.2","downloaded_size":-1}' } do
      assert.is_nil(resume.decode(json.decode(text)))
    end
    assert.same({ version = "1", offset = 0, stage = "fetching" },
      resume.decode(json.decode '{"version":"1","downloaded_size":0,"stage":"x","code":[],"md5sum":7}'))
  end)
end)

describe("base64", function()
  it("encodes, decodes, and refuses text that is not base64", function()
    for text, bytes in pairs { [""] = "", ["Zg=="] = "f", ["Zm8="] = "fo", ["Zm9v"] = "foo", ["Zm9vYg=="] = "foob",
      ["AP8/"] = "\0\xff?", ["Cg0="] = "\n\r", ["//79"] = "\xff\xfe\xfd" } do
      assert.equal(bytes, base64.decode(text))
      assert.equal(text, base64.encode(bytes))
    end
    for _, text in ipairs { "Z", "Zg", "Zg=", "Z===", "Zg==Zg==", "Zm9v\n", "Zm-v", "====" } do
      assert.is_nil(base64.decode(text))
    end
  end)

  it("has a number for every word that the other dialect has one for, and both know the words", function()
    local find = require("update.native.error").find
    local other = require("update.cloud.aliyun").numbers
    for word in pairs(tencent.numbers) do
      assert.truthy(find(word), word)
      assert.truthy(other[word], word)
    end
    for word in pairs(other) do assert.truthy(tencent.numbers[word], word) end
    assert.same({ -5, -1 }, { tencent.numbers.internal, other.internal })
    assert.is_nil(tencent.numbers.deferred)
  end)
end)

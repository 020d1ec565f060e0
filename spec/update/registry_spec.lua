local config = require "update.config"
local registry = require "update.cloud.registry"

local function nothing() end

local function http(overrides)
  local dialect = { name = "crate", over = "http", request = nothing, decode = nothing, recognises = nothing }
  for name, value in pairs(overrides or {}) do dialect[name] = value end
  return dialect
end

-- A configuration that is whole but for its clouds.
local function normalise(cloud)
  return config.normalise({ project = "METER", product_key = "k", hardware = "rev-a", id = "1", state = "s",
    cloud = cloud }, "/device", function(text) return text end)
end

describe("update.cloud.registry", function()
  it("knows who pushes, and which fields are for whom", function()
    assert.is_true(registry.is_mqtt { kind = "aliyun" })
    assert.is_false(registry.is_mqtt { kind = "luat" })
    assert.is_false(registry.is_mqtt { kind = "nobody's" })
    assert.same({ module = "m" }, registry.own { kind = "aliyun", module = "m", product = "p" })
    for _, field in ipairs(registry.fields) do
      if field.name == "module" then
        assert.same({ true, false }, { registry.takes(field, "aliyun"), registry.takes(field, "tencent") })
      elseif field.name == "url" then
        assert.same({ true, false }, { registry.takes(field, "luat"), registry.takes(field, "tencent") })
      end
    end
  end)

  it("takes a dialect from outside, with fields of its own", function()
    assert.is_true(registry.add(http { fields = {
      { name = "token", type = "string", max = 8, required = true, meaning = "what the server knows us by" } } }))
    local got = assert(normalise { kind = "crate", url = "http://h/", token = "x" })
    assert.same({ "crate", "crate", "x" }, { got.clouds[1].kind, got.clouds[1].name, got.clouds[1].token })
    local wrong = {
      { { kind = "crate", url = "http://h/" }, "field cloud.token is missing: what the server" },
      { { kind = "crate", token = "x" }, "field cloud.url is missing" },
      { { kind = "crate", url = "http://h/", token = "123456789" }, "field cloud.token is longer than 8 bytes" },
      { { kind = "crate", url = "http://h/", token = "x", product = "p" },
        'field cloud.product is not for a cloud of kind "crate"' },
      { { kind = "luat", url = "http://h/", token = "x" }, 'field cloud.token is not for a cloud of kind "luat"' },
    }
    for _, case in ipairs(wrong) do
      local none, message, code = normalise(case[1])
      assert.same({ nil, "usage" }, { none, code })
      assert.matches(case[2], message, 1, true)
    end
  end)

  it("replaces a dialect that was added, but none that is built in", function()
    assert.is_true(registry.add(http { request = function() return nil, "first", "usage" end }))
    assert.is_true(registry.add(http { request = function() return nil, "second", "usage" end }))
    assert.equal("second", select(2, registry.of("crate").request()))
    local ok, message, code = registry.add(http { name = "luat" })
    assert.same({ nil, "dialect luat is built in; give yours another name", "usage" }, { ok, message, code })
  end)

  it("turns an error in a dialect from outside into a message", function()
    registry.add(http { decode = function() error "odd" end })
    local said, message, code = registry.of("crate").decode {}
    assert.same({ nil, "internal" }, { said, code })
    assert.matches("^dialect crate: decode: .*odd$", message)
  end)

  local row = { name = "token", type = "string", meaning = "a word" }
  local function field(overrides)
    local other = {}
    for name, value in pairs(row) do other[name] = value end
    for name, value in pairs(overrides) do other[name] = value or nil end
    return http { fields = { other } }
  end
  local refused = {
    { "nothing", nil, "must be a table" },
    { "one without a name", http { name = 7 }, "needs a name" },
    { "a name that is a path", http { name = "../x" }, "needs a name of lower-case letters" },
    { "another transport", http { over = "coap" }, 'over must be "http" or "mqtt"' },
    { "one that cannot answer", http { decode = "x" }, "dialect crate has no decode (function)" },
    { "one over MQTT that cannot speak", http { over = "mqtt" }, "has no connection (function), encode (function)" },
    { "a field of another type", field { type = "table" }, "field token has an unknown type" },
    { "a field without a meaning", field { meaning = false }, "field token has no meaning" },
    { "a number without bounds", field { type = "integer" }, "field token has no min" },
    { "a field that is everybody's", field { name = "url" }, "field url: every dialect has it already" },
    { "a default", field { default = "x" }, "field token has a default" },
  }
  for _, case in ipairs(refused) do
    it("refuses " .. case[1], function()
      local ok, message, code = registry.add(case[2])
      assert.same({ nil, "usage" }, { ok, code })
      assert.matches(case[3], message, 1, true)
    end)
  end
end)

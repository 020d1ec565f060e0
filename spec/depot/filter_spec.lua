local filters = require "depot.filter"

local HOUR = 3600000
local NOW = 1000 * HOUR

local ROW = { product = "a1PK", cloud = "aliyun", device = "Meter-0001", release = "1.0.10", target = "1.1.0",
  state = "failed", code = -4, heard = NOW - 30 * HOUR }

describe("depot.filter", function()
  local cases = {
    { "", true }, { "   ", true },
    { "product:a1PK", true }, { "product:A1pk", true }, { "product:a1", false }, { "-product:a1", true },
    { "cloud:aliyun", true }, { "cloud:tencent", false }, { "-cloud:aliyun", false },
    { "name:meter-0001", true }, { "name:METER-*", true }, { "name:*", true }, { "name:meter-1*", false },
    { "name:meter-0001*", true }, { "name:eter*", false },
    { "release:1.0.10", true }, { "release:1.0.1", false },
    { "release<1.0.11", true }, { "release<1.0.10", false }, { "release<1.0.9", false }, { "-release<1.0.9", true },
    { "target:1.1.0", true }, { "state:failed", true }, { "state:FAILED", true }, { "state:pending", false },
    { "code:-4", true }, { "code:-5", false }, { "code<0", true }, { "code<-4", false }, { "-code:-4", false },
    { "heard<29h", true }, { "heard<30h", false }, { "heard<1d", true }, { "heard<2d", false }, { "-heard<2d", true },
    { "heard<1s", true }, { "heard<1799m", true }, { "heard<1801m", false },
    { "state:failed release<1.1 -code:-1", true }, { "state:failed release<1.0 -code:-1", false },
    { '  state:"failed"\tname:"meter-0001"  ', true }, { 'state:""', false }, { '-state:""', true },
  }
  for _, case in ipairs(cases) do
    it(("%s %s"):format(case[1] == "" and "nothing" or case[1], case[2] and "means it" or "does not"), function()
      assert.equal(case[2], filters.means(assert(filters.parse(case[1])), ROW, NOW))
    end)
  end

  it("knows of a device that said nothing only that", function()
    local silent = { product = "p", cloud = "luat", device = "1" }
    for text, means in pairs { ["release:1"] = false, ["-release:1"] = true, ["release<9"] = false,
      ["heard<1s"] = false, ["-heard<1s"] = true, ['state:""'] = true, ['-state:""'] = false, ["code<5"] = false } do
      assert.equal(means, filters.means(assert(filters.parse(text)), silent, NOW), text)
    end
  end)

  it("has terms for values from outside, whatever they hold", function()
    for _, value in ipairs { "1.0.10", "", "a b", 'x" state:failed "', "-:<", "\n" } do
      local terms = assert(filters.parse(filters.term("release", value))).terms
      assert.same({ 1, "release", (value:gsub('"', "")) }, { #terms, terms[1].of, terms[1].wanted })
    end
  end)

  local wrong = {
    { "failed", 'filter: "failed" is not of the form field:value' },
    { "state:failed oops", 'filter: "oops" is not of the form field:value' },
    { "State:failed", 'filter: "State:failed" is not of the form field:value' },
    { "imei:1", "filter: unknown field imei; the fields are admitted, cloud, code, core, group, hardware, heard," },
    { "state:", "filter: state: has no value" },
    { "state: failed", "filter: state: has no value" },
    { 'state:"failed', "filter: state: has no value" },
    { 'state:fai"led', "filter: state: has no value" },
    { 'state:"failed"x', "filter: state: has no value" },
    { "state<failed", "filter: state<: only code, core, heard, release can be compared like this" },
    { "heard:7d",
      "filter: heard:: only admitted, cloud, code, core, group, hardware, listening, name, product, reason, release," },
    { "heard<7", "filter: heard<7: the value is not a span, as 30m, 24h or 7d" },
    { "heard<7w", "filter: heard<7w: the value is not a span" },
    { "heard<1234567890d", "filter: heard<1234567890d: the value is not a span" },
    { "code<x", "filter: code<x: the value is not a whole number" },
    { "code<1.5", "filter: code<1.5: the value is not a whole number" },
    { "release<blue", "filter: release<blue: the value is not a version, as 1.0.2" },
    { ("state:x "):rep(33), "filter: more than 32 terms" },
  }
  for _, case in ipairs(wrong) do
    it("refuses " .. case[1]:sub(1, 30), function()
      local filter, message, code = filters.parse(case[1])
      assert.same({ nil, "usage" }, { filter, code })
      assert.equal(case[2], message:sub(1, #case[2]))
    end)
  end

  it("takes only lasting fields for a rollout", function()
    assert.is_true(filters.means(assert(filters.parse("name:meter-* -cloud:luat release<2 product:a1pk", true)), ROW))
    for _, text in ipairs { "state:failed", "-code:1", "heard<1d", "target:1" } do
      local filter, message, code = filters.parse("cloud:aliyun " .. text, true)
      assert.same({ nil, "usage" }, { filter, code })
      assert.matches("^filter: %l+ changes over time; batches, rollouts and groups can use admitted, cloud, core, "
        .. "group, hardware, name, product, release, tag$", message)
    end
    assert.matches("unknown field imei", select(2, filters.parse("imei:1", true)))
  end)

  it("survives any bytes", function()
    local alphabet, seed = { "a", "state", ":", "<", "-", '"', " ", "\0", "\xff", "7d", "heard", "*" }, 7
    for _ = 1, 20000 do
      local text = {}
      for i = 1, 8 do
        seed = (seed * 1103515245 + 12345) & 0x7fffffff
        text[i] = alphabet[(seed >> 8) % #alphabet + 1]
      end
      local filter, _, code = filters.parse(table.concat(text))
      assert(filter or code == "usage")
      if filter then filters.means(filter, ROW, NOW) end
    end
  end)
end)

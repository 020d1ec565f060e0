local json = require "update.native.json"

describe("json.decode", function()
  it("keeps 64-bit integers exact and floats floats", function()
    local v = json.decode '[9223372036854775807,-9223372036854775808,9007199254740993,1.0,1e3,-0.5]'
    assert.same({ 9223372036854775807, math.mininteger, 9007199254740993, 1.0, 1000.0, -0.5 }, v)
    assert.equal("integer", math.type(v[3]))
    assert.equal("float", math.type(v[4]))
    assert.equal("float", math.type(v[5]))
  end)

  it("tells empty arrays from empty objects, and null from absence", function()
    local v = json.decode '{"a":[],"o":{},"n":null}'
    assert.equal(json.array, getmetatable(v.a))
    assert.is_nil(getmetatable(v.o))
    assert.equal(json.array, getmetatable(v.a))
    assert.equal(json.null, v.n)
    assert.equal('{"a":[],"n":null,"o":{}}', json.encode(v))
  end)

  it("reads any value at the top, and escapes", function()
    assert.equal("a\0b\u{e9}\u{1f600}", json.decode [["a\u0000b\u00e9\ud83d\ude00"]])
    assert.equal(true, json.decode "true")
    assert.equal(false, json.decode " false ")
    assert.equal(7, json.decode "7")
  end)

  local bad = {
    { "nothing",                  "",                        "" },
    { "text behind the value",    "{} x",                    "end of file expected" },
    { "duplicate keys",           '{"a":1,"a":2}',           "duplicate" },
    { "invalid UTF-8",            "\"\xff\"",                "unable to decode byte" },
    { "a lone surrogate",         [["\ud83d"]],              "" },
    { "integers out of range",    "9223372036854775808",     "big" },
    { "floats out of range",      "1e999",                   "" },
    { "a trailing comma",         "[1,]",                    "" },
    { "single quotes",            "{'a':1}",                 "" },
    { "comments",                 "/* */ {}",                "" },
    { "NaN",                      "NaN",                     "" },
    { "a leading zero",           "01",                      "" },
    { "a control character",      '"\n"',                    "" },
    { "33 levels",                ("["):rep(33) .. ("]"):rep(33), "32 levels" },
    { "100,000 levels",           ("["):rep(100000),         "" },
    { "more than a mebibyte",     '"' .. ("x"):rep(1048576) .. '"', "at most 1048576" },
  }
  for _, case in ipairs(bad) do
    it("refuses " .. case[1], function()
      local v, message, code = json.decode(case[2])
      assert.is_nil(v)
      assert.equal("corrupt", code)
      assert.matches("^json: ", message)
      assert.matches(case[3], message)
    end)
  end

  it("takes 32 levels, and other limits when told", function()
    assert.is_table(json.decode(("["):rep(32) .. ("]"):rep(32)))
    assert.is_nil((json.decode("[[1]]", { depth = 1 })))
    assert.is_table(json.decode("[1]", { depth = 1 }))
    assert.is_nil((json.decode("[1]", { size = 2 })))
    assert.is_table(json.decode("[1]", { size = 3 }))
    assert.is_table(json.decode(("["):rep(40) .. ("]"):rep(40), { depth = 40 }))
  end)

  it("does not repeat the text it stumbled over", function()
    local _, message = json.decode '{"token": secret}'
    assert.is_nil(message:find("secret", 1, true))
  end)

  it("survives a valid text cut at every byte", function()
    local text = '{"a":[1,2.5,{"b":"x\\u00e9\\n"}],"c":null,"d":[true,false],"e":-12}'
    for cut = 0, #text - 1 do
      local v, _, code = json.decode(text:sub(1, cut))
      assert.is_nil(v)
      assert.equal("corrupt", code)
    end
    assert.equal(-12, json.decode(text).e)
  end)
end)

describe("json.encode", function()
  it("sorts keys, adds no space and ends where it began", function()
    local text = '{"a":[1,2,{"z":[]}],"b":"\\u0001\\"\\\\","c":1.5,"d":9007199254740993,"e":2.0,"f":{}}'
    assert.equal(text, json.encode(json.decode(text)))
  end)

  it("writes tables 1..n and marked tables as arrays", function()
    assert.equal("[1,2,3]", json.encode { 1, 2, 3 })
    assert.equal("{}", json.encode {})
    assert.equal("[]", json.encode(json.array {}))
    assert.equal("null", json.encode(json.null))
    assert.equal("null", json.encode(nil))
    assert.equal('"x"', json.encode "x")
  end)

  it("writes floats so that they come back the same", function()
    for _, v in ipairs { 0.1, 1 / 3, 1e300, -2.0, 5e-324, 123456789.123 } do
      local back = json.decode(json.encode(v))
      assert.equal(v, back)
      assert.equal("float", math.type(back))
    end
  end)

  local cyclic = {}
  cyclic[1] = cyclic
  local bad = {
    { "functions",             print,                       "function has no JSON form" },
    { "userdata",              io.stdout,                   "userdata has no JSON form" },
    { "NaN",                   0 / 0,                       "not finite" },
    { "infinity",              math.huge,                   "not finite" },
    { "holes",                 { 1, nil, 3, nil, 5 },       "without holes" },
    { "mixed keys",            { 1, a = 2 },                "without holes" },
    { "booleans as keys",      { [true] = 1 },              "without holes" },
    { "floats as keys",        { [1.5] = 1 },               "without holes" },
    { "strings in an array",   json.array { a = 1 },        "without holes" },
    { "cycles",                cyclic,                      "32 levels" },
  }
  for _, case in ipairs(bad) do
    it("raises on " .. case[1], function()
      assert.error_matches(function() json.encode(case[2]) end, case[3])
      assert.error_matches(function() json.encode { x = { case[2] } } end, case[3])
    end)
  end

  it("writes invalid UTF-8 as printable text, and never raises on it", function()
    for _, case in ipairs {
      { "a\xc0b", '"a?b"' },
      { { "\xed\xa0\x80" }, '["???"]' },
      { { x = { ["\xff"] = "\x80" } }, '{"x":{"?":"?"}}' },
      { { ["a\0b"] = { 1 } }, '{"a?b":[1]}' },
      { "a\nb\27", [["a\nb\u001B"]] }, -- UTF-8, so it stays
    } do
      assert.equal(case[2], json.encode(case[1]))
      assert(json.decode(case[2]))
    end
  end)

  it("gives texts of strangers as they can be shown", function()
    local text = [[{"a\u202eb":["x\n\u009by",{"c\u009f":"é"}]}]]
    assert.same({ ["a?b"] = { "x??y", { ["c?"] = "é" } } }, json.decode(text, { printable = true }))
    assert.same("\u{202e}", json.decode([["\u202e"]]))
  end)

  it("leaves nothing behind", function()
    for _ = 1, 200 do
      pcall(json.encode, { a = { b = { 1, 2, print } } })
      json.decode('{"a":[1,2,{"b":"c"}]}')
    end
    collectgarbage()
  end)
end)

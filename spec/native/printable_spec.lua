local printable = require "update.native.printable"

describe("update.native.printable", function()
  local cases = {
    { "plain text",                 "working 1.0.0",            "working 1.0.0" },
    { "other scripts",              "最新 é ß 🐢 שלום",          "最新 é ß 🐢 שלום" },
    { "line ends and tabs as one",  "a\r\n\tb\n",               "a b " },
    { "escapes of a terminal",      "\27[31mred\7",             "?[31mred?" },
    { "C1",                         "a\u{9b}31m",               "a?31m" },
    { "turns of direction",         "exe\u{202e}gpj\u{2066}",    "exe?gpj?" },
    { "separators and byte order",  "a\u{2028}b\u{feff}",        "a?b?" },
    { "zero bytes",                 "a\0b",                     "a?b" },
    { "bytes that are no UTF-8",    "a\xffb\xc3",               "a?b?" },
    { "an overlong slash",          "\xc0\xaf",                 "??" },
    { "half of a surrogate",        "\xed\xa0\x80",             "???" },
    { "beyond the last character",  "\xf4\x90\x80\x80",         "????" },
    { "a number",                   12,                        "12" },
    { "nothing",                    nil,                       "nil" },
    { "the empty text",             "",                        "" },
  }
  for _, case in ipairs(cases) do
    it("shows " .. case[1], function()
      assert.equal(case[3], printable.text(case[2]))
      assert.equal(printable.text(case[2]), printable.text(printable.text(case[2])))
      assert.is_true(printable.is(printable.text(case[2])))
    end)
  end

  it("cuts between characters", function()
    assert.equal("aé", printable.text("aéé", 3))
    assert.equal("aé", printable.text("aéé", 4))
    assert.equal("aéé", printable.text("aéé", 5))
    assert.equal("", printable.text("é", 1))
    assert.equal("", printable.text("x", 0))
    assert.has_error(function() printable.text("x", -1) end)
  end)

  it("knows which text is printable", function()
    assert.is_true(printable.is "é")
    for _, text in ipairs { "\n", "\127", "\u{202a}", "\xc3" } do assert.is_false(printable.is(text)) end
  end)
end)

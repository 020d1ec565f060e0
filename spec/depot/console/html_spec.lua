local form = require "depot.console.form"
local html = require "depot.console.html"
local words = require "depot.console.words"

local h = html.h

describe("console.html", function()
  it("escapes texts and attributes", function()
    assert.equal("<p class=\"&quot;&gt;&lt;x&gt;&#39;&amp;\">&lt;b&gt;&amp;amp;</p>",
      html.text(h.p { class = "\"><x>'&", "<b>&amp;" }))
    assert.equal("<p>abc1</p>", html.text(h.p { "a", { false, "b", nil, "c" }, 1 }))
    assert.equal("<br><input disabled>", html.text { h.br {}, h.input { disabled = true, required = false } })
    assert.equal("<p>text</p>", html.text(h.p "text"))
    assert.equal("<p><b>x</b></p>", html.text(h.p(h.b "x")))
  end)

  it("has no way to style or run something in place", function()
    for _, name in ipairs { "style", "onclick", "onload", 'x"', "a b" } do
      assert.has_error(function() html.text(h.p { [name] = "x" }) end)
    end
  end)

  it("links to paths here, or by http(s)", function()
    for _, link in ipairs { "/", "/a?b=c", "?q=1", "#main", "https://example.org/x", "http://a" } do
      assert.is_true(html.is_link(link), link)
      assert.matches("href=", html.text(h.a { href = link }))
    end
    for _, link in ipairs { "javascript:alert(1)", "//evil.example", "/\\evil.example", "data:text/html,x", "x", "",
      " javascript:x", "JAVASCRIPT:x", "https://a b", "https://\"", "\tjavascript:x", "vbscript:x" } do
      assert.is_false(html.is_link(link), link)
      assert.equal("<a></a>", html.text(h.a { href = link }))
    end
  end)
end)

describe("console.form", function()
  it("reads what browsers send", function()
    assert.same({ a = "b c", d = "", ["é"] = "=&", n = "1\r\n2" }, form.read "a=b+c&d&%C3%A9=%3D%26&n=1%0D%0A2&")
    assert.same({ a = "1\n2" }, form.read "a=1&a=2")
    assert.same({}, form.read "")
    assert.same({ a = "%zz%" }, form.read "a=%zz%")
  end)

  it("reads back what it writes", function()
    local fields = { q = "a b&c=d\"'<>\226\128\174\0", x = "1" }
    assert.same(fields, form.read(form.query(fields):sub(2)))
    assert.equal("", form.query {})
  end)
end)

describe("console.words", function()
  it("has every word in both languages, with the same blanks", function()
    for key, pair in pairs(words.words) do
      assert.is_true(#pair == 2 and #pair[1] > 0 and #pair[2] > 0, key)
      assert.equal(select(2, pair[1]:gsub("%%[ds]", "")), select(2, pair[2]:gsub("%%[ds]", "")), key)
    end
  end)

  it("has a word for every state, and for every reason", function()
    for _, key in ipairs { "s_pending", "s_upgrading", "s_succeeded", "s_failed", "s_reverted", "s_superseded",
      "s_cancelled", "s_first heard", "s_runs", "s_offered",
      "s_rollout", "s_act", "s_turned away",
      "w_came_back", "w_never_began", "w_expired", "w_silent", "w_late", "w_limit", "w_person",
      "w_restored", "w_withdrawn", "w_superseded", "r_draft", "r_scheduled", "r_running", "r_soaking", "r_waiting",
      "r_paused", "r_cancelled", "r_finished", "g_uploaded", "g_verified", "g_released", "g_withdrawn" } do
      assert.is_table(words.words[key], key)
    end
    assert.equal("unheard of", words.of("zh", "s_unheard of"))
  end)

  it("takes the language of the user, the link, the browser, in this order", function()
    assert.equal("zh", words.language("zh", "en", "en"))
    assert.equal("zh", words.language(nil, "zh", "en"))
    assert.equal("zh", words.language(nil, "fr", "ZH-cn, en;q=0.5"))
    assert.equal("en", words.language(nil, nil, "fr, zh"))
    assert.equal("en", words.language(nil, nil, nil))
  end)
end)

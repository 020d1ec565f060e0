local luat_fota = require "update.script.luat_fota"

describe("libfota", function()
  local asked, outcome, warned, globals, libfota, libfota2

  before_each(function()
    asked, warned, outcome = {}, {}, { stage = "armed" }
    globals = { PRODUCT_KEY = "k-123", VERSION = "1.0.0" }
    libfota, libfota2 = luat_fota.new {
      sys = { taskInit = function(fn, ...) fn(...) end },
      ask = function(verb, fields)
        asked[#asked + 1] = verb .. " " .. tostring(fields.url)
        if outcome then return outcome end
        return nil, "no agent here", "nothing"
      end,
      log = { warn = function(_, ...) warned[#warned + 1] = table.concat({ ... }, " ") end },
      globals = function() return globals end,
    }
  end)

  local function result_of(request, ...)
    local results = {}
    request(function(...) results[#results + 1] = table.pack(...) end, ...)
    assert.equal(1, #results)
    assert.equal(1, results[1].n)
    return results[1][1]
  end

  for stage, number in pairs { armed = 0, connect = 1, transfer = 3, answer = 4 } do
    it(("gives %d when it ended with %q"):format(number, stage), function()
      outcome = { stage = stage, message = "why" }
      assert.equal(number, result_of(libfota.request))
      assert.equal(number, result_of(libfota2.request))
      assert.equal(number == 0 and 0 or 2, #warned)
    end)
  end

  it("gives 1 without an agent", function()
    outcome = nil
    assert.equal(1, result_of(libfota2.request, {}))
    assert.same({ "1 no agent here" }, warned)
  end)

  it("gives 5 for names that Luat's cloud cannot take, and asks nobody", function()
    for _, wrong in ipairs { {}, { PRODUCT_KEY = "k" }, { PRODUCT_KEY = "k", VERSION = "1.0" },
      { VERSION = "1.0.0" } } do
      globals = wrong
      assert.equal(5, result_of(libfota.request))
      assert.equal(5, result_of(libfota2.request, { url = "http://h/up" }))
    end
    assert.same({}, asked)
    assert.equal(0, result_of(libfota.request, "http://h/up?v=1"))
    assert.equal(0, result_of(libfota2.request, { url = "###http://h/up" }))
  end)

  it("uses libfota's URL as it is, and adds parameters to libfota2's", function()
    result_of(libfota.request)
    result_of(libfota.request, "http://h/a?b=1")
    result_of(libfota2.request, { url = "http://h/a?" })
    result_of(libfota2.request, { url = "###http://h/a" })
    assert.same({ "fota nil", "fota ###http://h/a?b=1", "fota http://h/a?", "fota ###http://h/a" }, asked)
  end)

  it("leaves the table of options unchanged, and names those without a meaning", function()
    local options = { url = "http://h/a?", version = "1.2.3", timeout = 5 }
    assert.equal(0, result_of(libfota2.request, options))
    assert.same({ url = "http://h/a?", version = "1.2.3", timeout = 5 }, options)
    assert.same({ "version is ignored; it is in the configuration",
      "timeout is ignored; it is in the configuration" }, warned)
  end)

  it("needs no callback, and refuses one that is not a function", function()
    libfota.request()
    libfota2.request(nil, {})
    assert.equal(2, #asked)
    assert.error_matches(function() libfota.request("x") end, "libfota.request: the callback is a string")
    assert.error_matches(function() libfota.request(nil, 5) end, "libfota.request: the URL is a number")
    assert.error_matches(function() libfota2.request(nil, { url = 5 }) end, "libfota2.request: the URL is a number")
    assert.error_matches(function() libfota2.request(nil, "http://h") end, "a table of options is needed")
  end)
end)

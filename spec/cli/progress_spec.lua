local progress = require "cli.progress"

describe("cli.progress", function()
  it("gives sizes three digits", function()
    assert.same({ "0 B", "1023 B", "1.00 KiB", "12.0 KiB", "256 KiB", "4.00 GiB" }, {
      progress.size(0), progress.size(1023), progress.size(1024), progress.size(12288), progress.size(262144),
      progress.size(4 << 30),
    })
  end)

  it("gives durations as people read them", function()
    assert.same({ "0 s", "59 s", "1:00", "1:01:01" },
      { progress.duration(0), progress.duration(59), progress.duration(60), progress.duration(3661) })
  end)

  it("never makes a bar wider than the terminal", function()
    for width = 20, 200, 7 do
      for _, done in ipairs { 0, 1, 77 << 20, 128 << 20 } do
        local line = progress.bar(done, 128 << 20, "fetching script", 3 << 20, width)
        assert.is_true(#line < width, ("%d columns: %s"):format(width, line))
      end
    end
  end)

  it("fills the bar by what is done", function()
    assert.matches("%[" .. ("#"):rep(20) .. ("-"):rep(20) .. "%]  50%%", progress.bar(5, 10, "x", nil, 120))
    assert.matches("%[" .. ("#"):rep(40) .. "%] 100%%", progress.bar(10, 10, "x", nil, 120))
  end)

  local function meter(form)
    local clock, text = { at = 0 }, {}
    local m = progress.new {
      form = form, width = 80,
      now = function() return clock.at end,
      write = function(piece) text[#text + 1] = piece end,
      encode = function(t) return ("%s %d/%d"):format(t.event, t.done, t.total) end,
    }
    return m, clock, text
  end

  it("shows at most four bars a second, and the end", function()
    local m, clock, text = meter("bar")
    for i = 0, 100 do
      clock.at = i / 100
      m:update(i, 100, "fetching")
    end
    m:finish()
    assert.is_true(#text <= 7, #text)
    assert.matches("100%%", table.concat(text))
    assert.equal("\n", text[#text])
  end)

  it("writes whole lines when plain, without carriage returns", function()
    local m, clock, text = meter("plain")
    for i = 0, 5 do
      clock.at = i
      m:update(i * 20, 100, "fetching")
    end
    m:finish()
    local all = table.concat(text)
    assert.is_nil(all:find("\r", 1, true))
    assert.matches("^fetching   0%%  0 B of 100 B\n", all)
    assert.matches("100%%  100 B of 100 B[^\n]*\n$", all)
  end)

  it("writes a JSON object a line", function()
    local m, _, text = meter("json")
    m:update(0, 10, "fetching")
    m:update(10, 10, "fetching")
    m:finish()
    assert.same({ "progress 0/10\n", "progress 10/10\n" }, text)
  end)
end)

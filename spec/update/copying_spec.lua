local copying = require "update.engine.copying"

-- A copy over a played source; what happened is in the log.
local function make()
  local log, clock = {}, { at = 0 }
  local function note(...) log[#log + 1] = table.concat({ ... }, " ") end
  local tasks = {
    now = function() return clock.at end,
    set = function(_, event) note("set", event.name or "room") end,
    await = function(_, event, seconds)
      clock.at = clock.at + seconds
      if clock.on_wait then clock.on_wait(event) end
    end,
    idle = function() note "idle" end,
  }
  local source = { waiting = true, answers = {} }
  function source.waits() return source.waiting end
  function source.take(_, offset, most)
    note("take", offset, most)
    return table.unpack(table.remove(source.answers, 1) or { "" })
  end
  for _, name in ipairs { "leave", "close", "release" } do source[name] = function() note(name) end end
  function source.join(_, below) note("join", below.name) end
  local engine = { natives = { source = { copying = function(below, package, spool, from)
    note("copying", below.name, package, spool, from)
    if source.refusal then return nil, "no memory", "internal" end
    return source
  end } } }
  local c = copying.new { tasks = tasks, log = function(line) note("log", line) end, moved = { name = "moved" } }
  local function head(fields)
    local h = { id = "ab", source = { name = "plain", close = function() note "close plain" end }, package = "package",
      spool = "/tx", manifest = { digest = "d" } }
    for name, value in pairs(fields or {}) do h[name] = value end
    return h
  end
  return c, engine, head, source, log, clock
end

describe("update.engine.copying", function()
  it("stands between transfer and source, and stays when the source goes", function()
    local c, engine, head, source, log = make()
    local h = head()
    c:over_source(engine, h)
    assert.equal(source, h.source)
    c:over_source(engine, h)
    c:leave(h.source)
    h.source = { name = "another" }
    c:over_source(engine, h)
    assert.equal(source, h.source)
    c:leave { close = function() log[#log + 1] = "close another" end }
    c:close()
    c:close()
    assert.same({ "copying plain package /tx 0", "leave", "join another", "close another", "close" }, log)
  end)

  it("returns bytes, and lets the transfer continue once they are taken", function()
    local c, engine, head, source, log = make()
    assert.equal("", c:take(0)) -- nothing was begun
    c:over_source(engine, head())
    source.answers = { { "abc" }, { "" } }
    assert.equal("abc", c:take(0))
    assert.equal("", c:take(3))
    assert.same({ "take 0 32768", "take 3 32768", "set room" }, table.move(log, 2, 4, 1, {}))
    c:close()
    c:over_source(engine, head()) -- a second try of the same package
    assert.equal("copying plain package /tx 3", log[#log])
  end)

  it("waits for who takes, or for the source", function()
    local c, engine, head, source, log, clock = make()
    c:rest()
    c:over_source(engine, head())
    clock.on_wait = function() source.waiting = false end
    c:rest()
    c:rest()
    assert.same({ "idle", "copying plain package /tx 0", "set moved", "idle" }, log)
    source.waiting, clock.on_wait = true, nil
    local asked = 0
    c:finish(function()
      asked = asked + 1
      return asked > 3
    end)
    assert.equal(4, asked)
  end)

  it("continues without the copy after ten minutes in which nothing was taken", function()
    local c, engine, head, source, log, clock = make()
    c:over_source(engine, head())
    function source.release()
      source.waiting = false
      log[#log + 1] = "release"
    end
    clock.at = 300
    c:take(0)
    c:finish(function() return false end)
    assert.equal(900, clock.at)
    local said = table.concat(log, "\n")
    assert.truthy(said:find("has taken nothing for 600 s; the update continues without it\nrelease", 1, true))
    assert.same({ nil, "the copy was not taken in time", "refused" }, { c:take(0) })
  end)

  it("does not wait longer for a program that asks but never takes bytes", function()
    local c, engine, head, source, _, clock = make()
    c:over_source(engine, head())
    function source.release() source.waiting = false end
    function source.take() return "abc" end
    clock.on_wait = function()
      if clock.at < 5000 then c:take(0) end
    end
    c:finish(function() return false end)
    assert.equal(601, clock.at)
  end)

  it("waits for who takes slowly", function()
    local c, engine, head, source, _, clock = make()
    c:over_source(engine, head())
    function source.release() error "released" end
    function source.take() return "abc" end
    local offset = 0
    clock.on_wait = function()
      if clock.at % 500 == 0 then offset = offset + 3 end
      if offset == 30 then source.waiting = false end
      c:take(offset)
    end
    c:finish(function() return false end)
    assert.equal(5000, clock.at)
  end)

  it("ends when the package is another, the source cannot be copied, or bytes are asked for out of turn", function()
    local c, engine, head, source = make()
    source.answers = {}
    c:over_source(engine, head())
    local h = head { manifest = { digest = "e" } }
    c:over_source(engine, h)
    assert.equal("plain", h.source.name)
    assert.equal("incompatible", select(3, c:take(0)))

    c, engine, head, source = make()
    source.refusal, h = true, head()
    c:over_source(engine, h)
    assert.equal("plain", h.source.name)
    assert.equal("internal", select(3, c:take(0)))

    c, engine, head, source = make()
    c:over_source(engine, head())
    source.answers = { { nil, "byte 5 is not where it stopped", "usage" } }
    assert.equal("usage", select(3, c:take(5)))
    assert.equal("usage", select(3, c:take(0)))
    c:stop("later", "refused")
    assert.equal("usage", select(3, c:take(0)))
  end)
end)

local bare_head = require "update.engine.bare_head"

describe("bare_head", function()
  local calls, engine, where, steps, made

  before_each(function()
    calls = {}
    local function note(...) calls[#calls + 1] = table.concat({ ... }, " ") end
    local closed = { __close = function() end }
    engine = {
      device = { path = function(_, name) return "/state/" .. name end,
        facts = function() return { version = "1.0" } end },
      tasks = { now = function() return 0 end, turn = function() end, idle = function() end, watch = function() end },
      on = function(event) note(event.event, event.done, event.total) end,
      log = function(line) note("log", line) end,
      spent = function() end,
      natives = {
        digest = { sha256 = function(text) return "hash of " .. text end },
        url = { shown = function(text) return text end },
        partial = {
          open = function(path, key)
            note("open", path, key)
            return setmetatable({ step = function() return table.unpack(table.remove(steps, 1)) end,
              progress = function() return 7, 9 end }, closed)
          end,
          forget = function(path) note("forget", path) end,
        },
        package = { bare = function(o)
          note("unpack", o.release, o.files_version, tostring(o.trim))
          return setmetatable({ fd = function() end, step = function() return table.unpack(made) end }, closed)
        end },
      },
    }
    where = { location = "http://h/U.tar.gz", bare = { version = "080507" } }
    steps = { { false }, { nil, "nothing yet", "again" }, { true } }
    made = { "the package", 0 }
  end)

  local function read(spool)
    return bare_head.read(engine, where, spool, function() return setmetatable({}, { __close = function() end }) end)
  end

  it("fetches, and unpacks as a release of what runs", function()
    assert.equal("the package", (read "/state/tx"))
    assert.same({ "open /state/bare.archive hash of http://h/U.tar.gz 080507", "progress 7 9", "progress 7 9",
      "unpack 1.0-F080507 080507 nil" }, calls)
  end)

  it("says that blanks in update.ini were found", function()
    made = { "the package", 2 }
    read "/state/tx"
    assert.matches("log archive 080507: 2 lines of update.ini have a blank after a slash; it was kept", calls[#calls])
  end)

  it("forgets what does not unpack, and nothing else", function()
    for code, forgets in pairs { corrupt = true, untrusted = true, nospace = false, write = false } do
      steps, made, calls = { { true } }, { nil, "no", code }, {}
      assert.same({ n = 3, nil, "http://h/U.tar.gz: no", code }, table.pack(read "/state/tx"))
      assert.equal(forgets, calls[#calls] == "forget /state/bare.archive")
    end
  end)

  it("tells how a link failed, and refuses what has no name or no room", function()
    steps = { { nil, "cut off", "network" } }
    local _, _, code, how = read "/state/tx"
    assert.same({ "network", false }, { code, how.moved })
    assert.equal("usage", (select(3, read(nil))))
    where.bare.version = ("9"):rep(29)
    assert.equal("incompatible", (select(3, read "/state/tx")))
    engine.cancelled, where.bare.version = "not wanted", "1"
    assert.equal("refused", (select(3, read "/state/tx")))
  end)

  it("keeps the archive for later, or forgets it", function()
    for code, keeps in pairs { deferred = true, busy = true, nospace = true, write = true, refused = false,
      incompatible = false, nothing = false } do
      calls = {}
      bare_head.over(engine, { bare = true, manifest = {} }, code)
      assert.equal(keeps, #calls == 0)
    end
    bare_head.over(engine, { bare = true, manifest = {} }, nil)
    assert.equal("forget /state/bare.archive", calls[#calls])
    calls = {}
    bare_head.over(engine, { bare = true, manifest = { hotfix = {} } }, "refused") -- that has a folder of its own
    bare_head.over(engine, {}, "refused")
    assert.same({}, calls)
  end)
end)

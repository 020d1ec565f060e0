-- A file that comes a part at a time: what goes on after an end, and what starts over.

local faulty = require "spec.support.servers.faulty"
local folder = require("spec.support.folder").new()
local loop = require "update.native.loop"
local partial = require "update.native.partial"
local source = require "update.native.source"

local large = faulty.content(faulty.large)

describe("partial", function()
  local server, l, path
  local count = 0

  setup(function() server = faulty.start() end)
  teardown(function()
    server.stop()
    collectgarbage()
  end)
  before_each(function()
    l = assert(loop.new())
    folder.make()
    path = folder.path "archive"
    count = count + 1
  end)
  after_each(function()
    l:close()
    folder.remove()
  end)

  local function url_of(case, query)
    return ("%s/%s/%d%s"):format(server.url, case, count, query and "?" .. query or "")
  end

  -- What came over the wire, whether it is complete, message, code. It ends after `most` bytes, as by a power cut.
  local function fetch(case, o)
    o = o or {}
    local s <close> = assert(source.http(l, url_of(case, o.query)))
    local p <close> = assert(partial.open(path, o.key or "080507", s))
    while true do
      local done, message, code = p:step()
      if done or done == nil and code ~= "again" then return s:received(), done or false, message, code end
      if p:progress() >= (o.most or math.huge) then return s:received(), false end
      if done == nil then l:poll(1000) end
    end
  end

  it("comes whole, and is not asked for again", function()
    assert.same({ #large, true }, { fetch "large" })
    assert.is_true(folder.read "archive" == large)
    assert.equal(#large, partial.size(path))
    assert.same({ 0, true }, { fetch "large" })
  end)

  it("continues where it was, if the object is that of the first answer", function()
    fetch("large", { most = 1000000 })
    local have = partial.size(path)
    assert.is_true(have >= 1000000 and have < #large)
    assert.same({ #large - have, true }, { fetch "large" })
    assert.is_true(folder.read "archive" == large)
  end)

  it("continues with only a date, and starts over with a server without ranges", function()
    fetch("no_validators", { most = 1000000 })
    local have = partial.size(path)
    assert.same({ #large - have, true }, { fetch "no_validators" })
    assert.is_true(folder.read "archive" == large)
    fetch("large_ignores_range", { most = 1000000, key = "080508" })
    assert.is_true(select(2, fetch("large_ignores_range", { key = "080508" })))
    assert.is_true(folder.read "archive" == large)
  end)

  -- Each leaves a part, changes something, and fetches all of it.
  local starts_over = {
    { "for another key",                 "large",   function() return { key = "080508" } end },
    { "without a record",                "large",   function() os.remove(path .. ".from") end },
    { "with a torn record",              "large",   function()
      folder.write("archive.from", "moult-partial-1\n080507\n")
    end },
    { "with a record of another form",   "large",   function()
      folder.write("archive.from", (folder.read "archive.from":gsub("partial%-1", "partial-2")))
    end },
    { "after answers without tag and date", "unnamed", function() end },
    { "when there is more than the object", "large",   function()
      folder.write("archive.from", (folder.read "archive.from":gsub("%d+\n$", "5\n")))
    end },
  }
  for _, case in ipairs(starts_over) do
    it("starts over " .. case[1], function()
      fetch(case[2], { most = 1000000 })
      assert.is_true(partial.size(path) >= 1000000)
      assert.same({ #large, true }, { fetch(case[2], case[3]()) })
      assert.is_true(folder.read "archive" == large)
    end)
  end

  it("keeps nothing of an object that changed", function()
    fetch("tag_changes", { most = 1000000 })
    local _, done, message, code = fetch "tag_changes"
    assert.same({ false, "corrupt" }, { done, code })
    assert.matches('entity tag was "one" and is "two"', message)
    assert.is_nil(folder.read "archive")
    assert.is_nil(folder.read "archive.from")
    assert.same({ #large, true }, { fetch "tag_changes" })
  end)

  it("is complete when the server has no more of it", function()
    fetch "large"
    folder.write("archive.from", (folder.read "archive.from":gsub("%d+\n$", "18446744073709551615\n")))
    assert.is_true((select(2, fetch("unsatisfiable", { query = tostring(#large) }))))
    assert.is_true(folder.read "archive" == large)
    folder.write("archive.from", (folder.read "archive.from":gsub("%d+\n$", "18446744073709551615\n")))
    local _, done, _, code = fetch("unsatisfiable", { query = tostring(#large + 1) })
    assert.same({ false, "corrupt" }, { done, code })
  end)

  it("keeps its bytes when the server fails, until it is told to forget them", function()
    fetch("large", { most = 1000000 })
    local have = partial.size(path)
    local _, done, _, code = fetch("status", { query = "404" })
    assert.same({ false, "missing" }, { done, code })
    _, done, _, code = fetch("status", { query = "503" })
    assert.same({ false, "network" }, { done, code })
    assert.equal(have, partial.size(path))
    assert.is_true(partial.forget(path))
    assert.equal(0, partial.size(path))
    assert.is_true(partial.forget(path))
    assert.equal("corrupt", (select(4, fetch "empty")))
  end)

  it("takes a path and a key that fit", function()
    local s <close> = assert(source.http(l, url_of "large"))
    assert.equal("usage", (select(3, partial.open(path, ("k"):rep(129), s))))
    assert.equal("usage", (select(3, partial.open(("p"):rep(5000), "k", s))))
    assert.equal("write", (select(3, partial.open("/nowhere/x", "k", s))))
  end)
end)

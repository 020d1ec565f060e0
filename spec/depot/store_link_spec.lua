-- The front's end of the store process, with a process that says what the spec says.

local depot_pair = require "spec.support.depot_pair"
local natives = require "update.natives"
local outbox = require "depot.outbox"
local pace = require "depot.pace"
local store_lines = require "depot.store_lines"
local store_link = require "depot.store_link"
local under_way = require "depot.under_way"

describe("depot.outbox", function()
  local function merge(earlier, later)
    if later.n > 100 then return false end
    earlier.n = earlier.n + later.n
    return true
  end

  it("keeps items until they are committed, and tells another process what was not", function()
    local box = outbox.new(10, 10)
    for n = 1, 3 do assert.is_true(box:add { n = n }) end
    for n = 1, 2 do
      local number, item = box:next()
      assert.same({ n, n }, { number, item.n })
      box:went()
    end
    assert.is_false(box:is_sent())
    box:committed(1)
    box:rewind()
    local number, item = box:next()
    assert.same({ 2, 2 }, { number, item.n })
    box:went()
    box:committed(99) -- the third was not sent
    number, item = box:next()
    assert.same({ 3, 3 }, { number, item.n })
    box:went()
    assert.is_true(box:is_sent())
    assert.is_nil(box:next())
  end)

  it("merges what was not sent, and takes no more than there is room for", function()
    local box = outbox.new(2, 1, merge)
    assert.is_true(box:add({ n = 1 }, "a") and box:add({ n = 2 }, "b"))
    assert.is_false(box:add({ n = 4 }, "c"))
    assert.is_true(box:add({ n = 8 }, "a"))
    assert.equal(9, select(2, box:next()).n)
    box:went()
    assert.is_nil(box:next()) -- one ahead is enough
    assert.is_false(box:add({ n = 16 }, "a")) -- it is on its way
    box:committed(1)
    assert.is_true(box:add({ n = 16 }, "a"))
    assert.equal(2, select(2, box:next()).n)
    box:went()
    box:committed(2)
    assert.is_true(box:add({ n = 101 }, "a") and box:add({ n = 32 }, "a")) -- the newest takes it in
    local told = {}
    for _ = 1, 2 do
      told[#told + 1] = select(2, box:next()).n
      box:went()
      box:committed(9)
    end
    assert.same({ 16, 133 }, told)
  end)
end)

describe("depot.under_way", function()
  it("knows links that were asked about, of the same file, and forgets the oldest", function()
    local known, first, entry = under_way.new(2), { Signature = "0" }, { tag = "a" }
    known:note(first, entry)
    assert.is_true(known:has(first, entry))
    assert.is_false(known:has(first, { tag = "b" }))
    assert.is_false(known:has({ Signature = "1" }, entry))
    for n = 1, 3 do known:note({ Signature = tostring(n) }, entry) end
    assert.is_true(known:has({ Signature = "1" }, entry))
    known:note({ Signature = "4" }, entry)
    assert.same({ false, true }, { known:has(first, entry), known:has({ Signature = "2" }, entry) })
  end)
end)

describe("depot.store_lines", function()
  it("carry any bytes, in names too", function()
    local a, b = depot_pair.sockets()
    local ours, theirs = store_lines.new(natives, a), store_lines.new(natives, b)
    local bytes = {}
    for byte = 0, 255 do bytes[#bytes + 1] = string.char(byte) end
    local message = { id = 7, yes = true, no = false, ["%41\n\255"] = { "a", "%", table.concat(bytes) } }
    assert(ours:send(message))
    assert.same(message, theirs:receive())
    assert.equal("again", select(3, theirs:receive()))
    assert.same({ nil, "usage" }, { (ours:send { ("\n"):rep(30000) }), select(3, ours:send { ("\n"):rep(30000) }) })
    assert(b:send "[")
    assert.equal("corrupt", select(3, ours:receive()))
    theirs:close()
    assert.equal("nothing", select(3, ours:receive()))
    ours:close()
  end)
end)

describe("two paces that tell each other", function()
  it("make as many offers together as one, and half each while both want to", function()
    local now, paces, made = 0, {}, { 0, 0 }
    for i = 1, 2 do paces[i] = pace.new(100, function() return now end) end
    local function run(ms, who)
      for _ = 1, ms do
        now = now + 1
        for _, i in ipairs(who) do
          if paces[i]:room "offers" >= 1 then
            paces[i]:take "offers"
            made[i] = made[i] + 1
          end
          local count, wanted = paces[i]:report()
          if count then paces[3 - i]:was_taken(count, wanted) end
        end
      end
    end
    run(10000, { 1, 2 })
    assert.is_true(made[1] + made[2] >= 990 and made[1] + made[2] <= 1030, made[1] .. " and " .. made[2])
    assert.is_true(math.abs(made[1] - made[2]) <= 30, made[1] .. " and " .. made[2])
    run(10000, { 1 })
    -- For a while it kept the turn of the other, which might have come back.
    assert.is_true(made[1] >= 500 + 690 and made[1] + made[2] <= 2030, made[1] .. " and " .. made[2])
  end)
end)

describe("depot.store_link", function()
  local link, theirs, ended, notes, now, starts, shared

  local function open()
    notes, now, starts = {}, 100, 0
    shared = pace.new(100, function() return now * 1000 end)
    local faked = setmetatable({ loop = { now = function() return now end, new = natives.loop.new } },
      { __index = natives })
    link = assert(store_link.new { natives = faked, pace = shared, tell = function(text) notes[#notes + 1] = text end,
      start = function()
        local a, b = depot_pair.sockets()
        starts, ended, theirs = starts + 1, nil, store_lines.new(natives, b)
        return a, { poll = function() return ended end, close = function() end }
      end })
  end

  local function step(seconds)
    now = now + (seconds or 0)
    return link:step()
  end

  local function ready()
    theirs:send { ready = true, secret = "s" }
    assert(step())
  end

  local function heard()
    local list = {}
    for said in theirs.receive, theirs do list[#list + 1] = said end
    return list
  end

  before_each(open)
  after_each(function()
    ended = 0
    link:close()
    theirs:close()
  end)

  it("asks nobody before there is somebody, and then gets answers in any order", function()
    local got = {}
    local function ask(name) link:ask({ answer = { name } }, function(answer) got[#got + 1] = { name, answer } end) end
    ask "early"
    assert.same({ { "early" } }, got)
    ready()
    assert.same({ "well", "s" }, { link.state, link.secret })
    ask "a"
    ask "b"
    local asked = heard()
    assert.same({ "a", "b" }, { asked[1].answer[1], asked[2].answer[1] })
    theirs:send { id = asked[2].id, answer = { ok = 2 } }
    theirs:send { id = asked[1].id, answer = { ok = 1 } }
    theirs:send { id = asked[1].id, answer = { ok = 3 } } -- it was answered
    assert(step())
    assert.same({ { "early" }, { "b", { ok = 2 } }, { "a", { ok = 1 } } }, got)
  end)

  it("gives up questions that wait for long, then all at once, until it speaks again", function()
    ready()
    local failed = 0
    local function ask() link:ask({ ping = true }, function(answer) failed = failed + (answer and 0 or 1) end) end
    ask()
    assert(step(2))
    assert.equal(0, failed)
    assert.is_true(link:timeout() <= 1000)
    assert(step(2))
    assert.same({ 1, "silent" }, { failed, link.state })
    ask()
    assert.equal(2, failed)
    theirs:send { id = heard()[1].id, answer = {} }
    assert(step())
    assert.same({ 2, "well" }, { failed, link.state })
    assert.matches("does not answer", notes[1])
    assert.equal("works again", notes[2])
  end)

  it("finds out that it is silent when nobody asks", function()
    ready()
    assert(step(6))
    assert.is_true(heard()[1].ping)
    assert(step(4))
    assert.equal("silent", link.state)
  end)

  it("waits for the process, and does not look again and again, when there is nothing to do", function()
    assert(step(20)) -- it begins
    assert.is_true(link:timeout() >= 1000)
    ready()
    assert.is_true(link:timeout() >= 1000)
    for i = 1, 1500 do link:note_device({ product = "p", device = tostring(i), release = "1.1", code = 0 }, 5) end
    for _ = 1, 20 do
      theirs:send { took = 0 }
      assert(step(1))
      heard()
    end
    assert.is_true(link:timeout() >= 1000) -- as many were sent as may be ahead
    link:ask({ ping = true }, function() end)
    assert(step(2))
    theirs:send { took = 0 }
    assert(step(2)) -- it has not answered, but it spoke
    assert.equal("well", link.state)
    assert.is_true(link:timeout() >= 1000)
    assert(step(4))
    assert.equal("silent", link.state)
    assert.is_true(link:timeout() >= 1000)
  end)

  it("queues so many questions, and no more", function()
    ready()
    local failed = 0
    for _ = 1, 3000 do link:ask({ ping = true }, function(answer) failed = failed + (answer and 0 or 1) end) end
    assert.equal(2000, failed)
    failed = 0
    ended = 9
    assert(step())
    assert.equal(1000, failed)
  end)

  it("starts another, later each time, and tells it what the one before had not committed", function()
    ready()
    link:note_device({ product = "p", device = "1", release = "1.1", target = "1.2", code = 0 }, 5)
    link:note_device({ product = "p", device = "1", release = "1.1", target = "1.2", code = 0 }, 6)
    link:note_event { dead_link = "aliyun/p/d" }
    assert(step(1))
    local function told()
      local list = {}
      for _, said in ipairs(heard()) do
        if said.note then list[#list + 1] = { said.number, said.note } end
        if said.event then list[#list + 1] = { said.number, said.event.dead_link } end
      end
      return list
    end
    local event, note = { 1, "aliyun/p/d" }, { 1, { product = "p", device = "1", release = "1.1", target = "1.2",
      code = 0, time = 6, asked = 2 } }
    assert.same({ event, note }, told())
    theirs:send { settled = 1 }
    assert(step())
    for i, pause in ipairs { 1, 2, 5, 15, 60, 60 } do
      theirs:close()
      assert(step())
      assert.equal("gone", link.state)
      assert.equal(i, starts)
      assert(step(pause - 0.5))
      assert.equal(i, starts)
      assert(step(1))
      assert.equal(i + 1, starts)
      ready()
      assert(step(1))
      assert.same({ note }, told())
    end
    theirs:send { noted = 1 }
    assert(step(60)) -- it has run for long
    theirs:close()
    assert(step())
    assert(step(1.5))
    assert.equal(8, starts)
    ready()
    assert(step(1))
    assert.same({}, told())
  end)

  it("tells answers that differ one by one, and nothing that is too long for a line", function()
    ready()
    link:note_device({ product = ("\n"):rep(40000), device = "1", release = "1.1", code = 25 }, 4)
    for i, code in ipairs { 27, 27, 0, 27 } do
      link:note_device({ product = "p", device = "1", release = "1.1", code = code }, 4 + i)
    end
    assert(step())
    local told = {}
    for i, said in ipairs(heard()) do told[i] = ("%d %d %d"):format(said.number, said.note.code, said.note.asked) end
    assert.same({ "2 27 2", "3 0 1", "4 27 1" }, told)
  end)

  it("counts the offers of both processes", function()
    ready()
    shared:take "answers"
    assert(step())
    assert.equal(1, heard()[1].took)
    local before = shared.allowance
    theirs:send { took = 3, wants = false }
    assert(step())
    assert.equal(before - 3, shared.allowance)
  end)

  it("does not go on without one that never began, and says why", function()
    theirs:send { failed = "another depot serves it", code = "busy" }
    theirs:close()
    assert.same({ nil, "another depot serves it", "busy" }, { step() })
    open()
    ended = 1
    local _, message, code = step()
    assert.same({ "the store process did not start: it ended", "refused" }, { message, code })
  end)
end)

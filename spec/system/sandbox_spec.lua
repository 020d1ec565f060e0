-- Attacks by a policy. Each is loaded as the owner's policy and asked to decide.
-- It is held when the process refuses it, with the message that is expected, or
-- when it ran and could not do what it tried, which it then says itself.

local finish = require("spec.support.policy_process").finish
local json = require "update.native.json"
local native = require "update.native.policy"
local loop = assert(require("update.native.loop").new())

local function ask(question)
  local p = assert(native.start(json.encode(question), "nobody"))
  local pid = p:pid()
  local text, message, code = finish(p)
  local left = io.open(("/proc/%d/status"):format(pid))
  if left then
    left:close()
  end
  assert.is_nil(left) -- ended and reaped, whatever it was
  if not text then
    assert.equal("refused", code)
    return { ok = false, message = message, broken = {} }
  end
  return assert(json.decode(text))
end

local offer = { version = "1.0.1", release = "1.0.1", sequence = 18 }
local device = { version = "1.0.0" }

local function try(text, more)
  local question = { ask = "decide", sources = { { name = "owner", text = text } }, offer = offer, device = device,
    limits = {} }
  for key, value in pairs(more or {}) do
    question[key] = value
  end
  return ask(question)
end

-- A policy whose decide() runs `body`; `return true` in it says that the attack went through.
local function during(body)
  return ([[
    local function attack(offer, device, limits) %s end
    return { decide = function(...)
      if attack(...) then return { action = "install", reason = "through" } end
      return { action = "refuse", reason = "held" }
    end }]]):format(body)
end

local HELD = {}
-- Where instructions run, a slow build may be out of time before it is out of instructions.
local BUSY, SLOW, MEMORY = "more than %d+ [im]", "more than 500 ms", "not enough memory"

local attacks = {
  -- time, in the virtual machine
  { "an endless loop", during "while true do end", BUSY },
  { "an endless loop while loading", "while true do end", BUSY },
  { "an endless loop in pcall", during "while true do pcall(function() while true do end end) end", BUSY },
  { "an endless loop behind nested pcalls", during [[
      local function f() pcall(f) while true do end end f()]], BUSY },
  { "an endless loop in xpcall's handler", during [[
      while true do xpcall(error, function() while true do end end) end]], BUSY },
  { "an endless loop in a coroutine", during [[
      while true do coroutine.resume(coroutine.create(function() while true do end end)) end]], BUSY },
  { "an endless loop in coroutine.wrap under pcall", during [[
      while true do pcall(coroutine.wrap(function() while true do end end)) end]], BUSY },
  { "coroutines that resume each other", during [[
      local function f() while true do coroutine.yield() end end
      local a, b = coroutine.wrap(f), coroutine.wrap(f)
      while true do a() b() end]], BUSY },
  { "an endless chain of coroutine.close", during [[
      while true do
        local co = coroutine.create(function()
          local x <close> = setmetatable({}, { __close = function() while true do end end })
          coroutine.yield()
        end)
        coroutine.resume(co) coroutine.close(co)
      end]], BUSY },
  { "an endless loop in __index",
    during "return setmetatable({}, { __index = function() while true do end end }).x", BUSY },
  { "an endless loop in __newindex", during [[
      setmetatable({}, { __newindex = function() while true do end end }).x = 1]], BUSY },
  { "an endless loop in __eq", during [[
      local mt = { __eq = function() while true do end end }
      return setmetatable({}, mt) == setmetatable({}, mt)]], BUSY },
  { "an endless loop in __lt", during [[
      return setmetatable({}, { __lt = function() while true do end end }) < 1]], BUSY },
  { "an endless loop in __concat", during [[
      return setmetatable({}, { __concat = function() while true do end end }) .. "x"]], BUSY },
  { "an endless loop in __close", during [[
      pcall(function()
        local x <close> = setmetatable({}, { __close = function() while true do end end })
        error("out")
      end)]], BUSY },
  { "an endless loop in __pairs", during [[
      for _ in pairs(setmetatable({}, { __pairs = function() while true do end end })) do end]], BUSY },
  { "an endless loop in __tostring", during [[
      return tostring(setmetatable({}, { __tostring = function() while true do end end }))]], BUSY },
  { "an endless loop in __len, by way of table.unpack", during [[
      return table.unpack(setmetatable({}, { __len = function() while true do end end }))]], BUSY },
  { "an endless goto", during "::again:: goto again", BUSY },
  { "a for loop to 2^62", during "for i = 1, 1 << 62 do end", BUSY },
  { "an iterator that never ends", during "for _ in function() return 1 end do end", BUSY },
  { "endless tail calls", during "local function f() return f() end return f()", BUSY },
  { "an error handler that errs for ever", during [[
      local function h(e) error(e) end
      while true do xpcall(error, h) end]], BUSY },
  { "a sort whose order never settles", during [[
      local t = {} for i = 1, 1e5 do t[i] = i end
      while true do pcall(table.sort, t, function() return true end) end]], BUSY },
  { "a sort whose order is an endless loop", during [[
      table.sort({ 3, 2, 1 }, function() while true do end end)]], BUSY },
  { "a gsub whose function never returns", during [[
      return ("x"):gsub(".", function() while true do end end)]], BUSY },
  { "work in many short pcalls", during "while true do pcall(string.rep, 'x', 10) end", BUSY },

  -- time, in C, where no instruction is counted
  { "string.rep of nothing for ever", during "return (''):rep(1 << 62)", SLOW },
  { "a pattern with nested repetition (find)", during [[
      return (("a"):rep(400)):find(("a*"):rep(30) .. "b")]], SLOW },
  { "a pattern with nested repetition (match)", during [[
      return (("a"):rep(400)):match(("a-"):rep(30) .. "b")]], SLOW },
  { "a pattern with nested repetition (gmatch)", during [[
      for _ in (("a"):rep(400)):gmatch(("a*"):rep(30) .. "b") do end]], SLOW },
  { "a pattern with nested repetition (gsub)", during [[
      return (("x"):rep(300)):gsub((".-"):rep(30) .. "y", "")]], SLOW },
  { "a pattern with nested repetition under pcall", during [[
      while true do pcall(string.find, ("a"):rep(400), ("a*"):rep(30) .. "b") end]], SLOW },
  { "a pattern bomb in a coroutine", during [[
      return coroutine.wrap(function() return (("a"):rep(400)):find(("a*"):rep(30) .. "b") end)()]], SLOW },
  { "table.concat over 2^62 places", during [[
      return table.concat(setmetatable({}, { __index = function() return "" end }), "", 1, 1 << 62)]], BUSY },
  { "table.move over 2^62 places", during "table.move({}, 1, 1 << 62, 2)", SLOW },
  { "table.insert far away", during [[
      table.insert(setmetatable({}, { __len = function() return 1 << 62 end }), 1, 1)]], SLOW },
  { "table.remove far away", during [[
      table.remove(setmetatable({}, { __len = function() return 1 << 62 end }), 1)]], SLOW },
  { "utf8.len over and over in one metamethod", during [[
      local s = ("\u{20ac}"):rep(1000000)
      while true do utf8.len(s) end]], SLOW },

  -- memory
  { "a string of 1 GiB", during "return ('x'):rep(1 << 30)", MEMORY },
  { "a string that doubles", during "local s = 'x' while true do s = s .. s end", MEMORY },
  { "a string that doubles, errors caught", during [[
      local s = "x"
      while true do pcall(function() s = s .. s end) end]], BUSY },
  { "a table that grows", during "local t = {} for i = 1, 1 << 40 do t[i] = i end", MEMORY },
  { "tables in tables", during "local t = {} while true do t = { t, {}, {}, {} } end", MEMORY },
  { "a table with a large hash part", during "local t = {} for i = 1, 1 << 40 do t[i .. ''] = {} end", MEMORY },
  { "table.concat of a bomb", during [[
      local t = {} for i = 1, 100000 do t[i] = ("x"):rep(1000) .. "" end
      return table.concat(t, ("y"):rep(1000))]], MEMORY },
  { "table.unpack of too much", during "return #table.pack(table.unpack({}, 1, 1e7)) > 0", "too many results" },
  { "gsub that grows a thousandfold", during [[
      return (("x"):rep(100000)):gsub(".", ("y"):rep(1000))]], MEMORY },
  { "string.format of a long string, again and again", during [[
      local s = ("x"):rep(1 << 20) return string.format(("%s"):rep(64), table.unpack((function()
        local t = {} for i = 1, 64 do t[i] = s end return t end)()))]], MEMORY },
  { "a wide string.format", during "return string.format('%99999999d', 1)", "invalid conversion" },
  { "string.pack of a large block",
    during "return string.pack('>s8' .. ('!16Xi16'):rep(10), ('x'):rep(1 << 30))", MEMORY },
  { "coroutines without number", during [[
      local t = {} while true do t[#t + 1] = coroutine.create(function() coroutine.yield() end)
        coroutine.resume(t[#t]) end]], MEMORY },
  { "closures without number", during "local t = {} while true do t[#t + 1] = function() return t end end", MEMORY },
  { "memory errors caught for ever", during [[
      local t = {}
      while true do pcall(function() while true do t[#t + 1] = ("x"):rep(1000) .. #t end end) end]], BUSY },

  -- the stack
  { "endless recursion", during "local function f() return 1 + f() end return f()", MEMORY },
  { "endless recursion through pcall", during "local function f() return pcall(f) end return f() == nil", HELD },
  { "endless recursion through metamethods", during [[
      local mt = {} mt.__index = function(t, k) return setmetatable({}, mt)[k] end
      return setmetatable({}, mt).x]], "overflow" },
  { "endless recursion through gsub", during [[
      local function f() return (("x"):gsub(".", f)) end return f()]], "overflow" },
  { "endless recursion through tostring", during [[
      local mt = {} mt.__tostring = function(t) return tostring(t) end
      return tostring(setmetatable({}, mt))]], "overflow" },
  { "endless recursion through coroutines", during [[
      local function f() return select(2, coroutine.resume(coroutine.create(f))) end
      return not f():find "overflow"]], HELD },
  { "a stack overflow in the error handler", during [[
      local function h() return h() + 1 end
      return (select(2, xpcall(error, h))) == nil]], HELD },
  { "a pattern with 10000 captures", during "return ('x'):find(('()'):rep(10000))", "too many captures" },
  { "a pattern that nests deeply", during "return (('('):rep(5000)):find(('(('):rep(5000))", "too many captures" },
  { "source that nests deeply", "return " .. ("("):rep(5000) .. "1" .. (")"):rep(5000), "overflow" },
  { "tables that nest deeply in the source", "return " .. ("{"):rep(5000) .. ("}"):rep(5000), "overflow" },

  -- finalizers
  { "a finalizer", during "setmetatable({}, { __gc = function() while true do end end })", "finalizers" },
  { "a finalizer, refusal caught", during [[
      return (pcall(setmetatable, {}, { __gc = function() end }))]], HELD },
  { "a finalizer that is added later", during [[
      local mt = {} local hit = false
      for i = 1, 1000 do setmetatable({}, mt) end
      mt.__gc = function() hit = true end
      for i = 1, 1e5 do local _ = {} end
      return hit]], HELD },
  { "a finalizer that hides in an __index", during [[
      local hit = false
      local mt = setmetatable({}, { __index = { __gc = function() hit = true end } })
      for i = 1, 1000 do setmetatable({}, mt) end
      for i = 1, 1e5 do local _ = {} end
      return hit]], HELD },

  -- code
  { "bytecode as the policy", "\27LuaT" .. ("x"):rep(100), "binary chunk" },
  { "loading bytecode", during "return load ~= nil or loadstring ~= nil or dofile ~= nil or loadfile ~= nil", HELD },
  { "string.dump", during "return string.dump ~= nil or ('').dump ~= nil", HELD },
  { "require of a system library", during "return (pcall(require, 'io')) or (pcall(require, 'os'))", HELD },
  { "require of a native", during "return (pcall(require, 'update.native.fetch'))", HELD },
  { "require of a path", during "return (pcall(require, '../../etc/passwd'))", HELD },
  { "require without a name", during "require()", "string expected" },

  -- what is not there
  { "io", during "return io ~= nil", HELD },
  { "os.exit", during "os.exit(0)", "global 'os'" },
  { "os", during "return os ~= nil or _G.os ~= nil or _ENV.os ~= nil", HELD },
  { "debug", during "return debug ~= nil", HELD },
  { "package", during "return package ~= nil", HELD },
  { "collectgarbage", during "return collectgarbage ~= nil", HELD },
  { "warn", during "return warn ~= nil", HELD },
  { "another _ENV", during "local _ENV = setmetatable({}, { __index = _G }) return io ~= nil or load ~= nil", HELD },

  -- libraries and metatables
  { "writing into string", during "string.rep = error", "read%-only" },
  { "writing into table", during "table.x = 1", "read%-only" },
  { "writing into math", during "return (pcall(function() math.pi = 3 end))", HELD },
  { "writing into utf8", during "utf8.char = nil", "read%-only" },
  { "writing into coroutine", during "coroutine.wrap = nil", "read%-only" },
  { "rawset on a library", during "rawset(string, 'rep', error)", "read%-only" },
  { "table.insert into a library", during "table.insert(math, 1, 1)", "read%-only" },
  { "table.move into a library", during "table.move({ 1 }, 1, 1, 1, string)", "read%-only" },
  { "another metatable for a library", during "setmetatable(string, {})", "protected" },
  { "the metatable of a library", during "return type(getmetatable(string)) == 'table'", HELD },
  { "the metatable of strings", during "return type(getmetatable('')) == 'table'", HELD },
  { "what is behind the metatable of strings", during "return getmetatable('').__index ~= nil", HELD },
  { "writing a method of strings", during "('').x = 1", "index a string" },
  { "next on a library", during "return next(string) ~= nil", HELD },
  { "pairs on a library", during "local _, t = pairs(string) return t.rep ~= nil and t ~= string", HELD },
  { "writing into the default policy", during "default.decide = nil", "read%-only" },
  { "what is no metatable", during "setmetatable({}, 1)", "nil or table expected" },
  { "rawset on the default policy", during "rawset(require 'update.policy', 'decide', 1)", "read%-only" },
  { "poisoning what the default policy uses", during [[
      version, ipairs, math, string = nil, error, nil, nil
      return default.decide({}, {}, {}).action ~= "refuse"]], HELD },

  -- answers
  { "no answer", "return { decide = function() end }", "must return a table" },
  { "an unknown action", "return { decide = function() return { action = 'format' } end }", "with action =" },
  { "a nested answer", [[
      local t = {} for i = 1, 100 do t = { t } end
      return { decide = function() return { action = "install", x = t } end }]], "nested deeper" },
  { "an answer that contains itself", [[
      local t = { action = "install" } t.t = t
      return { decide = function() return t end }]], "nested deeper" },
  { "an answer with 2^8 paths to one table", [[
      local t = { ("x"):rep(1000) } for i = 1, 7 do t = { t, t, t, t } end
      return { decide = function() return { action = "install", x = t } end }]], "nested deeper" },
  { "an answer of many values", [[
      local t = {} for i = 1, 10000 do t[i] = i end
      return { decide = function() return { action = "install", x = t } end }]], "values in the answer" },
  { "an answer of much text", [[
      return { decide = function() return { action = "install", x = ("x"):rep(1 << 20) } end }]], "too much text" },
  { "an answer that grows when it is written", [[
      return { decide = function() return { action = "install", x = ("\1"):rep(59000) } end }]], "longer than 64 KiB" },
  { "a function in the answer",
    "return { decide = function() return { action = 'install', x = print } end }", "a function" },
  { "a coroutine in the answer", [[
      return { decide = function() return { action = "install", x = coroutine.create(print) } end }]], "a thread" },
  { "NaN in the answer", "return { decide = function() return { action = 'defer', x = 0/0 } end }", "not finite" },
  { "infinity in the answer", "return { decide = function() return { action = 'defer', retry_after = 1/0 } end }",
    "not finite" },
  { "a wait of ages",
    "return { decide = function() return { action = 'defer', retry_after = 1e12 } end }", "retry_after" },
  { "a wait that is no number",
    "return { decide = function() return { action = 'defer', retry_after = '60' } end }", "retry_after" },
  { "a wish that is none", "return { decide = function() return { action = 'install', prefer = 'both' } end }",
    "prefer must be" },
  { "a place before the first",
    "return { decide = function() return { action = 'defer', x = { [0] = 1 } } end }", "key" },
  { "an answer of many values in many tables", [[
      local t = {} for i = 1, 100 do t[i] = {} for j = 1, 100 do t[i][j] = j end end
      return { decide = function() return { action = "install", x = t } end }]], "values in the answer" },
  { "a wait backwards",
    "return { decide = function() return { action = 'defer', retry_after = -1 } end }", "retry_after" },
  { "broken UTF-8 in the answer",
    "return { decide = function() return { action = 'defer', x = '\\255' } end }", "UTF%-8" },
  { "a zero byte in the answer",
    "return { decide = function() return { action = 'defer', x = 'a\\0b' } end }", "UTF%-8" },
  { "odd keys in the answer", "return { decide = function() return { action = 'defer', [1.5] = 1 } end }", "key" },
  { "an answer whose __index loops", [[
      return { decide = function()
        local function f() while true do end end
        return setmetatable({}, { __index = f, __pairs = f, __len = f })
      end }]], "must return a table" },
  { "a policy whose __index loops", [[
      return setmetatable({}, { __index = function() while true do end end })]], "the default answers" },
  { "a reason tree that is none",
    "return { decide = function() return { action = 'defer' }, { 1 } end }", "reason tree" },
  { "a decide that is no function", "return { decide = 1 }", "must be a function" },
  { "a decide that is callable", [[
      return { decide = setmetatable({}, { __call = function() return { action = "install" } end }) }]],
    "must be a function" },
  { "nothing returned", "local x = 1", "must return a table" },
  { "text that is no Lua", "return {", "expected" },
  { "an error object", during "error({})", "threw a table" },
  { "an error object that prints for ever", during [[
      error(setmetatable({}, { __tostring = function() while true do end end }))]], "threw a table" },
  { "an error without an object", during "error()", "threw a nil" },
  { "an error message that is not UTF-8", during "error('\\255')", "not UTF%-8" },
  { "a very long error message", during "error(('x'):rep(1 << 20))", "xxx$" },
  { "a long error message, cut between two letters", during "error(('\u{e4}'):rep(400), 0)",
    "^" .. ("\u{e4}"):rep(199) .. "$" },
  { "a long error message without a letter to cut at", during "error(('\\x80'):rep(400), 0)", "not UTF%-8" },
  { "an empty error message", during "error('', 0)", "its message is empty" },
}

-- What ends a policy on a machine that is too busy to give it 500 ms in time.
local WALL = "no answer in 2 s"

describe("the sandbox", function()
  local held = 0

  for _, attack in ipairs(attacks) do
    local name, text, expected = table.unpack(attack)
    it("holds " .. name, function()
      local got = try(text)
      if expected == HELD then
        assert.is_true(got.ok, got.message)
        assert.equal("owner", got.by)
        assert.same({ "refuse", "held" }, { got.answer.action, got.answer.reason })
      elseif expected == "the default answers" then
        assert.equal("default", got.by)
      elseif got.message and got.message:find(WALL, 1, true) then
        assert.is_false(got.ok)
      else
        assert.is_false(got.ok)
        assert.matches(expected, got.message)
        assert.same({ "owner" }, got.broken)
      end
      held = held + 1
    end)
  end

  local function read(path)
    local file = assert(io.open(path))
    local text = file:read("a")
    file:close()
    return text
  end

  it("lets a policy print, and use tables of its own as everywhere", function()
    local got = try(during [[
      print("tried on a PC")
      local t = setmetatable(rawset({}, "a", 1), { __index = { b = 2 } })
      return t.a == 1 and t.b == 2 and setmetatable(t, nil) == t and t.b == nil]])
    assert.equal("through", got.answer.reason)
  end)

  it("hands over fractions, and takes whole seconds back", function()
    local got = try([[return { decide = function(offer)
      return { action = "defer", reason = "later", retry_after = offer.half * 3 } end }]], { offer = { half = 0.5 } })
    assert.equal(1, got.answer.retry_after)
  end)

  it("treats a missing argument of the question as an empty table", function()
    local text = "return { decide = function(...) local n = 0 for _, t in ipairs { ... } do assert(next(t) == nil) "
      .. "n = n + 1 end return { action = 'defer', reason = 'of ' .. n } end }"
    local p = assert(native.start(('{"ask":"decide","offer":null,"sources":[{"name":"owner","text":%s}]}'):format(
      json.encode(text))))
    local got = p:step()
    while not got do
      assert(loop:poll(p:remaining(), { { fd = p:fd(), read = true } }))
      got = p:step()
    end
    p:close()
    assert.equal("of 3", json.decode(got).answer.reason)
  end)

  it("takes each name that was offered once", function()
    local function choose(names)
      return try(("return { choose = function() return { %s } end }"):format(names),
        { ask = "choose", hotfixes = { { name = "one" }, { name = "two" } } })
    end
    assert.same({ "two", "one" }, choose("'two', 'one'").answer.names)
    assert.matches("a name comes twice", choose("'one', 'two', 'one'").message)
  end)

  -- Look at a policy process while its policy runs until the timer ends it.
  local function watch(body, look)
    local p = assert(native.start(json.encode { ask = "decide", sources = { { name = "owner", text = during(body) } } },
      "nobody"))
    local text, message
    repeat
      look("/proc/" .. p:pid())
      assert(loop:poll(10, { { fd = p:fd(), read = true } }))
      text, message = p:step()
    until text or message ~= "nothing yet"
    p:close()
    text = text or message
    assert.is_true((text:find("more than 500 ms", 1, true) or text:find(WALL, 1, true)) ~= nil, text)
  end

  -- Its memory is not limited and its system calls are not filtered. One that ends has no VmSize.
  local function is_sanitized(status)
    return os.getenv "MOULT_SANITIZED" ~= nil or tonumber(status:match("VmSize:%s*(%d+)") or 0) > 1 << 30
  end

  it("keeps to 32 MiB of memory", function()
    local peak, sanitized = 0, false
    watch([[
      local t = {}
      while pcall(function() while true do t[#t + 1] = ("x"):rep(1000) .. #t end end) do end
      while true do pcall(string.find, ("a"):rep(400), ("a*"):rep(30) .. "b") end]], function(proc)
      local status = read(proc .. "/status")
      sanitized = sanitized or is_sanitized(status)
      peak = math.max(peak, tonumber(status:match("VmHWM:%s*(%d+)")) or 0)
    end)
    if sanitized then
      pending("AddressSanitizer's own memory counts")
      return
    end
    assert.is_true(peak > 12 << 10) -- the attack did fill what it could get
    assert.is_true(peak < 32 << 10, ("%d KiB"):format(peak))
    print(("sandbox: a policy that takes what it gets: peak %d KiB"):format(peak))
  end)

  it("has given up every right while a policy runs", function()
    local last, open, limits
    watch("while true do pcall(string.find, ('a'):rep(400), ('a*'):rep(30) .. 'b') end", function(proc)
      local status = read(proc .. "/status")
      if status:find("NoNewPrivs:%s*1") then -- from then on until it is a zombie
        local pipe = io.popen("ls " .. proc .. "/fd 2>&1")
        local names = pipe:read("a"):gsub("\n", " ")
        pipe:close()
        local now = read(proc .. "/limits")
        if names ~= "" then -- else it ended meanwhile
          last, open, limits = status, names, now
        end
      end
    end)
    local root = read("/proc/self/status"):find("Uid:%s*0\t")
    if root then
      assert.not_matches("Uid:[%s%d]*%f[%d]0%f[%D]", last)
      assert.not_matches("Gid:[%s%d]*%f[%d]0%f[%D]", last)
      assert.matches("Groups:%s*\n", last)
      assert.matches("CapEff:%s*0+\n", last)
      assert.equal("0 1 2 ", open)
    end
    assert.matches("Max open files%s+0%s+0", limits)
    assert.matches("Max file size%s+0%s+0", limits)
    assert.matches("Max processes%s+0%s+0", limits)
    assert.matches("Max core file size%s+0%s+0", limits)
    assert.matches("Max cpu time%s+2%s+2", limits)
    if is_sanitized(last) then
      pending("a sanitizer build has no system call filter")
      return
    end
    assert.matches("Seccomp:%s*2\n", last)
    assert.matches("Max data size%s+25165824%s+25165824", limits)
  end)

  teardown(function()
    print(("sandbox: %d attacks, %d through"):format(#attacks, #attacks - held))
  end)
end)

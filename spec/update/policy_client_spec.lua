local ask = require "update.engine.policy_client"
local json = require "update.native.json"

local RETURNS = { -- policies that answer, for the real process
  install = 'return { decide = function() return { action = "install", reason = "mine" } end }',
  refuse = 'return { decide = function() return { action = "refuse", reason = "no" } end }',
  broken = "return {",
  endless = "return { decide = function() while true do end end }",
  healthy = "return { healthy = function() return false, 'ill' end }",
}

-- The native module with a memory for a disk; `replies` instead of a process, else the real one.
local function fake_native(replies, kept)
  local native = { kept_texts = kept or {}, questions = {}, writes = 0 }
  function native.kept(state, name)
    assert(state == "/state")
    return native.kept_texts[name]
  end
  function native.keep(_, name, text)
    native.writes = native.writes + 1
    native.kept_texts[name] = text
    return true
  end
  function native.start(text, user)
    native.questions[#native.questions + 1] = json.decode(text)
    if not replies then
      return require("update.native.policy").start(text, user)
    end
    local reply = table.remove(replies, 1)
    local steps = 0
    return setmetatable({
      fd = function() return 7 end,
      wants_write = function() return steps == 1 and 8 or nil end,
      remaining = function() return 1500 end,
      step = function()
        steps = steps + 1
        if steps < 3 then return nil, "nothing yet", "again" end
        if type(reply) == "string" then return reply end
        return nil, reply.message, reply.code
      end,
    }, { __close = function() native.closed = (native.closed or 0) + 1 end })
  end
  return native
end

local loop

local function asker(o)
  local files = o.files or {}
  local watched = {}
  local self = ask.new {
    native = o.native, json = json, state = "/state", keep = o.keep ~= false, user = "nobody",
    owner = o.owner, generation = function() return o.generation end,
    overruled = function() return o.overruled end,
    limits = o.limits, confirm = o.confirm, confirm_after = o.confirm_after,
    read = function(path)
      if files[path] then return files[path] end
      return nil, path .. ": No such file or directory", "missing"
    end,
    watch = function(watches, seconds)
      watched[#watched + 1] = { watches, seconds }
      if not o.fake then
        loop = loop or assert(require("update.native.loop").new())
        assert(loop:poll(math.ceil(seconds * 1000), watches))
      end
    end,
  }
  return self, files, watched
end

local offer, device = { version = "1.0.1" }, { version = "1.0.0" }

local function texts(tree)
  local list = {}
  for i, line in ipairs(tree) do
    list[i] = line.result .. " " .. line.text
  end
  return table.concat(list, "\n")
end

describe("policy_client with the policy process", function()
  after_each(function() collectgarbage() end)

  -- what, owner's file, generation's file, kept, decided, by, a line of the tree
  local cases = {
    { "asks the default when there is no other", nil, nil, {}, "install", "default", "not lower" },
    { "asks the owner's first", "refuse", "install", {}, "refuse", "owner", "says refuse: no" },
    { "asks the generation's next", nil, "refuse", {}, "refuse", "generation", "says refuse: no" },
    { "passes over a policy without that function", "healthy", "refuse", {}, "refuse", "generation", "says refuse" },
    { "defers when the owner's is broken and none is kept", "broken", "install", {}, "defer", nil,
      "stop the owner's" },
    { "asks the owner's last good one", "broken", nil, { owner = "refuse" }, "refuse", "owner",
      "last good one is asked" },
    { "defers when the last good one is broken, too", "broken", nil, { owner = "endless" }, "defer", nil,
      "instructions" },
    { "asks the last good one when the owner's does not end", "endless", nil, { owner = "refuse" }, "refuse", "owner",
      "more than 10000000 instructions; the last good" },
    { "leaves the generation's out when it is broken", nil, "broken", {}, "install", "default", "it is left out" },
    { "asks the generation's last good one", nil, "broken", { generation = "refuse" }, "refuse", "generation",
      "last good one is asked" },
    { "does not take the owner's last good one for the generation's", nil, "broken", { owner = "refuse" }, "install",
      "default", "it is left out" },
    { "defers when the owner's file is not there", "missing", nil, {}, "defer", nil, "No such file" },
    { "asks the last good one when the owner's file is not there", "missing", nil, { owner = "refuse" }, "refuse",
      "owner", "No such file or directory; the last good" },
  }
  for _, case in ipairs(cases) do
    local name, owner, generation, kept, action, by, line = table.unpack(case, 1, 7)
    it(name, function()
      local good = {}
      for key, word in pairs(kept) do
        good[key] = RETURNS[word]
      end
      local self = asker {
        native = fake_native(nil, good), owner = owner and "/owner.lua",
        generation = generation and "/generation.lua",
        files = { ["/owner.lua"] = RETURNS[owner], ["/generation.lua"] = RETURNS[generation] },
      }
      local decision, tree, who = self:decide(offer, device)
      assert.same({ action, by }, { decision.action, who })
      assert.matches(line, texts(tree), 1, true)
      if action == "defer" then
        assert.equal("policy", decision.reason)
        assert.equal(3600, decision.retry_after)
      end
    end)
  end

  describe("when the generation's is overruled", function()
    local OVER = "it kept packages out for 7 days"

    -- what, owner's, generation's, kept, decided, by, tree has OVER
    local overruled = {
      { "asks the default instead of it", nil, "refuse", {}, "install", "default", true },
      { "asks the default instead of its last good one", nil, "broken", { generation = "refuse" }, "install",
        "default", true },
      { "asks the owner's as ever", "refuse", "install", {}, "refuse", "owner", true },
      { "asks the owner's last good one as ever", "broken", "install", { owner = "refuse" }, "refuse", "owner", true },
      { "says nothing where there is none", nil, nil, {}, "install", "default", false },
    }
    for _, case in ipairs(overruled) do
      local name, owner, generation, kept, action, by, said = table.unpack(case, 1, 7)
      for _, how in ipairs { "for its days", "by hand" } do
        it(name .. ", " .. how, function()
          local good = {}
          for key, word in pairs(kept) do good[key] = RETURNS[word] end
          local self = asker {
            native = fake_native(nil, good), owner = owner and "/owner.lua", generation = "/generation.lua",
            overruled = how == "for its days" and OVER or nil,
            files = { ["/owner.lua"] = RETURNS[owner], ["/generation.lua"] = RETURNS[generation] },
          }
          local decision, tree, who = self:decide(offer, device, how == "by hand" and OVER or nil)
          assert.same({ action, by }, { decision.action, who })
          assert.equal(said, texts(tree):find("skip " .. OVER, 1, true) ~= nil)
        end)
      end
    end

    it("still asks it whether it is well", function()
      local self = asker { native = fake_native(), generation = "/g", overruled = OVER,
        files = { ["/g"] = RETURNS.healthy } }
      assert.same({ false, "ill" }, { self:healthy {} })
    end)

    it("chooses without it", function()
      local self = asker { native = fake_native(), generation = "/g", overruled = OVER,
        files = { ["/g"] = "return { choose = function() return {} end }" } }
      assert.same({ "b" }, (self:choose({ { name = "b", version = "1" } }, {})))
    end)
  end)

  it("waits at most a day, even if a policy says longer", function()
    for seconds, expected in pairs { [31622400] = 86400, [86401] = 86400, [86399] = 86399, [0] = 0 } do
      local text = ("return { decide = function() return { action = 'defer', retry_after = %d } end }"):format(seconds)
      local self = asker { native = fake_native(), owner = "/o", files = { ["/o"] = text } }
      assert.equal(expected, self:decide(offer, device).retry_after)
    end
  end)

  -- Whatever a release's policy does instead of answering, the default decides in the end, and the owner's first.
  for what, text in pairs {
    ["throws"] = "return { decide = function() error 'no' end }",
    ["throws nothing"] = "return { decide = function() error() end }",
    ["throws when it is loaded"] = "error 'no'",
    ["does not end"] = RETURNS.endless,
    ["does not end when it is loaded"] = "while true do end",
    ["takes all memory"] = "return { decide = function() local t = {} while 1 do t[#t + 1] = ('x'):rep(9999) end end }",
    ["takes for ever in one call"] =
      "return { decide = function() return ('a'):rep(99999):find(('a?'):rep(99999)) end }",
    ["answers nothing"] = "return { decide = function() end }",
    ["answers too much"] = "return { decide = function() return { action = 'defer', reason = 'x', "
      .. "more = ('x'):rep(70000) } end }",
    ["waits a text"] = "return { decide = function() return { action = 'defer', retry_after = 'y' } end }",
    ["is long when it is quoted"] = "return {" .. ("\1"):rep(200000),
  } do
    it("does without a release's policy that " .. what, function()
      for _, owner in ipairs { false, RETURNS.healthy } do
        local self = asker { native = fake_native(), owner = owner and "/o", generation = "/g",
          files = { ["/g"] = text, ["/o"] = owner or nil } }
        local decision, _, by = self:decide(offer, device)
        assert.same({ "install", "default" }, { decision.action, by })
      end
    end)
  end

  it("asks the policy of the examples", function()
    local file = assert(io.open("examples/policy/maintenance.lua"))
    local self = asker { native = fake_native(), owner = "/o", files = { ["/o"] = file:read("a") } }
    file:close()
    local decision, tree, by = self:decide(offer, { version = "1.0.0", battery = 49 })
    assert.same({ "defer", "charge", "owner" }, { decision.action, decision.reason, by })
    assert.matches("stop battery at 49 %, 50 % needed", texts(tree), 1, true)
  end)

  it("reads the file anew for every question and keeps the text that answered", function()
    local native = fake_native()
    local self, files = asker { native = native, owner = "/owner.lua" }
    files["/owner.lua"] = RETURNS.install
    assert.equal("install", self:decide(offer, device).action)
    assert.equal("install", self:decide(offer, device).action)
    assert.equal(1, native.writes) -- once for a text, not for an answer
    files["/owner.lua"] = RETURNS.refuse
    assert.equal("refuse", self:decide(offer, device).action)
    assert.equal(RETURNS.refuse, native.kept_texts.owner)
    files["/owner.lua"] = RETURNS.broken
    assert.equal("refuse", self:decide(offer, device).action) -- by the last good one
    assert.equal(2, native.writes)
    files["/owner.lua"] = RETURNS.install
    assert.equal("install", self:decide(offer, device).action)
    assert.equal(3, native.writes)
  end)

  it("names a byte order mark", function()
    local self = asker { native = fake_native(), owner = "/o", files = { ["/o"] = "\xef\xbb\xbf" .. RETURNS.install } }
    local decision, tree = self:decide(offer, device)
    assert.equal("defer", decision.action)
    assert.matches("/o: begins with a byte order mark; save it as UTF-8 without one", texts(tree), 1, true)
  end)

  it("keeps nothing when it may not write", function()
    local native = fake_native()
    local self = asker { native = native, keep = false, owner = "/o", files = { ["/o"] = RETURNS.install } }
    assert.equal("install", self:decide(offer, device).action)
    assert.equal(0, native.writes)
  end)

  it("does not keep a policy that did not answer", function()
    local native = fake_native()
    local self = asker { native = native, owner = "/o", files = { ["/o"] = RETURNS.healthy } }
    assert.equal("install", self:decide(offer, device).action)
    assert.equal(0, native.writes)
    assert.same({ false, "ill" }, { self:healthy {} })
    assert.equal(1, native.writes)
  end)

  for name, text in pairs { ["bytecode"] = string.dump(function() return {} end), ["a text that is too long"] =
    ("-"):rep((256 << 10) + 1) } do
    it("takes " .. name .. " for broken", function()
      local self = asker { native = fake_native(), owner = "/o", files = { ["/o"] = text } }
      local decision, tree = self:decide(offer, device)
      assert.equal("policy", decision.reason)
      assert.matches("UTF%-8", texts(tree))
    end)
  end

  it("asks the default whether it is well", function()
    local self = asker { native = fake_native(), confirm = "auto", confirm_after = 5 }
    assert.is_true((self:healthy { uptime = 5, errors = 0, cloud_reached = true }))
    local verdict, why = self:healthy { uptime = 4, errors = 0, cloud_reached = true }
    assert.is_nil(verdict)
    assert.matches("4 of 5 s", why)
    self = asker { native = fake_native(), confirm = "script" }
    assert.is_nil((self:healthy { uptime = 500, errors = 0 }))
    assert.is_true((self:healthy { uptime = 1, confirm_called = true }))
  end)

  it("does not confirm when the owner's policy is broken", function()
    local self = asker { native = fake_native(), owner = "/o", files = { ["/o"] = "x" } }
    local verdict, why = self:healthy { confirm_called = true }
    assert.is_nil(verdict)
    assert.matches("the owner's policy is broken", why)
  end)

  it("chooses hotfixes", function()
    local self = asker { native = fake_native() }
    local fixes = { { name = "a", version = "1", applied = "1" }, { name = "b", version = "1" } }
    assert.same({ "b" }, (self:choose(fixes, {})))
    assert.same({}, (self:choose({}, {})))
  end)
end)

describe("policy_client with a process that cannot be trusted", function()
  local good = { ok = true, by = "owner", tree = {}, answer = { action = "install", reason = "x" } }

  local function with(changes)
    local reply = {}
    for key, value in pairs(good) do reply[key] = value end
    for key, value in pairs(changes) do reply[key] = value end
    return json.encode(reply)
  end

  local cases = {
    { "an action that there is not", with { answer = { action = "erase", reason = "x" } } },
    { "no reason", with { answer = { action = "install" } } },
    { "a wait that is no number", with { answer = { action = "defer", reason = "x", retry_after = "soon" } } },
    { "a wait backwards", with { answer = { action = "defer", reason = "x", retry_after = -1 } } },
    { "an answer that is none", with { answer = "install" } },
    { "what is not JSON", "{" },
    { "something else", "[1]" },
    { "text", '"ok"' },
    { "a refusal without a word", '{"ok":false}' },
    { "a refusal that blames nobody we know", '{"ok":false,"message":[1],"broken":["you"]}' },
    { "a death", { message = "policy process: killed", code = "refused" } },
  }
  for _, case in ipairs(cases) do
    it("defers on " .. case[1], function()
      local native = fake_native { case[2] }
      local decision, tree, by = asker { native = native, fake = true, owner = "/o", files = { ["/o"] = "x" } }
        :decide(offer, device)
      assert.same({ "defer", "policy" }, { decision.action, decision.reason })
      assert.is_nil(by)
      assert.equal("stop", tree[#tree].result)
      assert.equal(1, native.closed)
      assert.equal(0, native.writes)
    end)
  end

  it("drops invalid lines of the tree", function()
    local native = fake_native { with { tree = { 1, { rule = "a", result = "?" }, { rule = {}, result = "ok" } } } }
    local decision, tree = asker { native = native, fake = true }:decide(offer, device)
    assert.equal("install", decision.action)
    assert.equal(1, #tree)
    assert.is_string(tree[1].rule)
  end)

  it("takes no name that was not offered", function()
    local native = fake_native { with { answer = { names = { "z" } } } }
    assert.same({}, (asker { native = native, fake = true }:choose({ { name = "a" } }, {})))
  end)

  it("waits for reading, for writing while there is a question, and no longer than the process lives", function()
    local self, _, watched = asker { native = fake_native { with {} }, fake = true }
    self:decide(offer, device)
    local read, write = { fd = 7, read = true }, { fd = 8, write = true }
    assert.same({ { { read, write }, 1.5 }, { { read }, 1.5 } }, watched)
  end)

  it("defers when the process cannot be started", function()
    local native = fake_native()
    native.start = function() return nil, "policy process: /moult: No such file", "internal" end
    local decision, tree = asker { native = native }:decide(offer, device)
    assert.equal("policy", decision.reason)
    assert.matches("cannot be asked: policy process", texts(tree))
  end)
end)

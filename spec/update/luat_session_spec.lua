local machine = require "update.cloud.luat_session"

--- Feed events; returns the last state and every action, "-" for none.
local function run(events, state)
  state = state or machine.new()
  local actions = {}
  for i, event in ipairs(events) do
    local action
    state, action = machine.step(state, type(event) == "string" and { type = event } or event)
    actions[i] = action or "-"
  end
  return state, actions
end

local function call(fields)
  fields = fields or {}
  fields.type = "call"
  return fields
end

local function types(actions)
  local out = {}
  for i, action in ipairs(actions) do
    out[i] = action == "-" and "-" or action.type
  end
  return table.concat(out, " ")
end

describe("luat_session", function()
  it("asks at once and announces the download", function()
    local _, actions = run { call() }
    assert.same({ type = "ask", publish = { { "LIB_UPDATE_OTA_DOWNLOAD_BEGIN" } } }, actions[1])
  end)

  local endings = {
    { "calls back when armed",                      call { callback = true }, "armed", true,  true,  false },
    { "restarts when armed and nobody is called",   call(),                   "armed", true,  false, true },
    { "calls back when there is nothing",           call { callback = true }, "none",  false, true,  false },
    { "does nothing more when there is nothing and nobody is called", call(), "none",  false, false, false },
  }
  for _, case in ipairs(endings) do
    it(case[1], function()
      local state, actions = run { case[2], case[3] }
      assert.same({ type = "finish", ok = case[4], callback = case[5], restart = case[6],
        publish = { { "LIB_UPDATE_OTA_DOWNLOAD_END", case[4] } } }, actions[2])
      assert.equal("idle", state.phase)
    end)
  end

  it("waits 30 s for a package in the making, more often than it would try", function()
    local events = { call { callback = true } }
    for _ = 1, 100 do
      events[#events + 1] = { type = "wait", seconds = 30 }
      events[#events + 1] = "timer"
    end
    events[#events + 1] = "armed"
    local _, actions = run(events)
    for i = 2, 200, 2 do
      assert.same({ type = "sleep", seconds = 30 }, actions[i])
      assert.equal("ask", actions[i + 1].type)
    end
    assert.is_true(actions[#actions].ok)
  end)

  it("follows a link after 2 s and keeps it for later requests", function()
    local state, actions = run {
      call { callback = true }, { type = "redirect", url = "http://oss/1" }, "timer", "armed", call(),
    }
    assert.same({ type = "sleep", seconds = 2 }, actions[2])
    assert.same({ type = "ask", url = "http://oss/1" }, actions[3])
    assert.equal("http://oss/1", actions[5].url)
    assert.equal("http://oss/1", state.link)
  end)

  it("forgets the link when a call names another place", function()
    local _, actions = run {
      call(), { type = "redirect", url = "http://oss/1" }, "timer", "none", call { url = "http://h/up" },
    }
    assert.same({ nil, "ask" }, { actions[5].url, actions[5].type })
  end)

  it("asks for a new link when the one it has is no longer good", function()
    local state, actions = run {
      call { callback = true }, { type = "redirect", url = "http://oss/1" }, "timer", "expired", "timer",
    }
    assert.equal("ask sleep ask sleep ask", types(actions))
    assert.is_nil(actions[5].url)
    assert.equal(1, state.tries)
  end)

  it("takes an expired answer as nothing when it followed no link", function()
    local _, actions = run { call { callback = true }, "expired" }
    assert.is_false(actions[2].ok)
  end)

  it("gives up when links lead to links for ever", function()
    local events = { call { callback = true } }
    for i = 1, 40 do
      events[#events + 1] = { type = "redirect", url = "http://loop/" .. i }
      events[#events + 1] = "timer"
    end
    local _, actions = run(events)
    local asked = select(2, types(actions):gsub("ask", ""))
    assert.equal(31, asked) -- the first, and 30 links
    assert.matches("finish", types(actions), 1, true)
  end)

  it("sends 30 requests in all when each fails, with growing pauses", function()
    local events = { call { callback = true } }
    for _ = 1, 29 do
      events[#events + 1] = "failed"
      events[#events + 1] = "timer"
    end
    events[#events + 1] = "failed"
    local state, actions = run(events)
    assert.equal(30, select(2, types(actions):gsub("ask", "")))
    assert.same({ type = "sleep", seconds = 1, jitter = true }, actions[2])
    assert.same({ type = "sleep", seconds = 2, jitter = true }, actions[4])
    assert.same({ type = "sleep", seconds = 60, jitter = true }, actions[58])
    assert.is_false(actions[#actions].ok)
    assert.equal("idle", state.phase)
  end)

  it("counts failures of one task, also between waits, and starts anew with the next", function()
    local state = run { call(), "failed", "timer", { type = "wait", seconds = 30 }, "timer", "failed", "timer" }
    assert.equal(2, state.tries)
    state = run({ "none", call() }, state)
    assert.equal(0, state.tries)
  end)

  it("keeps arguments that a later call leaves out", function()
    local state = run {
      call { callback = true, url = "http://h/up", period = 1000, redirect = true }, "none", call(),
    }
    assert.same({ true, "http://h/up", 1000, true }, { state.callback, state.url, state.period, state.redirect })
    state = run({ call { redirect = false } }, state)
    assert.is_true(state.redirect)
  end)

  it("runs one task at a time; a call in between only changes arguments", function()
    local state, actions = run { call(), call { url = "http://h/2", callback = true }, "failed", call(), "timer" }
    assert.equal("ask - sleep - ask", types(actions))
    assert.equal("http://h/2", state.url)
  end)

  it("asks again every period, for ever, with a fresh number of tries", function()
    local _, actions = run {
      call { callback = true, period = 14400000 }, "failed", "timer", "none", "timer", "armed", "timer",
    }
    assert.equal("ask sleep ask finish ask finish ask", types(actions))
    assert.equal(14400, actions[4].sleep)
    assert.same({ { "LIB_UPDATE_OTA_DOWNLOAD_BEGIN" } }, actions[5].publish)
  end)

  it("is one shot without a period", function()
    local _, actions = run { call { callback = true, period = 0 }, "none", "timer" }
    assert.is_nil(actions[2].sleep)
    assert.equal("-", actions[3])
  end)

  it("ignores late news of a request that is over", function()
    local state = run { call { callback = true }, "failed" }
    for _, late in ipairs { "armed", "none", "failed", "expired" } do
      local same, action = machine.step(state, { type = late })
      assert.equal(state, same)
      assert.is_nil(action)
    end
  end)

  it("leaves the state it was given as it was", function()
    local state = machine.new()
    machine.step(state, call { url = "http://h" })
    assert.same(machine.new(), state)
  end)

  it("raises on an event that does not exist", function()
    assert.has_error(function() machine.step(machine.new(), { type = "surprise" }) end, "unknown event 'surprise'")
  end)
end)

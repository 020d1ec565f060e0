--- How update.request(callback, url, period, redirect) behaves, as a state machine.
--
-- Pure: `step(state, event)` returns the next state and an action. The caller
-- owns sockets and timers, does the action and returns with its result as the
-- next event. Source of the behaviour: the vendor's update.lua for the 724U.
-- Unlike that, it never appends a complete answer to half a download, and it
-- pauses before each further try.
--
-- Events:
--
-- - `{type = "call", callback = boolean, url, period (ms), redirect}`: update.request() was called. Arguments are
--   sticky: nil keeps the earlier one, and `redirect` stays true. If a task runs already, only the arguments change.
-- - `{type = "armed"}`: a package was fetched, verified and armed.
-- - `{type = "none"}`: the server has nothing, gates or policy refused or deferred, or another transaction is open.
-- - `{type = "wait", seconds}`: the package is still being made (code 43). It may come any number of times.
-- - `{type = "redirect", url}`: the server gave a link.
-- - `{type = "failed"}`: the transfer failed; verified blocks are kept.
-- - `{type = "expired"}`: the link is no longer valid (401, 403, 404, 410). Without a link it counts as "none".
-- - `{type = "timer"}`: the time of the last `sleep` is over.
--
-- Actions (nil: nothing to do):
--
-- - `{type = "ask", url}`: send a request; `url` is a link to use unchanged; nil: build one from the state's url
--   and redirect with update.cloud.luat.
-- - `{type = "sleep", seconds, jitter}`: then send "timer"; with `jitter`, sleep between half and all of that time.
-- - `{type = "finish", ok, callback, restart, sleep}`: call back with `ok` if `callback`; restart the script or the
--   device if `restart`; with `sleep` (seconds), send "timer" after that time.
--
-- An action may have `publish`, an array of {name, arguments...} for sys.publish.
--
-- @module update.cloud.luat_session

local M = {}

--- Failed requests after which a task ends.
M.TRIES = 30
--- Seconds between a redirect and following it, as on Luat's modules.
M.REDIRECT_PAUSE = 2
--- The longest pause before trying again, seconds.
M.BACKOFF_MAX = 60

--- The state before the first call.
-- @treturn table {phase = "idle", tries = 0, callback = false, redirect = false}; later also url, period (ms), link
function M.new()
  return { phase = "idle", tries = 0, callback = false, redirect = false }
end

local function changed(state, fields)
  local next_state = {}
  for name, value in pairs(state) do
    next_state[name] = value
  end
  for name, value in pairs(fields) do
    next_state[name] = value
  end
  return next_state
end

local function ask(state, publish)
  return changed(state, { phase = "asking" }), { type = "ask", url = state.link, publish = publish }
end

local function start(state)
  return ask(changed(state, { tries = 0 }), { { "LIB_UPDATE_OTA_DOWNLOAD_BEGIN" } })
end

local function sleep(state, seconds, jitter)
  return changed(state, { phase = "waiting" }), { type = "sleep", seconds = seconds, jitter = jitter }
end

local function finish(state, ok)
  local period = state.period and state.period > 0 and state.period / 1000 or nil
  return changed(state, { phase = period and "resting" or "idle" }), {
    type = "finish",
    ok = ok,
    callback = state.callback,
    restart = ok and not state.callback,
    sleep = period,
    publish = { { "LIB_UPDATE_OTA_DOWNLOAD_END", ok } },
  }
end

local function try_again(state)
  local tries = state.tries + 1
  state = changed(state, { tries = tries })
  if tries >= M.TRIES then
    return finish(state, false)
  end
  return sleep(state, math.min(M.BACKOFF_MAX, 1 << math.min(tries - 1, 6)), true)
end

local on = {}

function on.call(state, event)
  state = changed(state, {
    callback = event.callback or state.callback,
    redirect = event.redirect or state.redirect,
    period = event.period or state.period,
    url = event.url or state.url,
  })
  if event.url then
    state.link = nil -- a link belongs to the server that gave it
  end
  if state.phase ~= "idle" then
    return state, nil
  end
  return start(state)
end

function on.timer(state)
  if state.phase == "resting" then
    return start(state)
  elseif state.phase == "waiting" then
    return ask(state)
  end
  return state, nil
end

-- Results of a request. A result that comes after the request is over changes nothing.
local results = {}

function results.armed(state)
  return finish(state, true)
end

function results.none(state)
  return finish(state, false)
end

function results.wait(state, event)
  return sleep(state, event.seconds)
end

function results.redirect(state, event)
  -- A link that leads to another link counts as a try, so that two servers that
  -- point at each other cannot keep the device busy for ever.
  if state.link then
    state = changed(state, { tries = state.tries + 1 })
    if state.tries >= M.TRIES then
      return finish(state, false)
    end
  end
  return sleep(changed(state, { link = event.url }), M.REDIRECT_PAUSE)
end

function results.failed(state)
  return try_again(state)
end

function results.expired(state)
  if not state.link then
    return finish(state, false)
  end
  state = changed(state, {})
  state.link = nil
  return try_again(state)
end

--- The next state and what to do.
-- @tparam table state from new() or step(); not changed
-- @tparam table event see above
-- @treturn table state
-- @treturn table|nil action
function M.step(state, event)
  if on[event.type] then
    return on[event.type](state, event)
  end
  local result = results[event.type]
  if not result then
    error(("unknown event '%s'"):format(tostring(event.type)), 2)
  end
  if state.phase ~= "asking" then
    return state, nil
  end
  return result(state, event)
end

return M

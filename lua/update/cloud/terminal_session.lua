--- The life of an update of a terminal: what a call, the network, a verdict or a restart lead to.
--
-- Pure. step(state, event) gives the next state and the actions, in the order
-- in which they are to be done. The state is durable before its actions: it
-- says which call is under way and which states the application was not told.
--
-- Events:
--
-- - `start`: files, release, pending: the agent starts
-- - `call`: call, twin ("app" or "mdma"), now (see update.cloud.terminal)
-- - `carrier`: ok: whether there is a link
-- - `down`: the link that we brought up is down again
-- - `ended`: code ("ok": it is armed), begun: the transfer is over
-- - `verdict`: files, release, pending: nothing is armed or on trial any more
-- - `took`: twin: its handler took the state that it was told
--
-- `files` is the version of the files in place, nil when there are none, and
-- `release` what runs: the journal's, which decides over mit.ini.
--
-- Actions, `what`:
--
-- - `answer`: value 0 or -1: what the call returns
-- - `carrier`: up (boolean): bring it up, or down
-- - `drop`: what is there of another package goes
-- - `mit`: values: keys of [Update] to be changed
-- - `fetch`: call: from its URL
-- - `tell`: twin, state
--
-- @module update.cloud.terminal_session

local terminal = require "update.cloud.terminal"

local M = {}

--- Nothing is under way and nothing owed.
function M.new()
  return { owed = {} }
end

local function copy(state)
  local owed = {}
  for twin, value in pairs(state.owed) do owed[twin] = value end
  return { owed = owed, job = state.job, carrier = state.carrier }
end

-- It is on record as up until it was brought down.
local function hang_up(state, actions)
  if state.carrier then actions[#actions + 1] = { what = "carrier", up = false } end
end

-- The job is over, and its twin is to be told.
local function finish(state, value, actions)
  local twin = state.job.twin
  state.owed[twin], state.job = value, nil
  hang_up(state, actions)
  actions[#actions + 1] = { what = "tell", twin = twin, state = value }
end

local events = {}

-- Whether a version that was asked for is there.
local function is_there(event, asked)
  return event.files ~= nil and terminal.compare(event.files, asked) == 0 or terminal.compare(event.release, asked) == 0
end

-- What mit.ini is to say of it: at each start, because a cut may have come between a verdict and that.
local function tell_mit(event, actions)
  local values = { prover = event.files }
  if event.pending ~= "" then
    local reached = is_there(event, event.pending)
    if reached then values.prover = event.files or event.pending end
    if reached or event.files and terminal.compare(event.files, event.pending) > 0 then
      values.downprover, values.downfile = "", ""
    end
  end
  actions[#actions + 1] = { what = "mit", values = values }
end

-- What was fetched when the agent ended is gone on with by the next call; mit.ini stays.
function events.start(state, event, actions)
  tell_mit(event, actions)
  if state.job and state.job.stage ~= "armed" then return finish(state, terminal.FAILED, actions) end
  hang_up(state, actions)
end

function events.call(state, event, actions)
  if state.job then
    actions[#actions + 1] = { what = "answer", value = -1, why = "an update is under way" }
    return
  end
  local decision = terminal.decide(event.call, event.now)
  if decision.row == "arguments" then
    actions[#actions + 1] = { what = "answer", value = -1, why = decision.reason }
    return
  end
  actions[#actions + 1] = { what = "answer", value = 0, why = decision.reason }
  state.job = { twin = event.twin, requested = event.call.prover, downfile = event.call.downfile, stage = "carrier",
    drop = decision.drop }
  if decision.action == "none" then return finish(state, terminal.NOT_UPGRADED, actions) end
  state.carrier = true -- on record before it is up
  actions[#actions + 1] = { what = "carrier", up = true }
end

function events.carrier(state, event, actions)
  local job = state.job
  if not job or job.stage ~= "carrier" then return end
  if not event.ok then return finish(state, terminal.NOT_UPGRADED, actions) end
  state.job = { twin = job.twin, requested = job.requested, downfile = job.downfile, stage = "fetching" }
  if job.drop then actions[#actions + 1] = { what = "drop" } end
  actions[#actions + 1] = { what = "mit", values = { downprover = job.requested,
    downfile = job.downfile:match "[^/]*$" } }
  actions[#actions + 1] = { what = "fetch" }
end

function events.ended(state, event, actions)
  local job = state.job
  if not job or job.stage ~= "fetching" then return end
  if event.code ~= "ok" then return finish(state, terminal.state_of(event.code, event.begun), actions) end
  state.job = { twin = job.twin, requested = job.requested, downfile = job.downfile, stage = "armed" }
  hang_up(state, actions)
end

-- What is there decides; what was asked for before it may have been installed by other means, too.
function events.verdict(state, event, actions)
  local job = state.job
  tell_mit(event, actions)
  if not job or job.stage ~= "armed" then return end
  finish(state, is_there(event, job.requested) and terminal.OK or terminal.FAILED, actions)
end

function events.down(state)
  state.carrier = nil
end

function events.took(state, event)
  state.owed[event.twin] = nil
end

--- Whether a carrier of ours may be up that no call needs: it is brought down before the next one.
function M.must_hang_up(state)
  return state.carrier == true and (not state.job or state.job.stage == "armed")
end

--- @tparam table state of new() or an earlier step; not changed
-- @tparam table event
-- @treturn table state
-- @treturn {table,...} actions
function M.step(state, event)
  local after, actions = copy(state), {}
  events[event.type](after, event, actions)
  return after, actions
end

return M

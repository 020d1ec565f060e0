--- The calls of update.aliyun. The caller passes the function that asks the agent.
--
-- @module update.script.aliyun_calls

local M = {}

local WHAT = { fetched_size = true, file_size = true, md5 = true, version = true, check_firmware = true }

-- A handle, or an error of the caller's.
local function check_handle(self, h)
  if getmetatable(h) ~= self.handle then error("a handle of ota.init() is needed", 3) end
  if h.closed then error("attempt to use a handle after deinit", 3) end
end

local function ask(self, h, call, fields)
  fields = fields or {}
  fields.call, fields.product, fields.device = call, h.product, h.device
  return self.ask("ota", fields)
end

-- The state of the job. What was known of an earlier one is forgotten.
local function state_of(self, h)
  local state, message, code = ask(self, h, "state")
  if not state then return nil, message, code end
  if state.job ~= h.job then h.job, h.known = state.job, 0 end
  return state
end

local function add_session(ota, self)
  --- Let the script drive the updates of the Aliyun cloud, until deinit() or until the script ends.
  -- An offer then waits for fetch_yield(), at most ten minutes; an armed release waits for sys.restart().
  -- @tparam[opt] string product productKey; nil: that of the configuration
  -- @tparam[opt] string device deviceName; nil: that of the configuration
  -- @treturn table|nil handle | nil, message, code ("busy": there is a handle already, "nothing": no such cloud)
  function ota.init(product, device)
    if self.live then return nil, "there is already a handle; deinit it first", "busy" end
    local h = setmetatable({ product = product, device = device, known = 0 }, self.handle)
    local ok, message, code = ask(self, h, "init")
    if not ok then return nil, message, code end
    self.live = h
    return h
  end

  --- Give the updates back to the agent.
  -- @tparam table h handle
  -- @treturn boolean true | nil, message, code
  function ota.deinit(h)
    check_handle(self, h)
    h.closed, self.live = true, nil
    return ask(self, h, "deinit")
  end
end

local function add_calls(ota, self)
  --- Check the version that the script would report. The agent itself reports the confirmed release, once.
  -- @tparam table h handle
  -- @tparam string version
  -- @treturn boolean true | nil, message, "incompatible": another release runs
  function ota.report_version(h, version)
    check_handle(self, h)
    return ask(self, h, "version", { version = version })
  end

  --- Whether an update is offered or being fetched.
  -- @treturn boolean | nil, message, code
  function ota.is_fetching(h)
    check_handle(self, h)
    local state, message, code = state_of(self, h)
    if not state then return nil, message, code end
    return state.fetching
  end

  --- Continue fetching, for at most `seconds`.
  -- @tparam table h handle
  -- @tparam[opt=1] number seconds
  -- @treturn integer bytes that were verified since the last call, possibly 0 | nil, message, code: why it ended
  function ota.fetch_yield(h, seconds)
    check_handle(self, h)
    local state, message, code = ask(self, h, "yield", { seconds = seconds or 1, known = h.known, job = h.job })
    if not state then return nil, message, code end
    if state.job ~= h.job then h.job, h.known = state.job, 0 end
    if state.code then return nil, state.message, state.code end
    if not state.fetching and not state.finished then return nil, "nothing is offered", "nothing" end
    local count = math.max(0, state.fetched - h.known)
    h.known = state.fetched
    return count
  end

  --- Whether fetching is over: fetch_yield() has counted every byte, or it failed.
  -- @treturn boolean | nil, message, code
  function ota.is_fetch_finish(h)
    check_handle(self, h)
    local state, message, code = state_of(self, h)
    if not state then return nil, message, code end
    return state.finished and (state.code ~= nil or h.known >= state.fetched)
  end

  --- Report the progress to the cloud. Percentages are sent at most once a second and only when they rise; 100 is
  -- sent only by the agent. A negative step gives the update up: -1 failed, -2 fetching, -3 verifying, -4 writing.
  -- A release that was given up three times is offered again after an hour, then at longer intervals. A release that
  -- the script has given up on `policy_days` days (of the configuration) is installed without the script.
  -- @tparam table h handle
  -- @tparam integer step -4 to 100
  -- @tparam[opt] string desc
  -- @treturn boolean true | nil, message, code ("usage": no such step, "nothing": no update is being fetched,
  --   "refused": this release gave up for too many days)
  function ota.report_progress(h, step, desc)
    check_handle(self, h)
    if not math.tointeger(step) or step < -4 or step > 100 then
      return nil, ("a step is from -4 to 100, not %s"):format(tostring(step)), "usage"
    end
    return ask(self, h, "progress", { step = step, text = desc })
  end

  --- Ask for one thing: "fetched_size", "file_size" (bytes), "md5", "version", "check_firmware" (whether
  -- every byte is verified by its signature and armed, so that sys.restart() leads to it).
  -- @tparam table h handle
  -- @tparam string what
  -- @return value | nil, message, "nothing": there is no offer yet, or, for check_firmware, it is not armed yet
  function ota.ioctl(h, what)
    check_handle(self, h)
    if not WHAT[what] then error(("ota.ioctl: no %q"):format(tostring(what)), 2) end
    local state, message, code = state_of(self, h)
    if not state then return nil, message, code end
    if not state.version then return nil, "nothing was offered yet", "nothing" end
    if what == "check_firmware" then
      if not state.finished then return nil, "it is not fetched yet", "nothing" end
      return state.armed
    end
    local values = { fetched_size = state.fetched, file_size = state.size, md5 = state.md5, version = state.version }
    if values[what] == nil then return nil, ("the cloud did not tell its %s"):format(what), "nothing" end
    return values[what]
  end
end

--- Make the calls.
-- @tparam function ask_agent (verb, fields) -> result | nil, message, code
-- @treturn table init, report_version, is_fetching, fetch_yield, is_fetch_finish, report_progress, ioctl, deinit
function M.new(ask_agent)
  local ota = {}
  local self = { ask = ask_agent, handle = { __index = ota } }
  add_session(ota, self)
  add_calls(ota, self)
  return ota
end

return M

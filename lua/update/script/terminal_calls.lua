--- The calls of update.terminal over whatever asks the agent.
--
-- @module update.script.terminal_calls

local M = {}

local NAMES = { "apn", "userid", "passwd", "ip", "port", "prover", "downfile" }
local EVERY = 1 -- seconds between two calls of a progress handler
local AGAIN = 1 -- seconds before an agent that went away is asked again

local Twin = {}
Twin.__index = Twin

local function ask(self, what, fields)
  fields = fields or {}
  fields.what, fields.twin = what, self.name
  return self.ask("terminal", fields)
end

-- Hand each state to the handler as long as there is one; what it does not take is kept.
local function deliver(self)
  while self.on_state do
    local answer = ask(self, "wait")
    local handler = self.on_state
    if answer and handler then
      handler(answer.state)
      ask(self, "took")
    elseif not answer then
      self.sys.wait(AGAIN * 1000)
    end
  end
  self.delivers = nil
end

-- Call the progress handler at fixed times until the transfer is over.
local function follow(self, downfile)
  while true do
    local state = ask(self, "state")
    if not state or not state.busy then return end
    local step = self.progress
    if self.on_step and step then self.on_step(downfile, step.total, step.done) end
    self.sys.wait(EVERY * 1000)
  end
end

--- Start an update, and wait until its transfer is over. What follows is told by the state handler: after a
-- restart, when this script is another.
-- @param ... apn, userid, passwd, ip, port, prover, downfile (texts), type (1, 2 or 4)
-- @treturn integer 0: the call was taken; -1: an argument is wrong, or an update is under way
function Twin:send(...)
  local values = { ... }
  local call = { type = values[8] }
  for i, name in ipairs(NAMES) do call[name] = values[i] end
  for _, value in pairs(call) do
    if type(value) == "table" or type(value) == "function" then return -1 end
  end
  self.progress = nil
  local answer = ask(self, "update", { call = call })
  if not answer or answer.value ~= 0 then return -1 end
  follow(self, call.downfile:match "[^/]*$")
  return 0
end

function Twin:register_state(fn)
  if type(fn) ~= "function" then return -1 end
  self.on_state = fn
  if not self.delivers then
    self.delivers = true
    self.sys.taskInit(deliver, self)
  end
  return 0
end

function Twin:unregister_state()
  self.on_state = nil
  return 0
end

function Twin:register_step(fn)
  if type(fn) ~= "function" then return -1 end
  self.on_step = fn
  return 0
end

function Twin:unregister_step()
  self.on_step = nil
  return 0
end

local function add(calls, prefix, twin)
  calls[prefix .. "_SendUpdateModuleUpdatedMsg_HB"] = function(...) return twin:send(...) end
  calls[prefix .. "_RegisterUpdateStateHandle"] = function(fn) return twin:register_state(fn) end
  calls[prefix .. "_UnRegisterUpdateStateHandle"] = function() return twin:unregister_state() end
  calls[prefix .. "_RegisterDownLoadStepHandle"] = function(fn) return twin:register_step(fn) end
  calls[prefix .. "_UnRegisterDownLoadStepHandle"] = function() return twin:unregister_step() end
end

--- Make them, for both twins.
-- @tparam table o ask (function(verb, fields)), on (function(event, fn)), sys (taskInit, wait)
function M.new(o)
  local calls, twins = {}, {}
  for _, name in ipairs { "app", "mdma" } do
    twins[name] = setmetatable({ name = name, ask = o.ask, sys = o.sys }, Twin)
    add(calls, name, twins[name])
  end
  o.on("progress", function(event)
    for _, twin in pairs(twins) do twin.progress = event end
  end)
  return calls
end

return M

--- The commands of a terminal's configuration that bring its link up and down.
--
-- A device without them is always on line: up() succeeds, and down() does nothing.
--
-- @module update.agent.carrier

local M = {}

local WITHIN = 30 -- seconds for one command

local Carrier = {}
Carrier.__index = Carrier

--- @tparam table agent tasks, natives.command, log
-- @tparam[opt] table commands up, down, is_up: arrays of words
function M.new(agent, commands)
  return setmetatable({ agent = agent, commands = commands }, Carrier)
end

-- Run a command to its end: whether it went well, and its status if it ended.
function Carrier:_run(name)
  local words, tasks = self.commands[name], self.agent.tasks
  local command, message = self.agent.natives.command.start(words)
  local till = tasks.now() + WITHIN
  local status, code
  while command do
    status, message, code = command:poll()
    if code ~= "again" then break end
    if tasks.now() >= till then
      message = ("it did not end within %d s"):format(WITHIN)
      break
    end
    tasks:wait(0.1)
  end
  if command then command:close() end
  if not status then self.agent.log(("carrier: %s: %s"):format(words[1], message)) end
  return status == 0, status
end

--- Bring the link up.
-- @treturn boolean whether it is
function Carrier:up()
  if not self.commands then return true end
  local ok, status = self:_run "up"
  if not ok and status then self.agent.log(("carrier: up ended with %d"):format(status)) end
  return ok
end

--- Bring the link down.
function Carrier:down()
  if self.commands then self:_run "down" end
end

--- @treturn boolean|nil whether the link is up; nil: nothing is known of it
function Carrier:is_up()
  if self.commands then return (self:_run "is_up") end
end

return M

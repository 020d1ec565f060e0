--- Tasks, messages and timers for device scripts, with Luat's names; times in milliseconds.
--
--     local sys = require "sys"
--     sys.taskInit(function() while true do print "tick" sys.wait(1000) end end)
--     sys.run()
--
-- Under `moult run` this also says every few seconds that the script is alive:
-- only while sys.run(), or a function that waits, is at work. A script that is
-- busy for longer than `heartbeat` of the configuration is killed and started
-- again. See update.luat_sys for the functions.
--
-- @module sys

local natives = require "update.natives"

local has_host, host = pcall(require, "update.native.host")
if not has_host then host = {} end

local EXIT_RESTART = natives.error.find("restart").exit

-- An error ends its task, is printed, and tells the agent, for which a trial
-- with errors is not well. Telling must not fail in turn.
local function report(name, trace)
  io.stderr:write(("script: %s failed: %s\n"):format(name, trace))
  if host.control then pcall(function() require("update").report(trace) end) end
end

local loop = assert(natives.loop.new())
local tasks = require("update.scheduler").new { loop = loop, now = natives.loop.now, on_error = report }
local sys = require("update.luat_sys").new(tasks)
local supervisor = host.channel and natives.channel.from_fd(host.channel)

if supervisor then
  tasks:spawn("beat", function()
    local every = math.min(5, host.heartbeat / 4)
    while supervisor:send("beat") do tasks:wait(every) end
  end)
end

local run = sys.run

--- Run all tasks, for ever. Tells the agent first what main.lua calls itself.
function sys.run()
  if host.control then require("update").introduce() end
  run()
end

--- End the script, to be started again: with the new release when one is armed.
-- Without `moult run` it only ends, with exit code 4. Does not return.
-- @tparam[opt] string reason for the log
function sys.restart(reason)
  reason = tostring(reason or "no reason given"):gsub("%c", " "):sub(1, 200)
  if not supervisor then
    io.stderr:write("script: restart: ", reason, "\n")
    os.exit(EXIT_RESTART, true)
  end
  supervisor:send("restart " .. reason)
  for _ = 1, 50 do -- five seconds; then it is not listening
    if not supervisor:wants_write() then break end
    supervisor:flush()
    loop:poll(100)
  end
  os.exit(0, true)
end

--- The loop that everything waits in, for update.native.fetch in a script of its own.
-- @treturn userdata update.native.loop
function sys.loop()
  return loop
end

--- The tasks behind all this, for `update`.
-- @treturn table update.scheduler
function sys.scheduler()
  return tasks
end

return sys

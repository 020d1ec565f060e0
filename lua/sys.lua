--- Tasks, messages and timers for device scripts, with Luat's names; times in milliseconds.
--
--     local sys = require "sys"
--     sys.taskInit(function() while true do print "tick" sys.wait(1000) end end)
--     sys.run()
--
-- Under `moult run` this module also sends the heartbeat of the script, every few
-- seconds while sys.run() or a function that waits is running. A script that is
-- busy for longer than `heartbeat` of the configuration is killed and started
-- again; waiting for a command does not count. update.script.sys has the functions.
--
-- @module sys

local absent = require "update.script.luat_absent"
local natives = require "update.natives"

local has_host, host = pcall(require, "update.native.host")
if not has_host then host = {} end

local NETWORK = 1000 -- milliseconds
local EXIT_RESTART = natives.error.find("restart").exit

-- An error ends its task, is printed and reported to the agent, which does not
-- confirm a trial with errors. Reporting must not raise an error itself.
local function report(name, trace)
  trace = absent.explain(trace)
  io.stderr:write(("script: %s failed: %s\n"):format(name, trace))
  if host.control then pcall(function() require("update").report(trace) end) end
end

local loop = assert(natives.loop.new())
local tasks = require("update.scheduler").new { loop = loop, now = natives.loop.now, on_error = report }
local sys = require("update.script.sys").new(tasks)
local supervisor = host.channel and natives.channel.from_fd(host.channel)

if supervisor then
  tasks:spawn("beat", function()
    local every = math.min(5, host.heartbeat / 4)
    while supervisor:send("beat") do tasks:wait(every) end
  end)
end

local run = sys.run

--- Luat's call before sys.run(): checks that PROJECT and VERSION are set. Its arguments, which concern a telephone's
-- start and a low battery, are ignored.
function sys.init()
  for _, name in ipairs { "PROJECT", "VERSION" } do
    local value = rawget(_G, name)
    if type(value) ~= "string" or value == "" then
      error(("sys.init: main.lua has to set the global %s first"):format(name), 2)
    end
  end
end

-- Scripts wait for Luat's messages about the network before they use it. Here the system has
-- the network, and callers try again. So the messages are published once, as late as on a
-- module: when the agent answers and every task has had time to begin its wait.
local function tell_network()
  require("update.script.luat_globals").identity()
  sys.wait(NETWORK)
  sys.publish "IP_READY_IND"
  sys.publish "IP_READY"
end

--- Run all tasks, for ever. First it tells the agent PROJECT, VERSION and PRODUCT_KEY, and publishes Luat's messages
-- IP_READY_IND and IP_READY once.
function sys.run()
  if host.control then require("update").introduce() end
  sys.taskInit(tell_network)
  run()
end

--- End the script, so that it is started again, with the new release if one is armed.
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

--- The event loop, which update.native.fetch needs.
-- @treturn userdata update.native.loop
function sys.loop()
  return loop
end

--- The scheduler of the tasks, which `update` needs.
-- @treturn table update.scheduler
function sys.scheduler()
  return tasks
end

_G.sys = absent.complete(sys, "sys") -- as Luat's does it
return sys

--- The checks of `moult doctor`. Each reports one or more lines, with advice.
--
-- @module cli.checks

local boot_check = require "cli.boot_check"
local bounds_check = require "cli.bounds_check"
local config_files = require "update.config"
local cloud_check = require "cli.cloud_check"
local key_check = require "cli.key_check"
local natives = require "update.natives"
local policy_check = require "cli.policy_check"
local progress = require "cli.progress"
local record_check = require "cli.record_check"
local restart_check = require "cli.restart_check"
local rights_check = require "cli.rights_check"
local session = require "cli.session"
local slot_check = require "cli.slot_check"
local times = require "cli.times"

local M = {}

local SPACE_LEAST = 8 * 1024 * 1024 -- with less, even a small script may not fit

-- Each check: (session, report), see M.all(). Later ones use what earlier ones found: s.opened, s.status, s.facts.
local checks = {}

local function read_file(path)
  local file, message = io.open(path, "rb")
  if not file then return nil, message end
  local text = file:read("a")
  file:close()
  return text or ""
end

function checks.device(s, report)
  local c = s.config
  report("ok", "device", ("%s, project %s, hardware %s"):format(c.id, c.project, c.hardware))
end

-- The copy that `moult run` keeps of a configuration with which the device came up.
function checks.config(s, report)
  local path = s.config.path
  local kept = config_files.kept(path)
  local text = read_file(kept)
  if not text or text == read_file(path) then return report("ok", "config", path) end
  report("warn", "config", path .. " was changed since the device came up with it",
    "restart `moult run`; if it cannot come up with it, it goes on with " .. kept .. ", and says why")
end

function checks.keys(s, report)
  local set, message, code = natives.keys.list(s.config.keys)
  if not set then
    return report("fail", "keys", message,
      "nothing installs until it is repaired: restore the keys directory from a copy, with set.0 and set.1", code)
  end
  for _, line in ipairs(key_check.judge(s.config.keys, set)) do
    report(line.level, "keys", line.text, line.advice, line.code)
  end
end

local STATE_ADVICE = {
  refused = "run it as root, or as the user that runs the agent",
  statelost = "keep a copy of the state directory, then provision the device again",
}

function checks.state(s, report)
  local device, message, code = s:device("read")
  if not device then
    local advice = STATE_ADVICE[code]
      or "run `moult provision PKG` on a new device, or correct `state` in the configuration"
    return report("fail", "state", message, advice, code)
  end
  local status = device:status()
  s.status, s.facts = status, device:facts()
  report("ok", "state", ("%s, phase %s, sequence floor %d"):format(status.release, status.phase,
    math.max(status.floor.script or 0, status.floor.core or 0)))
  if status.script and status.script.damage then
    report("warn", "script", status.script.damage,
      "it runs as it is; check the medium, and install the same release or a newer one if it is not repaired "
        .. "automatically", "corrupt")
  end
  if status.last and status.last.code ~= "ok" then
    report("warn", "last", ("%s: %s"):format(status.last.code, status.last.message),
      ("`moult doctor %s` explains it, `moult history` has the rest"):format(status.last.code))
  end
end

-- The trouble that the supervisor has, if the agent can be asked; else the trouble that it would have.
function checks.updates(s, report)
  if not s.status then return end
  local agent = s:agent()
  local told = agent and agent:call("status", nil, nil, session.ANSWER_WITHIN)
  s.told, s.silent = told or nil, agent and not told
  local ok, message, code = natives.device.try_write(s.config)
  if not ok then
    return report("fail", "updates", message, "the script runs, but nothing can be installed or confirmed: make the "
      .. "file system of the state writable, with free space and inodes; `moult run` then resumes updates", code)
  end
  local status = told or s.status
  local trouble = status.trouble
  if not trouble or trouble == natives.json.null then return report("ok", "updates", "the state can be written") end
  report(trouble.updates and "warn" or "fail", "updates", trouble.message, trouble.updates
    and "this stops no update; Moult tries again" or "the script runs without updates until this is repaired",
    trouble.code)
end

function checks.medium(s, report)
  if not s.opened then return end
  local how, took = natives.slot.try(s.config.state)
  if how then -- else checks.updates has reported it
    local level, text, advice = slot_check.state(s.config.state, how, took, s.config.heartbeat)
    report(level, "medium", text, advice)
  end
end

function checks.records(s, report)
  if not s.opened then return end
  local records, message, code = natives.records.inspect(s.config)
  if not records then
    return report("warn", "records", message, "run doctor as the user that `moult run` runs as", code)
  end
  for _, line in ipairs(record_check.judge(records)) do report(line.level, "records", line.text, line.advice) end
  for _, line in ipairs(record_check.media(s.config, read_file)) do
    report(line.level, "records", line.text, line.advice)
  end
end

function checks.slots(s, report)
  local core = s.config.core
  if not core then return report("ok", "slots", "none configured; only the script is updated") end
  local boot, views = natives.boot.read(s.config), {}
  for _, name in ipairs { "a", "b" } do
    local view, message, code = natives.slot.inspect(core.slots[name])
    views[name] = view
    if view then
      local level, text, advice, word = slot_check.judge(core.slots[name], view, boot and boot.running == name)
      report(level, "slot " .. name, text, advice, word)
    else
      report("fail", "slot " .. name, message, "name a file, a block device, a raw flash partition (/dev/mtdN) or a "
        .. "UBI volume (/dev/ubiN_M)", code)
    end
  end
  local fits, message, code = natives.slot.check(core.slots.a, core.slots.b, s.config.state)
  if not fits then
    report("fail", "slots", message, "give each slot and the state a partition, volume or file of its own",
      code)
  end
  local text, advice = slot_check.compare(views.a, views.b)
  if text then report("warn", "slots", text, advice) end
end

function checks.source(s, report)
  if not s.config.core or not s.opened then return end
  local level, text, advice = slot_check.source(s.opened:source())
  report(level, "deltas", text, advice)
end

function checks.boot(s, report)
  if s.config.core then boot_check.look(s.config, read_file, report) end
end

function checks.restart(s, report)
  local level, text, advice = restart_check.judge(s.config, restart_check.exists)
  if level then report(level, "restart", text, advice, level == "fail" and "missing" or nil) end
end

function checks.space(s, report)
  if not s.facts then return end
  local free = s.facts.free
  if free < SPACE_LEAST then
    return report("warn", "space", ("%s free in %s"):format(progress.size(free), s.config.state),
      "an update needs space for its script, packed and unpacked, and a tenth more: free some")
  end
  report("ok", "space", ("%s free in %s"):format(progress.size(free), s.config.state))
end

function checks.reserve(s, report)
  local wanted = s.config.reserve
  if not s.facts or wanted == 0 or not s:agent() then return end
  local size = require("update.agent.reserve").size(s.config.state .. "/reserve")
  if size == wanted then return report("ok", "reserve", ("%s for an update"):format(progress.size(wanted))) end
  report("warn", "reserve", "missing: if something else fills the file system, an update may have no space",
    "`moult run` makes it a minute after its start, if four times as much is free")
end

function checks.clock(s, report)
  if not s.facts then return end
  local now = times.shown(s.facts.time)
  if not s.facts.time_set then
    return report("warn", "clock", ("the system clock is too far back; %s is used instead"):format(now),
      "set the clock (NTP); until then time windows do not work")
  elseif not s.facts.time_trusted then
    return report("ok", "clock", ("%s, not trusted: the kernel does not say that it is synchronised"):format(now))
  end
  report("ok", "clock", now .. ", synchronised")
end

checks.policy = policy_check.look

function checks.clouds(s, report)
  if #s.config.clouds == 0 then
    return report("warn", "clouds", "none configured", "name one in the configuration, or install by hand")
  end
  for _, cloud in ipairs(s.config.clouds) do
    cloud_check.look(s, cloud, report)
  end
end

checks.trust = cloud_check.trust
checks.files = require("cli.files_check").look

function checks.script(s, report)
  local _, folder
  if s.opened then _, folder = s.opened:generation() end
  local level, text, advice, code = rights_check.script(s.config, folder and folder .. "/main.lua")
  report(level, "script", text, advice, code)
  local script = s.told and s.told.script
  if script and script.restarts then
    report("warn", "script", require("cli.verbs.status").restarts(script),
      "see the log of `moult run` for its last messages, and `moult history` for when it began")
  end
end

function checks.bounds(s, report)
  local agent = s:agent()
  local who = agent and agent.channel:peer()
  local level, text = bounds_check.judge {
    user = (s.config.script or {}).user ~= nil,
    mount = bounds_check.mount_of(s.config.state, read_file("/proc/self/mountinfo") or ""),
    limits = bounds_check.limits_of(read_file(("/proc/%s/cgroup"):format(who and who.pid or "self")) or "", read_file),
  }
  report(level, "bounds", text)
end

function checks.control(s, report)
  local level, text, advice, code = rights_check.group(s.config)
  if level then report(level, "control", text, advice, code) end
end

function checks.agent(s, report)
  local agent, message, code = s:agent()
  if s.silent or code == "busy" then
    return report("warn", "agent", "does not answer",
      "it waits for a slow medium, or hangs and will be restarted")
  end
  if agent then return report("ok", "agent", "running") end
  if code == "refused" then return report("fail", "agent", message, "run it as root", code) end
  report("warn", "agent", "not running", "start it with `moult run`; until then nothing is updated automatically")
end

local ORDER = { "config", "device", "keys", "state", "updates", "medium", "records", "slots", "files", "source", "boot",
  "restart", "space", "reserve", "clock", "policy", "clouds", "trust", "script", "bounds", "control", "agent" }

--- Run all checks in order.
-- @tparam table s cli.session
-- @tparam function report (level = "ok"|"warn"|"fail", what, text, advice, code word of a failure)
function M.all(s, report)
  for _, name in ipairs(ORDER) do checks[name](s, report) end
end

return M

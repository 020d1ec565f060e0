--- `moult status`.
--
-- @module cli.verbs.status

local natives = require "update.natives"
local ledgers = require "update.engine.ledger"
local offers = require "update.engine.offer"
local progress = require "cli.progress"
local session = require "cli.session"
local times = require "cli.times"
local unsigned = require "update.cloud.unsigned"

local M = {}

M.verb = {
  name = "status",
  usage = "status [-c CONFIG] [--json]",
  summary = "show what runs and what is under way",
  text = "Takes no lock and repairs nothing. With --json it prints one object: phase, release, core, script, files,\n"
    .. "mixed, floor, time, kept_out, transaction, retry, last, trouble and hotfixes; a field that does not apply is\n"
    .. "null. `mixed` is the first path below files.roots at which the files are neither the old nor the new ones,\n"
    .. "because something could not be put back; it is null as long as they are whole.\n"
    .. "`retry` says why and when a server is tried again. `trouble` says why updates do not work while the script\n"
    .. "runs; if its `updates` is true they do work, and only leftovers could not be removed. `last.verdict` is\n"
    .. "\"open\" while it is not known whether the last release broke the network,\n"
    .. "and \"again\" if it gets one more try.\n"
    .. "`script.restarts` counts how often the script ended by itself; `script.reason` says why it last did, and\n"
    .. "`script.next_start` when it starts again.",
  positional = { 0, 0 },
  common = { "config", "json" },
  example = "moult status -c device/config.lua\nmoult status --json | jq .release",
}

-- All fields of --json. Missing ones are null, so that readers know all names.
local FIELDS = { "phase", "release", "core", "script", "files", "mixed", "floor", "time", "kept_out", "transaction",
  "retry", "last", "trouble", "hotfixes" }

local function pick(from, names)
  if from == nil or from == natives.json.null then return natives.json.null end
  local out = {}
  for _, name in ipairs(names) do
    out[name] = from[name] == nil and natives.json.null or from[name]
  end
  return out
end

local PARTS = {
  core = { "name", "version", "running", "tries" },
  script = { "version", "generation", "damage", "restarts", "reason", "next_start" },
  files = { "version" },
  floor = { "core", "script", "files" },
  time = { "now", "trusted", "set" },
  transaction = { "sequence", "unsigned", "release", "part", "done", "total" },
  retry = { "code", "message", "time" },
  last = { "code", "message", "sequence", "unsigned", "time", "verdict" },
  trouble = { "code", "message", "updates" },
}

--- The object of `status --json`.
-- @tparam table status of the device or the agent
-- @treturn table ready to encode
function M.object(status)
  local out = pick(status, FIELDS)
  for name, fields in pairs(PARTS) do out[name] = pick(status[name], fields) end
  out.hotfixes = natives.json.array(status.hotfixes or {})
  return out
end

-- One line a name: the newest that is tested or in force, and what it took the place of.
local function hotfix_lines(add, rows)
  local newest = {}
  for _, row in ipairs(rows) do
    if row.state == "testing" or ledgers.is_in_force(row) then newest[row.name] = row end
  end
  for _, row in ipairs(rows) do
    if newest[row.name] == row then
      local lower = ledgers.leading(rows, row.name, row.id)
      add("hotfix", "%s %s, %s%s", row.name, row.version, row.state, lower and ", replaces " .. lower.version or "")
    end
  end
end

local function transaction_line(t, phase)
  local line = ("%s %s (%s)"):format(phase, t.release, offers.number_of(t))
  if t.total and t.total > 0 and (phase == "fetching" or phase == "installing") then
    line = ("%s: %s of %s in place (%d%%)"):format(line, progress.size(t.done), progress.size(t.total),
      t.done * 100 // t.total)
  end
  return line
end

--- How often the script ended by itself, why, and when it starts again.
-- @tparam table script of a status, with restarts
-- @treturn string
function M.restarts(script)
  return ("it ended %s; the last time it %s; %s"):format(script.restarts == 1 and "once"
    or script.restarts .. " times", script.reason,
    script.next_start and "the next start is at " .. times.when(script.next_start) or "it runs again")
end

--- One screen for people.
-- @tparam table status
-- @tparam boolean|string running whether the agent answered; "silent": it runs but did not answer
-- @tparam integer policy_days of the configuration
-- @tparam[opt] table slots the targets of slot names that are links, by "a" and "b"
-- @tparam[opt] {string|table,...} trusted entries of update.cloud.unsigned
-- @treturn {string,...} lines
function M.lines(status, running, policy_days, slots, trusted)
  local lines = {}
  local function add(name, format, ...) lines[#lines + 1] = ("%-12s "):format(name) .. format:format(...) end
  add("release", "%s", status.release)
  if status.script then add("script", "%s (generation %d)", status.script.version, status.script.generation) end
  if status.script and status.script.damage then add("damage", "%s", status.script.damage) end
  if status.script and status.script.restarts then add("restarts", "%s", M.restarts(status.script)) end
  if status.core then
    add("core", "%s %d, running from slot %s", status.core.name, status.core.version, status.core.running)
  end
  for _, name in ipairs { "a", "b" } do
    if slots and slots[name] then add("slot " .. name, "%s", slots[name]) end
  end
  if status.files then add("files", "%s", status.files.version) end
  if status.mixed then
    add("mixed", "THE FILES ARE NEITHER THE OLD NOR THE NEW ONES, first at %s; %s", status.mixed, running
      and "Moult tries again to put them back, and takes a package that names all paths of that update"
      or "`moult run` or `moult settle` puts them back")
  end
  hotfix_lines(add, status.hotfixes or {})
  add("phase", "%s", status.phase)
  if status.transaction then add("transaction", "%s", transaction_line(status.transaction, status.phase)) end
  if status.retry then
    add("next try", "%s: %s (%s)", times.when(status.retry.time), status.retry.message, status.retry.code)
  end
  if status.phase == "trial" then
    add("trial", "start %d of 3, %d failed", status.transaction.starts, status.transaction.failures)
  end
  add("floor", "script %d, core %d%s", status.floor.script, status.floor.core,
    status.files and (", files %d"):format(status.floor.files) or "")
  if status.time then
    add("time", "%s, %s", times.when(status.time.now),
      status.time.trusted and "trusted" or status.time.set and "not trusted" or "the clock was never set")
  end
  if (status.kept_out or 0) > 0 then
    add("policy", "the release's policy kept packages out: day %d of %d%s", status.kept_out, policy_days,
      status.kept_out < policy_days and "" or "; the default policy is used instead")
  end
  if status.last then
    add("last", "%s %s: %s%s", times.when(status.last.time), status.last.code, status.last.message,
      (status.last.unsigned or (status.last.sequence or 0) > 0) and (" (%s)"):format(offers.number_of(status.last))
      or "")
  end
  local trouble = status.trouble
  if trouble then
    add("updates", trouble.updates and "work, but %s (%s)" or "DO NOT WORK: %s (%s); Moult tries again",
      trouble.message, trouble.code)
  end
  for _, entry in ipairs(trusted or {}) do
    add("trusted", "%s: %s", unsigned.prefix(entry), unsigned.risk(unsigned.prefix(entry)))
  end
  add("agent", "%s", running == "silent"
    and "DOES NOT ANSWER: it waits for a slow medium, or hangs and will be restarted"
    or running and "running" or "not running")
  return lines
end

--- The status from the agent, or else from the state.
-- @treturn table|nil, boolean|string as `running` of lines() | message, code
function M.fetch(s)
  local agent, _, code = s:agent()
  local message
  local silent = code == "busy" and "silent" or false
  if agent then
    local status
    status, message, code = agent:call("status", nil, nil, session.ANSWER_WITHIN)
    if status then return status, true end
    if not agent.lost then return nil, message, code end
    silent = "silent"
  end
  local device
  device, message, code = s:device("read")
  if not device then return nil, message, code end
  return device:status(), silent
end

-- The targets of slot names that are links.
local function links(config)
  local out = {}
  for name, path in pairs(config.core and config.core.slots or {}) do
    local node, message = natives.slot.node(path)
    if node ~= path then out[name] = node and ("%s -> %s"):format(path, node) or message end
  end
  return out
end

function M.run(parsed, env)
  return session.run(parsed, env, function(s)
    local status, running, code = M.fetch(s)
    if not status then return nil, running, code end
    if env.json then
      env.out(natives.json.encode(M.object(status)))
    else
      env.out(table.concat(M.lines(status, running, s.config.policy_days, links(s.config),
        s.config.trust and s.config.trust.unsigned), "\n"))
    end
    return 0
  end)
end

return M

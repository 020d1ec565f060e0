--- The agent's side of clouds that are asked over HTTP: polls, and signs of life during a trial.
--
-- @module update.agent.http_poller

local http_place = require "update.cloud.http_place"
local registry = require "update.cloud.registry"
local retry = require "update.engine.retry"

local M = {}

-- Failures after which the next poll comes sooner than the period.
local SOONER = { network = true, missing = true, expired = true, internal = true, write = true, nospace = true }

local function jitter(random, seconds)
  return seconds * (0.9 + 0.2 * random())
end

local PROBE_BYTES = 4096 -- of an answer, enough to tell who gave it

-- Clouds that gave a strange answer to a question that names no device: those are asked in full every other time.
local in_full = setmetatable({}, { __mode = "k" })

-- One harmless question, to learn whether the cloud can be reached at all: true
-- only for an answer that its dialect knows, because anything on the way may answer.
local function probe(agent, cloud)
  local where = http_place.of(agent.config, cloud, agent.device:facts())
  if not where then return false end
  local location = in_full[cloud] and where.location or http_place.bare(cloud, where.location)
  local fetch = agent.natives.fetch.open(agent.loop, location, {
    range = { 0, http_place.PACKAGE_START }, proxy = where.http.proxy, ca_file = where.http.ca_file,
    headers = where.headers(location), connect_timeout = 10, deadline = 20,
    max_redirects = retry.REDIRECTS, time_floor = agent.device:time_floor(),
  })
  if not fetch then return false end
  local body = ""
  repeat
    local data, _, code = fetch:read()
    body = body .. (data or "")
    if code == "again" then agent.tasks:idle() end
  until not data and code ~= "again" or #body >= PROBE_BYTES
  local status = fetch:status()
  agent:witness(fetch:date())
  fetch:close()
  local reached = http_place.reached(cloud, status, body)
  if (status or 0) > 0 and not reached then in_full[cloud] = not in_full[cloud] end
  return reached
end

-- Ask once; seconds until the next time, the failures in a row, and the seconds that the server wants at least.
local function poll(agent, cloud, failures)
  local where, message, code = http_place.of(agent.config, cloud, agent.device:facts())
  local result, verdict, retry_after
  if where then
    result, message, code, verdict, retry_after = agent:update(http_place.not_waiting(where), "poll")
  end
  if result then return cloud.period, 0 end
  if code == "busy" and retry_after then return retry_after, 0 end
  if code == "deferred" then
    local after = verdict and verdict.decision.retry_after or cloud.period
    return math.min(after, cloud.period), 0
  elseif SOONER[code] then
    failures = failures + 1
    local backoff, least = agent.config.backoff, retry_after
    local pause = math.min(cloud.period, backoff.most, backoff.least * 2 ^ (failures - 1))
    agent.log(("cloud %s: %s (%s); asked again in %.0f s"):format(cloud.name, message, code,
      math.max(pause, least or 0)))
    return pause, failures, least
  end
  local say = code == "nothing" and agent.note or agent.log
  -- That there is nothing is an answer, no failure.
  say(("cloud %s: %s%s"):format(cloud.name, message, code == "nothing" and "" or (" (%s)"):format(code)))
  return cloud.period, 0
end

-- While a release is on trial, or one that was waits for its verdict, nothing can
-- be installed: all there is to learn is whether the cloud can be reached.
local function probe_once(agent, cloud)
  if agent.trial:awaits_cloud() and probe(agent, cloud) then agent.trial:reached(cloud.name) end
  -- What ended the trial, or the wait, may have come while the cloud was asked.
  if agent.trial:probes() then agent.tasks:await(agent.stirred, agent.trial:awaits_cloud() and 2 or 60) end
end

-- Follows one cloud for ever: polls it while the agent owns the state.
local function follow(agent, cloud)
  local tasks, failures, due = agent.tasks, 0, 0
  while true do
    local phase = agent:phase()
    if agent.trial:probes() then
      probe_once(agent, cloud)
    elseif phase == "idle" or phase == "fetching" or phase == "installing" or phase == "arming" then
      if tasks.uptime() >= due then
        local pause, least
        pause, failures, least = poll(agent, cloud, failures)
        due = tasks.uptime() + math.max(jitter(agent.random, pause), least or 0)
      else
        tasks:rest(due - tasks.uptime(), agent.stirred)
      end
    else
      tasks:await(agent.stirred, 60)
    end
  end
end

local starters = {}

function starters.http(agent, cloud)
  agent.tasks:spawn("cloud " .. cloud.name, follow, agent, cloud)
end

function starters.mqtt(agent, cloud, listeners)
  if cloud.kind == "qinglian" then return nil, require("update.agent.qinglian").start(agent, cloud) end
  listeners[cloud.name] = require("update.agent.mqtt_listener").start(agent, cloud)
end

function starters.call(agent, cloud)
  return require("update.agent.terminal").start(agent, cloud)
end

--- Poll those that are asked, listen to those that push, and wait for calls.
-- @treturn {string=table} listeners by the name of the cloud
-- @treturn table|nil update.agent.terminal, where a cloud is called
-- @treturn table|nil update.agent.qinglian, of the first cloud of that kind
function M.start(agent)
  local listeners, called, qinglian = {}, nil, nil
  for _, cloud in ipairs(agent.config.clouds) do
    local one, other = starters[registry.of(cloud.kind).over](agent, cloud, listeners)
    called, qinglian = one or called, qinglian or other
  end
  return listeners, called, qinglian
end

return M

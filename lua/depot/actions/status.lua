--- `moult depot status DIR`: what the devices run, and the state of their jobs.
--
-- @module depot.actions.status

local base = require "depot.actions.base"
local choice = require "depot.choice"
local shown = require "depot.acts.devices"
local dialects = require "depot.dialects"
local jobs = require "depot.jobs"
local lock = require "depot.lock"
local store = require "depot.store"

local M = {}

-- Whole seconds since 1970.
local function seconds(ms, null)
  return ms and ms // 1000 or null
end

-- Why a device has not subscribed, and what to do about it.
local DEAF = {
  aliyun = "it is offline without a session (clean_session 0 would keep one), or its program does not subscribe: the "
    .. "Link SDK relies on the vendor's broker for that, so subscribe in the program",
  tencent = "it is offline without a session (clean_session 0 would keep one), or its program does not subscribe",
}

local function rollout_of(row, packages, null)
  local entry = packages[row.package]
  return { package = entry and entry.name or null, release = row.target, cloud = row.cloud or null,
    product = row.product or null, from = row.source or null, filter = row.filter or null,
    made = seconds(row.made, null) }
end

local function line_of(row)
  local parts = { row.cloud, row.product .. "/" .. row.device, row.release or "?" }
  if row.state then
    parts[#parts + 1] = ("-> %s %s"):format(row.target, row.state)
    if row.step and row.state == "upgrading" then parts[#parts + 1] = ("%d %%"):format(row.step) end
    if row.code then parts[#parts + 1] = ("(%d)"):format(row.code) end
    if row.reason == "late" then parts[#parts + 1] = "(late)" end
    parts[#parts + 1] = row.text
  end
  if row.unordered then parts[#parts + 1] = "(older or newer: unknown)" end
  if row.deaf then
    parts[#parts + 1] = ("not listening: nobody has subscribed to %s; %s"):format(dialects.push_topic(row),
      DEAF[row.cloud])
  end
  return table.concat(parts, " ")
end

local function summary(rows)
  local counts, parts, unordered, deaf = {}, {}, 0, 0
  for _, row in ipairs(rows) do
    if row.unordered then unordered = unordered + 1 end
    if row.deaf then deaf = deaf + 1 end
    local state = row.state or "without a job"
    counts[state] = (counts[state] or 0) + 1
  end
  for _, state in ipairs { "pending", "upgrading", "succeeded", "failed", "reverted", "superseded", "cancelled",
    "given", "without a job" } do
    if counts[state] then parts[#parts + 1] = ("%d %s"):format(counts[state], state) end
  end
  if deaf > 0 then parts[#parts + 1] = ("%d not listening"):format(deaf) end
  local text = #parts > 0 and table.concat(parts, ", ") or "no devices"
  if unordered == 0 then return text end
  return ("%s; neither sequence nor version tells whether %d of them %s an older release than the packages here: "
    .. "`batch --from RELEASE` reaches them"):format(text, unordered, unordered == 1 and "runs" or "run")
end

-- Mark the devices that get no offer because it is unknown whether they run something older. "Not listening" matters
-- only while an offer is open.
local function mark(context, rows)
  local is_unordered = choice.unordered(context.packages)
  for _, row in ipairs(rows) do
    row.deaf = jobs.is_open(row) and row.deaf
    row.unordered = not jobs.is_open(row) and is_unordered(row)
  end
end

-- Stands for the store if there is no database: none is made in a folder that no depot with --mqtt has served.
local nothing = { get = function() return false end, withdrawn = function() return {} end,
  with_tags = function(_, rows) return rows end,
  devices = function() return {} end, rollouts = function() return {} end, close = function() end }

-- The rollouts, without the automatic mode, which has none of its own.
local function batches(context)
  local all, message, code = context.store:rollouts()
  if not all then return nil, message, code end
  local list = {}
  for _, rollout in ipairs(all) do
    if rollout.kind ~= "auto" then list[#list + 1] = rollout end
  end
  return list
end

local function show(context)
  local env, json, printable = context.env, context.natives.json, context.natives.printable.text
  local rows, message, code = base.devices(context)
  if not rows then return nil, message, code end
  mark(context, rows)
  local over_http
  over_http, message = base.http_devices(context)
  if not over_http then env.note("the devices that ask over HTTP are not shown: " .. message) end
  over_http = over_http or {}
  table.move(over_http, 1, #over_http, #rows + 1, rows)
  local rollouts
  rollouts, message, code = batches(context)
  if not rollouts then return nil, message, code end
  local served = lock.is_held(context.natives, context.dir)
  if env.json then
    local devices, plans = json.array {}, json.array {}
    for i, row in ipairs(rows) do
      devices[i] = shown.object(row, printable, json.null)
    end
    for i, row in ipairs(rollouts) do
      plans[i] = rollout_of(row, context.by_digest, json.null)
    end
    env.out(json.encode { devices = devices, rollouts = plans, served = served })
    return 0
  end
  for _, row in ipairs(rows) do
    env.out(printable(line_of(row)))
  end
  for _, row in ipairs(rollouts) do
    env.out(printable(("rollout of %s to %s%s%s"):format(row.target, row.product or "its product",
      row.source and " from " .. row.source or "", row.filter and ", " .. row.filter or "")))
  end
  -- Without a database the depot has never used a broker, and need not.
  env.out(summary(rows) .. ((served or context.store == nothing) and ""
    or "; no depot with --mqtt serves this folder now"))
  return 0
end

function M.run(context)
  if not store.exists(context.dir) then context.store = nothing end
  return base.within(context, show)
end

return M

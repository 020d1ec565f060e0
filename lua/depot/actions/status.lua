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
local printed = require "depot.shown"
local wheres = require "depot.store.where"

local M = {}

-- Whole seconds since 1970.
local function seconds(ms, null)
  return ms and ms // 1000 or null
end

-- Why a device has not subscribed, and what to do about it.
local UNHEARD = {
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
  if row.not_listening then
    parts[#parts + 1] = ("not listening: nobody has subscribed to %s; %s"):format(dialects.push_topic(row),
      UNHEARD[row.cloud])
  end
  return table.concat(parts, " ")
end

local function summary(counts, unordered, unheard, unknown)
  local parts = {}
  for _, state in ipairs { "pending", "upgrading", "succeeded", "failed", "reverted", "superseded", "cancelled",
    "given", "without a job" } do
    if counts[state] then parts[#parts + 1] = ("%d %s"):format(counts[state], state) end
  end
  if unheard > 0 then parts[#parts + 1] = ("%d not listening"):format(unheard) end
  if unknown > 0 then
    parts[#parts + 1] = ("%d of unknown hardware, which get nothing (see device set --hardware)"):format(unknown)
  end
  local text = #parts > 0 and table.concat(parts, ", ") or "no devices"
  if unordered == 0 then return text end
  return ("%s; neither sequence nor version tells whether %d of them %s an older release than the packages here: "
    .. "`batch --from RELEASE` reaches them"):format(text, unordered, unordered == 1 and "runs" or "run")
end

-- Mark a device that gets no offer because it is unknown whether they run something older.
-- "Not listening" matters only while an offer is open.
local function mark(row, is_unordered)
  row.not_listening = jobs.is_open(row) and row.not_listening
  row.unordered = not jobs.is_open(row) and is_unordered(row)
end

-- In the order of the index.
local ALIKE = { "hash", "release", "other", "state", "cloud", "hardware" }
-- What matters, too, with lists of devices.
local EACH = { "hash", "release", "other", "state", "cloud", "hardware", "device" }

-- The devices that are meant, those together that are alike, with n and unheard.
local function alike_of(context)
  local where, columns = base.where(context), ALIKE
  for _, entry in ipairs(context.packages) do
    if entry.devices then columns = EACH end
  end
  if columns == ALIKE and where:text() == "1" then return context.store:standings() end
  return context.store:count(where, columns, "count(not_listening) AS unheard")
end

-- How many devices are in which state, and what else is to be said of them; over_http: rows without a job.
local function count(context, over_http, is_unordered)
  local alike, message, code = alike_of(context)
  if not alike then return nil, message, code end
  local counts, unordered, unheard, unknown = {}, 0, 0, 0
  for _, row in ipairs(alike) do
    if jobs.is_open(row) then
      unheard = unheard + row.unheard
    elseif is_unordered(row) then
      unordered = unordered + row.n
    end
    if choice.lacks_hardware(context.packages, row) then unknown = unknown + row.n end
    local state = row.state or "without a job"
    counts[state] = (counts[state] or 0) + row.n
  end
  for _, row in ipairs(over_http) do
    local state = row.state or "without a job"
    counts[state] = (counts[state] or 0) + 1
  end
  return summary(counts, unordered, unheard, unknown)
end

-- Stands for the store if there is no database: none is made in a folder that no depot with --mqtt has served.
local nothing = { get = function() return false end, withdrawn = function() return {} end,
  disabled = function() return {} end, where = function() return wheres.new() end,
  select = function() return {} end, count = function() return {} end,
  standings = function() return {} end, rollouts = function() return {} end, close = function() end }

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

local function print_json(context, rows, more, rollouts, served)
  local json, printable = context.natives.json, context.natives.printable.text
  local devices, plans = json.array {}, json.array {}
  for i, row in ipairs(rows) do devices[i] = shown.object(row, printable, json.null) end
  for i, row in ipairs(rollouts) do plans[i] = rollout_of(row, context.by_digest, json.null) end
  context.env.out(json.encode { devices = devices, more = more, rollouts = plans, served = served })
end

local function print_lines(context, rows, rollouts)
  local env, printable = context.env, context.natives.printable.text
  for _, row in ipairs(rows) do env.out(printable(line_of(row))) end
  for _, row in ipairs(rollouts) do
    env.out(printable(("rollout of %s to %s%s%s"):format(row.target, row.product or "its product",
      row.source and " from " .. row.source or "", row.filter and ", " .. row.filter or "")))
  end
end

-- The devices that are shown, the jobs of those on a broker first; whether there are more; all that ask over HTTP.
local function devices(context)
  local over_http, why = base.http_devices(context)
  if not over_http then context.env.note("the devices that ask over HTTP are not shown: " .. why) end
  over_http = over_http or {}
  local rows, more, code = base.page(context, function(limit)
    local list, message, word = context.store:select(base.where(context), limit)
    if not list then return nil, message, word end
    return table.move(over_http, 1, #over_http, #list + 1, list)
  end)
  if not rows then return nil, more, code end
  return rows, more, over_http
end

local function show(context)
  local env = context.env
  local rows, more, over_http = devices(context)
  if not rows then return nil, more, over_http end
  local is_unordered = choice.unordered(context.packages)
  for _, row in ipairs(rows) do
    if row.hash then mark(row, is_unordered) end
  end
  local rollouts, message, code = batches(context)
  if not rollouts then return nil, message, code end
  local served = lock.is_held(context.natives, context.dir)
  if env.json then
    print_json(context, rows, more, rollouts, served)
    return 0
  end
  print_lines(context, rows, rollouts)
  local text
  text, message, code = count(context, over_http, is_unordered)
  if not text then return nil, message, code end
  if more then env.note(printed.more_text(#rows)) end
  -- Without a database the depot has never used a broker, and need not.
  env.out(text .. ((served or context.store == nothing) and "" or "; no depot with --mqtt serves this folder now"))
  return 0
end

function M.run(context)
  if not store.exists(context.dir) then context.store = nothing end
  return base.within(context, show)
end

return M

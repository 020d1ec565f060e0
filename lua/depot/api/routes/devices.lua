--- Routes of devices and their jobs.
--
-- @module depot.api.routes.devices

local acts = require "depot.acts"
local admission = require "depot.acts.admission"
local devices = require "depot.acts.devices"
local filters = require "depot.filter"
local ids = require "depot.api.ids"
local jobs = require "depot.jobs"
local objects = require "depot.api.objects"
local pages = require "depot.api.pages"
local tags = require "depot.tags"

local M = {}

local STATES = {}
for _, state in ipairs(jobs.STATES) do STATES[state] = true end

-- The rows of a product that a filter selects, and the last of them if there are more.
local function select_rows(call, filter, after, limit)
  local store = call.world.store
  local where = store:where(filter, acts.now())
  where:add("hash = ?", call.product)
  local rows, message, code = store:select(where, limit + 1, after)
  if not rows then return nil, message, code end
  local more = #rows > limit
  rows[limit + 1] = nil
  rows, message, code = store:tag_rows(rows)
  if not rows then return nil, message, code end
  return rows, more and rows[limit] or nil
end

local function list(call)
  local filter, message, code
  if call.args.filter and call.args.filter ~= "" then
    filter, message, code = filters.parse(call.args.filter)
    if not filter then return nil, message, code, "filter" end
  end
  local after, field
  after, message, code, field = pages.after(call)
  if after == nil then return nil, message, code, field end
  local rows, last
  rows, last, code = select_rows(call, filter, after, call.args.limit or pages.LIMIT)
  if not rows then return nil, last, code end
  local items = call.json.array {}
  for i, row in ipairs(rows) do items[i] = objects.device(call.world, row) end
  return { items = items, next = last and ids.of(last) or call.json.null }
end

local function device(call)
  local row = call.objects.D
  local object = objects.device(call.world, row)
  object.groups = call.json.array(call.world.store:groups_of(row))
  object.offers, object.failures = row.offers or call.json.null, row.failures or call.json.null
  return object
end

local function events(call)
  local rows, message, code = call.world.store:events_of_one(call.objects.D, call.args.cursor,
    call.args.limit or pages.LIMIT)
  if not rows then return nil, message, code end
  return pages.of_events(call, rows)
end

local function job_of(call, row)
  if not row.state then return nil end
  return { id = ids.of(row), device = row.device, target = row.target, kind = row.kind or call.json.null,
    state = row.state, code = row.code or call.json.null, reason = row.reason or call.json.null,
    text = row.text or call.json.null, step = row.step or call.json.null, rollout = row.rollout or call.json.null,
    wave = row.wave or call.json.null, offers = row.offers or 0, failures = row.failures or 0,
    changed = row.changed and row.changed // 1000 or call.json.null }
end
M.job_of = job_of

-- What events say of the jobs that a device has had, the newest first: each begins as pending.
local function past_jobs(call, rows)
  local null, past, known = call.json.null, {}, {}
  for i = #rows, 1, -1 do
    local row = rows[i]
    local old = known[row.release or ""]
    if row.what == "pending" and not (old and jobs.is_open(old)) then
      old = { target = row.release or null, began = row.at // 1000, rollout = row.rollout or null }
      known[row.release or ""] = old
      table.insert(past, 1, old)
    end
    if old and STATES[row.what] then
      old.state, old.changed, old.code, old.text = row.what, row.at // 1000, row.code or null, row.text or null
    end
  end
  return call.json.array(past)
end

local function device_jobs(call)
  local rows, message, code = call.world.store:events_of_one(call.objects.D, nil, 1000)
  if not rows then return nil, message, code end
  local job = job_of(call, call.objects.D)
  return { items = call.json.array { job }, past = past_jobs(call, rows), next = call.json.null }
end

-- The tags that a device is to have, as changes: {[tag] = wanted}.
local function wishes(call, row)
  local wanted = {}
  for _, tag in ipairs(row.tags) do wanted[tag] = false end
  for _, text in ipairs(call.args.tags) do
    local tag, message, code = tags.read(text)
    if not tag then return nil, message, code, "tags" end
    wanted[tag] = true
  end
  for _, tag in ipairs(row.tags) do
    if wanted[tag] then wanted[tag] = nil end
  end
  return wanted
end

local function change(call)
  local row, args = call.objects.D, call.args
  if args.tags then
    local wanted, message, code, field = wishes(call, row)
    if not wanted then return nil, message, code, field end
    if next(wanted) then
      local done
      done, message, code = devices.tag(call.world, function() return { row } end, wanted)
      if not done then return nil, message, code end
    end
  end
  if args.note then
    local done, message, code = devices.note(call.world, function() return row end, args.note)
    if not done then return nil, message, code end
  end
  local function again() return call.world.store:get(row.cloud, row.product, row.device) end
  if args.hardware then
    local done, message, code = devices.set_hardware(call.world, again, args.hardware)
    if not done then return nil, message, code, "hardware" end
  end
  if args.zone then
    local done, message, code = devices.set_zone(call.world, again, args.zone)
    if not done then return nil, message, code, "zone" end
  end
  if args.admitted ~= nil then
    local done, message, code = admission.admit(call.world, function()
      local fresh, why, word = again()
      if not fresh then return nil, why or "the device is forgotten", word or "missing" end
      return { fresh }
    end, args.admitted)
    if not done then return nil, message, code end
  end
  local new, message, code = objects.kinds.D.load(call.world, ids.of(row))
  if not new then return nil, message, code end
  call.objects.D = new
  return objects.device(call.world, new)
end

local function forget(call)
  local done, message, code = devices.forget(call.world, function() return call.objects.D end)
  if not done then return nil, message, code end
  return {}
end

local function job(call)
  local found = job_of(call, call.objects.D)
  if not found then return nil, "the device has no job", "missing" end
  return found
end

-- Change the job of a device by a function of depot.jobs.
local function change_job(verb, method, why)
  return function(call)
    local row = call.objects.D
    local done, message, code = acts.change(call.world, function()
      local fresh, fault, word = call.world.store:get(row.cloud, row.product, row.device)
      if not fresh then return nil, fault, word end
      if not method(fresh, acts.now()) then return nil, why, "refused" end
      call.objects.D = fresh
      return call.world.store:put(fresh)
    end, { verb = verb, object = objects.kinds.D.name(row), product = row.hash, before = row.state })
    if not done then return nil, message, code end
    return job_of(call, call.objects.D)
  end
end

local LIST = { filter = { type = "string", about = "which devices, as state:failed" },
  cursor = pages.cursor, limit = pages.limit }

M.routes = {
  { "GET", "/products/{P}/devices", "viewer", list, verb = "read", query = LIST, about = "The devices of a product" },
  { "GET", "/devices/{D}", "viewer", device, verb = "read", about = "One device" },
  { "GET", "/devices/{D}/events", "viewer", events, verb = "read", query = pages.numbered,
    about = "What happened to a device, the newest first" },
  { "GET", "/devices/{D}/jobs", "viewer", device_jobs, verb = "read",
    about = "The job of a device, and in `past` those that events tell of, the newest first" },
  { "PATCH", "/devices/{D}", "operator", change, verb = "tag", about = "What people say of a device", body = {
    tags = { type = "strings", most = 100, about = "all tags that it is to have" },
    note = { type = "string", about = "what to remember of it; empty removes it" },
    zone = { type = "string", most = 64, about = "where it is, as Asia/Shanghai; empty: where its product is" },
    admitted = { type = "boolean", about = "whether rollouts of a product that admits only listed devices are for it" },
    hardware = { type = "string", most = 64, about = "what the device is; empty: unknown" } } },
  { "DELETE", "/devices/{D}", "admin", forget, verb = "forget",
    about = "Forget a device, its job and what happened to it; it comes back if it reports" },
  { "GET", "/jobs/{D}", "viewer", job, verb = "read", about = "The job of a device" },
  { "POST", "/jobs/{D}/retry", "operator", change_job("job.retry", jobs.retry, "the job has not failed"),
    verb = "rollout", about = "Try again on a device that failed" },
  { "POST", "/jobs/{D}/cancel", "operator", change_job("job.cancel", jobs.cancel, "there is no open job"),
    verb = "rollout", about = "End the open job of a device" },
}

return M

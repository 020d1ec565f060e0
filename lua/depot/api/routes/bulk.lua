--- Routes of what concerns many devices at once, and of the tasks that it takes.
--
-- @module depot.api.routes.bulk

local acts = require "depot.acts"
local devices = require "depot.acts.devices"
local filters = require "depot.filter"
local jobs = require "depot.jobs"
local tags = require "depot.tags"

local M = {}

local MOST, SLICE = 10000, 200 -- devices

local function object_of(call, task)
  local null = call.json.null
  return { id = task.id, state = task.state, done = task.done, total = task.total, changed = task.changed or 0,
    message = task.message or null, code = task.code or null }
end

-- The devices of the product that the arguments choose.
local function chosen(call)
  local args, store = call.args, call.world.store
  if (args.filter == nil) == (args.devices == nil) then return nil, "give filter, or devices", "usage", "filter" end
  local filter, message, code
  if args.filter then
    filter, message, code = filters.parse(args.filter)
    if not filter then return nil, message, code, "filter" end
  end
  local where = store:where(filter, acts.now())
  where:add("hash = ?", call.product)
  if args.devices then where:any_of("device", args.devices) end
  local rows
  rows, message, code = store:select(where, MOST + 1)
  if not rows then return nil, message, code end
  if #rows > MOST then return nil, ("more than %d devices; choose fewer"):format(MOST), "refused", "filter" end
  return rows
end

-- Rows of a slice, as they are now; within the transaction.
local function fresh(store, rows, from)
  local list = {}
  for i = from + 1, math.min(from + SLICE, #rows) do
    local row, message, code = store:get(rows[i].cloud, rows[i].product, rows[i].device)
    if row == nil then return nil, message, code end
    if row then list[#list + 1] = row end
  end
  return list
end

-- Begin a task: work(world, which) does a slice, and says how many devices it changed.
local function begin(call, work)
  local rows, message, code, field = chosen(call)
  if not rows then return nil, message, code, field end
  if call.query.dry_run then return { total = #rows } end
  local world, task = call.world, nil
  task, message, code = call.tasks:begin(call.actor.account, #rows, function(done)
    local changed, why, word = work(world, function() return fresh(world.store, rows, done) end)
    if not changed then return nil, why, word end
    task.changed = (task.changed or 0) + changed
    return math.min(SLICE, #rows - done)
  end)
  if not task then return nil, message, code end
  return object_of(call, task), { status = 202 }
end

local function tag(call)
  local wanted = {}
  for name, value in pairs { tag = true, untag = false } do
    for _, text in ipairs(call.args[name] or {}) do
      local word, message, code = tags.read(text)
      if not word then return nil, message, code, name end
      wanted[word] = value
    end
  end
  if not next(wanted) then return nil, "give tag or untag", "usage", "tag" end
  return begin(call, function(world, which) return devices.tag(world, which, wanted) end)
end

local METHODS = { retry = jobs.retry, cancel = jobs.cancel }

local function change_jobs(call)
  local verb = call.args.act
  return begin(call, function(world, which)
    local act = { verb = "job." .. verb, product = call.product }
    return acts.change(world, function()
      local rows, message, code = which()
      if not rows then return nil, message, code end
      local count = 0
      for _, row in ipairs(rows) do
        if METHODS[verb](row, acts.now()) then
          local ok
          ok, message, code = world.store:put(row)
          if not ok then return nil, message, code end
          count = count + 1
        end
      end
      act.idle, act.object = count == 0, ("%d devices"):format(count)
      return count
    end, act)
  end)
end

local function show(call)
  local task = call.tasks:find(call.params.T, call.actor.account)
  if not task then return nil, "there is no such task of yours", "missing" end
  return object_of(call, task)
end

local DRY = { dry_run = { type = "boolean", about = "only say how many devices it concerns" } }

local function choosing(more)
  more.filter = { type = "string", about = "which devices, as state:failed" }
  more.devices = { type = "strings", most = MOST, about = "or these, by name" }
  return more
end

M.routes = {
  { "POST", "/products/{P}/devices/bulk", "operator", tag, verb = "tag", query = DRY, read_when = "dry_run",
    about = "Tag up to 10,000 devices; GET /tasks/ID says how far that is", body = choosing {
      tag = { type = "strings", most = 100, about = "tags to give" },
      untag = { type = "strings", most = 100, about = "tags to take away" } } },
  { "POST", "/products/{P}/jobs/bulk", "operator", change_jobs, verb = "rollout", query = DRY, read_when = "dry_run",
    about = "Retry or cancel the jobs of up to 10,000 devices", body = choosing {
      act = { type = "string", need = true, one_of = { "retry", "cancel" }, about = "what to do" } } },
  { "GET", "/tasks/{T}", "self", show, verb = "read", about = "How far a task of yours is" },
}
return M

--- Routes of what concerns many devices at once, and of the tasks that it takes.
--
-- @module depot.api.routes.bulk

local acts = require "depot.acts"
local filters = require "depot.filter"
local ids = require "depot.api.ids"
local tags = require "depot.tags"

local M = {}

local MOST = 10000 -- devices

local function object_of(call, task)
  local null = call.json.null
  return { id = task.id, state = task.state, done = task.done, total = task.total, changed = task.changed,
    message = task.message or null, code = task.code or null }
end

-- The devices of `ids`; one that is gone is left out.
local function of_ids(call)
  local rows = {}
  for _, text in ipairs(call.args.ids) do
    local id = ids.read(text)
    if not id then return nil, "ids: expected ids of devices", "usage", "ids" end
    local row, message, code = call.world.store:get(id.cloud, id.product, id.device)
    if row == nil then return nil, message, code end
    if row and row.hash ~= call.product then return nil, "ids: a device is not of this product", "missing", "ids" end
    if row then rows[#rows + 1] = row end
  end
  return rows
end

-- The devices of the product that the arguments choose.
local function chosen(call)
  local args, store = call.args, call.world.store
  local given = (args.filter and 1 or 0) + (args.devices and 1 or 0) + (args.ids and 1 or 0)
  if given ~= 1 then return nil, "give filter, devices, or ids", "usage", "filter" end
  if args.ids then return of_ids(call) end
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

-- Begin a task of depot.acts.bulk.
local function begin(call, verb, kind, data)
  local rows, message, code, field = chosen(call)
  if not rows then return nil, message, code, field end
  if call.query.dry_run then return { total = #rows } end
  local task
  task, message, code = call.tasks:begin(call.world, { account = call.actor.account, product = call.product,
    verb = verb, kind = kind, data = data }, rows)
  if not task then return nil, message, code end
  return object_of(call, task), { status = 202 }
end

local function tag(call)
  local wanted, message, code, field = tags.wishes(call.args.tag, call.args.untag)
  if not wanted then return nil, message, code, field end
  if not next(wanted) then return nil, "give tag or untag", "usage", "tag" end
  return begin(call, "tag", "tag", { tags = wanted })
end

local function change_jobs(call) return begin(call, "rollout", "jobs", { act = call.args.act }) end

local function show(call)
  local task, message, code = call.tasks:find(call.params.T, call.actor.account)
  if not task then return nil, message, code end
  return object_of(call, task)
end

local DRY = { dry_run = { type = "boolean", about = "only say how many devices it concerns" } }

local function choosing(more)
  more.filter = { type = "string", about = "which devices, as state:failed" }
  more.devices = { type = "strings", most = MOST, about = "or these, by name" }
  more.ids = { type = "strings", most = MOST, about = "or these, by id" }
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

--- `moult depot batch DIR [PACKAGE]`: give a package that one device has verified to many.
--
-- @module depot.actions.batch

local base = require "depot.actions.base"
local choice = require "depot.choice"
local jobs = require "depot.jobs"

local M = {}

-- Why a device gets no new job; nil: it gets one. `named`: the batch names the release that devices run (--from).
local function obstacle(row, entry, packages, named)
  if not choice.suits(packages, entry, row) then return "hardware" end
  if not choice.fits(packages, entry, row) then return "unlisted" end
  if jobs.has(row, entry.manifest.release) then return "current" end
  local order = choice.order(packages, row, entry.manifest.release, entry.manifest.sequence)
  if order == "newer" or order == "same" then return "newer" end
  if not order and row.release and not named then return "unordered" end
  if row.package == entry.manifest.digest then
    if jobs.is_open(row) then return "open" end
    if jobs.is_lost(row) then return "failed" end
  elseif row.state == "upgrading" then
    return "busy"
  end
end

-- Add rows for devices that --device names and that have never reported.
local function add_unheard(context, entry, rows)
  local seen = {}
  for _, row in ipairs(rows) do
    seen[row.device] = true
  end
  for _, name in ipairs(context.opts.device or {}) do
    if not seen[name] then
      local row = base.unheard(context, entry, name)
      if not row then
        return nil, ("device %s of this package's product has never reported; give its --cloud and --product")
          :format(name), "missing"
      end
      rows[#rows + 1], seen[name] = row, true
    end
  end
  return rows
end

-- Record the rollout, so that devices that report for the first time later get the package, too. The same rollout is
-- recorded only once.
local function roll_out(context, entry, now)
  local opts, manifest = context.opts, entry.manifest
  local rollouts, message, code = context.store:rollouts()
  for _, old in ipairs(rollouts or {}) do
    if old.package == manifest.digest and old.cloud == opts.cloud and old.product == opts.product
        and old.source == opts.from and old.filter == opts.filter then
      return old.id
    end
  end
  if not rollouts then return nil, message, code end
  return context.store:roll_out({ package = manifest.digest, target = manifest.release, hash = manifest.product_key,
    cloud = opts.cloud, product = opts.product, source = opts.from, filter = opts.filter }, now)
end

local function give(context, entry, rows, id, now)
  local counts = { started = 0, current = 0, open = 0, failed = 0, busy = 0, unlisted = 0, newer = 0, unordered = 0,
    hardware = 0 }
  local job = { package = entry.manifest.digest, target = entry.manifest.release, kind = "batch", rollout = id,
    wave = id and 1 }
  for _, row in ipairs(rows) do
    local why = obstacle(row, entry, context.packages, context.opts.from)
    counts[why or "started"] = counts[why or "started"] + 1
    if not why then
      jobs.begin(row, job, now)
      local ok, message, code = context.store:put(row)
      if not ok then return nil, message, code end
    end
  end
  return counts
end

local function assign(context, entry)
  local now, id = base.now(), nil
  local rows, message, code = base.devices(context, entry)
  if rows then
    rows, message, code = add_unheard(context, entry, rows)
  end
  if not rows then return nil, message, code end
  if not context.opts.device then
    id, message, code = roll_out(context, entry, now)
    if not id then return nil, message, code end
  end
  return give(context, entry, rows, id, now)
end

local WORDS = {
  { "current", "run it already" }, { "open", "have this job already" }, { "failed", "failed before (see retry)" },
  { "busy", "are upgrading to something else" }, { "unlisted", "are not on its list" },
  { "newer", "run the same or a newer release" },
  { "hardware", "have other or unknown hardware (see device set --hardware)" },
  { "unordered", "run a release that may be older or newer (see --from)" },
}

local function tell(context, entry, counts)
  if context.env.json then
    context.env.out(context.natives.json.encode(counts))
    return 0
  end
  local parts = { ("%s: %d job%s"):format(entry.name, counts.started, counts.started == 1 and "" or "s") }
  for _, word in ipairs(WORDS) do
    if counts[word[1]] > 0 then parts[#parts + 1] = ("%d %s"):format(counts[word[1]], word[2]) end
  end
  context.env.out(table.concat(parts, ", "))
  return 0
end

local function run(context)
  local entry, message, code = base.package(context)
  if not entry then return nil, message, code end
  if entry.disabled then
    return nil, ("%s is switched off; `moult depot release enable` switches it on"):format(entry.name), "refused"
  end
  local proof
  proof, message, code = context.store:is_verified(entry.manifest.digest)
  if proof == nil then return nil, message, code end
  if not proof then
    return nil, ("no device has verified %s; run `moult depot verify` first"):format(entry.name), "refused"
  end
  local counts
  counts, message, code = base.change(context, function() return assign(context, entry) end,
    base.act(context, "job.batch", entry))
  if not counts then return nil, message, code end
  base.warn_when_alone(context)
  return tell(context, entry, counts)
end

function M.run(context)
  context.lasting = true -- the filter also applies to devices that report for the first time later
  return base.within(context, run)
end

return M

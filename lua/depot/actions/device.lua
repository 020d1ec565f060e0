--- `moult depot device list|show|tag|note DIR [NAME]`: the devices, and what people write about them.
--
-- @module depot.actions.device

local base = require "depot.actions.base"
local device_list = require "depot.device_list"
local natives = require "update.natives"
local status = require "depot.actions.status"
local tags = require "depot.tags"

local M = {}

local NOTE = 1000 -- bytes at most
local NAMED = 20  -- devices that an audit row names

-- The object of `status`, with the tags.
local function object_of(row)
  local json = natives.json
  local object = status.object(row, natives.printable.text, json.null)
  object.tags = json.array(row.tags)
  return object
end

-- The devices that the command means: of NAME or --devices, and of the other options.
local function chosen(context)
  local listed
  if context.opts.devices then
    local message
    listed, message = device_list.read(context.opts.devices)
    if listed == nil then return nil, ("%s: %s"):format(context.opts.devices, message), "usage" end
  end
  local rows, message, code = base.devices(context)
  if not rows then return nil, message, code end
  local list = {}
  for _, row in ipairs(rows) do
    if (not context.name or row.device == context.name) and (not listed or listed[row.device]) then
      list[#list + 1] = row
    end
  end
  if context.name and #list == 0 then return nil, ("no device is called %s"):format(context.name), "missing" end
  return list
end

-- The one device that NAME means.
local function one(context)
  if not context.name then return nil, "name a device", "usage" end
  local rows, message, code = chosen(context)
  if not rows then return nil, message, code end
  if #rows > 1 then
    return nil, ("%d devices are called %s; add --cloud or --product"):format(#rows, context.name), "usage"
  end
  return rows[1]
end

local verbs = {}

function verbs.list(context)
  local env, json = context.env, natives.json
  local rows, message, code = chosen(context)
  if not rows then return nil, message, code end
  local objects = json.array {}
  if not env.json then env.out(("%-8s %-24s %-14s %-10s %s"):format("CLOUD", "NAME", "RELEASE", "STATE", "TAGS")) end
  for i, row in ipairs(rows) do
    objects[i] = object_of(row)
    if not env.json then
      env.out(natives.printable.text(("%-8s %-24.24s %-14.14s %-10s %.20s"):format(row.cloud, row.device,
        row.release or "?", row.state or "-", table.concat(row.tags, " "))))
    end
  end
  if env.json then env.out(json.encode { devices = objects }) end
  return 0
end

local SHOWN = { "cloud", "product", "release", "target", "state", "reason", "text", "rollout", "wave", "offers",
  "failures" }

function verbs.show(context)
  local env = context.env
  local row, note, message, code
  row, message, code = one(context)
  if not row then return nil, message, code end
  note, message, code = context.store:note(row)
  if note == nil then return nil, message, code end
  if env.json then
    local object = object_of(row)
    object.note = note or natives.json.null
    env.out(natives.json.encode(object))
    return 0
  end
  local function line(name, value)
    if value then env.out(natives.printable.text(("%-9s %s"):format(name, value))) end
  end
  line("device", row.device)
  for _, name in ipairs(SHOWN) do line(name, row[name]) end
  line("heard", row.heard and os.date("!%Y-%m-%d %H:%M:%S UTC", row.heard // 1000))
  line("tags", #row.tags > 0 and table.concat(row.tags, " ") or nil)
  line("note", note)
  return 0
end

-- The tags of --tag and --untag: {tag = wanted}.
local function wishes(opts)
  local wanted = {}
  for option, value in pairs { tag = true, untag = false } do
    for _, text in ipairs(opts[option] or {}) do
      local tag, message, code = tags.read(text)
      if not tag then return nil, message, code end
      if wanted[tag] == not value then return nil, ("tag %s is both given and taken away"):format(tag), "usage" end
      wanted[tag] = value
    end
  end
  if not next(wanted) then return nil, "give --tag TAG or --untag TAG", "usage" end
  return wanted
end

-- The tags as the command names them, for the audit.
local function said(wanted)
  local parts = {}
  for tag, value in pairs(wanted) do parts[#parts + 1] = (value and "+" or "-") .. tag end
  table.sort(parts)
  return table.concat(parts, " ")
end

local function apply(context, rows, wanted, act)
  local count, names = 0, {}
  for _, row in ipairs(rows) do
    local changed = false
    for tag, value in pairs(wanted) do
      local done, message, code = context.store:set_tag(row, tag, value)
      if done == nil then return nil, message, code end
      changed = changed or done
    end
    if changed then
      count = count + 1
      names[count] = count <= NAMED and row.device or nil
    end
  end
  act.idle = count == 0
  act.object = count <= NAMED and "device " .. table.concat(names, ", ") or ("%d devices"):format(count)
  act.product = rows[1] and rows[1].hash
  return count
end

function verbs.tag(context)
  local opts = context.opts
  local wanted, message, code = wishes(opts)
  if not wanted then return nil, message, code end
  if not (context.name or opts.device or opts.devices or opts.filter) then
    return nil, "say which devices: a name, --device, --devices LIST or --filter", "usage"
  end
  local count
  local act = { verb = "device.tag", after = said(wanted) }
  count, message, code = base.change(context, function()
    local rows, why, word = chosen(context)
    if not rows then return nil, why, word end
    return apply(context, rows, wanted, act)
  end, act)
  if not count then return nil, message, code end
  context.env.out(context.env.json and natives.json.encode { changed = count }
    or ("%d device%s changed"):format(count, count == 1 and "" or "s"))
  return 0
end

function verbs.note(context)
  local text = context.opts.note
  if not text or #text > NOTE or not utf8.len(text) then
    return nil, ('give --note TEXT of up to %d bytes of UTF-8; "" removes it'):format(NOTE), "usage"
  end
  local act = { verb = "device.note", after = text }
  local done, message, code = base.change(context, function()
    local row, why, word = one(context)
    if not row then return nil, why, word end
    act.object, act.product, act.before = "device " .. row.device, row.hash, context.store:note(row) or nil
    return context.store:put_note(row, text)
  end, act)
  if not done then return nil, message, code end
  context.env.out(context.env.json and "{}" or ("%s: %s"):format(context.name, text == "" and "no note" or "noted"))
  return 0
end

--- @tparam table context of depot.actions.base with verb
function M.run(context)
  if not verbs[context.verb] then
    return nil, ("device %s: expected list, show, tag or note"):format(context.verb), "usage"
  end
  local served, message, code = base.needs_store(context)
  if not served then return nil, message, code end
  return base.within(context, verbs[context.verb])
end

return M

--- `moult depot device list|show|add|set|tag|note|forget DIR [NAME]`: the devices, and what people write about them.
--
-- @module depot.actions.device

local admission = require "depot.acts.admission"
local base = require "depot.actions.base"
local devices = require "depot.acts.devices"
local device_list = require "depot.device_list"
local filters = require "depot.filter"
local natives = require "update.natives"
local products = require "depot.acts.products"
local shown = require "depot.shown"
local slices = require "depot.acts.slices"
local tags = require "depot.tags"

local M = {}

-- The object of `status`, with the tags.
local function object_of(row)
  local json = natives.json
  local object = devices.object(row, natives.printable.text, json.null)
  object.tags = json.array(row.tags)
  return object
end

-- The names in the file of --devices; false: there is none, or it means all.
local function listed_in(context)
  local path = context.opts.devices
  if not path then return false end
  local listed, message = device_list.read(path)
  if listed == nil then return nil, ("%s: %s"):format(path, message), "usage" end
  return listed
end

-- The devices that the command means: of NAME or --devices, and of the other options.
local function chosen(context, limit)
  local listed, why, word = listed_in(context)
  if listed == nil then return nil, why, word end
  local where = base.where(context)
  if context.name then where:any_of("device COLLATE NOCASE", filters.spellings(context.name)) end
  local rows, message, code = context.store:select(where, limit)
  if not rows then return nil, message, code end
  local list = {}
  for _, row in ipairs(rows) do
    if not listed or listed[row.device] then list[#list + 1] = row end
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
  local rows, more, code = base.page(context, function(limit)
    return chosen(context, not context.opts.devices and limit or nil)
  end)
  if not rows then return nil, more, code end
  context.store:with_tags(rows)
  local objects = {}
  for i, row in ipairs(rows) do objects[i] = object_of(row) end
  shown.devices(context.env, objects, more)
  return 0
end

-- What a page of one device has besides.
local MORE = { "rollout", "wave", "offers", "failures" }

function verbs.show(context)
  local env = context.env
  local row, note, message, code
  row, message, code = one(context)
  if not row then return nil, message, code end
  context.store:with_tags { row }
  row.groups = context.store:groups_of(row)
  note, message, code = context.store:note(row)
  if note == nil then return nil, message, code end
  local object = object_of(row)
  object.note, object.groups = note or natives.json.null, natives.json.array(row.groups)
  if env.json then
    env.out(natives.json.encode(object))
    return 0
  end
  for _, name in ipairs(MORE) do object[name] = row[name] end
  shown.device(env, object)
  return 0
end

-- Where the devices belong that the command registers.
local function place_of(context)
  local text, cloud = context.opts.product, context.opts.cloud
  if not cloud then return nil, "say by which --cloud they are known", "usage" end
  if not text then return nil, "say which --product they are of; `product list` shows them", "usage" end
  local product, message, code = products.find(context, text)
  if not product then return nil, message, code end
  local is_key = products.BY_KEY[cloud] and natives.digest.sha256(text) == product.hash
  return { cloud = cloud, hash = product.hash, product = is_key and text or nil }
end

function verbs.add(context)
  local place, message, code = place_of(context)
  if not place then return nil, message, code end
  local listed
  listed, message, code = listed_in(context)
  if listed == nil then return nil, message, code end
  local names = table.move(context.opts.device or {}, 1, #(context.opts.device or {}), 1, { context.name })
  for name in pairs(listed or {}) do names[#names + 1] = name end
  if #names == 0 then return nil, "say which devices: a name, --device or --devices LIST", "usage" end
  table.sort(names)
  local count
  count, message, code = slices.each(context, names, function(slice)
    return admission.register(context, place, slice)
  end)
  if not count then return nil, message, code end
  shown.added(context.env, count, #names)
  return 0
end

function verbs.tag(context)
  local opts = context.opts
  local wanted, message, code = tags.wishes(opts.tag, opts.untag)
  if not wanted then return nil, message, code end
  if not next(wanted) then return nil, "give --tag TAG or --untag TAG", "usage" end
  if not (context.name or opts.device or opts.devices or opts.filter) then
    return nil, "say which devices: a name, --device, --devices LIST or --filter", "usage"
  end
  local count
  count, message, code = slices.devices(context, function(which)
    return devices.tag(context, which, wanted)
  end, chosen(context))
  if not count then return nil, message, code end
  shown.changed(context.env, count)
  return 0
end

function verbs.note(context)
  local text = context.opts.note
  if not text then return nil, 'give --note TEXT; "" removes it', "usage" end
  local done, message, code = devices.note(context, function() return one(context) end, text)
  if not done then return nil, message, code end
  shown.done(context.env, ("%s: %s"):format(context.name, text == "" and "no note" or "noted"))
  return 0
end

-- The device that NAME means, which may only have asked over HTTP.
local function one_of_all(context)
  local row, message, code = one(context)
  if row or code ~= "missing" then return row, message, code end
  local rows, why, word = base.http_devices(context)
  if not rows then return nil, why, word end
  for _, other in ipairs(rows) do
    if other.device == context.name then return other end
  end
  return nil, message, code
end

function verbs.forget(context)
  local done, message, code = devices.forget(context, function() return one_of_all(context) end)
  if not done then return nil, message, code end
  shown.done(context.env, context.name .. " is forgotten; it comes back if it reports again")
  return 0
end

local function admit(context, word)
  local opts = context.opts
  if not (context.name or opts.device or opts.devices or opts.filter) then
    return nil, "say which devices: a name, --device, --devices LIST or --filter", "usage"
  end
  local count, message, code = slices.devices(context, function(which)
    return admission.admit(context, which, word == "yes")
  end, chosen(context))
  if not count then return nil, message, code end
  shown.changed(context.env, count)
  return 0
end

function verbs.set(context)
  local opts = context.opts
  local count = (opts.hardware and 1 or 0) + (opts.admitted and 1 or 0) + (opts.zone and 1 or 0)
  if count ~= 1 then
    return nil, 'give one of --hardware NAME and --zone NAME ("" removes it), and --admitted yes|no', "usage"
  end
  if opts.admitted then return admit(context, opts.admitted) end
  local name = opts.hardware and "hardware" or "zone"
  local done, message, code = devices["set_" .. name](context, function() return one(context) end, opts[name])
  if not done then return nil, message, code end
  shown.done(context.env, ("%s: %s %s"):format(context.name, name, opts[name] == "" and "unknown" or opts[name]))
  return 0
end

--- @tparam table context of depot.actions.base with verb
function M.run(context)
  return base.run_verb(context, "device", verbs)
end

return M

--- `moult depot device list|show|add|tag|note|set|forget [NAME] --server URL`.
--
-- @module depot.remote.device

local device_list = require "depot.device_list"
local filters = require "depot.filter"
local natives = require "update.natives"
local products = require "depot.acts.products"
local shown = require "depot.shown"
local tags = require "depot.tags"

local M = { verbs = {} }

local LISTED = 1000 -- devices, without --first
local BULK = 10000  -- of one task
local LOOK = 200    -- ms between two looks at a task

-- The names in the file of --devices; nil: there is none, or it means all.
local function listed_in(remote, opts)
  if not opts.devices then return nil end
  local listed, message = device_list.read(opts.devices)
  if listed == nil then remote:fail(("%s: %s"):format(opts.devices, message), "usage") end
  return listed or nil
end

local function set_of(names)
  local set = {}
  for _, name in ipairs(names) do set[name:lower()] = name end
  return set
end

-- The filter that the options mean, as far as one can say it.
local function filter_of(context)
  local opts, terms = context.opts, {}
  terms[1] = opts.filter
  for _, name in ipairs { "product", "cloud" } do
    if opts[name] then terms[#terms + 1] = filters.term(name, opts[name]) end
  end
  if context.name then terms[#terms + 1] = filters.term("name", context.name) end
  if #terms > 0 then return table.concat(terms, " ") end
end

local function before(a, b)
  for _, name in ipairs { "cloud", "product", "device" } do
    if a[name] ~= b[name] then return a[name] < b[name] end
  end
  return false
end

-- The devices that a command means: of NAME or --devices, and of the other options.
local function chosen(remote, context, most)
  local opts, list = context.opts, {}
  if opts.from then remote:fail("--from is not for devices at a server; --filter 'release:X' is", "usage") end
  local listed, named = listed_in(remote, opts), opts.device and set_of(opts.device)
  local spelt = context.name and set_of(filters.spellings(context.name))
  local limit = not listed and not named and most or nil
  for _, product in ipairs(remote:products()) do
    local path = ("/products/%s/devices"):format(product.product_key)
    for _, device in ipairs(remote:items(path, { filter = filter_of(context) }, limit)) do
      local name = device.device
      if (not listed or listed[name]) and (not named or named[name:lower()] == name)
          and (not spelt or spelt[name:lower()]) then
        list[#list + 1] = device
      end
    end
  end
  if context.name and #list == 0 then remote:fail(("no device is called %s"):format(context.name), "missing") end
  table.sort(list, before)
  return list
end

-- The one device that NAME means.
local function one(remote, context)
  if not context.name then remote:fail("name a device", "usage") end
  local found = chosen(remote, context)
  if #found > 1 then
    remote:fail(("%d devices are called %s; add --cloud or --product"):format(#found, context.name), "usage")
  end
  return found[1]
end

local function without(device, names)
  for name in names:gmatch "%S+" do device[name] = nil end
  return device
end

function M.verbs.list(remote, context)
  local limit = context.opts.first or LISTED
  local found = chosen(remote, context, limit + 1)
  local more = #found > limit
  for i = #found, limit + 1, -1 do found[i] = nil end
  for _, device in ipairs(found) do without(device, "id product_key rollout wave note") end
  shown.devices(context.env, found, more)
end

function M.verbs.show(remote, context)
  local device = remote:need("GET", "/devices/" .. one(remote, context).id)
  if not context.env.json then return shown.device(context.env, device) end
  context.env.out(natives.json.encode(without(device, "id product_key rollout wave offers failures")))
end

function M.verbs.add(remote, context)
  local opts = context.opts
  if not opts.cloud then remote:fail("say by which --cloud they are known", "usage") end
  if not opts.product then remote:fail("say which --product they are of; `product list` shows them", "usage") end
  local product = remote:product(opts.product)
  local names = table.move(opts.device or {}, 1, #(opts.device or {}), 1, { context.name })
  for name in pairs(listed_in(remote, opts) or {}) do names[#names + 1] = name end
  if #names == 0 then remote:fail("say which devices: a name, --device or --devices LIST", "usage") end
  local is_key = products.BY_KEY[opts.cloud] and natives.digest.sha256(opts.product) == product.product_key
  local done = remote:need("POST", ("/products/%s/devices"):format(product.product_key), { cloud = opts.cloud,
    product = is_key and opts.product or nil, devices = names })
  shown.added(context.env, done.added, #names)
end

local function need_choice(remote, context)
  local opts = context.opts
  if not (context.name or opts.device or opts.devices or opts.filter) then
    remote:fail("say which devices: a name, --device, --devices LIST or --filter", "usage")
  end
end

-- The ids of devices, by product, as many as one task takes.
local function by_product(devices)
  local parts, open = {}, {}
  for _, device in ipairs(devices) do
    local part = open[device.product_key]
    if not part or #part.ids == BULK then
      part = { product_key = device.product_key, ids = {} }
      parts[#parts + 1], open[device.product_key] = part, part
    end
    part.ids[#part.ids + 1] = device.id
  end
  return parts
end

-- Begin a task, and wait for its end: how many devices it changed.
local function do_task(remote, path, given)
  local task = remote:need("POST", path, given)
  while task.state == "running" do
    remote.client:pause(LOOK)
    task = remote:need("GET", "/tasks/" .. task.id)
  end
  if task.state ~= "done" then
    remote:fail(("it ended after %d of %d devices: %s"):format(task.done, task.total, task.message), task.code)
  end
  return task.changed
end

function M.verbs.tag(remote, context)
  local opts, count = context.opts, 0
  local wanted = remote:must(tags.wishes(opts.tag, opts.untag))
  if not next(wanted) then remote:fail("give --tag TAG or --untag TAG", "usage") end
  need_choice(remote, context)
  for _, part in ipairs(by_product(chosen(remote, context))) do
    count = count + do_task(remote, ("/products/%s/devices/bulk"):format(part.product_key), { ids = part.ids,
      tag = opts.tag, untag = opts.untag })
  end
  shown.changed(context.env, count)
end

local function patch(remote, device, given) return remote:need("PATCH", "/devices/" .. device.id, given) end

function M.verbs.note(remote, context)
  local text = context.opts.note
  if not text then remote:fail('give --note TEXT; "" removes it', "usage") end
  patch(remote, one(remote, context), { note = text })
  shown.done(context.env, ("%s: %s"):format(context.name, text == "" and "no note" or "noted"))
end

function M.verbs.set(remote, context)
  local opts = context.opts
  if (opts.hardware and 1 or 0) + (opts.admitted and 1 or 0) + (opts.zone and 1 or 0) ~= 1 then
    remote:fail('give one of --hardware NAME and --zone NAME ("" removes it), and --admitted yes|no', "usage")
  end
  if opts.admitted then
    need_choice(remote, context)
    local count, wanted = 0, opts.admitted == "yes"
    for _, device in ipairs(chosen(remote, context)) do
      if device.admitted ~= wanted then
        patch(remote, device, { admitted = wanted })
        count = count + 1
      end
    end
    return shown.changed(context.env, count)
  end
  local name = opts.hardware and "hardware" or "zone"
  patch(remote, one(remote, context), { [name] = opts[name] })
  shown.done(context.env, ("%s: %s %s"):format(context.name, name, opts[name] == "" and "unknown" or opts[name]))
end

function M.verbs.forget(remote, context)
  remote:need("DELETE", "/devices/" .. one(remote, context).id)
  shown.done(context.env, context.name .. " is forgotten; it comes back if it reports again")
end

return M

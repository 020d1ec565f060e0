--- How products, devices, groups, releases, webhooks, users and the audit are printed: as tables, or as JSON.
--
-- Each takes objects as the API shows them, so that a command prints the same from the store and from a server.
-- depot.rollout.shown does so for rollouts.
--
-- @module depot.shown

local natives = require "update.natives"
local times = require "depot.times"

local M = {}

local json, printable = natives.json, natives.printable.text

-- nil in place of JSON's null.
local function value(given)
  if given == json.null then return nil end
  return given
end
M.value = value

--- Print a line for each object below a head; or all as JSON, by a name.
-- @tparam table env out, json
-- @tparam string name
-- @tparam {table,...} objects
-- @tparam string head
-- @tparam function line function(object) -> text
-- @tparam[opt] table more fields of the JSON
function M.list(env, name, objects, head, line, more)
  if env.json then
    local whole = { [name] = json.array(objects) }
    for key, field in pairs(more or {}) do whole[key] = field end
    return env.out(json.encode(whole))
  end
  env.out(head)
  for _, object in ipairs(objects) do env.out(printable(line(object))) end
end

local function clouds_of(product)
  local seen, list = {}, {}
  for _, name in ipairs(product.clouds) do
    if not seen[name.cloud] then list[#list + 1] = name.cloud end
    seen[name.cloud] = true
  end
  return #list > 0 and table.concat(list, ",") or "-"
end

--- @tparam {table,...} objects as depot.acts.products has them, with `unadmitted`
function M.products(env, objects)
  M.list(env, "products", objects, ("%-22s %-8s %-7s %8s  %-8s %s"):format("NAME", "MODE", "ENABLED", "DEVICES", "KEY",
    "CLOUDS"), function(product)
    return ("%-22.22s %-8s %-7s %8d  %-8.8s %.20s"):format(product.name, value(product.mode) or "open",
      product.enabled and "yes" or "no", product.devices, product.product_key, clouds_of(product))
  end)
  for _, product in ipairs(env.json and {} or objects) do
    if product.unsigned then env.out(printable(product.name .. " takes patches that nobody signed")) end
    if product.admit == "listed" then
      env.out(printable(("%s offers to admitted devices only; %d are not"):format(product.name, product.unadmitted)))
    end
  end
end

--- A product that was registered; `key` if it was made.
function M.new_product(env, product)
  if env.json then return env.out(json.encode(product)) end
  env.out(printable(("%s: registered, %s"):format(product.name, value(product.mode))))
  env.out(("product_key %s"):format(product.product_key))
  if value(product.key) then env.out(("key         %s (it is not kept: note it)"):format(product.key)) end
end

--- A product that was changed.
function M.product(env, product)
  if env.json then return env.out(json.encode(product)) end
  local zone = value(product.zone)
  env.out(printable(product.name .. ": " .. (value(product.mode) or "open")
    .. (product.enabled and "" or ", switched off") .. (zone and ", zone " .. zone or "")
    .. (product.unsigned and ", takes unsigned patches" or "")
    .. (product.admit == "listed" and ", offers to admitted devices only" or "")))
end

--- What is printed of a long list whose end is not shown.
function M.more_text(count)
  return ("%d are shown, and there are more: choose with --filter, or give --first"):format(count)
end

--- @tparam {table,...} objects as depot.acts.devices has them, with tags
-- @tparam boolean more whether there are others
function M.devices(env, objects, more)
  M.list(env, "devices", objects, ("%-8s %-24s %-14s %-10s %s"):format("CLOUD", "NAME", "RELEASE", "STATE", "TAGS"),
    function(device)
      return ("%-8s %-24.24s %-14.14s %-10s %.20s"):format(device.cloud, device.device, value(device.release) or "?",
        value(device.state) or "-", table.concat(device.tags, " "))
    end, { more = more })
  if more and not env.json then env.note(M.more_text(#objects)) end
end

local DEVICE = { "cloud", "product", "hardware", "zone", "core", "release", "target", "state", "reason", "text",
  "rollout", "wave", "offers", "failures" }

--- One device.
-- @tparam table device as devices(), with groups, note and what DEVICE names
function M.device(env, device)
  local function line(name, text)
    if text then env.out(printable(("%-9s %s"):format(name, text))) end
  end
  line("device", device.device)
  for _, name in ipairs(DEVICE) do line(name, value(device[name])) end
  line("admitted", device.admitted and "yes" or nil)
  line("heard", value(device.heard) and times.shown(device.heard))
  line("tags", #device.tags > 0 and table.concat(device.tags, " ") or nil)
  line("groups", #device.groups > 0 and table.concat(device.groups, " ") or nil)
  line("note", value(device.note))
end

--- How many devices an act has changed.
function M.changed(env, count)
  env.out(env.json and json.encode { changed = count }
    or ("%d device%s changed"):format(count, count == 1 and "" or "s"))
end

--- How many of those that were named are new.
function M.added(env, count, named)
  env.out(env.json and json.encode { added = count } or ("%d of %d devices are new"):format(count, named))
end

--- One thing was done; with JSON that says nothing more.
function M.done(env, text) env.out(env.json and "{}" or printable(text)) end

--- @tparam {table,...} objects as depot.acts.groups has them
function M.groups(env, objects)
  M.list(env, "groups", objects, ("%-24s %8s  %s"):format("NAME", "DEVICES", "FILTER"), function(group)
    return ("%-24.24s %8d  %.44s"):format(group.name, group.devices,
      value(group.filter) or ("a list of %d"):format(group.names))
  end)
end

--- One group, with `list`: {cloud, name}.
function M.group(env, group)
  if env.json then return env.out(json.encode(group)) end
  env.out(("group    %s"):format(group.name))
  env.out(("devices  %d"):format(group.devices))
  if value(group.filter) then env.out("filter   " .. printable(group.filter)) end
  for _, one in ipairs(group.list) do
    env.out(printable(("name     %s%s"):format(one.name, value(one.cloud) and " of " .. one.cloud or "")))
  end
end

--- Something was done to a group.
function M.of_group(env, name, text)
  env.out(env.json and json.encode { name = name } or ("group %s: %s"):format(name, text))
end

--- How many names a group has more or less.
function M.group_names(env, name, count, wanted)
  M.of_group(env, name, ("%d name%s %s"):format(count, count == 1 and "" or "s", wanted and "more" or "less"))
end

--- @tparam {table,...} objects as depot.acts.releases has them
function M.releases(env, objects)
  M.list(env, "releases", objects, ("%-18s %-18s %9s  %-9s %8s"):format("PROJECT", "RELEASE", "SEQUENCE", "STAGE",
    "RUNS"), function(o)
    return ("%-18.18s %-18.18s %9d  %-9s %8d%s"):format(o.project, o.release, o.sequence, o.stage, o.runs,
      o.enabled and "" or "  disabled")
  end)
end

--- A release was switched on or off.
function M.switched(env, release, enabled)
  if env.json then return env.out(json.encode { release = release, enabled = enabled }) end
  env.out(printable(release) .. (enabled and " is enabled"
    or " is disabled: it is offered to nobody, and what has begun goes on"))
end

--- A release was withdrawn, which `runs` devices run.
function M.withdrawn(env, release, sequence, runs)
  if env.json then return env.out(json.encode { release = release, runs = runs }) end
  env.out(("%s is withdrawn and offered no more"):format(printable(release)))
  if runs > 0 then
    env.out(("%d device%s it; devices never go back, so pack the good content with a sequence above %d"):format(
      runs, runs == 1 and " runs" or "s run", sequence))
  end
end

--- @tparam {table,...} objects as depot.acts.webhooks has them
function M.webhooks(env, objects)
  M.list(env, "webhooks", objects, ("%4s  %-8s %-40s %s"):format("ID", "STATE", "URL", "EVENTS"), function(hook)
    local state = not hook.enabled and "off" or value(hook.failing) and "failing" or "on"
    return ("%4d  %-8s %-40s %s"):format(hook.id, state, natives.url.shown(hook.url), table.concat(hook.events, ","))
  end)
  for _, hook in ipairs(env.json and {} or objects) do
    local why = value(hook.reason) or value(hook.problem)
    if why then env.out(printable(("webhook %d: %s"):format(hook.id, why))) end
  end
end

--- A webhook that was made, with its secret.
function M.new_webhook(env, hook)
  if env.json then return env.out(json.encode(hook)) end
  env.out(printable(("webhook %d to %s"):format(hook.id, natives.url.shown(hook.url))))
  env.out(("secret     %s (it is not shown again: note it)"):format(hook.secret))
end

--- @tparam {table,...} objects as depot.acts.users has them
function M.users(env, objects)
  M.list(env, "users", objects, ("%-24s %-9s %s"):format("NAME", "STATE", "ROLES"), function(user)
    local roles = {}
    for product, role in pairs(user.roles) do
      roles[#roles + 1] = product == "" and role or ("%s of %.8s"):format(role, product)
    end
    table.sort(roles)
    local state = user.disabled and "disabled" or user.password and "active" or "invited"
    return ("%-24s %-9s %s"):format(user.name, state, table.concat(roles, ", "))
  end)
end

--- @tparam {table,...} objects as depot.record_forms has them
function M.audit(env, objects)
  if env.json then return env.out(json.encode { audit = json.array(objects) }) end
  for _, row in ipairs(objects) do
    env.out(("%6d %s %-14.14s %-14.14s %.23s"):format(row.id, os.date("!%Y-%m-%d %H:%M", row.at), row.actor, row.verb,
      value(row.object) or ""))
  end
end

return M

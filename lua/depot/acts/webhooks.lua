--- What people do to webhooks: make one, change it, switch it off and on, remove it.
--
-- @module depot.acts.webhooks

local acts = require "depot.acts"
local jobs = require "depot.jobs"
local random = require "depot.random"
local vaults = require "depot.vault"

local M = {}

local MOST = 10      -- of a product
local LONGEST = 1000 -- bytes of a URL

--- The events that can be sent.
M.EVENTS = table.move(jobs.STATES, 1, #jobs.STATES, 7, { "first heard", "runs", "offered", "rollout", "act",
  "turned away" })

--- Those that are sent if nobody says.
M.USUAL = { "failed", "reverted", "rollout" }

local KNOWN = {}
for _, name in ipairs(M.EVENTS) do KNOWN[name] = true end

-- The name of its secret in depot.store.secrets.
local function secret_name(id) return ("webhook %d"):format(id) end

--- A webhook as the audit names it.
function M.name(hook) return ("webhook %d"):format(hook.id) end

-- Why an address cannot be asked; nil: it can.
local function fault_of(world, url)
  if #url > LONGEST then return ("url: longer than %d bytes"):format(LONGEST) end
  local ok, message = world.natives.url.check(url)
  if not ok then return "url: " .. message end
  if not url:find "^[hH][tT][tT][pP][sS]://" then return "url: expected https://, as events are not for everybody" end
  if url:match "^[^/]*//([^/?#]*)":find "@" then return "url: a user or password in it would be shown" end
end

local function read(world, wishes)
  local fault = wishes.url and fault_of(world, wishes.url)
  if fault then return nil, fault, "usage", "url" end
  for _, name in ipairs(wishes.events or {}) do
    if not KNOWN[name] then
      return nil, ("events: %s is none of %s"):format(name, table.concat(M.EVENTS, ", ")), "usage", "events"
    end
  end
  return true
end

-- The vault of the store's secrets; false: none is sealed. The depot makes the key, not we.
local function vault_of(world)
  local sealed, message, code = world.store:has_sealed()
  if sealed == nil then return nil, message, code end
  if world.secret_file then return vaults.open(world.natives, world.secret_file, false) end
  if not sealed then return false end
  return nil, "the secrets of the store are sealed; give --secret-file with the file of their key", "usage"
end

--- What a webhook's messages are signed with.
-- @treturn string|nil nil, message, code
function M.secret(world, hook)
  if hook.secret then return hook.secret end
  local vault, message, code = vault_of(world)
  if not vault then return nil, message or "its secret is sealed", code or "usage" end
  return world.store:sealed_secret(secret_name(hook.id), vault)
end

local function add(world, wishes, hash, vault)
  local all, id, message, code
  all, message, code = world.store:webhooks()
  if not all then return nil, message, code end
  local count = 0
  for _, hook in ipairs(all) do
    if hook.product == hash then count = count + 1 end
  end
  if count >= MOST then
    return nil, ("the product has %d webhooks, which is as many as can be"):format(MOST), "refused"
  end
  local secret = random.hex()
  id, message, code = world.store:add_webhook({ product = hash, url = wishes.url, events = wishes.events or M.USUAL,
    secret = not vault and secret or nil }, acts.now())
  local ok = id ~= nil
  if ok and vault then ok, message, code = world.store:seal_secret(secret_name(id), secret, vault) end
  if not ok then return nil, message, code end
  local hook
  hook, message, code = world.store:webhook(id)
  return hook and { hook = hook, secret = secret }, message, code
end

--- Make one for a product.
-- @tparam table world secret_file: of depot.vault, or nil
-- @tparam string hash of the product's key
-- @tparam table wishes url; events (names, or nil)
-- @treturn table|nil the webhook; nil, message, code, the name of the wish that is at fault
-- @treturn string with the webhook: its secret, which is shown once
function M.add(world, hash, wishes)
  local ok, message, code, field = read(world, wishes)
  if not ok then return nil, message, code, field end
  local vault
  vault, message, code = vault_of(world)
  if vault == nil then return nil, message, code end
  local act = { verb = "webhook.add", product = hash, after = world.natives.url.shown(wishes.url) }
  local made
  made, message, code = acts.change(world, function()
    local new, why, word = add(world, wishes, hash, vault)
    if new then act.object = M.name(new.hook) end
    return new, why, word
  end, act)
  if not made then return nil, message, code end
  return made.hook, made.secret
end

local function said(world, hook)
  return ("%s, %s: %s"):format(hook.enabled == 1 and "on" or "off", world.natives.url.shown(hook.url),
    table.concat(hook.events, ", "))
end

--- Change one, or switch it off or on. One that was off begins with the next event. To switch one off that the depot
-- has switched off says that it stays so.
-- @tparam table world
-- @tparam table hook of the store
-- @tparam table wishes url, events, enabled; nil: as before
-- @treturn table|nil the webhook; nil, message, code, the name of the wish that is at fault
function M.set(world, hook, wishes)
  local ok, message, code, field = read(world, wishes)
  if not ok then return nil, message, code, field end
  local act = { verb = "webhook.set", object = M.name(hook), product = hook.product }
  return acts.change(world, function()
    local row, why, word = world.store:webhook(hook.id)
    if not row then return nil, why or "there is no such webhook", word or "missing" end
    act.before = said(world, row)
    if wishes.enabled ~= nil then
      if wishes.enabled ~= (row.enabled == 1) then row.cursor, why, word = world.store:last_event() end
      if not row.cursor then return nil, why, word end
      row.enabled, row.reason = wishes.enabled and 1 or 0, nil
    end
    row.url, row.events = wishes.url or row.url, wishes.events or row.events
    act.after = said(world, row)
    local done
    done, why, word = world.store:set_webhook(row)
    return done and row, why, word
  end, act)
end

--- It has failed for a day: nobody switches it off but the depot.
-- @tparam table world with()
-- @tparam table hook with problem
-- @treturn string what to say of it
function M.give_up(world, hook)
  local reason = "it has failed for a day: " .. hook.problem
  local act = { verb = "webhook.off", object = M.name(hook), product = hook.product, after = hook.problem }
  local count, message = acts.change(world:with { actor = { name = "depot" } }, function()
    local changed, why, word = world.store:give_up_webhook(hook.id, reason)
    act.idle = changed == 0
    return changed, why, word
  end, act)
  if not count then return ("%s stays on: %s"):format(M.name(hook), message) end
  return M.name(hook) .. (count > 0 and " is switched off: " .. reason or " was switched off or removed meanwhile")
end

--- Remove one, with its secret.
-- @treturn true|nil nil, message, code
function M.drop(world, hook)
  return acts.change(world, function()
    local done, message, code = world.store:drop_webhook(hook.id)
    if done then done, message, code = world.store:drop_secret(secret_name(hook.id)) end
    return done and true, message, code
  end, { verb = "webhook.drop", object = M.name(hook), product = hook.product,
    before = world.natives.url.shown(hook.url) })
end

--- A webhook as an object for JSON.
function M.object(world, hook)
  local json = world.natives.json
  local null = json.null
  local function seconds(ms) return ms and ms // 1000 or null end
  return { id = hook.id, product_key = hook.product, url = hook.url, events = json.array(hook.events),
    enabled = hook.enabled == 1, reason = hook.reason or null, problem = hook.problem or null, tries = hook.tries,
    failing = seconds(hook.failing), again = seconds(hook.again), delivered = seconds(hook.delivered),
    made = seconds(hook.made) }
end

return M

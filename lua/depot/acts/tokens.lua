--- Tokens, with which programs do what their user may.
--
-- @module depot.acts.tokens

local acts = require "depot.acts"
local random = require "depot.random"

local M = {}

local DAY = 86400 * 1000 -- ms

--- What a token can be limited to, as routes name it.
M.VERBS = { read = true, tag = true, verify = true, rollout = true, upload = true, withdraw = true, forget = true,
  user = true, self = true, settings = true, audit = true, undo = true }

local function words(list)
  if not list then return nil end
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  return table.concat(sorted, " ")
end

--- Make a token for a user.
-- @tparam table world
-- @tparam table actor whose it is: account, name
-- @tparam table wanted name; days, verbs, products or nil
-- @treturn string|nil the token, which is kept as a hash only; nil, message, code
-- @treturn table its row
function M.add(world, actor, wanted)
  for _, verb in ipairs(wanted.verbs or {}) do
    if not M.VERBS[verb] then return nil, ("verbs: there is no %s"):format(verb), "usage" end
  end
  for _, product in ipairs(wanted.products or {}) do
    if not product:find("^" .. ("%x"):rep(64) .. "$") then
      return nil, ("products: %s is not the SHA-256 of a product's key"):format(product), "usage"
    end
  end
  local secret, now = "moult_" .. random.hex(), acts.now()
  local row = { hash = world.store.sha256(secret), account = actor.account, name = wanted.name,
    verbs = words(wanted.verbs), products = words(wanted.products), made = now, ends = now + (wanted.days or 90) * DAY }
  local done, message, code = acts.change(world, function()
    local why, word
    row.id, why, word = world.store:add_token(row)
    return row.id, why, word
  end, { verb = "token.add", object = "user " .. actor.name, after = wanted.name })
  if not done then return nil, message, code end
  return secret, row
end

--- End a token of a user.
-- @treturn integer|nil 0: there is none; nil, message, code
function M.drop(world, actor, id)
  local act = { verb = "token.drop", object = "user " .. actor.name, after = ("token %d"):format(id) }
  return acts.change(world, function()
    local count, message, code = world.store:drop_token(id, actor.account)
    act.idle = count == 0
    return count, message, code
  end, act)
end

local function list_of(world, text)
  if not text then return world.natives.json.null end
  local list = {}
  for word in text:gmatch "%S+" do list[#list + 1] = word end
  return world.natives.json.array(list)
end

--- A token as an object for JSON, without what is secret.
function M.object(world, row)
  return { id = row.id, name = row.name, verbs = list_of(world, row.verbs), products = list_of(world, row.products),
    made = row.made // 1000, ends = row.ends // 1000, used = row.used and row.used // 1000 or world.natives.json.null }
end

return M

--- Who may do what, to which product.
--
-- Pure, and the only place where that is decided. An actor: roles ({[hash of a product's key, or "" for all] = role});
-- of a token, verbs and products ({[name] = true}; nil: all that its user may).
--
-- @module depot.api.may

local M = {}

local RANK = { viewer = 1, operator = 2, admin = 3 }

local function rank_of(actor, product)
  local all, own = RANK[actor.roles[""]] or 0, RANK[product and actor.roles[product]] or 0
  return math.max(all, own)
end

--- Whether an actor may do something.
-- @tparam table actor
-- @tparam string verb as routes name it
-- @tparam string role that it takes: viewer, operator or admin
-- @tparam[opt] string product hash of its key; nil: it concerns the whole depot
-- @treturn boolean
function M.may(actor, verb, role, product)
  if actor.verbs and not actor.verbs[verb] then return false end
  if actor.products and not (product and actor.products[product]) then return false end
  return rank_of(actor, product) >= RANK[role]
end

--- Whether a product exists for an actor: one that he may not read is not there.
function M.sees(actor, product)
  if actor.products and not actor.products[product] then return false end
  return rank_of(actor, product) > 0
end

--- Whether an actor has a role in any product.
function M.anywhere(actor, verb, role)
  if actor.verbs and not actor.verbs[verb] then return false end
  for product in pairs(actor.roles) do
    if rank_of(actor, product) >= RANK[role] then return true end
  end
  return false
end

return M

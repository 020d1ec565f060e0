--- The automatic mode of products as rollouts: methods of depot.rollout.board.
--
-- @module depot.rollout.automatic

local acts = require "depot.rollout.acts"
local choice = require "depot.choice"
local products = require "depot.products"

local M = {}

-- The limit of the automatic mode has paused one release. A newer one is offered again, and judged by itself.
function M:_go_on(rollout, now)
  if rollout.kind ~= "auto" or rollout.reason ~= "limit" then return true end
  local newest = choice.newest(self.packages(), rollout.hash)
  local known, stopped = products.of(self.packages(), rollout.hash).releases, 0
  for _, counts in ipairs(rollout.judged or {}) do
    if counts.reached then stopped = math.max(stopped, known[counts.release] or 0) end
  end
  if not newest or stopped == 0 or newest.manifest.sequence <= stopped then return true end
  local ok, message, code = self.store:change()
  if ok then ok, message, code = self:refresh() end
  if not ok or self.by_id[rollout.id] ~= rollout then return ok, message, code end
  ok, message, code = acts.apply({ store = self.store, by_digest = self.by_digest(), now = now }, rollout, "resume")
  if ok then self:_say(rollout, ("goes on with %s"):format(newest.manifest.release)) end
  return ok and true, message, code
end

-- The automatic mode is a rollout of each product, so that it is seen and can be paused.
function M:_automate(now)
  local ok, message, code = self.registry:register(now)
  local has, missing = {}, {}
  for _, rollout in ipairs(self.list) do
    if rollout.kind == "auto" then has[rollout.hash] = true end
  end
  for _, entry in pairs(self.by_digest()) do
    local hash = entry.manifest.product_key
    if not has[hash] and self.registry:mode(hash) == "auto" then missing[hash] = true end
  end
  if not ok or not next(missing) then return ok, message, code end
  ok, message, code = self.store:change()
  for hash in pairs(missing) do
    if ok then
      ok, message, code = self.store:roll_out({ kind = "auto", package = "", target = "newest", hash = hash }, now)
    end
  end
  self.version = nil
  return ok and self:refresh(), message, code
end

return M

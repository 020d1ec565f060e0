--- The actions of `moult depot` at an admin server, with --server: they ask its routes, and print what the action
-- prints that opens the store (depot.shown).
--
-- An action is a module depot.remote.<name> with verbs {[verb] = function(remote, context) -> 0}, or run(). What fails
-- is raised by fail(), and caught once in run().
--
-- @module depot.remote

local natives = require "update.natives"
local verbs_of = require "depot.verbs"

local M = {}

local ACTIONS = { product = true, device = true, group = true, release = true, rollout = true, user = true,
  webhook = true, events = true, audit = true, verify = true }

local PAGE = 1000 -- rows of one answer

local Remote = {}
Remote.__index = Remote

--- End here.
function Remote.fail(_, message, code) error({ message = message, code = code }, 0) end

--- What a function returned, unless that is nil, message, code.
function Remote:must(result, message, code)
  if not result then self:fail(message, code) end
  return result
end

--- Ask a route.
-- @tparam string method
-- @tparam string path
-- @tparam[opt] table given arguments
-- @treturn table the object of the answer
-- @treturn table the answer of depot.api.client
function Remote:need(method, path, given)
  local answer = self:must(self.client:call(method, path, given or {}))
  return answer.object, answer
end

--- The items of a list, page by page.
-- @tparam string path
-- @tparam[opt] table query
-- @tparam[opt] integer most how many are wanted
-- @treturn {table,...}
function Remote:items(path, query, most)
  local asked, items = { limit = PAGE }, {}
  for name, value in pairs(query or {}) do asked[name] = value end
  repeat
    local page = self:need("GET", path, asked)
    table.move(page.items, 1, #page.items, #items + 1, items)
    asked.cursor = page.next
  until page.next == natives.json.null or most and #items >= most
  return items
end

--- The products that the token may see.
function Remote:products()
  self.known = self.known or self:need("GET", "/products").items
  return self.known
end

--- Everything of a list that each product has: {object,...}.
-- @tparam string name of the list
function Remote:of_products(name)
  local all = {}
  for _, product in ipairs(self:products()) do
    local items = self:need("GET", ("/products/%s/%s"):format(product.product_key, name)).items
    table.move(items, 1, #items, #all + 1, all)
  end
  return all
end

--- The product of a name, a key or its hash.
function Remote:product(text)
  local hash = natives.digest.sha256(text)
  for _, product in ipairs(self:products()) do
    if product.name == text or product.product_key == text or product.product_key == hash then return product end
  end
  self:fail(("no product is called %s"):format(text), "missing")
end

--- The releases, in the order of the folder's list.
function Remote:releases()
  local all = self:of_products "releases"
  table.sort(all, function(a, b)
    if a.project ~= b.project then return a.project < b.project end
    return a.sequence > b.sequence
  end)
  return all
end

-- The newest release of a product that is offered.
function Remote:_newest(text)
  if not text then
    self:fail("name a package, or give --product for the newest package of a product", "usage")
  end
  local hash = self:product(text).product_key
  for _, release in ipairs(self:need("GET", ("/products/%s/releases"):format(hash)).items) do
    if release.stage ~= "withdrawn" and release.enabled then return release end
  end
  self:fail(("no package of %s belongs to product %s"):format(self.client.server, text), "missing")
end

--- The release that a command means: that of the full package that it names, else the newest of --product.
-- @treturn table release
-- @treturn string what the command calls it
function Remote:release(context)
  local name = context.name and context.name:match "[^/]+$"
  if not name then
    local newest = self:_newest(context.opts.product)
    return newest, newest.release
  end
  for _, release in ipairs(self:releases()) do
    for _, package in ipairs(release.packages) do
      if package == name then return self:_full(release, name), name end
    end
  end
  self:fail(("%s has no package %s"):format(self.client.server, context.name), "missing")
end

function Remote:_full(release, name)
  for _, file in ipairs(self:need("GET", "/releases/" .. release.id).files) do
    if file.name == name and file.source_core ~= natives.json.null then
      self:fail(name .. " is a delta; name the full package, since the depot does not know the cores of these devices",
        "incompatible")
    end
  end
  return release
end

-- The verb of an action, or the failure.
local function verb_of(action, context)
  local module = require("depot.remote." .. action)
  if module.run then return module.run end
  return verbs_of.find(action, module.verbs, context.verb)
end

--- Run an action.
-- @tparam string action
-- @tparam table context name, verb, opts, env, plan, priority as depot.actions.base has them
-- @tparam function connect -> depot.api.client; or nil, message, code
-- @treturn integer|nil 0; nil, message, code
function M.run(action, context, connect)
  if not ACTIONS[action] then
    return nil, ("%s is done where the depot's folder is; with --server, `moult depot api` asks the routes"):format(
      action), "usage"
  end
  local verb, message, code = verb_of(action, context)
  if not verb then return nil, message, code end
  local client
  client, message, code = connect()
  if not client then return nil, message, code end
  local ok, result = pcall(verb, setmetatable({ client = client }, Remote), context)
  if not ok and type(result) ~= "table" then error(result, 0) end
  if not ok then return nil, result.message, result.code end
  return 0
end

return M

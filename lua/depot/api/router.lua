--- Finds the row of the route table that a request means.
--
-- Pure. A path is "/products/{P}/devices": fixed words, and names in braces for parts that vary.
--
-- @module depot.api.router

local M = {}

local function words_of(path)
  local words = {}
  for word in path:gmatch "[^/]+" do words[#words + 1] = word end
  return words
end

local Router = {}
Router.__index = Router

--- @tparam {table,...} routes with method, path
function M.new(routes)
  local self = setmetatable({ by_count = {} }, Router)
  for _, route in ipairs(routes) do
    local words = words_of(route.path)
    local list = self.by_count[#words] or {}
    self.by_count[#words] = list
    list[#list + 1] = { route = route, words = words }
  end
  return self
end

-- The parts that vary, or nil. Fixed words count more, which the table's order has to follow.
local function match(pattern, words)
  local params = {}
  for i, word in ipairs(pattern) do
    local name = word:match "^{(%w+)}$"
    if name then
      params[name] = words[i]
    elseif word ~= words[i] then
      return nil
    end
  end
  return params
end

--- @tparam string method
-- @tparam string path without the prefix
-- @treturn table|nil route, and {name = text} of what varies; nil, {method = true} of the methods that the path has
function M.find(self, method, path)
  local words, others = words_of(path), {}
  if path:find("//", 1, true) or path:find "./$" then return nil, others end
  for _, known in ipairs(self.by_count[#words] or {}) do
    local params = match(known.words, words)
    if params and known.route.method == method then return known.route, params end
    if params then others[known.route.method] = true end
  end
  return nil, others
end
Router.find = M.find

return M

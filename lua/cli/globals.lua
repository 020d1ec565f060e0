--- PROJECT, VERSION and PRODUCT_KEY of a main.lua, read without running it.
--
-- On a device, a script whose values differ from its manifest counts as a failed
-- start, so the packer compares them first. Only plain lines count: one or
-- several of the names, `=`, and text in quotes.
--
-- @module cli.globals

local byte_order = require "update.config.byte_order"

local M = {}

M.names = { "PROJECT", "VERSION", "PRODUCT_KEY" }

local wanted = { PROJECT = true, VERSION = true, PRODUCT_KEY = true }

-- Without block comments; line breaks stay.
local function bare(text)
  return (text:gsub("%-%-%[(=*)%[.-%]%1%]", function() return "" end))
end

-- "A, B" -> { "A", "B" }; nil if it is not a list of names.
local function split_names(left)
  local names = {}
  for piece in (left .. ","):gmatch("([^,]*),") do
    local name = piece:match("^%s*([%a_][%w_]*)%s*$")
    if not name then return nil end
    names[#names + 1] = name
  end
  return names
end

-- The values of a right side one by one: text, or false for anything but plain text.
local function split_values(right)
  local values = {}
  local at = 1
  while true do
    local quote, value, after = right:match("^%s*([\"'])([^\"'\\]*)%1%s*()", at)
    local rest = quote and right:sub(after) or ""
    if rest:sub(1, 1) == "," then
      values[#values + 1] = value
      at = after + 1
    else
      -- Only the end of the statement may follow the last one.
      values[#values + 1] = quote and (rest == "" or rest:find("^;%s*$") or rest:find("^;?%s*%-%-")) and value or false
      return values
    end
  end
end

--- The globals that a script's text sets.
-- @tparam string text of main.lua
-- @treturn {[string]=string} by name; without names that are not set
-- @treturn nil,string message: a value is computed, or two lines differ
function M.scan(text)
  local found = {}
  for line in (bare(text) .. "\n"):gmatch("([^\n]*)\n") do
    local left, right = line:match("^%s*([%w_,%s]-)%s*=%s*([^=].*)$")
    local names = left and split_names(left) or {}
    local values
    for i, name in ipairs(names) do
      if wanted[name] then
        values = values or split_values(right)
        if not values[i] then
          return nil, ("%s is computed; write it as text in quotes, so that it can be checked"):format(name)
        end
        if found[name] and found[name] ~= values[i] then
          return nil, ("%s is set twice, to %q and to %q"):format(name, found[name], values[i])
        end
        found[name] = values[i]
      end
    end
  end
  return found
end

--- Compare a script's text with a recipe.
-- @tparam string text of main.lua
-- @tparam table recipe project, version, product_key
-- @treturn true|nil
-- @treturn string message
function M.check(text, recipe)
  if byte_order.wrong(text) then return nil, byte_order.wrong(text) end
  local found, wrong = M.scan(text)
  if not found then return nil, wrong end
  if not found.VERSION then return nil, "has no line VERSION = \"...\"" end
  local expected = { PROJECT = recipe.project, VERSION = recipe.version, PRODUCT_KEY = recipe.product_key }
  for _, name in ipairs(M.names) do
    if found[name] and found[name] ~= expected[name] then
      -- A product key may be secret, so it is not shown.
      local what = name == "PRODUCT_KEY" and "PRODUCT_KEY differs from the recipe's product_key"
        or ("%s is %q, and the recipe says %q"):format(name, found[name], expected[name])
      return nil, what
    end
  end
  return true
end

return M

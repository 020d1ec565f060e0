--- `meta` of a recipe: notes about a package for people, policy and servers.
--
-- Names with a fixed meaning are checked; others are the maker's own.
--
-- @module cli.recipe_meta

local natives = require "update.natives"
local nearest = require "update.config.nearest"
local table_file = require "update.config.table_file"

local M = {}

M.SIZE = 16384     -- bytes as JSON; as in runtime/package/manifest.h
local MISSPELT = 2 -- letters: a name that differs by more is the maker's own
local DEPTH = 6    -- levels of tables below it

local function is_text(value)
  return type(value) == "string" and value ~= "" and utf8.len(value) ~= nil and not value:find "%c"
end

-- Whether JSON can represent a value without loss, and a manifest may hold it.
local function is_plain(value, depth)
  if type(value) == "string" then return utf8.len(value) ~= nil and not value:find "%z" end
  if type(value) ~= "table" then return type(value) == "boolean" or math.type(value) == "integer" end
  if depth == 0 then return false end
  local named = not table_file.length(value)
  for key, element in pairs(value) do
    if named and type(key) ~= "string" or not is_plain(element, depth - 1) then return false end
  end
  return true
end

local right = {
  text = function(value) return is_text(value), "a text" end,
  boolean = function(value) return type(value) == "boolean", "true or false" end,
  integer = function(value) return math.type(value) == "integer" and value > 0, "an integer above 0" end,
}

function right.texts(value)
  for language, text in pairs(type(value) == "table" and value or { 1 }) do
    if not is_text(language) or not is_text(text) then return false, "a table of texts by language" end
  end
  return true
end

local wrong_field

function right.table(value, field, where)
  if type(value) ~= "table" then return false, "a table" end
  return nil, nil, wrong_field(value, field.fields, where .. ".")
end

function right.array(value, field, where)
  if type(value) ~= "table" or not table_file.length(value) then return false, "a list" end
  for i, element in ipairs(value) do
    local at = ("%s[%d]"):format(where, i)
    if type(element) ~= "table" then return nil, nil, at .. " must be a table" end
    local wrong = wrong_field(element, field.fields, at .. ".")
    if wrong then return nil, nil, wrong end
  end
  return true
end

-- What is wrong with a field; nil: nothing.
function wrong_field(value, fields, prefix)
  for _, field in ipairs(fields) do
    local given, where = value[field.name], prefix .. field.name
    if given ~= nil then
      local fits, what, wrong = right[field.type](given, field, where)
      if wrong then return wrong end
      if fits == false then return ("%s must be %s"):format(where, what) end
    end
  end
end

--- Check `meta` and encode it as it is signed.
-- @tparam table value of the recipe
-- @tparam {table,...} fields those with a fixed meaning, of cli.recipe_fields
-- @treturn string|nil JSON | nil, what is wrong
function M.text(value, fields)
  if type(value) ~= "table" then return nil, "field meta must be a table" end
  local names = {}
  for i, field in ipairs(fields) do names[i] = field.name end
  for key in pairs(value) do
    local near = type(key) == "string" and nearest.of(key, names)
    if type(key) ~= "string" then return nil, "field meta holds a value without a name" end
    if near and near ~= key and nearest.distance(key, near) <= MISSPELT then
      return nil, ("unknown field meta.%s; did you mean %s?"):format(key, near)
    end
  end
  local wrong = wrong_field(value, fields, "field meta.")
  if wrong then return nil, wrong end
  if not is_plain(value, DEPTH) then
    return nil, ("field meta must hold texts, integers, booleans and at most %d levels of tables"):format(DEPTH)
  end
  local text = natives.json.encode(value)
  if #text > M.SIZE then
    return nil, ("field meta has %d bytes as JSON; the limit is %d"):format(#text, M.SIZE)
  end
  return text
end

return M

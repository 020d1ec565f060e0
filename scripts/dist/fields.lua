--- Tables of fields, as manual pages list them: configuration, recipe, policy.
--
-- @module fields

local roff = require "roff"

local M = {}

local function quoted(list)
  local out = {}
  for i, word in ipairs(list) do out[i] = ("`\"%s\"`"):format(word) end
  return table.concat(out, ", ")
end

local function default_of(field)
  local value = field.default
  if value == nil or type(value) == "table" then return nil end
  return type(value) == "string" and ("`\"%s\"`"):format(value) or ("`%s`"):format(tostring(value))
end

-- What a type's name alone does not say.
local types = { word = "string", topic = "string", host = "string", text = "string", list = "array", names = "array",
  path = "path", cloud = "table", dialects = "array", prefixes = "array",
  url = "URL", data = "table", limits = "table", roots = "array", command = "array",
  meta = "table", texts = "table", block_size = "integer", restart = "array or string" }

local function kind_of(field)
  return types[field.type] or field.type
end

-- The bounds of a field as sentences.
local function bounds(field)
  local out = {}
  local most = field.type == "integer" and (field.most or field.max)
  if field.choices then out[#out + 1] = ("One of %s."):format(quoted(field.choices)) end
  if most and most == math.maxinteger then
    out[#out + 1] = ("At least %d."):format(field.min)
  elseif most then
    out[#out + 1] = ("From %d to %d."):format(field.min, most)
  elseif kind_of(field) == "array" and (field.most or field.max) then
    out[#out + 1] = ("At most %d elements."):format(field.most or field.max)
  elseif field.max then
    out[#out + 1] = ("At most %d bytes."):format(field.max)
  end
  if default_of(field) then out[#out + 1] = ("Default %s."):format(default_of(field)) end
  return table.concat(out, " ")
end

local function sentence(text)
  text = text:sub(1, 1):upper() .. text:sub(2)
  return text:find("%.$") and text or text .. "."
end

--- The term of a field.
function M.term(name, field)
  return ("%s (%s%s)"):format(roff.bold(name), kind_of(field), field.required and ", required" or "")
end

--- Put every field on the page, those of tables under their full name. If two fields have the same table of fields,
-- these are listed only once.
-- @tparam table page
-- @tparam {table,...} list fields
-- @tparam[opt] string prefix "core."
-- @tparam[opt] table seen names of tables that are listed already, by their fields
function M.put(page, list, prefix, seen)
  seen = seen or {}
  for _, field in ipairs(list) do
    local name = (prefix or "") .. field.name
    local text = sentence(field.meaning or "")
    local same = field.fields and seen[field.fields]
    if same then text = ("%s Each has the fields of `%s`."):format(text, same) end
    page:item(M.term(name, field), (text .. " " .. bounds(field)))
    if field.fields and not same then
      seen[field.fields] = name
      M.put(page, field.fields, name .. (kind_of(field) == "array" and "[]." or "."), seen)
    end
  end
end

return M

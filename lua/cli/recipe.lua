--- Reads a recipe, the Lua table that says what a package is made of.
--
-- update.config.table_file reads the file as data. Every field is checked; an
-- error names the field that is unknown, missing or of the wrong type. Relative
-- paths start at the recipe's folder.
--
-- @module cli.recipe

local nearest = require "update.config.nearest"
local recipe_meta = require "cli.recipe_meta"
local table_file = require "update.config.table_file"

local M = {}

local YEAR_9999 = 253402300799

--- Every field: see cli.recipe_fields.
M.fields = require "cli.recipe_fields"

local check_fields

-- Each checker: (value, field, folder, where) -> checked value | nil, what is wrong.
local checkers = {}

function checkers.text(value, field)
  if type(value) ~= "string" or value == "" then return nil, "must be a string and not empty" end
  if #value > field.max then return nil, ("is longer than %d bytes"):format(field.max) end
  if value:find("%c") then return nil, "has control characters" end
  if not utf8.len(value) then return nil, "is not UTF-8" end
  return value
end

function checkers.word(value, field)
  for _, choice in ipairs(field.choices) do
    if value == choice then return value end
  end
  return nil, "must be one of " .. table.concat(field.choices, ", ")
end

function checkers.boolean(value)
  if type(value) ~= "boolean" then return nil, "must be true or false" end
  return value
end

function checkers.path(value, _, folder)
  if type(value) ~= "string" or value == "" or value:find("\0", 1, true) then
    return nil, "must be the name of a file or directory"
  end
  return value:sub(1, 1) == "/" and value or folder .. "/" .. value
end

function checkers.integer(value, field)
  local number = math.type(value) and math.tointeger(value)
  if not number or number < field.min or number > field.most then
    return nil, ("must be an integer from %d to %d"):format(field.min, field.most)
  end
  return number
end

function checkers.block_size(value)
  local number = math.type(value) and math.tointeger(value)
  if not number or number < 4096 or number > 1048576 or number & (number - 1) ~= 0 then
    return nil, "must be a power of two from 4096 to 1048576"
  end
  return number
end

function checkers.list(value, field)
  if type(value) ~= "table" then return nil, "must be a list" end
  local count = table_file.length(value)
  if not count or count > field.most then return nil, ("must be a list of at most %d"):format(field.most) end
  local seen = {}
  for _, element in ipairs(value) do
    local checker = field.choices and checkers.word or checkers.text
    local ok, wrong = checker(element, field)
    if not ok then return nil, "holds an element that " .. wrong end
    if seen[element] then return nil, ("names %s twice"):format(element) end
    seen[element] = true
  end
  return count > 0 and { table.unpack(value) } or nil
end

function checkers.meta(value, field)
  local text, wrong = recipe_meta.text(value, field.fields)
  return text, nil, wrong
end

-- A list of tables of one form.
function checkers.array(value, field, folder, where)
  if type(value) ~= "table" then return nil, "must be a list of tables" end
  local count = table_file.length(value)
  if not count or count > field.most then return nil, ("must be a list of at most %d"):format(field.most) end
  local result = {}
  for i, element in ipairs(value) do
    if type(element) ~= "table" then return nil, "must be a list of tables" end
    local _, wrong
    result[i], _, wrong = check_fields(element, field.fields, folder, ("%s%s[%d]."):format(where, field.name, i))
    if wrong then return nil, nil, wrong end
  end
  return count > 0 and result or nil
end

function checkers.table(value, field, folder, where)
  if type(value) ~= "table" then return nil, "must be a table" end
  return check_fields(value, field.fields, folder, where .. field.name .. ".")
end

-- A name in the recipe that is not a field, with a suggestion.
local function unknown(given, fields)
  local names, known = {}, {}
  for i, field in ipairs(fields) do names[i], known[field.name] = field.name, true end
  for name in pairs(given) do
    if not known[name] then return tostring(name) .. nearest.hint(tostring(name), names) end
  end
end

function check_fields(given, fields, folder, where)
  local stranger = unknown(given, fields)
  if stranger then return nil, nil, ("unknown field %s%s"):format(where, stranger) end
  local result = {}
  for _, field in ipairs(fields) do
    local value = given[field.name]
    if value == nil and field.required then
      return nil, nil, ("field %s%s is missing"):format(where, field.name)
    elseif value ~= nil then
      local checked, wrong, whole = checkers[field.type](value, field, folder, where)
      if wrong or whole then
        return nil, nil, whole or ("field %s%s %s"):format(where, field.name, wrong)
      end
      result[field.name] = checked
    else
      result[field.name] = field.default
    end
  end
  return result
end

-- Each older core may occur once, and the new one not at all.
local function check_from(core)
  local seen = { [core.version] = true }
  for i, old in ipairs(core.from or {}) do
    if seen[old.version] then
      return ("field core.from[%d].version is %d, which is the core's own or was named before"):format(i, old.version)
    end
    seen[old.version] = true
  end
end

-- What its parts need, and which go together.
local function check_parts(recipe)
  if recipe.hotfix and (recipe.script or recipe.core or recipe.files) then
    return "has a hotfix, which must be the only part of its package"
  end
  if not recipe.script and not recipe.core and not recipe.files and not recipe.hotfix then
    return "has neither script, core, files nor hotfix"
  end
  local files_alone = recipe.files and not recipe.script and not recipe.core
  if not recipe.version and not recipe.hotfix and not files_alone then return "field version is missing" end
end

--- The default release of a recipe; nil of a hotfix, and of files that come without VERSION: the device makes the name.
function M.release(recipe)
  if recipe.hotfix or not recipe.version then return nil end
  if recipe.script then return recipe.version end
  return recipe.files and ("%s-F%s"):format(recipe.version, recipe.files.version)
    or ("%s-V%d"):format(recipe.version, recipe.core.version)
end

--- Check a table and fill in the defaults.
-- @tparam table given what the recipe returned
-- @tparam string folder where relative paths start
-- @tparam[opt] integer epoch seconds since 1970, the default of `issued`
-- @treturn table the fields, with `release` (see M.release) and `script.version`; paths include the folder
-- @treturn nil,string,string message, "usage"
function M.normalise(given, folder, epoch)
  if type(given) ~= "table" then return nil, "must return one table", "usage" end
  local recipe, _, wrong = check_fields(given, M.fields, folder, "")
  if not recipe then return nil, wrong, "usage" end
  wrong = check_parts(recipe) or recipe.core and check_from(recipe.core)
  if wrong then return nil, wrong, "usage" end
  if not recipe.release and not recipe.hotfix then
    recipe.release = M.release(recipe)
    if recipe.release and #recipe.release > 32 then
      return nil, "field release is missing, and its default is longer than 32 bytes", "usage"
    end
  end
  recipe.issued = recipe.issued or epoch
  recipe.meta, recipe.meta_text = nil, recipe.meta
  for _, part in ipairs { recipe.script or {}, recipe.files or {}, recipe.hotfix or {}, recipe.core or {} } do
    part.block_size = part.block_size or recipe.block_size
  end
  if recipe.script then recipe.script.version = recipe.version end
  return recipe
end

--- The default of `issued` for reproducible builds.
-- @tparam string|nil text the environment's SOURCE_DATE_EPOCH
-- @treturn integer|nil
-- @treturn string message: it is set but not a time
function M.epoch(text)
  if not text or text == "" then return nil end
  local number = text:find("^%d+$") and math.tointeger(tonumber(text))
  if not number or number < 1 or number > YEAR_9999 then
    return nil, "SOURCE_DATE_EPOCH is not a number of seconds since 1970"
  end
  return number
end

--- Read and check a recipe file.
-- @tparam string path
-- @treturn table as from normalise()
-- @treturn nil,string,string message that names the file and the field, code word
function M.load(path)
  local given, why, failure = table_file.load(path, "recipe")
  if not given then return nil, why, failure end
  local epoch, bad = M.epoch(os.getenv("SOURCE_DATE_EPOCH"))
  if bad then return nil, bad, "usage" end
  local recipe, message, code = M.normalise(given, path:match("^(.*)/[^/]*$") or ".", epoch)
  if not recipe then return nil, ("%s: %s"):format(path, message), code end
  return recipe
end

return M

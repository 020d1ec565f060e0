--- `moult depot -c FILE`: options from a Lua file that returns one table.
--
--     return { dir = "/var/lib/moult-depot", listen = "0.0.0.0:8080", admin_url = { "https://depot.example" },
--       staged = true }
--
-- What the command line says counts more. A name that is no option is refused.
--
-- @module cli.depot_config

local nearest = require "update.config.nearest"
local table_file = require "update.config.table_file"

local M = {}

M.options = {
  { name = "config", short = "c", value = "FILE",
    help = "take options from this Lua table: { dir = \"packages\", listen = \"0.0.0.0:8080\", staged = true }" },
}

-- The option that a field means.
local function option_of(options, name)
  local wanted = name:gsub("_", "-")
  local names = {}
  for _, option in ipairs(options) do
    if option.name == wanted and wanted ~= "config" then return option end
    names[#names + 1] = (option.name:gsub("-", "_"))
  end
  local near = nearest.of(name, names)
  return nil, ("there is no option %s%s"):format(name, near and ("; did you mean %s?"):format(near) or "")
end

local function is_choice(option, text)
  for _, choice in ipairs(option.choices or { text }) do
    if choice == text then return true end
  end
  return false
end

local function is_text(value) return type(value) == "string" or math.type(value) == "integer" end

-- The value as the command line would have it; nil, what is expected.
local function value_of(option, value)
  if not option.value then
    if type(value) == "boolean" then return value end
    return nil, "true or false"
  end
  local list = option.list and type(value) == "table" and value or { value }
  if table_file.length(list) ~= #list then return nil, "a list of texts" end
  local texts = {}
  for i, text in ipairs(list) do
    if not is_text(text) then return nil, option.list and "a list of texts" or "a text or a whole number" end
    texts[i] = tostring(text)
    if not is_choice(option, texts[i]) then return nil, "one of " .. table.concat(option.choices, ", ") end
  end
  return option.list and texts or texts[1]
end

local function read(opts, options, given, path)
  for name, value in pairs(given) do
    if type(name) ~= "string" then return nil, path .. ": has a value without a name", "usage" end
    if name ~= "dir" then
      local option, why = option_of(options, name)
      if not option then return nil, ("%s: %s"):format(path, why), "usage" end
      local read_value, expected = value_of(option, value)
      if read_value == nil then return nil, ("%s: %s: expected %s"):format(path, name, expected), "usage" end
      -- A flag that is false is one that was not given.
      if opts[option.name] == nil then opts[option.name] = read_value or nil end
    end
  end
  return true
end

--- Fill in what --config says: options, and the folder `dir`.
-- @tparam table args of cli.args, changed in place
-- @tparam {table,...} options of the verb
-- @tparam function place function(words) -> where the folder stands among the words; nil: it is there
-- @treturn true|nil nil, message, "usage"
function M.apply(args, options, place)
  local path, words = args.opts.config, args.positional
  if not path then return true end
  local given, message, code = table_file.load(path, "configuration")
  if not given then return nil, message, code end
  if given.dir ~= nil and type(given.dir) ~= "string" then return nil, path .. ": dir: expected a text", "usage" end
  local ok
  ok, message, code = read(args.opts, options, given, path)
  if not ok then return nil, message, code end
  local at = given.dir and place(words)
  if at then table.insert(words, math.min(at, #words + 1), given.dir) end
  return true
end

return M

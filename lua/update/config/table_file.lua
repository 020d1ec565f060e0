--- A Lua file that is data: text that returns one table.
--
-- Bytecode is refused. The chunk runs in an empty environment, in which strings
-- have no methods either, and with an instruction limit: it can neither call
-- anything nor go on for ever. A name that means nothing there is a mistake, not nil.
--
-- @module update.config.table_file

local byte_order = require "update.config.byte_order"
local nearest = require "update.config.nearest"
local storage = require("update.natives").storage

local M = {}

local INSTRUCTIONS = 100000 -- far more than a table constructor needs
local SIZE = 1024 * 1024

local strings = getmetatable("")

local WORDS = { "true", "false", "nil", "return", "local" }

-- While the chunk runs strings have no methods, so none is called.
local function no_such_name(_, name)
  local near = nearest.of(name, WORDS)
  error(string.format(near and "unknown name %s; did you mean %s?" or "unknown name %s; put a string in "
    .. "quotes: \"%s\"", name, near or name), 2)
end

local function no_assignment(_, name)
  error(string.format("%s is assigned; write it as a field of the table that is returned", name), 2)
end

--- Run a chunk for a limited time.
-- @treturn any what it returned | nil, message
function M.run(chunk)
  local thread = coroutine.create(chunk)
  debug.sethook(thread, function()
    error("takes too long; it must only return a table", 0)
  end, "", INSTRUCTIONS)
  local ok, result = coroutine.resume(thread)
  if coroutine.status(thread) == "suspended" then return nil, "must only return a table" end
  if not ok then return nil, tostring(result) end
  return result
end

local function evaluate(chunk)
  local methods = strings.__index
  strings.__index = nil
  local result, wrong = M.run(chunk)
  strings.__index = methods
  return result, wrong
end

local function read(path, what)
  local text, why, code = storage.read(path, SIZE)
  if code == "usage" then why = ("%s; not a %s"):format(why, what) end
  if text and byte_order.wrong(text) then return nil, ("%s: %s"):format(path, byte_order.wrong(text)) end
  return text, why
end

--- How many elements an array has; nil for a table with holes or names, whose `#` says nothing.
function M.length(value)
  local count = 0
  for _ in pairs(value) do count = count + 1 end
  for i = 1, count do
    if value[i] == nil then return nil end
  end
  return count
end

--- Read and run such a file.
-- @tparam string path
-- @tparam string what it is, for messages: "configuration"
-- @tparam[opt] string shown the path in messages
-- @return what it returned, checked by nobody; nil, message that names the file, "usage"
function M.load(path, what, shown)
  local text, why = read(path, what)
  if not text then return nil, why, "usage" end
  shown = shown or path
  local chunk, wrong = load(text, "=" .. shown, "t",
    setmetatable({}, { __index = no_such_name, __newindex = no_assignment }))
  local given
  if chunk then given, wrong = evaluate(chunk) end
  if wrong then
    if not wrong:find(shown, 1, true) then wrong = ("%s: %s"):format(shown, wrong) end
    return nil, wrong, "usage"
  end
  if type(given) ~= "table" then return nil, ("%s: must return one table"):format(shown), "usage" end
  return given
end

return M

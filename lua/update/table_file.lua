--- A Lua file that is data: text that returns one table.
--
-- Bytecode is refused. The chunk runs in an empty environment, in which strings
-- have no methods either, and with an instruction limit: it can neither call
-- anything nor go on for ever.
--
-- @module update.table_file

local storage = require("update.natives").storage

local M = {}

local INSTRUCTIONS = 100000 -- far more than a table constructor needs
local SIZE = 1024 * 1024

local strings = getmetatable("")

local function evaluate(chunk)
  local thread, methods = coroutine.create(chunk), strings.__index
  debug.sethook(thread, function()
    error("takes too long; it must only return a table", 0)
  end, "", INSTRUCTIONS)
  strings.__index = nil
  local ok, result = coroutine.resume(thread)
  strings.__index = methods
  if coroutine.status(thread) == "suspended" then return nil, "must only return a table" end
  if not ok then return nil, tostring(result) end
  return result
end

local function read(path, what)
  local text, why, code = storage.read(path, SIZE)
  if code == "usage" then why = ("%s; not a %s"):format(why, what) end
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
  local chunk, wrong = load(text, "=" .. shown, "t", {})
  if not chunk then
    if not wrong:find(shown, 1, true) then wrong = ("%s: %s"):format(shown, wrong) end
    return nil, wrong, "usage"
  end
  local given
  given, wrong = evaluate(chunk)
  if wrong then return nil, ("%s: %s"):format(shown, wrong), "usage" end
  if type(given) ~= "table" then return nil, ("%s: must return one table"):format(shown), "usage" end
  return given
end

return M

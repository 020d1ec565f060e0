--- Messages between the front of a depot and its store process: one line of JSON each, over a socket pair.
--
-- A message is a table of strings, whole numbers, booleans and such tables. Its strings may be any bytes, as clients
-- send them.
--
-- @module depot.store_lines

local M = {}

local Lines = {}
Lines.__index = Lines

local function escaped(text)
  return (text:gsub("[^\32-\36\38-\126]", function(c) return ("%%%02X"):format(c:byte()) end))
end

local function restored(text)
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- A copy with all strings changed, names too.
local function changed(value, change)
  if type(value) == "string" then return change(value) end
  if type(value) ~= "table" then return value end
  local copy = {}
  for name, field in pairs(value) do copy[changed(name, change)] = changed(field, change) end
  return copy
end

--- @tparam table natives json
-- @tparam table channel of update.native.channel; closed with the lines
function M.new(natives, channel) return setmetatable({ json = natives.json, channel = channel }, Lines) end

--- Send a message, or queue it.
-- @treturn true|nil nil, message, code: "busy", "network", "usage" (it is too long)
function Lines:send(message) return self.channel:send(self.json.encode(changed(message, escaped))) end

--- The next message.
-- @treturn table|nil nil, message, code: "again", "nothing" (the other process has ended), "corrupt"
function Lines:receive()
  local line, message, code = self.channel:receive()
  if not line then return nil, message, code end
  local said
  said, message, code = self.json.decode(line)
  if type(said) ~= "table" then return nil, message or "a line that is no message", code or "corrupt" end
  return changed(said, restored)
end

--- What to poll.
function Lines:watch() return { fd = self.channel:fd(), read = true, write = self.channel:wants_write() } end

--- Bytes that wait to be sent.
function Lines:queued() return self.channel:queued() end

--- Send what is queued, as far as the other process reads.
function Lines:flush() return not self.channel:wants_write() or self.channel:flush() end

function Lines:close() self.channel:close() end

return M

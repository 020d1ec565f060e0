--- A depot whose store process is not a process: both ends take turns in a spec's own steps, over a real socket.
--
-- The spec sees what either has: `cloud` and `http_devices` of the store's end.
--
-- @module spec.support.depot_pair

local depot = require "depot"
local natives = require "update.natives"
local store_process = require "depot.store_process"

local M = {}

--- Both ends of a socket.
function M.sockets()
  local path = os.tmpname()
  os.remove(path)
  local listener <close> = assert(natives.channel.listen(path))
  local ours = assert(natives.channel.connect(path))
  return ours, assert(listener:accept())
end

local function starter(options, self)
  return function(address)
    local ours, channel = M.sockets()
    local theirs = { channel = channel, address = address, scheme = options.tls and "https" or "http" }
    self.store_end = store_process.open(setmetatable(theirs, { __index = options }))
    local process, status = {}, not self.store_end and 1
    function process.poll()
      if not status and not self.store_end:step(0) then process.close() end
      return status or nil
    end
    function process.close()
      if not status then self.store_end:close() end
      status = status or 0
    end
    return ours, process
  end
end

--- Open a depot; its store's end answers when this returns.
-- @tparam table options of depot.open and depot.store_process
-- @treturn table|nil depot; nil, message, code
function M.open(options)
  local ends = {}
  options.watch = nil
  options.store = starter(options, ends)
  local front, message, code = depot.open(options)
  if not front then return nil, message, code end
  local methods = getmetatable(front)
  setmetatable(front, { __index = function(_, name)
    if name == "cloud" or name == "http_devices" then return ends.store_end and ends.store_end[name] end
    return methods[name]
  end })
  local ok
  repeat
    ok, message, code = front:step(1)
  until not ok or front:store_state() == "well"
  if ok then return front end
  front:close()
  return nil, message, code
end

return M

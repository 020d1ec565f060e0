--- Starts the store process of a depot: this program, with the options of the depot, and a socket as standard input.
--
-- @module depot.store_child

local M = {}

-- Those that concern the front, or actions, alone.
local NOT_PASSED = { listen = true, connections = true, config = true }

-- The words that start it.
local function words_of(dir, opts, address)
  local words = { "/proc/self/exe", "depot", dir, "--store-of", address }
  for name, value in pairs(opts) do
    if not NOT_PASSED[name] and value then
      for _, text in ipairs(type(value) == "table" and value or { value }) do
        words[#words + 1] = "--" .. name .. (text == true and "" or "=" .. tostring(text))
      end
    end
  end
  return words
end

--- @tparam table natives update.natives
-- @tparam string dir
-- @tparam table opts of the verb
-- @treturn function of depot.open(): function(address) -> channel, process; or nil, message, code
function M.starter(natives, dir, opts)
  return function(address)
    local process, fd, code = natives.command.start(words_of(dir, opts, address), true)
    if not process then return nil, fd, code end
    local channel, message
    channel, message, code = natives.channel.from_fd(fd)
    if not channel then
      process:close()
      return nil, message, code
    end
    return channel, process
  end
end

return M

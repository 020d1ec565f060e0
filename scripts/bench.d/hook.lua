--- The cost of a Lua function for each chunk: run in the host with a large file.
--
-- Prints two times in microseconds for a chunk of 64 KiB: getting it as a Lua
-- string from a source (read by C, copied once), and calling a Lua function
-- with it that keeps a count, as a progress hook or a filter would.

local source = require "update.native.source"

local CHUNK = 65536

local received = 0
local function hook(data)
  received = received + #data
  return true
end

local function pass(path, with_hook)
  local file = assert(source.file(path))
  local offset, chunks = 0, 0
  local begun = os.clock()
  while true do
    local data = assert(file:read(offset, CHUNK) or false)
    offset, chunks = offset + #data, chunks + 1
    if with_hook then
      hook(data)
    end
    if offset == file:size() then
      break
    end
  end
  local spent = os.clock() - begun
  file:close()
  return spent / chunks * 1e6
end

-- The call alone is too short to measure as the difference of two passes.
local function call_alone()
  local data, calls = ("x"):rep(CHUNK), 1000000
  local begun = os.clock()
  for _ = 1, calls do
    hook(data)
  end
  return (os.clock() - begun) / calls * 1e6
end

local best_read = math.huge
for _ = 1, 7 do
  best_read = math.min(best_read, pass(arg[1], true))
end
print(("%.3f %.4f"):format(best_read, call_alone()))

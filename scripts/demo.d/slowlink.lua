--- A slow network between a device and a depot, which counts the bytes.
--
--   lua5.4 slowlink.lua PORT BYTES_A_SECOND COUNT_FILE
--
-- Prints the free port of 127.0.0.1 that it listens on and relays every
-- connection to PORT of 127.0.0.1. It passes at most that many bytes a second to
-- the device, and keeps their number in COUNT_FILE.

local socket = require "socket"

local PIECE = 8192

local target, rate = math.tointeger(arg[1]), tonumber(arg[2])
local count = assert(io.open(arg[3], "w"))
local listener = assert(socket.bind("127.0.0.1", 0))
listener:settimeout(0)
local flows = {}    -- {from, to, pending, metered, pair}; a connection is two of them
local passed, budget, last = 0, 0, socket.gettime()

-- In place and of one length: who reads never finds it empty.
local function note()
  count:seek "set"
  count:write(("%12d\n"):format(passed))
  count:flush()
end

local function accept()
  local device = listener:accept()
  if not device then
    return
  end
  local depot = socket.connect("127.0.0.1", target)
  if not depot then
    device:close()
    return
  end
  device:settimeout(0)
  depot:settimeout(0)
  -- A small buffer, so that counted bytes have almost reached the device.
  pcall(device.setoption, device, "send-buffer-size", 2 * PIECE)
  local pair = { device, depot }
  flows[#flows + 1] = { from = device, to = depot, pending = "", pair = pair }
  flows[#flows + 1] = { from = depot, to = device, pending = "", pair = pair, metered = true }
end

local function pull(flow)
  local room = flow.metered and math.min(PIECE, budget // 1 | 0) or PIECE
  local data, why, part = flow.from:receive(room)
  data = data or part
  if data and #data > 0 then
    flow.pending = data
    if flow.metered then
      budget = budget - #data
    end
  elseif why == "closed" then
    flow.pair.over = true
  end
end

local function push(flow)
  local sent, why, partial = flow.to:send(flow.pending)
  local moved = sent or partial
  if flow.metered and moved > 0 then
    passed = passed + moved
    note()
  end
  flow.pending = flow.pending:sub(moved + 1)
  if why == "closed" then
    flow.pair.over = true
  end
end

local function bury()
  local alive = {}
  for _, flow in ipairs(flows) do
    if flow.pair.over then
      flow.from:close()
    else
      alive[#alive + 1] = flow
    end
  end
  flows = alive
end

note()
print((select(2, listener:getsockname())))
io.stdout:flush()
while true do
  local readers, writers = { listener }, {}
  for _, flow in ipairs(flows) do
    if flow.pending ~= "" then
      writers[#writers + 1] = flow.to
    elseif not flow.metered or budget >= 1024 then
      readers[#readers + 1] = flow.from
    end
  end
  local readable, writable = socket.select(readers, writers, budget < 1024 and 0.005 or 0.25)
  local now = socket.gettime()
  budget = math.min(budget + rate * (now - last), 4 * PIECE)
  last = now
  if readable[listener] then
    accept()
  end
  for _, flow in ipairs(flows) do
    if flow.pending ~= "" and writable[flow.to] then
      push(flow)
    elseif flow.pending == "" and readable[flow.from] then
      pull(flow)
    end
  end
  bury()
end

--- Simulated devices of Aliyun's cloud for `scripts/demo --console`: run in the host.
--
--     moult scripts/demo.d/crowd.lua PORT PRODUCT COUNT VERSION
--
-- Each says that it runs VERSION, takes what it is offered, tells its progress for some seconds, and then runs that.
-- Every ninth finds a bad checksum. One client of the broker speaks for all. Runs until it is stopped.

local natives = require "update.natives"

local PORT, PRODUCT, VERSION = math.tointeger(tonumber(arg[1])), arg[2], arg[4]
local COUNT = math.tointeger(tonumber(arg[3]))
local STEPS = { 10, 35, 60, 85, 100 } -- percent, a second apart

local loop = assert(natives.loop.new())
local client = assert(natives.mqtt.open { host = "127.0.0.1", port = PORT, client_id = "crowd" })
local busy = {} -- by name: number, version, step, due

local function say(kind, name, params)
  local text = natives.json.encode { id = 1, params = params }
  client:publish(("/ota/device/%s/%s/%s"):format(kind, PRODUCT, name), text, 1)
end

local function offered(event)
  local name = event.topic:match "/([^/]+)$"
  local number, offer = tonumber(name:match "%d+$"), natives.json.decode(event.payload)
  local data = type(offer) == "table" and offer.data
  if number and type(data) == "table" and not busy[name] then
    busy[name] = { number = number, version = data.version, step = 0, due = natives.loop.now() + 1 }
  end
end

-- One step further; nil at the end.
local function go_on(name, device)
  device.step, device.due = device.step + 1, device.due + 1
  local percent = STEPS[device.step]
  if device.number % 9 == 0 and percent and percent > 50 then
    say("progress", name, { step = "-3", desc = "bad checksum" })
  elseif percent then
    say("progress", name, { step = tostring(percent), desc = "" })
    return device
  else
    say("inform", name, { version = device.version })
  end
end

client:subscribe(("/ota/device/upgrade/%s/+"):format(PRODUCT), 1)
local known = false
while true do
  local fd = client:fd()
  assert(loop:poll(math.min(client:remaining(), 200), fd and { { fd = fd, read = true,
    write = client:wants_write() } }))
  for event in client.step, client do
    if event.kind == "message" then offered(event) end
    if event.kind == "subscribed" and not known then
      known = true
      for i = 1, COUNT do say("inform", ("meter-%03d"):format(i), { version = VERSION }) end
    end
  end
  local now = natives.loop.now()
  for name, device in pairs(busy) do
    if now >= device.due then busy[name] = go_on(name, device) end
  end
end

--- Many devices of the Qinglian cloud, by their own machine, against a real depot and a real broker.
--
-- One client of the broker stands for all of them. Each logs in, asks for firmware
-- and for its list, takes a patch piece by piece and says that its test succeeded.
--
-- @module spec.support.qinglian_fleet

local clouds = require "spec.support.qinglian_world"
local json = require "update.native.json"
local mqtt = require "update.native.mqtt"
local natives = require "update.natives"
local pair = require "spec.support.qinglian_pair"
local world = require "spec.support.world"

local M = {}

local Fleet = {}
Fleet.__index = Fleet

local PATIENCE = 300 -- seconds
local AT_ONCE = 50   -- devices that connect in one turn

local function new(count)
  local c = clouds.new()
  c:serve()
  c.w:pack_fix { sequence = 2, product_key = "1001", name = "fleet", version = "v1", base = "01.00",
    lua = { ["part.lua"] = world.ballast(3000) }, file = "fix.upd" }
  assert(c.w:moult "depot patch add depot fix.upd --keys keys" == 0)
  local self = setmetatable({ c = c, count = count, devices = {}, by_topic = {}, messages = 0, done = 0,
    loop = assert(natives.loop.new()), began = natives.loop.now(),
    client = assert(mqtt.open { host = c.broker.host, port = c.broker.port }) }, Fleet)
  self.client:subscribe("d/s/+", 0)
  return self
end

local function connect(self)
  local number = #self.devices + 1
  local d = pair.device { mac = ("00:0c:29:00:%02x:%02x"):format(number >> 8, number & 255) }
  self.devices[number], self.by_topic[d.topics.down] = d, d
end

-- Publish what a device says, after its test if there was one.
local function send(self, d)
  if d.state.patch and d.state.patch.stage == "testing" then
    d.go { type = "patch_result", name = d.state.patch.item.name, version = d.state.patch.item.version, ok = true }
    self.done = self.done + 1
  end
  for _, bytes in ipairs(d.out) do
    assert(self.client:publish(d.topics.up, bytes, 0, true))
    self.messages = self.messages + 1
  end
  d.out = {}
end

local function step(self)
  local now = natives.loop.now()
  for event in self.client.step, self.client do
    local d = event.kind == "message" and not event.retain and self.by_topic[event.topic]
    if d then
      self.messages = self.messages + 1
      d.at = now
      d.hear(event.payload)
      send(self, d)
    end
  end
  if not self.ticked or now - self.ticked >= 0.2 then
    self.ticked = now
    for _ = 1, math.min(AT_ONCE, self.most - #self.devices) do connect(self) end
    for _, d in ipairs(self.devices) do
      d.at = now
      d.go { type = "tick" }
      send(self, d)
    end
  end
  self.loop:poll(20, { { fd = self.client:fd(), read = true, write = self.client:wants_write() } })
end

local function wait(self, what, done)
  local till = natives.loop.now() + PATIENCE
  while not done() do
    assert(natives.loop.now() < till, "waited in vain for " .. what)
    step(self)
  end
end

--- Bring a patch to all devices: verified on the first, then released.
-- @tparam integer count
-- @treturn table seconds, messages; done, failed, open as `moult depot patch list` counts
function M.run(count)
  local self <const> = new(count)
  local w = self.c.w
  local ok, result = pcall(function()
    self.most = 1
    w:start("verify", "depot patch verify depot v1 --device 00:0c:29:00:00:01")
    wait(self, "the verification", function() return (w:read "verify.log" or ""):find "is verified" end)
    assert(w:moult "depot patch release depot v1" == 0)
    self.began, self.messages, self.most = natives.loop.now(), 0, count
    local row
    wait(self, "all devices", function()
      if self.done < count then return false end
      local _, out = w:moult "depot patch list depot --json"
      row = json.decode(out).patches[1]
      return row.done + row.failed >= count
    end)
    return { seconds = natives.loop.now() - self.began, messages = self.messages, done = row.done,
      failed = row.failed, open = row.open }
  end)
  self.client:close()
  self.loop:close()
  self.c:close()
  if not ok then error(result, 0) end
  return result
end

return M

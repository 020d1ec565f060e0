-- A device of the Qinglian cloud whose firmware is in place, while the cloud does not order the upgrade yet. The spec
-- plays the cloud with the depot's own parts.

local brokers = require "spec.support.broker"
local crc = require "update.cloud.qinglian_frame".crc16
local dispatcher = require "depot.qinglian_dispatcher"
local natives = require "update.natives"
local qinglian = require "update.cloud.qinglian"
local talk = require "depot.qinglian"
local world = require "spec.support.world"

local KEY, MAC = "0123456789ABCDEF", "00:0c:29:4b:5b:1f"

describe("Qinglian's device that waits for the order", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local w, broker, cloud

  -- A cloud that has `path` for everybody, and orders nothing before cloud.order().
  local function play(path)
    local c = { dispatcher = assert(dispatcher.open(natives, "127.0.0.1:0", "127.0.0.1:" .. broker.port)),
      client = assert(natives.mqtt.open { host = broker.host, port = broker.port }), entry = {} }
    c.talk = talk.new { json = natives.json, aes = natives.cipher, md5 = natives.digest.md5, secret = "s",
      hmac = natives.digest.hmac, products = { [1001] = KEY }, remarks = { once = function() end },
      say = function(topic, bytes) c.client:publish(topic, bytes, 0) end }
    local request = c.talk.request
    function c.talk:request(device, opcode, ...)
      if opcode == qinglian.OP.upgrade and not c.orders then
        c.waiting = device
      else
        request(self, device, opcode, ...)
      end
    end
    c.client:subscribe(qinglian.filters[1], 0)
    function c.offer()
      c.entry = { name = "p2.upd", path = path, size = #w:read "p2.upd", tag = "1", manifest = { project = "METER" } }
      c.talk.crc.known["p2.upd"] = { tag = "1", crc = crc(w:read "p2.upd") }
    end
    function c.step()
      c.dispatcher:step()
      for event in c.client.step, c.client do
        local heard = event.kind == "message" and not event.retain
          and c.talk:hear(event.topic, event.payload, os.time() * 1000)
        if heard and heard.kind == "version" then c.release = heard.release end
        if heard and heard.kind == "ask" and c.entry.path and c.release ~= "01.01" then
          c.talk:offer({ device = MAC, target = "01.01" }, c.entry, os.time() * 1000)
        end
        if heard then c.talk:settle(MAC) end
      end
    end
    function c.order()
      c.orders = true
      c.talk:request(c.waiting, qinglian.OP.upgrade, qinglian.OWNER)
    end
    return c
  end

  before_each(function()
    w, broker = world.new(), brokers.start()
    w:pack { sequence = 2, version = "01.01", product_key = "1001" }
    cloud = play(w:path "p2.upd")
    local wait = w.wait
    function w:wait(what, fn, seconds)
      return wait(self, what, function()
        cloud.step()
        return fn()
      end, seconds)
    end
    cloud.offer()
    w:serve()
    w:configure(([[clouds = {
      { kind = "qinglian", product = "1001", device = %q, secret = %q, host = "127.0.0.1", port = %s, iv = %q },
      { kind = "luat", url = "%s/api/site/firmware_upgrade", period = 1 } },]]):format(MAC, KEY,
      cloud.dispatcher:address():match ":(%d+)$", ("5a"):rep(16), w.url), { product_key = "1001" })
    w:shell "chmod 600 config.lua"
    w:pack { sequence = 1, version = "01.00", product_key = "1001" }
    assert.equal(0, (w:moult "provision p1.upd -q"))
    w:run()
    w:wait("all of it", function() return cloud.waiting end, 40)
  end)

  after_each(function()
    w:close()
    cloud.client:close()
    cloud.dispatcher:close()
    broker:close()
  end)

  it("keeps it while another cloud has nothing, and goes over to it when told", function()
    assert.equal("installing", w:status().phase)
    local function polls() return select(2, w:read "device.log":gsub("cloud luat: ", "")) end
    local before = polls()
    w:wait("two polls", function() return polls() >= before + 2 end, 40)
    assert.equal("installing", w:status().phase)
    cloud.order()
    w:wait("the release at the cloud", function() return cloud.release == "01.01" end, 40)
    assert.equal("01.01", w:status().release)
  end)

  it("lets what another cloud offers go first", function()
    w:pack { sequence = 3, version = "01.02", product_key = "1001", name = "depot/p3.upd" }
    w:wait("the other release", function() return w:status().release == "01.02" end, 60)
    assert.match("another update goes first", w:read "device.log")
  end)
end)

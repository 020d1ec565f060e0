-- A cloud of a kind that is not built in: one file of the owner, named in the configuration.

local clouds = require "spec.support.cloud_world"
local world = require "spec.support.world"

-- Asked over HTTP: 204 says that there is nothing, 302 where it lies.
local CRATE = [[
return {
  name = "crate", over = "http",
  fields = {
    { name = "token", type = "string", max = 64, required = true, secret = true, meaning = "known to the server" },
  },
  request = function(device, o)
    return { url = ("%s/next/%s/%s"):format(o.url, device.id, device.version),
      headers = { Authorization = "Bearer " .. o.token } }
  end,
  decode = function(answer)
    if answer.status == 200 or answer.status == 206 then return { kind = "package" } end
    if answer.status == 302 then return { kind = "redirect", url = answer.location } end
    if answer.status == 204 then return nil, "nothing newer", "nothing" end
    return nil, ("answered %d"):format(answer.status), "network"
  end,
  recognises = function(answer) return answer.status == 204 or answer.status == 302 end,
}
]]

-- The same, but the server says it all with status 200: JSON with the link, or without.
local LETTER = CRATE:gsub('"crate"', '"letter", in_body = true'):gsub("/next/", "/ask/"):gsub("decode = .*", "") .. [[
  decode = function(answer)
    if answer.status ~= 200 then return nil, ("answered %d"):format(answer.status), "network" end
    local url = answer.body:match '"next":"(.-)"'
    if url then return { kind = "redirect", url = url } end
    return nil, "nothing newer", "nothing"
  end,
  recognises = function(answer) return answer.status == 200 and answer.body:find "^{" ~= nil end,
}
]]

-- Pushes over MQTT: one topic each way, and the release alone as its report.
local BELL = [[
local fields = require "update.cloud.message_fields"
local M = { name = "bell", over = "mqtt", traits = {}, numbers = { ok = 0, internal = 1, rolledback = 2 } }

function M.topics(product, device)
  return { up = ("bell/%s/%s/up"):format(product, device), down = ("bell/%s/%s/down"):format(product, device) }
end

function M.subscriptions(product, device) return { { M.topics(product, device).down, 1 } } end

function M.parse_topic(topic)
  local product, device, kind = topic:match "^bell/([^/]+)/([^/]+)/(%l+)$"
  return kind, product, device
end

function M.connection(o)
  return { host = o.host, port = o.port, client_id = o.device, user = o.device, password = o.secret, keepalive = 60,
    clean = true }
end

function M.decode(_, object)
  if type(object) ~= "table" then return nil, "not an object", "corrupt" end
  if object.trip then error "tripped" end
  local offer = { version = fields.version(object.release), url = fields.url(object.at),
    size = fields.size(object.bytes) }
  if not (offer.version and offer.url and offer.size) then return nil, "an offer that is not whole", "corrupt" end
  return { kind = "offer", offer = offer }
end

function M.encode(report)
  return "up", { says = report.kind, release = report.version, percent = report.percent, number = report.number }, 1
end

function M.refusal(answer)
  if answer.status == 403 then return "the link is not good" end
end

return M
]]

describe("a dialect in a file of the configuration", function()
  if not clouds.new then return pending "needs the host: build/moult /usr/bin/busted" end

  local function provision(w, fields)
    for _, name in ipairs { "a", "b" } do w:write(("slot-%s.img"):format(name), ("\0"):rep(1 << 20)) end
    w:configure([[core = { slots = { a = "slot-a.img", b = "slot-b.img" }, boot = "file" },]] .. fields)
    w:shell "chmod 600 config.lua"
    w:pack { sequence = 1, version = "1.0.0", core = world.core(17) }
    local code, _, err = w:moult "provision p1.upd -q"
    assert(code == 0, err)
  end

  local over_http = {
    { "crate", CRATE, "is asked, leads to a package, is reached on trial, and says that there is nothing more", 204 },
    { "letter", LETTER, "may give the link in the body of an answer", 200 },
  }
  for _, case in ipairs(over_http) do
    local kind, text, does, nothing = table.unpack(case)
    it("over HTTP: " .. does, function()
      local w = world.new()
      local links = require("spec.support.servers.links").start(w:path "depot")
      local server = require("spec.support.servers.questions").start(w.dir, "t0ken")
      local _ <close> = setmetatable({}, { __close = function()
        w:close()
        links:stop()
        server:stop()
      end })
      w:write("dialect.lua", text)
      provision(w, ([[dialects = { "dialect.lua" },
        cloud = { kind = %q, url = %q, token = "t0ken", period = 1 },]]):format(kind, server.url))
      w:run()
      w:wait("a question", function() return server:asked()[1] end)
      w:publish { core = world.core(18) }
      links:allow "t1"
      server:offer("1.0.1", links.url .. "/p2.upd?token=t1")
      w:wait_status({ phase = "idle", release = "1.0.1" }, 40)
      w:wait("a question of the new release", function() return server:asked()[#server:asked()]:find " 1%.0%.1 " end)
      assert.equal("866714040000001 1.0.0 " .. nothing, server:asked()[1])
      assert.matches(("cloud %s: reached"):format(kind), w:read "device.log")
      assert.is_nil(w:read("device.log"):find("t0ken", 1, true))
      local code, out = w:moult "check" -- nothing
      assert.equal(3, code, out)
    end)
  end

  it("over MQTT: pushes, is reported to, and a message that its dialect trips over ends nothing", function()
    local c = clouds.new()
    local _ <close> = setmetatable({}, { __close = function() c:close() end })
    local w = c.world
    w:write("bell.lua", BELL)
    provision(w, ([[dialects = { "bell.lua" },
      cloud = { kind = "bell", product = "P", device = "d1", secret = "s3cret", host = %q, port = %d },]]):format(
      c.broker.host, c.broker.port))
    assert(c.cloud.mqtt:subscribe("bell/P/d1/up", 1))
    local function line(message)
      local said = message.topic == "bell/P/d1/up" and message.object
      return said and ("%s %s %s"):format(said.says, said.release, said.number or said.percent or "-") or nil
    end
    w:run()
    c:wait_line("version 1.0.0 -", line)
    c.cloud:push("bell/P/d1/down", '{"trip":true}')
    w:wait_log("device", "a message is not usable: dialect bell: decode: [^\n]*tripped")
    w:publish { core = world.core(18) }
    c.server:allow "t1"
    c.cloud:push("bell/P/d1/down", ('{"release":"1.0.1","at":"%s/p2.upd?token=t1","bytes":%d}'):format(c.server.url,
      #w:read "depot/p2.upd"))
    w:wait_status({ phase = "idle", release = "1.0.1" }, 40)
    c:wait_line("version 1.0.1 -", line)
    -- As with those that are built in: a release that falls back is told by its number.
    w:publish { sequence = 3, version = "1.0.2", body = 'error "boom"' }
    c.cloud:push("bell/P/d1/down", ('{"release":"1.0.2","at":"%s/p2.upd?token=t1","bytes":%d}'):format(c.server.url,
      #w:read "depot/p2.upd"))
    c:wait_line("fail 1.0.2 2", line)
    assert.equal("1.0.1", w:wait_last("rolledback").release)
    assert.is_nil(w:read("device.log"):find("s3cret", 1, true))
  end)
end)

-- Passwords and tokens in addresses are shown nowhere: not by a verb, not in a log.
local world = require "spec.support.world"
if not world.new then
  describe("secrets in addresses", function() pending "needs the host" end)
  return
end

local SECRET = "topsecret"

describe("a password in an address", function()
  local w
  before_each(function() w = world.new() end)
  after_each(function() w:close() end)

  -- A device that asks the depot at an address with user, password and token.
  local function device(more)
    w:serve()
    w:configure(([[cloud = { kind = "luat", period = 1, url = "%s/api/site/firmware_upgrade?token=%s" }, %s]]):format(
      w.url:gsub("//", "//user:" .. SECRET .. "@"), SECRET, more or ""))
    w:pack { sequence = 1, version = "1.0.0" }
    assert.equal(0, (w:moult "provision p1.upd -q"))
  end

  local function shown()
    local parts = {}
    for _, verb in ipairs { "check -v", "doctor", "doctor --json", "status", "status --json", "history" } do
      local _, out, err = w:moult(verb)
      table.move({ out, err }, 1, 2, #parts + 1, parts)
    end
    parts[#parts + 1] = w:read "device.log"
    return table.concat(parts, "\n")
  end

  it("is shown by no verb and no log, while the server answers and when it does not", function()
    device()
    w:run()
    w:wait_log("device", "cloud luat: ")
    local text = shown()
    assert.matches("cloud luat " .. w.url .. " answers", text, 1, true)
    assert.is_nil(text:find(SECRET, 1, true), text)
    w:stop "depot"
    w:wait_log("device", "%(network%)")
    text = shown()
    assert.matches("connect", text)
    assert.is_nil(text:find(SECRET, 1, true), text)
  end)

  it("is shown neither when it is a proxy's", function()
    device(([[proxy = "http://user:%s@127.0.0.1:1",]]):format(SECRET))
    w:run()
    w:wait_log("device", "%(network%)")
    local text = shown()
    assert.matches("warn  cloud luat", text)
    assert.is_nil(text:find(SECRET, 1, true), text)
  end)

  it("is shown neither when a package is named by it", function()
    device()
    local there = w.url:gsub("//", "//user:" .. SECRET .. "@")
    for _, verb in ipairs { "install", "explain", "install --dry-run" } do
      for _, name in ipairs { there .. "/none.upd?token=" .. SECRET, "http://user:" .. SECRET .. "@127.0.0.1:1/p.upd",
        "http://user:" .. SECRET .. "@127.0.0.1:x/p.upd" } do
        local code, out, err = w:moult(verb .. " '" .. name .. "'")
        assert.is_true(code > 0)
        assert.is_nil((out .. err):find(SECRET, 1, true), out .. err)
      end
    end
  end)
end)

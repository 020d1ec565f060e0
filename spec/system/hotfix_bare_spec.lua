-- Hotfixes that nobody signed: a bare .zip or .bin, from a Qinglian cloud or a directory that the owner names in
-- trust.unsigned. The depot plays the cloud, for a product that takes unsigned patches.

local has_host = pcall(require, "update.native.host")
if not has_host then
  describe("Bare hotfixes", function() pending "needs the host: build/moult /usr/bin/busted" end)
  return
end

local clouds = require "spec.support.qinglian_world"
local zip = require "spec.support.zip"

local MAC, says = clouds.MAC, clouds.says

-- A script whose handler takes what is no archive, and says what it got.
local TAKES = [[
update.on("hotfix", function(fix)
  if not fix.path then return false end
  local file = assert(io.open(fix.path, "rb"))
  local text = file:read "a"
  file:close()
  print("bytes " .. fix.action .. " " .. text)
  return text ~= "bad"
end)
]]

describe("Bare hotfixes", function()
  local c, w

  before_each(function()
    c = clouds.new()
    w = c.w
    for _, line in ipairs { "add depot METER --product 1001 --cloud qinglian", "set depot METER --unsigned yes" } do
      local code, _, err = w:moult("depot product " .. line)
      assert.equal(0, code, err)
    end
  end)

  after_each(function() c:close() end)

  -- entry: of trust.unsigned, Lua
  local function device(entry, program)
    c:run_clock { program = program, config = ("hotfix_time = 6, trust = { unsigned = { %s } },"):format(entry) }
  end

  -- The cloud has these bytes as clock VERSION.
  local function put(version, bytes)
    local name = ("clock_%s.%s"):format(version, bytes:find "^PK" and "zip" or "bin")
    w:write(name, bytes)
    local code, out, err = w:moult(("depot patch add depot %s --product 1001"):format(name))
    assert.equal(0, code, err)
    assert.match("patch clock " .. version .. ": added, unsigned", out)
  end

  local function verify(version, expected)
    local code, out, err = w:moult(("depot patch verify depot %s --device %s"):format(version, MAC))
    assert.equal(expected or 0, code, err .. w:read "device.log")
    return out .. err
  end

  local function fresh_says(word)
    w:write("device.log", "")
    w:wait_log("device", word)
  end

  it("come from a cloud that the owner trusts, as a .zip, and are tested, undone and quarantined like signed ones",
    function()
      put("v1", zip.of { { "fix/lua/clock.lua", says "v1" },
        { "fix/test.lua", 'return function() return require("clock")() == "v1" end' } })
      put("v2", zip.of { { "lua/clock.lua", says "v2" }, { "test.lua", "return function() return false end" } })
      c:serve()
      device '{ from = "cloud:qinglian", lua = true }'
      c:wait_known()
      assert.match("is verified", verify "v1")
      fresh_says "clock v1"
      assert.match("its test failed", verify("v2", 19))
      fresh_says "clock v1"
      assert.same({ "clock v1 fresh", "clock v2 quarantined" }, w:ledger())
      assert.is_string(w:status().hotfixes[1].unsigned)
      -- What is applied is tested again, and a restart of the device keeps it.
      assert.match("is verified", verify "v1")
      w:stop "device"
      w:write("device.log", "")
      w:run()
      w:wait_log("device", "clock v1", 40)
      assert.is_nil(w:read "state/hotfix/bare/archive")
      assert.equal(0, (w:moult "hotfix undo clock"))
      w:wait_log("device", "clock old")
    end)

  it("are refused from a cloud that the owner does not trust", function()
    put("v1", zip.of { { "lua/clock.lua", says "v1" } })
    c:serve()
    device ""
    c:wait_known()
    verify("v1", 19)
    w:wait_log("device", "nobody signed it, and trust.unsigned of the configuration has no \"cloud:qinglian\"")
    assert.same({}, w:ledger())
  end)

  it("come as a .bin for a handler, whose answer is the result", function()
    put("v1", "good")
    put("v2", "bad")
    c:serve()
    device('"cloud:qinglian"', TAKES)
    c:wait_known()
    assert.match("is verified", verify "v1")
    w:wait_log("device", "bytes apply good")
    assert.match("its test failed", verify("v2", 19))
    w:wait_log("device", "bytes undo bad")
    assert.same({ "clock v1 applied", "clock v2 quarantined" }, w:ledger())
    local _, out = w:moult "hotfix list"
    assert.match("clock +v1 +applied +unsigned %x+, opaque", out)
    assert.equal(0, (w:moult "hotfix undo clock"))
    w:wait_log("device", "bytes undo good")
  end)

  it("that are a .bin are handed to the handler, which may come late, and again when the power failed", function()
    local slow = ([[
local function take(fix)
  print("has " .. fix.action)
  local file = io.open("%s/seen")
  if not file then
    io.open("%s/seen", "w"):close()
    os.execute "sleep 5"
  end
  return true
end
sys.taskInit(function()
  sys.wait(2000)
  update.on("hotfix", take)
end)
]]):format(w.dir, w.dir)
    device(('"file://%s/usb/"'):format(w.dir), slow)
    w:shell "mkdir usb"
    w:write("usb/clock_v1.bin", "good")
    w:start("install", "install -q usb/clock_v1.bin -c config.lua")
    w:wait("the handler to be at it", function() return w:read "seen" end)
    w:stop("device", "KILL")
    w:run()
    w:wait("the second try", function() return w:ledger()[1] == "clock v1 applied" end, 40)
    assert.equal(2, select(2, w:read("device.log"):gsub("has apply", "")))
  end)

  it("are installed from a directory that the owner trusts, and from no other", function()
    device(('{ from = "file://%s/usb/", lua = true }, "file://%s/plain/"'):format(w.dir, w.dir))
    w:shell "mkdir usb plain other"
    local bytes = zip.of { { "lua/clock.lua", says "v1" } }
    for _, place in ipairs { "usb/clock_v1.zip", "plain/clock_v1.zip", "other/clock_v1.zip", "usb/clock.zip" } do
      w:write(place, bytes)
    end
    w:write("usb/clock_v2.bin", "bytes")
    assert.match("only from where trust.unsigned", w:install("other/clock_v1.zip", 13), 1, true)
    assert.match("does not say lua = true", w:install("plain/clock_v1.zip", 14), 1, true)
    assert.match("is not called NAME_VERSION.zip", w:install("usb/clock.zip", 2), 1, true)
    assert.match("only a handler of the script can take it", w:install("usb/clock_v2.bin", 15), 1, true)
    local code, _, err = w:moult "explain usb/clock_v1.zip"
    assert.equal(0, code, err)
    assert.same({ "clock v2 dropped" }, w:ledger())
    w:install "usb/clock_v1.zip"
    fresh_says "clock v1"
    w:write("usb/clock_v0.zip", zip.of { { "lua/clock.lua", says "v0" } })
    assert.match("version v0 is not above v1, which is applied", w:install("usb/clock_v0.zip", 15), 1, true)
    w:write("usb/other_v1.zip", bytes)
    assert.match("the same bytes came as clock v1, which is fresh", w:install("usb/other_v1.zip", 3), 1, true)
    assert.same({ "clock v2 dropped", "clock v1 fresh" }, w:ledger())
    assert.is_nil(w:read "usb/clock_v1.zip.from")
    assert.equal(bytes, w:read "usb/clock_v1.zip")
  end)
end)

-- Patches of the Qinglian cloud as hotfixes: the depot's command line, a real broker, a device that runs.

local has_host = pcall(require, "update.native.host")
if not has_host then
  describe("Qinglian's patches", function() pending "needs the host: build/moult /usr/bin/busted" end)
  return
end

local clouds = require "spec.support.qinglian_world"
local json = require "update.native.json"
local world = require "spec.support.world"

local MAC, says = clouds.MAC, clouds.says

describe("Qinglian's patches", function()
  local c, w

  before_each(function()
    c = clouds.new()
    w = c.w
  end)

  after_each(function() c:close() end)

  -- `more`: fields of the cloud; `program`: Lua before the script
  local function device(more, files, program)
    c:run_clock { more = more, files = files, program = program, config = "hotfix_time = 15," }
    c:wait_known()
  end

  -- Take a patch in. o: text (of clock.lua), test (text of test.lua), size (of ballast)
  local function add(sequence, version, o)
    o = o or {}
    w:pack_fix { sequence = sequence, product_key = "1001", version = version, base = "01.00", test = o.test,
      lua = { ["clock.lua"] = o.text or says("v" .. sequence), ["ballast.lua"] = o.size and world.ballast(o.size) },
      file = "fix.zip" } -- its name does not matter
    local code, out, err = w:moult "depot patch add depot fix.zip --keys keys"
    assert.equal(0, code, err)
    assert.match("patch clock " .. version .. ": added", out)
  end

  local function patch(line, expected)
    local code, out, err = w:moult("depot patch " .. line)
    assert.equal(expected or 0, code, err)
    return out .. err
  end

  local function row_of(version)
    local _, out = w:moult "depot patch list depot --json"
    for _, row in ipairs(json.decode(out).patches) do
      if row.version == version then return row end
    end
  end

  local function state(version) return row_of(version).devices[1].state end

  local function ledger()
    local list = {}
    for i, row in ipairs(w:status().hotfixes) do list[i] = ("%s %s"):format(row.version, row.state) end
    return list
  end

  it("are verified with progress, released, and applied without a restart of the device", function()
    c:serve()
    device()
    add(2, "v1", { test = 'return function() return require("clock")() == "v2" end' })
    local said = patch(("verify depot v1 --device %s"):format(MAC))
    assert.match("is verified", said)
    assert.match("downloaded, waiting for the result", said)
    w:wait_log("device", "clock v2")
    assert.same({ "v1 fresh" }, ledger())
    assert.same({ "done", "verified" }, { state "v1", row_of("v1").stage })
    assert.equal("01.00", w:status().release)
    patch "release depot v1"
    -- It has it: the cloud offers it no more.
    add(3, "v2", { test = "return function() return false end" })
    assert.match("its test failed", patch(("verify depot v2 --device %s"):format(MAC), 19))
    assert.same({ "v1 fresh", "v2 quarantined" }, ledger())
    w:write("device.log", "")
    w:wait_log("device", "clock v2")
    assert.same({ "failed", "uploaded" }, { state "v2", row_of("v2").stage })
    -- Undone by its owner, the cloud hears of it.
    w:wait("the end of the test", function() return (w:moult "hotfix undo clock") ~= 5 end) -- until then it is busy
    w:wait("the news at the depot", function() return state "v1" == "reverted" end, 30)
  end)

  it("are sent and tested again, and nothing else, when they are verified on a device that has them", function()
    c:serve()
    device()
    local flag = w.dir .. "/flag"
    add(2, "v1", { size = 20000, test = ("return function() return not io.open(%q) end"):format(flag) })
    local verify = ("verify depot v1 --device %s"):format(MAC)
    assert.match("is verified", patch(verify))
    w:write("flag", "")
    assert.match("its test failed", patch(verify, 19))
    assert.same({ "v1 fresh", "failed" }, { ledger()[1], state "v1" })
    os.remove(flag)
    assert.match("is verified", patch(verify))
    assert.same({ { "v1 fresh" }, "done", "verified" }, { ledger(), state "v1", row_of("v1").stage })
    w:write("device.log", "")
    w:wait_log("device", "clock v2")
  end)

  it("are reverted at the depot when no start of the script lives with one, over a restart of the device", function()
    c:serve()
    device()
    local flag = w.dir .. "/flag"
    add(2, "v1", { text = ("if io.open(%q) then os.exit(3) end return function() return 'v2' end"):format(flag) })
    patch(("verify depot v1 --device %s"):format(MAC))
    assert.same({ "v1 fresh", "done" }, { ledger()[1], state "v1" })
    w:stop("device", "KILL")
    w:write("flag", "")
    w:run()
    w:wait("the end of its starts", function() return ledger()[1] == "v1 quarantined" end, 60)
    w:wait("the news at the depot", function() return state "v1" == "reverted" end, 60)
    w:wait_log("device", "clock old")
    assert.equal("uploaded", row_of("v1").stage)
  end)

  it("continue after a cut, and begin again after a restart of the device in the middle", function()
    c:serve()
    device(("chunk = 512, iv = %q"):format(clouds.IV))
    add(2, "v1", { size = 800000 }) -- large enough to be ended in the middle also by a slow machine
    w:start("verify", ("depot patch verify depot v1 --device %s"):format(MAC))
    local function percent() return tonumber((row_of("v1").devices[1] or {}).percent) or 0 end
    w:wait("a third", function() return percent() > 30 end, 60)
    c.broker:restart()
    w:wait_log("device", "no connection")
    w:wait("two thirds", function() return percent() > 60 end, 60)
    w:stop("device", "KILL")
    w:run()
    w:wait("the end of the first", function() return state "v1" == "failed" end, 60)
    assert.match("v1 fresh", patch(("verify depot v1 --device %s"):format(MAC)) .. ledger()[1])
  end)

  it("are tested again after a restart in the middle of the test, and the cloud hears of it", function()
    c:serve()
    device()
    add(2, "v1", { test = [[return function()
      local till = os.time() + 4
      while os.time() < till do end
      return true
    end]] })
    w:start("verify", ("depot patch verify depot v1 --device %s --timeout 120"):format(MAC))
    w:wait("the test", function() return row_of("v1").devices[1] and state "v1" == "downloaded" end, 60)
    w:stop("device", "KILL")
    w:run()
    w:wait("the result", function() return state "v1" == "done" end, 90)
    assert.same({ "v1 fresh" }, ledger())
  end)

  it("fail by the word of a program that looks at them, and are undone when that comes later", function()
    c:serve()
    device(nil, nil, ([[
      local qinglian = require "update.qinglian"
      update.on("hotfix", function(fix)
        package.loaded.clock = nil
        if fix.version == "v1" and fix.action == "apply" then
          qinglian.iot_patch_end(fix.name, fix.version, qinglian.DEV_STA_PATCH_FAILED)
        end
        return true
      end)
      sys.taskInit(function()
        while not io.open "%s/flag" do sys.wait(500) end
        qinglian.iot_patch_end("clock", "v1", qinglian.DEV_STA_PATCH_SUCCESS)
        qinglian.iot_patch_end("clock", "v2", qinglian.DEV_STA_PATCH_FAILED)
      end)]]):format(w.dir))
    add(2, "v1")
    assert.match("its test failed", patch(("verify depot v1 --device %s"):format(MAC), 19))
    assert.match("a program called it failed", w:status().hotfixes[1].message)
    w:write("device.log", "")
    w:wait_log("device", "clock old")
    add(3, "v2")
    patch(("verify depot v2 --device %s"):format(MAC))
    w:wait_log("device", "clock v3")
    w:write("flag", "")
    w:wait("the news at the depot", function() return state "v2" == "reverted" end, 30)
    assert.same({ "v1 quarantined", "v2 undone" }, ledger())
    assert.equal("failed", state "v1") -- whatever the program says of it then
    w:write("device.log", "")
    w:wait_log("device", "clock old")
  end)

  it("stay when a program calls a lower version failed", function()
    c:serve()
    device(nil, nil, ([[
      local qinglian = require "update.qinglian"
      sys.taskInit(function()
        while not io.open "%s/flag" do sys.wait(500) end
        qinglian.iot_patch_end("clock", "v1", qinglian.DEV_STA_PATCH_FAILED)
        print "it was said"
      end)]]):format(w.dir))
    for i, version in ipairs { "v1", "v2" } do
      add(i + 1, version)
      patch(("verify depot %s --device %s"):format(version, MAC))
    end
    w:wait_log("device", "clock v3")
    w:write("flag", "")
    w:wait_log("device", "it was said")
    assert.same({ "v1 fresh", "v2 fresh" }, ledger())
    patch(("verify depot v2 --device %s"):format(MAC)) -- an order after that
    assert.same({ "v1 fresh", "v2 fresh" }, ledger())
  end)

  it("are not taken if policy defers them", function()
    c:serve()
    device(nil, { ["policy.lua"] = [[
      local policy = {}
      function policy.decide(offer)
        if offer.hotfix then return { action = "defer", reason = "later", retry_after = 3600 } end
        return { action = "install", reason = "newer" }
      end
      return policy ]] })
    add(2, "v1")
    assert.match("v1 failed: it", patch(("verify depot v1 --device %s"):format(MAC), 19))
    assert.same({}, ledger())
  end)

  it("go over TLS", function()
    c:serve { options = c:use_tls() }
    device(("tls = { ca = %q }"):format(c.broker:file "ca.crt"))
    add(2, "v1")
    patch(("verify depot v1 --device %s"):format(MAC))
    assert.same({ "v1 fresh" }, ledger())
  end)
end)

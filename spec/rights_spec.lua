-- What a device's script may do to the device, and what it may not.

local world = require "spec.world"

local device, lines = world.provisioned, world.lines

describe("the script of a device", function()
  local worlds = {}

  local function new(o)
    local w = device(o or {})
    worlds[#worlds + 1] = w
    return w
  end

  after_each(function()
    for _, w in ipairs(worlds) do w:close() end
    worlds = {}
  end)

  local function gone(pid)
    return not os.execute("kill -0 " .. pid .. " 2>/dev/null")
  end

  it("leaves no process behind, not one in a session of its own either", function()
    local w = new { body = [[
      os.execute("setsid sh -c 'echo $$ >>" .. require("update.native.host").cwd .. "/daemons; exec sleep 1000' "
        .. ">/dev/null 2>&1 </dev/null &")
      sys.taskInit(function() sys.wait(500) if not io.open("stay") then sys.restart("wanted") end end)]] }
    w:run()
    w:wait("two starts", function() return #lines(w:read("daemons") or "", "%d+") >= 2 end)
    local first = lines(w:read("daemons"), "%d+")[1]
    assert.is_true(gone(first))
    w:write("stay", "")
    w:stop("device")
    for _, pid in ipairs(lines(w:read("daemons"), "%d+")) do assert.is_true(gone(pid)) end
  end)
end)

-- What libfota's numbers mean on a device: the real program against servers that refuse, break off and redirect.

local world = require "spec.support.world"

if not world.new then
  pending("needs the host")
  return
end

local QUERY = "/api/site/firmware_upgrade?imei=1&project_key=k-123&firmware_name=METER_Luat_RDA8910&core_version=17" ..
  "&dfota=1&version=1.0.0"

describe("libfota on a device", function()
  local w

  -- The script asks each URL that is put into the file `ask`, and writes the result.
  before_each(function()
    w = world.new()
    w:device { port = 9, period = 86400, config = 'restart_when = "asked",', body = ([[
      local libfota = require "libfota"
      sys.taskInit(function()
        while true do
          local file = io.open(%q)
          local url = file and file:read "a"
          if file then file:close() end
          if url and url ~= "" then
            os.remove(%q)
            libfota.request(function(number) sys.publish("over", number) end, url)
            local _, number = sys.waitUntil "over"
            local out = io.open(%q, "w")
            out:write(number, "\n")
            out:close()
          end
          sys.wait(20)
        end
      end)]]):format(w:path "ask", w:path "ask", w:path "result") }
    w:run()
    w:wait_log("device", "cloud luat: ") -- the agent's own question is over
  end)

  after_each(function()
    w:close()
    collectgarbage()
  end)

  local function asked(url, meanwhile)
    w:shell "rm -f result"
    w:write("ask", url)
    if meanwhile then meanwhile() end
    return tonumber(w:wait("the result", function() return (w:read "result" or ""):match("^(%d+)\n") end, 30))
  end

  it("gives 1 when nobody listens, 4 when there is nothing or no package, 0 for one behind a link", function()
    assert.equal(1, asked("http://127.0.0.1:9/x"))
    assert.equal(4, asked(w.url .. QUERY))
    assert.equal(4, asked(w.url .. "/"))
    w:publish()
    assert.equal(0, asked(w.url .. QUERY .. "&need_oss_url=1"))
    assert.equal("armed", w:status().phase)
  end)

  it("gives 3 when the link breaks off in the package", function()
    w:publish { core = world.core(18, 400000) }
    local port = w:slow_link(50000)
    local url = ("http://127.0.0.1:%d%s"):format(port, QUERY)
    assert.equal(3, asked(url, function()
      w:wait_log("device", "fetching http")
      w:wait("some of it", function() return w:passed() > 60000 end)
      w:stop("link", "KILL")
    end))
    assert.equal("fetching", w:status().phase)
  end)
end)

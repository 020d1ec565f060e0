-- The program of examples/c that was written against the Qinglian device SDK, beside the real agent.

local c_program = require "spec.support.c_program"
local has_host = pcall(require, "update.native.host")

describe("a C program with Qinglian's calls", function()
  if not has_host then return pending "needs the host: build/moult /usr/bin/busted" end
  if not c_program.compile then return pending "this build has no libmoult" end
  local clouds = require "spec.support.qinglian_world"
  local frame = require "update.cloud.qinglian_frame"

  local c, w

  before_each(function()
    c = clouds.new()
    w = c.w
    c:serve()
    c:device()
    c_program.compile(w, "qinglian")
  end)

  after_each(function() c:close() end)

  it("is told of the connection and of firmware, and gets its bytes", function()
    c_program.start(w, "qinglian", "1001 01.00 127.0.0.1 8990")
    w:run()
    w:wait_log("qinglian", "status 0, the time is known", 40)
    w:pack { sequence = 2, version = "01.01", product_key = "1001", name = "depot/p2.upd" }
    local package = w:read "depot/p2.upd"
    w:wait_log("qinglian", ("firmware METER 01.01, %d bytes, crc %04x\n"):format(#package, frame.crc16(package)), 40)
    w:wait_log("qinglian", "get chunks over", 40)
    assert.equal(package, w:read "firmware.copy")
    w:wait_log("qinglian", "reboot right now", 40)
    c:wait_state("succeeded", "01.01")
  end)

  it("is told of patches, asks for them, and gets their bytes", function()
    c_program.start(w, "qinglian", "1001 01.00 127.0.0.1 8990")
    w:run()
    w:wait_log("qinglian", "status 0, the time is known", 40)
    w:pack_fix { sequence = 2, product_key = "1001", name = "iot_patch", version = "0102", base = "01.00",
      lua = { ["part.lua"] = "return 1" }, file = "fix.bin" }
    assert.equal(0, (w:moult "depot patch add depot fix.bin --keys keys"))
    local code, _, err = w:moult(("depot patch verify depot 0102 --device %s"):format(clouds.MAC))
    assert.equal(0, code, err)
    local bytes = w:read "fix.bin"
    w:wait_log("qinglian", ("name:iot_patch | version:0102 | total_len:%d\nasked for: 0\n"):format(#bytes), 40)
    w:wait_log("qinglian", "get chunks over", 40)
    assert.equal(bytes, w:read "patch.copy")
  end)

  it("is refused with an invalid context", function()
    c_program.start(w, "qinglian", "1001 1.0 127.0.0.1 8990")
    w:wait_log("qinglian", "the context is invalid")
  end)

  it("is C++, too", function()
    local top = io.popen "pwd":read "l"
    assert.is_true(w:shell(("c++ -x c++ -Wall -Wextra -Werror -c %s %s/examples/c/qinglian.c -o qinglian.o"):format(
      c_program.include, top)))
  end)
end)

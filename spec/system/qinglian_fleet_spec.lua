-- A patch for many devices at one depot; `scripts/bench qinglian` does it with a thousand.

local has_host = pcall(require, "update.native.host")

describe("a fleet of the Qinglian cloud", function()
  if not has_host then return pending "needs the host: build/moult /usr/bin/busted" end

  it("gets a patch, and no device is lost", function()
    local result = require("spec.support.qinglian_fleet").run(100)
    assert.same({ 100, 0, 0 }, { result.done, result.failed, result.open })
  end)
end)

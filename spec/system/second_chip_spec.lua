-- The firmware of a second chip, written by a device's script, and what `moult run` has such a script leave alone.

local files = require "spec.support.files"
local world = require "spec.support.world"

local FIRMWARE = ("radio 2.1 "):rep(50000)

-- Asks for each of these paths, and says what it was answered.
local ASKS = [[
local flash = require "update.native.flash"
for name in os.getenv("ASKED"):gmatch "%S+" do
  local f, why, code = flash.open(name, 4)
  print(("asked %s: %s %s"):format(name:match "[^/]+$", f and "open" or code, why or ""))
  if f then f:close() end
end
]]

describe("the firmware of a second chip", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local w

  before_each(function() w = world.new() end)
  after_each(function() w:close() end)

  -- Run the example with this file as the chip until it is through; what it printed.
  local function run(chip)
    local log = w:path "radio.log"
    os.remove(log)
    w:shell "mkdir -p radio"
    w:write("radio/main.lua", files.read "examples/second_chip.lua")
    w:write("radio/radio.bin", FIRMWARE)
    w.under = ("env CHIP='%s'"):format(chip)
    w:start("radio", "run radio/main.lua")
    local said = w:wait_log("radio", "radio: ([^\n]+)\n")
    w:stop("radio", "KILL")
    return said
  end

  it("is written once, and again when the chip has something else", function()
    local chip = w:write("chip.img", ("old "):rep(300000))
    assert.equal("new firmware written", run(chip))
    assert.equal(FIRMWARE, w:read "chip.img")
    assert.equal("the firmware is there already", run(chip))
    w:write("chip.img", FIRMWARE:sub(1, -2) .. "x")
    assert.equal("new firmware written", run(chip))
    assert.equal(FIRMWARE, w:read "chip.img")
  end)

  it("is not written to a device that is not there", function()
    assert.matches("^flash /dev/no%-such%-chip: No such file or directory", run "/dev/no-such-chip")
  end)

  local function asked(name) return w:wait_log("device", "asked " .. name:gsub("%p", "%%%0") .. ": (%a+)") end

  local OWN = { "slot-a.img", "slot-b.img", "hard", "link", "file", "control", "journal.1" }

  local function make_names(journal)
    assert(w:shell("ln slot-b.img hard && ln -s slot-a.img link && touch state/file"))
    local list = {}
    for i, name in ipairs { "slot-a.img", "slot-b.img", "hard", "link", "state/file", "state/control",
      journal .. "/journal.1", "chip.img" } do
      list[i] = w:path(name)
    end
    w.under = ("env 'ASKED=%s'"):format(table.concat(list, " "))
  end

  it("cannot be written over a slot, the state or the journal of the device that runs the script", function()
    w:shell "mkdir second"
    w:device { body = ASKS, config = 'journal_dir = "second",' }
    make_names "second"
    w:run()
    for _, name in ipairs(OWN) do assert.equal("usage", asked(name), name) end
    assert.equal("open", asked "chip.img")
  end)

  it("nor by a script that has a user of its own", function()
    local readable = "su nobody -s /bin/sh -c 'test -r " .. require("update.native.host").lua_dir .. "' 2>/dev/null"
    if not os.execute "test $(id -u) = 0" or not os.execute(readable) then
      return pending "the script cannot be run as another user here"
    end
    w:device { body = ASKS, config = 'script = { user = "nobody" },' }
    make_names "state"
    assert(w:shell "chmod 755 . && touch chip.img && chown nobody chip.img slot-a.img slot-b.img state/file")
    w:run()
    for _, name in ipairs(OWN) do assert.equal("usage", asked(name), name) end
    assert.equal("open", asked "chip.img")
  end)

  it("nor by a script that is run alone, where the configuration is", function()
    w:device()
    make_names "state"
    w:write("alone.lua", ASKS)
    w:start("device", "run alone.lua")
    for _, name in ipairs(OWN) do assert.equal("usage", asked(name), name) end
    assert.equal("open", asked "chip.img")
  end)
end)

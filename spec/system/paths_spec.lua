-- A device in a directory whose name means something to Lua, to a shell or to printf.
local world = require "spec.support.world"
if not world.new then
  describe("odd directories", function() pending "needs the host" end)
  return
end

local BODY = [[
print("modules", require "sub.mod", require("whole").name)
print("none", (select(2, pcall(require, "sub.none")):gsub("\n", " ")))
print("broken", (select(2, pcall(require, "broken")):gsub("\n", " ")))
]] .. world.TICK

local FILES = { ["sub/mod.lua"] = 'return "of " .. VERSION', ["whole/init.lua"] = 'return { name = ... }',
  ["broken.lua"] = "not lua" }

local NAMES = { "why?", "x;?.lua", "100%", "it's", "new\nline", "-v", ("long"):rep(40) }

describe("a device in a directory", function()
  local w
  after_each(function() w:close() end)

  for _, name in ipairs(NAMES) do
    it(("called %q finds its modules, and is updated"):format(name), function()
      w = world.new(name)
      w:configure()
      local first = w:pack { version = "1.0.0", sequence = 1, body = BODY, files = FILES }
      assert.equal(0, (w:moult("provision -q", "'" .. first:gsub("'", "'\\''") .. "'")))
      w:pack { version = "1.0.1", sequence = 2, body = BODY, files = FILES }
      w:run()
      w:wait_log("device", "modules%s+of 1.0.0%s+whole")
      w:wait_log("device", "broken%s+error loading module 'broken' from file '.*/broken.lua:1: unexpected")
      w:wait_log("device", "none%s+module 'sub.none' not found:.*no file '.*/state/script/1/sub/none/init.lua'")
      assert.equal(4, (w:moult "install p2.upd -q"))
      w:wait_status { release = "1.0.1", phase = "idle" }
      w:wait_log("device", "modules%s+of 1.0.1%s+whole")
    end)
  end
end)

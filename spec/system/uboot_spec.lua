-- A board with U-Boot, for real but for the board: the environment lies in two
-- files, fw_printenv and fw_setenv are the stock ones, and boot() is what
-- examples/uboot/boot.cmd does at power-on.

local world = require "spec.support.world"

local ENV_SIZE = 4096
local CONFIG = [[
  core = { slots = { a = "slot-a.img", b = "slot-b.img" }, boot = "uboot", fw_env = "fw_env.config",
    cmdline = "cmdline" },
  restart = "exit",
]]

local function crc32(text)
  local crc = 0xffffffff
  for i = 1, #text do
    crc = crc ~ text:byte(i)
    for _ = 1, 8 do crc = crc >> 1 ~ (crc & 1 == 1 and 0xedb88320 or 0) end
  end
  return ~crc & 0xffffffff
end

-- A copy as `saveenv` of U-Boot leaves it.
local function saved(flag)
  local data = "bootcmd=run moult\0\0"
  data = data .. ("\0"):rep(ENV_SIZE - 5 - #data)
  return string.pack("<I4B", crc32(data), flag) .. data
end

local function variable(w, name)
  w:shell(("fw_printenv -c fw_env.config -n %s >value.txt 2>/dev/null"):format(name))
  return (w:read("value.txt"):gsub("\n$", ""))
end

local function variables(w)
  return { variable(w, "BOOT_ORDER"), variable(w, "BOOT_a_LEFT"), variable(w, "BOOT_b_LEFT") }
end

-- Power-on, up to the kernel. @return the slot that is started
local function boot(w)
  for slot in variable(w, "BOOT_ORDER"):gmatch "%a" do
    local name = ("BOOT_%s_LEFT"):format(slot)
    local left = variable(w, name)
    if left ~= "0" then
      if left ~= "" then assert(w:shell(("fw_setenv -c fw_env.config %s %d"):format(name, left - 1))) end
      w:write("cmdline", ("console=ttyS0 moult.slot=%s\n"):format(slot))
      return slot
    end
  end
  error "nothing to start"
end

describe("a board with U-Boot", function()
  local w

  local function provisioned()
    for _, name in ipairs { "a", "b" } do w:write(("slot-%s.img"):format(name), "") end
    w:write("cmdline", "console=ttyS0\n")
    w:configure(CONFIG)
    local package = w:pack { version = "1.0.0", sequence = 1, core = world.core(17) }
    local code, _, err = w:moult("provision -q", package)
    assert.equal(0, code, err)
  end

  -- From running release 1.0.0 to armed and shut down.
  local function armed()
    assert.equal("a", boot(w))
    w:run()
    local package = w:pack { version = "1.0.1", sequence = 2, core = world.core(18) }
    local code, _, err = w:moult("install -q", package)
    assert.equal(4, code, err)
    w:wait("the restart", function() return not w:alive "device" end)
    assert.same({ "b a", "", "3" }, variables(w))
  end

  before_each(function()
    w = world.new()
    w:write("env0", saved(1))
    w:write("env1", saved(0))
    w:write("fw_env.config", ("%s/env0 0x0 0x%x\n%s/env1 0x0 0x%x\n"):format(w.dir, ENV_SIZE, w.dir, ENV_SIZE))
  end)
  after_each(function() w:close() end)

  if not os.execute "command -v fw_setenv >/dev/null" then return pending "fw_setenv is not installed" end

  it("starts the new slot, counted, and confirms it", function()
    provisioned()
    assert.same({ "a", "", "0" }, variables(w))
    armed()
    assert.equal("b", boot(w))
    assert.same({ "b a", "", "2" }, variables(w))
    w:run()
    local status = w:wait_status { phase = "idle", release = "1.0.1" }
    assert.same({ "b", 18 }, { status.core.running, status.core.version })
    assert.same({ "b a", "", "" }, variables(w))
    assert.equal("run moult", variable(w, "bootcmd"))
    w:stop "device"
    assert.equal("b", boot(w))
  end)

  it("goes back when the new core never starts Moult", function()
    provisioned()
    armed()
    for _ = 1, 3 do assert.equal("b", boot(w)) end
    assert.equal("a", boot(w))
    w:run()
    local status = w:wait_status { phase = "idle", release = "1.0.0" }
    assert.same({ "a", "rolledback" }, { status.core.running, status.last.code })
    assert.matches("tries", status.last.message)
    assert.same({ "a", "", "0" }, variables(w))
  end)

  it("is told by doctor what is wrong", function()
    provisioned()
    local code, out = w:moult "doctor"
    assert.equal(2, code)
    assert.matches("fail  boot .*moult%.slot=a", out)
    boot(w)
    code, out = w:moult "doctor"
    assert.equal(0, code, out)
    assert.matches('ok    boot       driver "uboot", running from slot a; starts a (good)', out, 1, true)
    w:write("fw_env.config", w.dir .. "/env0 0x0 0x1000\n")
    code, out = w:moult "doctor"
    assert.not_equal(0, code)
    assert.matches("fail  boot .*one copy", out)
  end)

  it("does not touch an environment that U-Boot never saved", function()
    w:write("env0", ("\0"):rep(ENV_SIZE))
    w:write("env1", ("\0"):rep(ENV_SIZE))
    for _, name in ipairs { "a", "b" } do w:write(("slot-%s.img"):format(name), "") end
    w:write("cmdline", "console=ttyS0\n")
    w:configure(CONFIG)
    local code, _, err = w:moult("provision -q", w:pack { version = "1.0.0", sequence = 1, core = world.core(17) })
    assert.equal(21, code)
    assert.matches("saveenv", err)
    assert.equal(("\0"):rep(ENV_SIZE), w:read "env0")
  end)
end)

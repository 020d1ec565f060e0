-- A device that is killed in the states of a hotfix from a real depot over a real broker, as its status names them, and
-- one whose disk is full. Afterwards device and depot say the same, and the next round works. The states "applying" and
-- "undoing" are over at once for modules alone; `hotfixes` (spec/crash) cuts them at every operation.

local has_host = pcall(require, "update.native.host")
if not has_host then
  describe("A device that is killed", function() pending "needs the host: build/moult /usr/bin/busted" end)
  return
end

local clouds = require "spec.support.qinglian_world"
local json = require "update.native.json"
local world = require "spec.support.world"

local MAC = clouds.MAC

-- It says what its module says. While a file is there, its handler takes long for an act.
local SCRIPT = [[
update.on("hotfix", function(fix)
  package.loaded.clock = nil
  while io.open("%s/slow-" .. fix.action) do sys.wait(100) end
  return true
end)
sys.taskInit(function() while true do print("clock " .. require("clock")()) sys.wait(500) end end)]]

describe("A hotfix of a device that is killed", function()
  local c, w

  before_each(function()
    c = clouds.new()
    w = c.w
    c:serve()
  end)

  after_each(function() c:close() end)

  local function device(files)
    files = files or {}
    files["clock.lua"] = "return function() return 'old' end"
    c:device("chunk = 512, iv = \"" .. clouds.IV .. "\"", files, SCRIPT:format(w.dir), "hotfix_time = 40,")
    w:run()
    w:wait("the device at the depot", function() return c:known().release == "01.00" end, 60)
    w:wait_log("device", "clock old", 40)
  end

  -- A version whose test takes long while a file is there.
  local function add(sequence, size)
    w:pack_fix { sequence = sequence, product_key = "1001", version = "v" .. sequence, base = "01.00",
      lua = { ["clock.lua"] = ("return function() return 'v%d' end"):format(sequence),
        ["ballast.lua"] = size and world.ballast(size) },
      test = ('return function() while io.open "%s/slow-test" do end return require("clock")() == "v%d" end'):format(
        w.dir, sequence) }
    local code, _, err = w:moult(("depot patch add depot fix%d.upd --keys keys"):format(sequence))
    if code ~= 0 then code, _, err = w:moult "depot patch add depot fix.upd --keys keys" end
    assert.equal(0, code, err)
  end

  local function row_of(version)
    local _, out = w:moult "depot patch list depot --json"
    for _, row in ipairs(json.decode(out).patches) do
      if row.version == version then return row.devices[1] or {} end
    end
  end

  local function begin(version)
    w:stop "verify"
    w:start("verify", ("depot patch verify depot %s --device %s --timeout 60"):format(version, MAC))
  end

  -- The state of a version in the device's ledger; nil: it has none.
  local function state_of(version)
    for _, row in ipairs((w:status() or {}).hotfixes or {}) do
      if row.version == version then return row.state end
    end
  end

  local function kill()
    w:stop("device", "KILL")
    w:shell "rm -f slow-*"
    w:write("device.log", "")
    w:run()
  end

  -- In the end ledger and depot say the same, and the script says what the ledger does. A hotfix whose test was cut
  -- short is undone first and tried once more.
  local function agree(version, before)
    local holds
    w:wait("the same on both sides", function()
      local state, known = state_of(version), row_of(version).state
      holds = state == "fresh" or state == "applied"
      return holds and known == "done" or not holds and (known == "failed" or known == "reverted")
    end, 150)
    w:write("device.log", "")
    w:wait_log("device", "clock " .. (holds and version or before), 40)
    return holds
  end

  -- The next round: the same version, unless it may not come again; in the end it is verified.
  local function once_more(version, next_sequence)
    begin(version)
    local ends = w:wait("its end", function()
      local state = row_of(version).state
      return (state == "done" or state == "failed") and state
    end, 120)
    if ends == "done" then return agree(version) end
    add(next_sequence)
    begin("v" .. next_sequence)
    w:wait("the next", function() return row_of("v" .. next_sequence).state == "done" end, 120)
    assert.is_true(agree("v" .. next_sequence))
  end

  for i, case in ipairs { { "that is fetched" }, { "in its handler", "slow-apply" }, { "in its test", "slow-test" } } do
    it(case[1] .. " says what came of it, and takes it afterwards", function()
      device()
      add(2, not case[2] and 600000 or nil)
      if case[2] then w:write(case[2], "") end
      begin "v2"
      w:wait(case[2] and "state testing" or "a fifth of it", function()
        if case[2] then return state_of "v2" == "testing" end
        return (tonumber(row_of("v2").percent) or 0) > 20
      end, 60)
      kill()
      agree("v2", "old")
      once_more("v2", 10 + i)
    end)
  end

  it("that is fresh, or in its handler once it was undone, says what runs", function()
    device()
    add(2)
    begin "v2"
    w:wait("fresh", function() return state_of "v2" == "fresh" and row_of("v2").state == "done" end, 60)
    kill()
    assert.is_true(agree "v2")
    w:write("slow-undo", "")
    w:start("undo", "hotfix undo clock")
    w:wait("undone", function() return state_of "v2" == "undone" end, 60)
    kill()
    assert.is_false(agree("v2", "old"))
    once_more("v2", 12)
  end)

  it("is told of a full disk, has what it had, and takes it when there is room", function()
    if os.execute "mountpoint -q / && unshare -m true 2>/dev/null" ~= true then pending "needs mounts" return end
    w:shell "mkdir state"
    if not os.execute(("mount -t tmpfs -o size=24m none '%s/state' 2>/dev/null"):format(w.dir)) then
      pending "a file system cannot be mounted here"
      return
    end
    local ok, why = pcall(function()
      device()
      w:shell "dd if=/dev/zero of=state/filler bs=4k 2>/dev/null || true"
      add(2, 200000)
      begin "v2"
      w:wait("the failure", function() return row_of("v2").state == "failed" end, 200)
      assert.is_nil(({ fresh = true, applied = true })[state_of "v2"])
      w:write("device.log", "")
      w:wait_log("device", "clock old", 40)
      kill()
      w:wait_log("device", "clock old", 40)
      w:shell "rm state/filler"
      once_more("v2", 13)
    end)
    w:stop("device", "KILL")
    w:shell "umount -l state"
    if not ok then error(why, 0) end
  end)
end)

-- A depot's database in trouble: devices are heard later, and nothing is lost that can be kept.

local folders = require "spec.support.folder"
local keeper = require "depot.keeper"
local natives = require "update.natives"
local store = require "depot.store"

local json = natives.json

describe("depot.keeper", function()
  local home = folders.new()
  local dir, events, told, said, reports, now, wall, kept

  -- The natives, with a clock of ours and a client of the broker that only pretends.
  local function world()
    local function open_client()
      local client = {}
      function client.subscribe() end
      function client.step() return table.remove(events, 1) end
      function client.publish(_, topic)
        said[#said + 1] = topic
        return #said
      end
      function client.fd() return 1 end
      function client.wants_write() return false end
      function client.remaining() return 60000 end
      function client.close() end
      return client
    end
    return setmetatable({ mqtt = { open = open_client },
      loop = { now = function() return now end } }, { __index = natives })
  end

  local function open(options)
    options = options or {}
    kept = assert(keeper.open(world(), { dir = dir, mqtt = { host = "h", port = 1 }, auto = true,
      adopt = options.adopt, machine = options.machine and function() return options.machine end,
      on_event = function(event)
        local kind = event.kind
        if kind == "store" or kind == "clock" or kind == "rollout" then told[#told + 1] = event.text end
        if event.kind == "reports" then reports = reports + 1 end
      end,
      base = function() return "http://h" end, packages = function() return {} end,
      wall = function() return math.floor(now) + wall end }))
  end

  local function report(device)
    events[#events + 1] = { kind = "message", topic = "/ota/device/inform/pk/" .. device, qos = 1, retain = false,
      payload = json.encode { id = "1", params = { version = "1.0.0" } } }
  end

  local function step(seconds)
    for _ = 1, seconds or 1 do
      now = now + 1
      kept:step()
      kept:step() -- a commit comes when nothing more does
    end
  end

  local function devices()
    local names = {}
    local s <close> = setmetatable({ s = assert(store.open(natives, dir)) }, { __close = function(x) x.s:close() end })
    for i, row in ipairs(s.s:devices()) do names[i] = row.device end
    return table.concat(names, " ")
  end

  local function write(name, text)
    local file <close> = assert(io.open(dir .. "/" .. name, "wb"))
    file:write(text)
  end

  before_each(function()
    dir = home.make()
    events, told, said, reports, now, wall = {}, {}, {}, 0, 1000, 1767225600
  end)

  after_each(function()
    kept:close()
    home.remove()
  end)

  it("writes down what devices run on a day, the last count of it", function()
    local function days()
      local other, list = assert(store.open(natives, dir)), {}
      for _, row in ipairs(assert(other:products_seen())) do
        for _, day in ipairs(other:daily(row.hash, "0", "9")) do list[#list + 1] = day.day .. " " .. day.runs[1].n end
      end
      other:close()
      return table.concat(list, ", ")
    end
    open()
    report "a"
    step(2)
    assert.equal("2026-01-01 1", days())
    report "b"
    step(2)
    assert.equal("2026-01-01 1", days())
    step(2)
    now = now + 3600
    step(2)
    assert.equal("2026-01-01 2", days())
    report "c"
    now = now + 86400
    step(2)
    assert.equal("2026-01-01 2, 2026-01-02 3", days())
    wall = wall - 20 * 86400 -- the clock was wrong
    step(600)
    assert.matches("^2025%-12%-13 3, ", days())
  end)

  it("sets a damaged database aside, says so, and begins a new one", function()
    write("depot.db", ("x"):rep(4096))
    open()
    report "a"
    step(2)
    assert.equal("a", devices())
    assert.matches("depot%.db: file is not a database %(corrupt%); it is kept as .*/depot%.db%.damaged, and a new one "
      .. "is begun: give jobs and batches and add patches again", told[1])
    assert.equal(1, #told)
    local file <close> = assert(io.open(dir .. "/depot.db.damaged"))
    assert.equal(("x"):rep(4096), file:read "a")
  end)

  it("does the same when it is damaged while it is used", function()
    open()
    report "a"
    step(2)
    local other <close> = assert(natives.database.open(dir .. "/depot.db"))
    assert(other:execute "DROP TABLE device")
    other:close()
    report "b"
    step(20)
    assert.equal("b", devices())
    assert.matches("no such table: device %(corrupt%); packages are served meanwhile", told[1])
    assert.matches("a new one is begun", told[2])
    assert.equal("works again", told[3])
    assert.equal(3, #told)
  end)

  it("opens a database as soon as it can be opened, and logs each trouble once", function()
    assert(os.execute(("mkdir %s/depot.db"):format(dir)))
    open()
    step(20)
    assert.is_nil(kept:fd())
    assert.matches("unable to open database file %(write%); packages are served meanwhile", told[1])
    assert(os.execute(("rmdir %s/depot.db"):format(dir)))
    step(6)
    report "a"
    step(2)
    assert.equal("a", devices())
    assert.same({ 2, "works again" }, { #told, told[2] })
  end)

  it("stamps by the system's clock again after that was set back, each time", function()
    local function heard(device)
      local other = assert(store.open(natives, dir))
      local row = other:get("aliyun", "pk", device)
      other:close()
      return row.heard // 1000
    end
    open()
    for round = 1, 2 do
      report "a"
      step(2)
      assert.equal(now + wall - 1, heard "a")
      wall = wall - 7200
      step(70)
      assert.equal(round, #told)
      assert.is_true(heard "a" <= now + wall)
      report "b"
      step(2)
      assert.equal(now + wall - 1, heard "b")
    end
    assert.matches("the system's clock was set back", told[1], 1, true)
    wall = wall - 3
    step(120)
    assert.equal(2, #told)
  end)

  it("keeps messages while another process has locked the database", function()
    open()
    step()
    local other <close> = assert(natives.database.open(dir .. "/depot.db"))
    assert(other:execute "BEGIN IMMEDIATE")
    for _, name in ipairs { "a", "b", "c" } do
      report(name)
      step(3)
    end
    assert.matches("database is locked %(busy%); packages are served meanwhile", told[1])
    assert(other:execute "ROLLBACK")
    step(4)
    assert.equal("a b c", devices())
    assert.same({ 2, "works again" }, { #told, told[2] })
  end)

  it("keeps messages while the disk is full", function()
    open()
    step()
    local _, pages = next(kept.store.db:prepare("PRAGMA page_count"):first())
    assert(kept.store.db:execute(("PRAGMA max_page_count = %d"):format(pages))) -- SQLite's own words for a full disk
    local names = {}
    for i = 1, 200 do
      names[i] = ("device%03d"):format(i)
      report(names[i])
    end
    for _, topic in ipairs { "$ota/report/pk/t", "/sys/pk/a/thing/ota/firmware/get" } do
      events[#events + 1] = { kind = "message", topic = topic, qos = 1, retain = false, payload = json.encode {
        id = "1", type = "report_version", report = { version = "1.0.0" } } }
    end
    step(3)
    local before = #said
    step(20)
    assert.equal(before, #said) -- not again each time that it is tried
    assert.matches("database or disk is full %(nospace%); packages are served meanwhile", told[1])
    assert.equal(1, #told)
    assert(kept.store.db:execute "PRAGMA max_page_count = 1000000")
    step(4)
    table.insert(names, 1, "a")
    names[#names + 1] = "t"
    assert.equal(table.concat(names, " "), devices())
    assert.equal(201, reports) -- each is told of once, when it is written down
    assert.equal(before + 2, #said)
    assert.same({ 2, "works again" }, { #told, told[2] })
  end)

  it("writes a database again that was deleted", function()
    open()
    report "a"
    step(2)
    local secret = kept.store:secret(function() return "x" end)
    for _, side in ipairs { "", "-wal", "-shm" } do os.remove(dir .. "/depot.db" .. side) end
    report "b"
    step(3)
    report "c"
    step(2)
    assert.equal("a b c", devices())
    assert.equal(secret, kept.store:secret(function() return "x" end))
    assert.matches("depot%.db was removed, and is written again", told[1])
    assert.equal(1, #told)
    local pipe <close> = assert(io.popen("stat -c %a " .. dir .. "/depot.db"))
    assert.equal("600\n", pipe:read "a")
  end)

  it("takes over a database that was put in its place", function()
    open()
    report "a"
    step(2)
    kept.store.db:execute "PRAGMA wal_checkpoint(TRUNCATE)"
    assert(os.execute(("cp %s/depot.db %s/backup"):format(dir, dir)))
    report "b"
    step(2)
    assert(os.execute(("cd %s && rm depot.db-wal depot.db-shm && mv backup depot.db"):format(dir)))
    step(3)
    report "c"
    step(2)
    assert.equal("a c", devices())
    assert.matches("was replaced, and the new one is used", told[1])
  end)

  describe("with rollouts", function()
    -- Two that go on, and one that has ended.
    local function make()
      local s = assert(store.open(natives, dir))
      for _, state in ipairs { "running", "scheduled", "cancelled" } do
        local made = { package = "p", target = "2.0.0", hash = "h", state = state, starts_at = 9000000000000 }
        if state == "cancelled" then made.ended = 1 end
        assert(s:roll_out(made, 1))
      end
      s:close()
    end

    local function states()
      local parts = {}
      for i, rollout in ipairs(assert(kept.store:every_rollout(9))) do
        parts[i] = ("%s %s"):format(rollout.state, rollout.reason or "-")
      end
      return table.concat(parts, ", ")
    end

    local UNTOUCHED, PAUSED = "cancelled -, scheduled -, running -", "cancelled -, paused restored, paused restored"

    local function says_what_to_do()
      assert.matches("was restored or copied: 2 rollouts are paused", told[#told], 1, true)
      assert.matches("`moult depot rollout resume " .. dir .. " NUMBER` lets one go on", told[#told], 1, true)
    end

    it("goes on in its own folder, also after an adoption that was not needed", function()
      make()
      open { machine = "a" }
      kept:close()
      open { machine = "a", adopt = true }
      assert.equal(UNTOUCHED, states())
      assert.same({}, told)
    end)

    it("knows its folder by what an earlier version wrote", function()
      make()
      local s = assert(store.open(natives, dir))
      assert(s.statements.set:run("place", natives.folder.identity(dir):match "^%d+"))
      s:close()
      open { machine = "a" }
      assert.equal(UNTOUCHED, states())
      kept:close()
      open { machine = "b" }
      assert.is_nil(kept.store)
    end)

    it("knows a copy on another disk that has the same inode by chance", function()
      make()
      open { machine = "a" }
      kept:close()
      local s = assert(store.open(natives, dir))
      local inode, made = natives.folder.identity(dir):match "^(%d+):(%d+)$"
      assert(s:set_setting("place", ("%s:%d a"):format(inode, math.tointeger(tonumber(made)) - 1)))
      s:close()
      open { machine = "a" }
      assert.is_nil(kept.store)
    end)

    it("pauses them in a copy of the folder that is adopted, once", function()
      make()
      open()
      kept:close()
      -- While the first one is still there, so that its inode is not used again.
      assert(os.execute(("mv %s %s.first && cp -a %s.first %s && rm -r %s.first"):format(dir, dir, dir, dir, dir)))
      open()
      assert.is_nil(kept.store) -- it keeps off the broker
      kept:close()
      open { adopt = true }
      assert.equal(PAUSED, states())
      says_what_to_do()
      told = {}
      kept:close()
      open { adopt = true }
      assert.same({}, told)
    end)

    it("pauses them on another machine", function()
      make()
      open { machine = "a" }
      kept:close()
      open { machine = "b" }
      assert.is_nil(kept.store)
      kept:close()
      open { machine = "b", adopt = true }
      assert.equal(PAUSED, states())
      says_what_to_do()
    end)

    it("goes on while the machine has no name, and once it has one", function()
      make()
      for _, machine in ipairs { "", "a", "", "a" } do
        open { machine = machine }
        assert.is_truthy(kept.store)
        assert.same({}, told)
        kept:close()
      end
      open { machine = "b" } -- the name that was known still counts
      assert.is_nil(kept.store)
    end)

    it("pauses them when another database was put in the place of the open one", function()
      make()
      open()
      kept.store.db:execute "PRAGMA wal_checkpoint(TRUNCATE)"
      assert(os.execute(("cd %s && cp depot.db backup && rm depot.db-wal depot.db-shm && mv backup depot.db"):format(
        dir)))
      step(3)
      assert.equal(PAUSED, states())
      says_what_to_do()
    end)

    it("goes on when a deleted database was written again", function()
      make()
      open()
      for _, side in ipairs { "", "-wal", "-shm" } do os.remove(dir .. "/depot.db" .. side) end
      step(3)
      assert.equal(UNTOUCHED, states())
    end)
  end)

  it("outlives a message that it cannot bear", function()
    open()
    report "a"
    events[2] = { kind = "message", retain = false }
    report "b"
    step(8)
    assert.matches("%(internal%); packages are served meanwhile", told[1])
    assert.equal("a b", devices())
    assert.equal("works again", told[#told])
  end)

  it("fails at once if waiting does not help", function()
    open()
    local _, message, code = keeper.open(world(), { dir = dir, mqtt = { host = "h", port = 1 }, on_event = error,
      packages = function() return {} end })
    assert.same({ "another depot serves " .. dir, "busy" }, { message, code })
  end)

  it("replaces a damaged lock file", function()
    write("depot.lock", ("x"):rep(4096))
    open()
    report "a"
    step(2)
    assert.equal("a", devices())
    assert.same({}, told)
  end)
end)

-- Queries of a staged product that come together: one transaction, in which one fails alone, and answers after it.
--
-- The store process is real, and so is its database; the spec is the front. A kill is a process that is not stepped any
-- more, at a commit, and whose database is opened anew, as it is then on the disk.

local depot_pair = require "spec.support.depot_pair"
local depot_world = require "spec.support.depot_world"
local folders = require "spec.support.folder"
local natives = require "update.natives"
local store = require "depot.store"
local store_lines = require "depot.store_lines"
local store_process = require "depot.store_process"

describe("queries that come together", function()
  local dir, folder, process, lines, answers, told, commits

  -- A real store process, and what happens at each of its commits that changes something.
  local function start(at_commit)
    local ours, theirs = depot_pair.sockets()
    process = assert(store_process.open { channel = theirs, address = "127.0.0.1:1", scheme = "http",
      dir = dir .. "/packages", mqtt = { host = "127.0.0.1", port = 1 }, hold = 0, auto = false,
      on_message = function(event) told[#told + 1] = ("%s: %s"):format(event.kind, event.text) end })
    lines = store_lines.new(natives, ours)
    local kept = process.cloud.store
    local commit = kept.commit
    function kept.commit(self)
      if not self.changing then return commit(self) end
      commits = commits + 1
      return (at_commit or commit)(self, commit)
    end
  end

  -- It is gone, as by kill -9: nothing is closed in order.
  local function lose()
    process.cloud.store.db:close()
    process.cloud.cloud.lock:close()
    lines:close()
    process = nil
  end

  local function ask(...)
    for _, i in ipairs { ... } do
      assert(lines:send { id = i, answer = { method = "GET", path = "/api/site/firmware_upgrade",
        client = "127.0.0.1:1", headers = { host = "depot" }, query = { project_key = "pk", firmware_name = "METER",
          version = "1.0.0", imei = ("8667140400%05d"):format(i) } } })
    end
  end

  local function hear()
    for said in lines.receive, lines do
      if said.id then answers[said.id] = said.answer and (said.answer.path and 200 or said.answer.status) or "none" end
    end
  end

  local function step()
    assert(process:step(5))
    hear()
  end

  local function wait(what, done) return depot_world.wait(step, what, done) end

  -- What the devices with these numbers were answered, once they were.
  local function answered(...)
    local list = {}
    for i, id in ipairs { ... } do list[i] = wait("answer " .. id, function() return answers[id] end) end
    return list
  end

  -- Change the database as another program.
  local function execute(sql)
    wait("its commit", function() return not process.cloud.store.changing end)
    local db <close> = assert(natives.database.open(dir .. "/packages/depot.db"))
    assert(db:execute(sql))
  end

  -- Offers that are written, by number of the device; those that are not upgrading are left out.
  local function offers()
    local kept = assert(store.open(natives, dir .. "/packages"))
    local counts = {}
    for _, row in ipairs(kept:devices()) do
      if row.state == "upgrading" then counts[tonumber(row.device:sub(-5))] = row.offers end
    end
    kept:close()
    return counts
  end

  -- Offers that are recorded as events.
  local function recorded()
    local db <close> = assert(natives.database.open(dir .. "/packages/depot.db"))
    return db:prepare("SELECT count(*) AS n FROM event WHERE what = 'offered'"):first().n
  end

  before_each(function()
    dir = folders.new().make "packages/keys"
    folder = depot_world.folder(dir)
    folder.pack("METER_1.0.1.upd", "pk", 2, "1.0.1")
    answers, told, commits = {}, {}, 0
    start()
    local kept = process.cloud.store
    local entry = process.folder.packages[1]
    assert(kept:change())
    assert(kept:roll_out({ package = entry.manifest.digest, target = "1.0.1", hash = entry.manifest.product_key,
      wave_at = 1 }, os.time() * 1000))
    assert(kept:commit())
    commits = 0
  end)

  after_each(function()
    if process then process:close() end
    folder.remove()
  end)

  it("are one transaction, and answered after it", function()
    local commit = process.cloud.store.commit
    local before
    function process.cloud.store.commit(self)
      hear()
      before = before or next(answers)
      return commit(self)
    end
    ask(1, 2, 3, 4, 5)
    assert.same({ 200, 200, 200, 200, 200 }, answered(1, 2, 3, 4, 5))
    assert.same({ 1 }, { commits, before })
    assert.same({ 1, 1, 1, 1, 1 }, offers())
    assert.equal(5, recorded())
  end)

  it("lose none but the one that fails", function()
    execute [[CREATE TRIGGER bad BEFORE INSERT ON device WHEN NEW.device LIKE '%3' BEGIN
      SELECT RAISE(ABORT, 'no'); END]]
    ask(1, 2, 3, 4, 5)
    assert.same({ 200, 200, 503, 200, 200 }, answered(1, 2, 3, 4, 5))
    assert.same({ 1, 1, nil, 1, 1 }, offers())
    assert.equal(4, recorded())
    execute "DROP TRIGGER bad"
    ask(3)
    answers = {}
    assert.same({ 200 }, answered(3))
    assert.same({ 1, 1, 1, 1, 1 }, offers())
  end)

  it("lose none but the one that raises an error, which is told", function()
    local hearing = process.cloud.fleet.hearing
    local query = hearing.query
    function hearing.query(self, event, now)
      local given = query(self, event, now)
      if event.device:find "3$" then error "a fault of ours" end
      return given
    end
    ask(1, 2, 3, 4, 5)
    assert.same({ 200, 200, 503, 200, 200 }, answered(1, 2, 3, 4, 5))
    assert.same({ 1, 1, nil, 1, 1 }, offers())
    assert.equal(4, recorded())
    assert.matches("^store: a query of METER/866714040000003 failed: .*a fault of ours", told[1])
  end)

  it("are all refused if the whole transaction is lost, and nothing is left of it", function()
    execute [[CREATE TRIGGER bad BEFORE INSERT ON device WHEN NEW.device LIKE '%3' BEGIN
      SELECT RAISE(ROLLBACK, 'no'); END]]
    ask(1, 2, 3, 4, 5)
    assert.same({ 503, 503, 503, 503, 503 }, answered(1, 2, 3, 4, 5))
    assert.same({}, offers())
    assert.equal(0, recorded())
    execute "DROP TRIGGER bad"
    answers = {}
    wait("the end of the pause", function() return not process.cloud.fleet:is_paused() end)
    ask(1, 2, 3, 4, 5)
    assert.same({ 200, 200, 200, 200, 200 }, answered(1, 2, 3, 4, 5))
    assert.same({ 1, 1, 1, 1, 1 }, offers())
  end)

  it("are refused while the disk is full, and answered when it has room", function()
    local db = process.cloud.store.db
    local pages = db:prepare("PRAGMA page_count"):first().page_count
    assert(db:execute(("PRAGMA max_page_count = %d"):format(pages))) -- SQLite's own words for a full disk
    local refused, sent = 0, 0
    wait("a full disk", function()
      if sent > 0 and not answers[sent] then return end
      if answers[sent] == 503 then return true end
      sent = sent + 1
      ask(sent)
    end)
    for i = 1, sent do refused = refused + (answers[i] == 503 and 1 or 0) end
    local written = offers()
    for i = 1, sent do assert.equal(answers[i] == 200 and 1 or nil, written[i]) end
    assert.equal(1, refused)
    assert(db:execute "PRAGMA max_page_count = 1000000")
    wait("the end of the pause", function() return not process.cloud.fleet:is_paused() end)
    answers[sent] = nil
    ask(sent)
    assert.same({ 200 }, answered(sent))
  end)

  it("are refused while another program has locked the database", function()
    local db = assert(natives.database.open(dir .. "/packages/depot.db"))
    assert(db:execute "BEGIN IMMEDIATE")
    local tries = 0
    local change = process.cloud.store.change
    function process.cloud.store.change(self)
      tries = tries + 1
      return change(self)
    end
    ask(1, 2, 3, 4, 5)
    assert.same({ 503, 503, 503, 503, 503 }, answered(1, 2, 3, 4, 5))
    assert.equal(1, tries) -- each waits for the lock a little
    assert(db:execute "ROLLBACK")
    db:close()
    wait("the end of the pause", function() return not process.cloud.fleet:is_paused() end)
    answers = {}
    ask(1, 2)
    assert.same({ 200, 200 }, answered(1, 2))
  end)

  it("wait for another program that has locked the database for a moment", function()
    folder.write("hold.lua", ([[
      local natives = require "update.natives"
      local db = assert(natives.database.open %q)
      assert(db:execute "BEGIN IMMEDIATE")
      assert(io.open(%q, "w")):close()
      natives.loop.new():poll(300)
      assert(db:execute "COMMIT")]]):format(dir .. "/packages/depot.db", dir .. "/held"))
    assert(os.execute(("%s %s/hold.lua &"):format(require("update.native.host").program, dir)))
    wait("the lock", function() return natives.storage.read(dir .. "/held") end)
    ask(1, 2)
    assert.same({ 200, 200 }, answered(1, 2))
  end)

  for _, after in ipairs { false, true } do
    it(("lose nothing that was answered, and do nothing twice, when the process is killed %s the commit"):format(
      after and "after" or "before"), function()
      process:close()
      start(function(self, commit)
        if commits < 2 then return commit(self) end
        if after then assert(commit(self)) end
        error "killed"
      end)
      ask(1, 2)
      assert.same({ 200, 200 }, answered(1, 2))
      ask(3, 4, 5)
      assert.has_error(function() wait("the kill", function() return false end) end)
      hear()
      assert.same({ 200, 200 }, answers)
      lose()
      assert.same(after and { 1, 1, 1, 1, 1 } or { 1, 1 }, offers())
      start()
      ask(1, 2, 3, 4, 5) -- nobody knows whether the answers have arrived
      answers = {}
      assert.same({ 200, 200, 200, 200, 200 }, answered(1, 2, 3, 4, 5))
      assert.same({ 1, 1, 1, 1, 1 }, offers())
      assert.equal(5, recorded())
    end)
  end

  it("are heard no further while the front does not read, without a busy loop", function()
    local long = ("x"):rep(60000)
    local sent = 0
    while process.lines:queued() <= 131072 do
      assert(process.lines:send { id = 0, answer = { body = long } })
      sent = sent + 1
    end
    ask(1)
    local steps, till = 0, natives.loop.now() + 0.3
    while natives.loop.now() < till do
      assert(process:step(50))
      steps = steps + 1
    end
    assert.is_true(steps < 100, steps .. " steps")
    assert.same({}, answers)
    assert.same({ 200 }, answered(1))
    assert.is_true(sent > 2)
  end)
end)

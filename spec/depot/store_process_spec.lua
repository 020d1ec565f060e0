-- A depot whose store process is stopped, killed or told to end, with the real program.

local broker = require "spec.support.broker"
local catalog = require "depot.catalog"
local depot_world = require "spec.support.depot_world"
local folders = require "spec.support.folder"
local http_devices = require "depot.http_devices"
local natives = require "update.natives"
local raw = require "spec.support.raw_http"
local stores = require "depot.store"

describe("the store process of a depot", function()
  local b, dir, folder, package, depot, address, admin

  local function log() return folder.read "log" or "" end

  local function rest() os.execute "sleep 0.02" end

  local function wait(what, done)
    local till = natives.loop.now() + 20
    while true do
      local result = done()
      if result then return result end
      assert(natives.loop.now() < till, "nothing came of " .. what .. "; the log: " .. log())
      rest()
    end
  end

  local function number_of(command)
    local pipe <close> = io.popen(command)
    return pipe:read "n"
  end

  -- The pid of the store process, or nil.
  local function store() return number_of(("pgrep -f -- 'depot %s/packages .*--store-[o]f '"):format(dir)) end

  -- The pid of the front, which started it.
  local function front() return number_of(("ps -o ppid= -p %d"):format(store())) end

  local function signal(name, pid) assert(os.execute(("kill -%s %d"):format(name, pid))) end

  local function start(words)
    os.remove(dir .. "/log")
    depot = assert(natives.command.start { "sh", "-c",
      ("exec %s depot %s/packages --listen 127.0.0.1:0 --mqtt 127.0.0.1:%d %s >%s/log 2>&1"):format(
        require("update.native.host").program, dir, b.port, words or "", dir) })
    address = wait("the address", function() return log():match "listening on http://(%S+)" end)
  end

  local function get(target, headers) return raw.get(rest, address, target, headers) end

  local function times_said(text) return select(2, log():gsub(text, "")) end

  local CHECK = "/terminal/check?product=pk&id=t1&version=1.0.0"

  local function query(id)
    return "/api/site/firmware_upgrade?project_key=pk&firmware_name=METER&version=1.0.0&imei=" .. id
  end

  local function link()
    local body = get(CHECK).body
    return assert(body:match '"downfile":"([^"]+)"', body)
  end

  local function known()
    local ids = {}
    for _, row in ipairs(http_devices.read(natives, dir .. "/packages") or {}) do ids[row.device] = row.asked end
    return ids
  end

  lazy_setup(function() b = broker.start() end)
  lazy_teardown(function() b:close() end)

  before_each(function()
    local made = folders.new()
    dir = made.make "packages/keys"
    folder = depot_world.folder(dir)
    folder.pack("METER_1.0.1.upd", "pk", 2, "1.0.1")
    package = folder.read "packages/METER_1.0.1.upd"
  end)

  after_each(function()
    local left = store()
    if left then os.execute(("kill -CONT %d 2>/dev/null"):format(left)) end
    if depot then depot:close() end
    depot = nil
    wait("the end of the store process", function() return not store() end)
    folder.remove()
  end)

  it("is not needed for transfers, links and answers from memory, and the log says when it does not answer", function()
    start "--admin 127.0.0.1:0"
    admin = wait("the admin server", function() return log():match "admin on http://(%S+)" end)
    assert(os.execute(("%s depot product set %s/packages METER --mode auto >/dev/null"):format(
      require("update.native.host").program, dir)))
    local signed = wait("a link", function() return pcall(link) and link() end)
    assert.matches("Signature=", signed)
    wait("readiness", function() return raw.get(rest, admin, "/readyz").status == 200 end)
    signal("STOP", store())
    assert.equal(package, get(signed).body)
    assert.equal(package:sub(101), get(signed, { Range = "bytes=100-" }).body)
    assert.equal(403, get((signed:gsub("%x%x%x%x$", "0000"))).status)
    assert.equal(package, get("/METER_1.0.1.upd").body)
    assert.equal(package, get(query "1").body)
    local refused = get(CHECK)
    assert.same({ 503, "30" }, { refused.status, refused.headers["retry-after"] })
    wait("the word", function() return log():find("the process does not answer", 1, true) end)
    assert.same({ 200, 503 }, { raw.get(rest, admin, "/healthz").status, raw.get(rest, admin, "/readyz").status })
    assert.same({}, known())
    signal("CONT", store())
    wait("the end of it", function() return log():find("store: works again", 1, true) end)
    assert.matches('"update":true', get(CHECK).body)
    wait("readiness", function() return raw.get(rest, admin, "/readyz").status == 200 end)
    wait("the device", function() return known()["1"] == 1 end)
    assert.equal(1, times_said "the process does not answer")
  end)

  it("is started anew when it is killed, and told what it had not committed", function()
    start()
    local first, signed = store(), link()
    signal("STOP", first)
    for id = 1, 3 do assert.equal(200, get(query(id)).status) end
    signal("KILL", first)
    wait("the word", function() return log():find("store: the process ended", 1, true) end)
    assert.equal(package, get(signed).body)
    assert.equal(503, get(CHECK).status)
    assert.equal(200, get(query(4)).status)
    wait("another", function() return store() and store() ~= first end)
    wait("its answer", function() return get(CHECK).status == 200 end)
    wait("the devices", function()
      local ids = known()
      return ids["1"] and ids["2"] and ids["3"] and ids["4"]
    end)
    assert.same({ ["1"] = 1, ["2"] = 1, ["3"] = 1, ["4"] = 1 }, known())
    assert.equal(package, get(signed).body) -- the secret is the same
  end)

  -- What is written of each device that was offered its package: how often, and how many events say so.
  local function offered()
    local kept = assert(natives.database.open(dir .. "/packages/depot.db"))
    local found = {}
    for _, row in ipairs(kept:prepare([[SELECT device, offers, (SELECT count(*) FROM event
        WHERE event.device = device.device AND what = 'offered') AS n FROM device WHERE offers > 0]]):all()) do
      found[row.device] = { row.offers, row.n }
    end
    kept:close()
    return found
  end

  -- Devices ask at the same time. Returns those that were given the package when done() was true.
  local function ask_together(ids, done)
    local clients, given = {}, {}
    for i, id in ipairs(ids) do
      clients[i] = raw.connect(address)
      clients[i]:send(("GET %s HTTP/1.1\r\nHost: depot\r\nConnection: close\r\n\r\n"):format(query(id)))
    end
    local function count_given()
      for i, client in ipairs(clients) do
        if client.received:find("^HTTP/1.1 200 ") then given[ids[i]] = true end
      end
    end
    raw.pump(rest, clients, function()
      count_given()
      return done(clients)
    end)
    for _, client in ipairs(clients) do client:close() end
    return given
  end

  local function count(set)
    local n = 0
    for _ in pairs(set) do n = n + 1 end
    return n
  end

  local function all_answered(clients)
    for _, client in ipairs(clients) do
      if not client.closed then return false end
    end
    return true
  end

  local function release_to_all()
    local folder_of = catalog.new(natives, dir .. "/packages")
    assert(folder_of:refresh())
    local manifest = folder_of:packages()[1].manifest
    local kept = assert(stores.open(natives, dir .. "/packages"))
    assert(kept:change())
    assert(kept:roll_out({ package = manifest.digest, target = manifest.release, hash = manifest.product_key,
      wave_at = 1 }, os.time() * 1000))
    assert(kept:commit())
    kept:close()
  end

  for _, whom in ipairs { "store process", "front" } do
    it("gives nothing that is not written, and nothing twice, when the " .. whom .. " is killed", function()
      start "--staged --pace 1000"
      release_to_all()
      local left, last = {}, {}
      for turns = 0, 2 do
        local group = {}
        for i = 1, 8 do group[i] = ("8667140400%05d"):format(turns * 8 + i) end
        local killed, over = whom == "front" and front() or store(), turns
        local given = ask_together(group, function()
          over = over - 1
          return over < 0
        end)
        signal("KILL", killed)
        wait("its end", function() return not io.open(("/proc/%d/exe"):format(killed)) and store() ~= killed end)
        if whom == "front" then
          wait("the store's end", function() return not store() end)
          depot:close()
          start "--staged --pace 1000"
        end
        wait("the answer", function() return get(CHECK).status == 200 end)
        local written = offered()
        for _, id in ipairs(group) do left[id] = not given[id] or nil end
        for id in pairs(given) do assert.same({ 1, 1 }, written[id], id) end
        for id, was in pairs(last) do assert.same(was, written[id], id) end
        last = written
      end
      local group = {}
      for id in pairs(left) do group[#group + 1] = id end
      assert.equal(#group, count(ask_together(group, all_answered)))
      local written = offered()
      for i = 1, 24 do assert.same({ 1, 1 }, written[("8667140400%05d"):format(i)]) end
    end)
  end

  it("ends with the depot, however that ends, also when it is stopped", function()
    start()
    local pid = front()
    signal("STOP", store())
    signal("KILL", pid)
    wait("its end", function() return not store() end)
    depot:close()
    start() -- the folder is free
    get(query "1")
    signal("TERM", front())
    assert.equal(0, wait("the end", function() return depot:poll() end))
    assert.is_nil(store())
    assert.same({ ["1"] = 1 }, known())
  end)

  it("says why the depot does not start", function()
    start()
    local err = dir .. "/err"
    local _, _, status = os.execute(("%s depot %s/packages --listen 127.0.0.1:0 --mqtt 127.0.0.1:%d >/dev/null 2>%s")
      :format(require("update.native.host").program, dir, b.port, err))
    assert.not_equal(0, status)
    assert.matches("another depot serves", folder.read "err")
  end)
end)

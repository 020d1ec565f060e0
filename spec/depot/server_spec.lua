local depot = require "spec.support.depot_pair"
local folders = require "spec.support.folder"
local luat = require "update.cloud.luat"
local natives = require "update.natives"
local raw = require "spec.support.raw_http"
local recipe = require "cli.recipe"

describe("depot", function()
  local folder = folders.new()
  local dir, served, changes, requests

  local function write(name, text)
    local file = assert(io.open(dir .. "/" .. name, "wb"))
    file:write(text)
    file:close()
  end

  local function read(name)
    local file = assert(io.open(dir .. "/" .. name, "rb"))
    local text = file:read("a")
    file:close()
    return text
  end

  --- Make dir/packages/NAME.
  local function pack(name, sequence, version, extra, key)
    write("app/main.lua", ('PROJECT, VERSION = "METER", "%s"\n'):format(version))
    write("recipe.lua", ([[return { project = "METER", product_key = "k-123", sequence = %d, version = "%s",
      script = { dir = "app" }, %s }]]):format(sequence, version, extra or ""))
    local packer <close> = assert(natives.pack.open(assert(recipe.load(dir .. "/recipe.lua")),
      dir .. "/packages/" .. name, dir .. "/" .. (key or "release.key")))
    repeat
      local word = assert(packer:step())
    until word == "done"
  end

  local CORE = 'core = { name = "Luat_RDA8910", version = 22, image = "core.img" }'

  local function open(options)
    options = options or {}
    changes, requests = {}, {}
    options.dir, options.listen, options.hold = dir .. "/packages", "127.0.0.1:0", options.hold or 0
    function options.on_change(change)
      changes[#changes + 1] = change.name .. " " .. change.change .. (change.reason and ": " .. change.reason or "")
    end
    function options.on_request(event)
      requests[#requests + 1] = event
    end
    served = assert(depot.open(options))
  end

  local function step()
    assert(served:step(1))
  end

  local function get(target, headers, method)
    return raw.get(step, served:address(), target, headers, method)
  end

  --- What update.cloud.luat asks, as a target.
  local function query(fields, options)
    local device = { project = "METER", product_key = "k-123", id = "866714040000001", version = "1.0.0",
      core = { name = "Luat_RDA8910", version = 17 } }
    for name, value in pairs(fields or {}) do
      device[name] = value
    end
    options = options or {}
    options.url = "/api/site/firmware_upgrade"
    return assert(luat.request(device, options)).url
  end

  before_each(function()
    dir = folder.make("packages/keys", "app")
    assert(natives.minisign.keygen(dir .. "/release"))
    assert(os.rename(dir .. "/release.pub", dir .. "/packages/keys/release.pub"))
    write("core.img", ("core 22"):rep(20000))
  end)

  after_each(function()
    if served then
      served:close()
      served = nil
    end
    folder.remove()
  end)

  it("answers the 724U's query with the package, in ranges as it comes", function()
    pack("METER_1.0.1.upd", 2, "1.0.1", CORE)
    open()
    local whole = read("packages/METER_1.0.1.upd")
    assert.same({ 200, whole }, { get(query()).status, get(query()).body })
    local tag = get(query(), nil, "HEAD").headers.etag
    local part = get(query(), { Range = "bytes=1000-", ["If-Range"] = tag })
    assert.same({ 206, whole:sub(1001) }, { part.status, part.body })
    assert.equal(416, get(query(), { Range = ("bytes=%d-"):format(#whole) }).status)
    assert.same({ kind = "package" }, luat.decode(part))
  end)

  it("answers LuatOS's query", function()
    pack("METER_1.0.1.upd", 2, "1.0.1")
    open()
    local target = "/api/site/firmware_upgrade?imei=866714040000001&project_key=k-123"
      .. "&firmware_name=METER_LuatOS-SoC_Air780EHM&version=2012.%s"
    assert.same({ 200, read("packages/METER_1.0.1.upd") },
      { get(target:format("1.0")).status, get(target:format("1.0")).body })
    assert.equal(404, get(target:format("1.1")).status)
  end)

  it("refuses with the platform's codes, which the device understands", function()
    pack("METER_1.0.1.upd", 2, "1.0.1", CORE)
    open()
    local cases = {
      { query { version = "1.0.1", core = { name = "Luat_RDA8910", version = 22 } }, 404, "nothing", 27 },
      { query { product_key = "other" },                                             404, "missing", 25 },
      { query { project = "PUMP" },                                                  404, "missing", 26 },
      { query { core = { name = "Luat_ASR1802", version = 17 } },                    404, "missing", 26 },
      { "/api/site/firmware_upgrade",                                                403, "refused", 3 },
    }
    for _, case in ipairs(cases) do
      local answer = get(case[1])
      local got, message, code, number = luat.decode(answer)
      assert.is_nil(got)
      assert.matches(("(code %d)"):format(case[4]), message, 1, true)
      assert.same({ case[2], case[3], case[4] }, { answer.status, code, number })
    end
  end)

  it("gives a link that serves the package", function()
    pack("METER 1.0.1.upd", 2, "1.0.1")
    open()
    local said = luat.decode { status = 302, location = get(query(nil, { redirect = true })).headers.location }
    assert.equal("redirect", said.kind)
    local target = said.url:match("^http://depot(/.*)$")
    assert.equal(read("packages/METER 1.0.1.upd"), get(target).body)
  end)

  describe("writes down who asks:", function()
    local http_devices = require "depot.http_devices"

    local function known()
      served:close()
      local lines = {}
      for _, row in ipairs(assert(http_devices.read(natives, dir .. "/packages"))) do
        assert.is_true(math.abs(row.heard // 1000 - os.time()) < 300)
        lines[#lines + 1] = ("%s %s %s %s %s %d"):format(row.product, row.device, row.release, row.target, row.state,
          row.asked)
      end
      return lines
    end

    it("with its release, the package that it was given, and its success", function()
      pack("a.upd", 2, "1.0.1")
      open()
      get(query { id = "1" })
      get(query { id = "2" })
      get(query { id = "2", version = "1.0.1" })
      get(query { id = "3", product_key = "a stranger's" })
      get "/api/site/firmware_upgrade"
      get(query { id = "4", version = "2.0.0", core = false })
      local name = "METER_Luat_RDA8910"
      assert.same({ "METER 4 2.0.0 nil nil 1", name .. " 1 1.0.0-V17 1.0.1 given 1",
        name .. " 2 1.0.1-V17 1.0.1 succeeded 2" }, known())
      open()
      get(query { id = "1" })
      assert.same(name .. " 1 1.0.0-V17 1.0.1 given 2", known()[2])
    end)

    it("until the table is full, and then those that it knows", function()
      local said = {}
      pack("a.upd", 2, "1.0.1")
      open { on_warning = function(text) said[#said + 1] = text end }
      served.http_devices.most = 2
      for id = 1, 5 do assert.equal(200, get(query { id = tostring(id) }).status) end
      raw.pump(step, {}, function() return #said > 0 end)
      assert.equal(2, #known())
      assert.equal(1, #said)
      assert.matches("luat.db has 2 devices and takes in no more", said[1])
      local one = known()[1]:match "RDA8910 (%d)"
      open()
      served.http_devices.most = 2
      get(query { id = one })
      get(query { id = "9" })
      local lines = known()
      assert.equal(2, #lines)
      assert.matches(("RDA8910 %s .* 2$"):format(one), lines[1])
    end)

    it("in a new database when the old one is damaged, while status shows what it can read", function()
      local said, status = {}, require "depot.actions.status"
      pack("a.upd", 2, "1.0.1")
      for round = 1, 2 do
        assert(os.execute(("rm -f '%s/packages/'luat.db*"):format(dir)))
        write("packages/luat.db", ("no database "):rep(100))
        local notes, env = {}, { out = function() end }
        function env.note(text) notes[#notes + 1] = text end
        assert.equal(0, status.run { dir = dir .. "/packages", opts = {}, env = env, natives = natives })
        assert.matches("devices that ask over HTTP are not shown: .*luat%.db: file is not a database", notes[1])
        open { on_warning = function(text) said[#said + 1] = text end }
        get(query { id = tostring(round) })
        assert.matches(("METER_Luat_RDA8910 %d 1%%.0%%.0%%-V17"):format(round), known()[1])
        assert.matches("not a database; it is kept as .*/luat%.db%.damaged, and a new one is begun", said[round])
      end
      assert.equal(2, #said)
    end)

    it("and answers even if it cannot write, which it says once", function()
      local said = {}
      assert(os.execute(("mkdir '%s/packages/luat.db'"):format(dir)))
      pack("a.upd", 2, "1.0.1")
      open { on_warning = function(text) said[#said + 1] = text end }
      for i = 1, 3 do assert.equal(200, get(query { id = tostring(i) }).status) end
      raw.pump(step, {}, function() return #said > 0 end)
      served:close()
      assert.equal(1, #said)
      assert.matches("^devices that ask over HTTP are not recorded: ", said[1])
    end)
  end)

  it("takes a package that is named .tar", function()
    pack("METER_1.0.1.tar", 2, "1.0.1")
    write("packages/backup.tar", ("no package"):rep(1000))
    open()
    assert.equal(read("packages/METER_1.0.1.tar"), get(query()).body)
    assert.matches("backup.tar skipped: ", changes[2], 1, true)
  end)

  it("leads to the proxy before it, and has the device's address in its log", function()
    pack("a.upd", 2, "1.0.1")
    open()
    local asked = query(nil, { redirect = true })
    assert.equal("http://depot/a.upd", get(asked).headers.location)
    assert.equal("https://ota.example/a.upd", get(asked, { ["X-Forwarded-Proto"] = "https",
      ["X-Forwarded-Host"] = "ota.example", ["X-Forwarded-For"] = "198.51.100.7" }).headers.location)
    assert.equal("https://depot/a.upd", get(asked, { ["X-Forwarded-Proto"] = "https" }).headers.location)
    raw.pump(step, {}, function() return #requests == 3 end)
    assert.same({ "127.0.0.1", "198.51.100.7", "127.0.0.1" },
      { requests[1].client, requests[2].client, requests[3].client })
    served:close()
    open { url = "https://other.example/ota/" }
    assert.equal("https://other.example/ota/a.upd", get(asked, { ["X-Forwarded-Proto"] = "http" }).headers.location)
  end)

  it("keeps a package for the devices on its list", function()
    pack("METER_1.0.1.upd", 2, "1.0.1")
    pack("METER_1.0.2.upd", 3, "1.0.2")
    write("packages/METER_1.0.2.upd.devices", "# field test\n866714040000002\n")
    open()
    assert.equal(read("packages/METER_1.0.1.upd"), get(query()).body)
    assert.equal(read("packages/METER_1.0.2.upd"), get(query { id = "866714040000002" }).body)
    assert.equal(404, get(query { version = "1.0.1" }).status)
    assert.equal(404, get("/METER_1.0.2.upd.devices").status)
    write("packages/METER_1.0.2.upd.devices", "866714040000001\n866714040000002\n")
    served:look()
    assert.equal(read("packages/METER_1.0.2.upd"), get(query()).body)
  end)

  it("keeps a package limited when its list goes, or cannot be read", function()
    pack("METER_1.0.1.upd", 2, "1.0.1")
    write("packages/METER_1.0.1.upd.devices", "866714040000001\n")
    open()
    assert.equal(200, get(query()).status)
    os.remove(dir .. "/packages/METER_1.0.1.upd.devices")
    served:look()
    assert.equal(404, get(query()).status)
    assert.equal(404, get(query { id = "866714040000002" }).status)
    write("packages/METER_1.0.1.upd.devices", "866714040000001,Anna\n")
    served:look()
    assert.equal(404, get(query { id = "866714040000002" }).status)
    assert.matches("line 1: several columns", changes[#changes], 1, true)
    os.remove(dir .. "/packages/METER_1.0.1.upd.devices")
    served:look()
    assert.equal(404, get(query()).status)
    write("packages/METER_1.0.1.upd.devices", "866714040000001\n")
    served:look()
    assert.equal(200, get(query()).status)
  end)

  for what, make in pairs { ["a link that leads nowhere"] = "ln -s away", ["a folder"] = "mkdir",
    ["a pipe"] = "mkfifo" } do
    it(("gives a package to nobody that has %s for a list"):format(what), function()
      pack("METER_1.0.1.upd", 2, "1.0.1")
      assert(os.execute(("%s '%s/packages/METER_1.0.1.upd.devices'"):format(make, dir)))
      open()
      assert.equal(404, get(query()).status)
      assert.matches("METER_1.0.1.upd.devices: not a regular file", changes[1], 1, true)
      assert(os.remove(dir .. "/packages/METER_1.0.1.upd.devices"))
      write("packages/METER_1.0.1.upd.devices", "*\n")
      served:look()
      assert.equal(200, get(query()).status)
    end)
  end

  it("keeps it limited over a restart, until a list says that it is for all", function()
    pack("METER_1.0.1.upd", 2, "1.0.1")
    write("packages/METER_1.0.1.upd.devices", "866714040000001\n")
    open()
    served:close()
    os.remove(dir .. "/packages/METER_1.0.1.upd.devices")
    open()
    assert.equal(404, get(query()).status)
    assert(os.rename(dir .. "/packages/METER_1.0.1.upd", dir .. "/away.upd"))
    served:look()
    assert(os.rename(dir .. "/away.upd", dir .. "/packages/METER_1.0.1.upd"))
    served:look()
    assert.equal(404, get(query()).status)
    write("packages/METER_1.0.1.upd.devices", "# everybody\n*\n")
    served:look()
    assert.equal(200, get(query()).status)
    served:close()
    os.remove(dir .. "/packages/METER_1.0.1.upd.devices")
    open()
    assert.equal(200, get(query()).status)
  end)

  it("gives a package that comes without its list to nobody, as long as that may still come", function()
    pack("METER_1.0.1.upd", 2, "1.0.1")
    open { hold = 3600 }
    pack("METER_1.0.2.upd", 3, "1.0.2")
    served:look()
    local answer = get(query { version = "1.0.1" })
    assert.equal("wait", luat.decode(answer).kind)
    write("packages/METER_1.0.2.upd.devices", "866714040000002\n")
    served:look()
    assert.equal(404, get(query { version = "1.0.1" }).status)
    assert.equal(200, get(query { version = "1.0.1", id = "866714040000002" }).status)
    assert.same({ "METER_1.0.1.upd added", "METER_1.0.2.upd added" }, changes)
  end)

  it("gives it to all by itself when no list has come for a while", function()
    open { hold = 0.1 }
    pack("METER_1.0.1.upd", 2, "1.0.1")
    raw.pump(step, {}, function() return #changes == 1 end)
    assert.same({ "METER_1.0.1.upd added" }, changes)
    assert.equal(200, get(query()).status)
  end)

  it("sees packages come, change and go", function()
    open()
    assert.equal(404, get(query()).status)
    pack("a.upd", 2, "1.0.1")
    raw.pump(step, {}, function() return #changes == 1 end) -- by itself
    assert.equal(200, get(query()).status)
    pack("a.upd", 3, "1.0.2")
    served:look()
    assert.equal(200, get(query { version = "1.0.1" }).status)
    assert(os.remove(dir .. "/packages/a.upd"))
    assert.equal(404, get("/a.upd").status)
    served:look()
    assert.equal(404, get(query()).status)
    assert.same({ "a.upd added", "a.upd changed", "a.upd removed" }, changes)
  end)

  it("warns of a sequence that is far above the others", function()
    pack("a.upd", 2, "1.0.1")
    open()
    assert.is_nil(served.folder.catalog:refresh()[1])
    pack("b.upd", (1 << 40) + 2, "1.0.2")
    assert.is_nil(served.folder.catalog:refresh()[1].warning)
    pack("c.upd", (1 << 41) + 3, "1.0.3")
    assert.matches("sequence 2199023255555 is more than 2^40 above the newest other one here, 1099511627778",
      served.folder.catalog:refresh()[1].warning, 1, true)
  end)

  it("has a package that was copied in just before the query", function()
    open()
    -- Where looking takes long it is done less often.
    local function ask(target, headers)
      while natives.loop.now() < served.folder.again do step() end
      return get(target, headers).status
    end
    pack("METER_1.0.1.upd", 2, "1.0.1")
    assert.equal(200, ask "/METER_1.0.1.upd")
    pack("METER_1.0.2.upd", 3, "1.0.2")
    assert.equal(200, ask "/METER_1.0.2.upd")
    os.remove(dir .. "/packages/METER_1.0.1.upd")
    os.remove(dir .. "/packages/METER_1.0.2.upd")
    get "/nothing"
    pack("METER_1.0.3.upd", 4, "1.0.3")
    assert.equal(206, ask(query(), { Range = "bytes=0-" }))
  end)

  it("says once that the folder is gone, and that it is back", function()
    local said = {}
    pack("a.upd", 2, "1.0.1")
    open { on_warning = function(text) said[#said + 1] = text end }
    assert(os.rename(dir .. "/packages", dir .. "/away"))
    for _ = 1, 3 do
      assert.equal(404, get("/a.upd").status)
      assert.equal(404, get("/b.upd").status)
    end
    raw.pump(step, {}, function() return #said > 0 end)
    assert(os.rename(dir .. "/away", dir .. "/packages"))
    raw.pump(step, {}, function() return #said > 1 end)
    assert.equal(200, get("/a.upd").status)
    assert.matches("packages: No such file or directory %(missing%); packages that were known before are still "
      .. "offered$", said[1])
    assert.matches("packages: is there again$", said[2])
    assert.equal(2, #said)
  end)

  it("does not look through the folder for each who asks", function()
    pack("a.upd", 2, "1.0.1")
    open()
    local begun, looks, last = natives.loop.now(), 0, nil
    repeat get(query { version = "1.0.1" }) until natives.loop.now() - begun > 0.5 -- now it is settled
    begun = natives.loop.now()
    for _ = 1, 100 do
      get(query { version = "1.0.1" })
      if served.folder.looked ~= last then looks, last = looks + 1, served.folder.looked end
    end
    assert.is_true(looks <= 2 + (natives.loop.now() - begun) // require("depot.folder_watch").LOOK)
  end)

  it("reads many packages that come at once in several looks", function()
    local now = 0
    local catalog = require("depot.catalog").new(setmetatable({ loop = { now = function()
      now = now + 0.02
      return now
    end } }, { __index = natives }), dir .. "/packages", nil, 0)
    assert(catalog:refresh())
    for i = 1, 10 do pack(i .. ".upd", i + 1, "1.0." .. i) end
    local looks, seen = 0, 0
    repeat
      local news = assert(catalog:refresh())
      for _, change in ipairs(news) do
        assert.equal("added", change.change)
      end
      looks, seen = looks + 1, seen + #news
      assert.equal(seen, #catalog:packages())
    until not catalog.unfinished
    assert.equal(10, seen)
    assert.is_true(looks >= 5 and looks <= 10)
  end)

  it("offers nothing that it cannot verify, and says why", function()
    assert(natives.minisign.keygen(dir .. "/stranger"))
    pack("a.upd", 2, "1.0.1", nil, "stranger.key")
    pack("b.upd", 2, "1.0.1")
    local whole = read("packages/b.upd")
    write("packages/b.upd", whole:sub(1, #whole - 512))
    write("packages/c.upd", "no package")
    open()
    assert.equal(404, get(query()).status)
    assert.equal(3, #changes)
    assert.matches("^a%.upd skipped: .*%(untrusted%)$", changes[1])
    assert.matches("^b%.upd skipped: .*%(corrupt%)$", changes[2])
    assert.matches("^c%.upd skipped: ", changes[3])
    assert.equal(200, get("/a.upd").status) -- devices check for themselves
    assert(os.rename(dir .. "/stranger.pub", dir .. "/packages/keys/stranger.pub"))
    served:look()
    assert.equal(read("packages/a.upd"), get(query()).body)
  end)

  for _, place in ipairs { "packages/other.pub", "packages/keys/other.pub", "elsewhere.pub" } do
    it("finds its keys at " .. place, function()
      pack("a.upd", 2, "1.0.1")
      assert(os.rename(dir .. "/packages/keys/release.pub", dir .. "/" .. place))
      open { keys = place == "elsewhere.pub" and dir .. "/" .. place or nil }
      assert.same({ "a.upd added" }, changes)
    end)
  end

  it("continues a download when a newer package comes", function()
    pack("a.upd", 2, "1.0.1", CORE)
    open()
    local whole = read("packages/a.upd")
    local first = get(query(), { Range = "bytes=0-99" })
    pack("b.upd", 3, "1.0.2", CORE)
    served:look()
    local rest = get(query(), { Range = "bytes=100-", ["If-Range"] = first.headers.etag })
    assert.same({ 206, whole }, { rest.status, first.body .. rest.body })
    assert.equal(read("packages/b.upd"), get(query()).body)
  end)

  it("serves a hundred devices at once", function()
    pack("a.upd", 2, "1.0.1", CORE .. ', block_size = 4096')
    open()
    local whole = read("packages/a.upd")
    local clients, done = {}, 0
    for i = 1, 100 do
      clients[i] = raw.connect(served:address())
      clients[i]:send("GET " .. query { id = "device-" .. i } .. " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    end
    raw.pump(step, clients, function()
      done = 0
      for _, client in ipairs(clients) do
        done = done + (client.closed and 1 or 0)
      end
      return done == 100 and #requests == 100
    end)
    for i, client in ipairs(clients) do
      assert.equal(whole, client:answer().body)
      assert.matches("^imei=device%-%d+ core_version=17 version=1.0.0 %-> a.upd %(full, no smaller", requests[i].note)
      client:close()
    end
  end)

  it("binds by the pace who is given a package: some wait, others come again, nobody else does", function()
    pack("a.upd", 2, "1.0.1", CORE)
    open { pace = 2, connections = 12 }
    local now, clients = 0, {}
    served.pace.clock, served.pace.refilled = function() return now end, 0
    for i = 1, 5 do
      clients[i] = raw.connect(served:address())
      clients[i]:send("GET " .. query({ id = "device-" .. i }, { redirect = i > 1 })
        .. " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
      raw.pump(step, { clients[i] }, function() return clients[i].closed or served.turns.last == i - 1 end)
    end
    raw.pump(step, clients, function() return #requests == 2 end)
    assert.same({ 200, 404 }, { clients[1]:answer().status, clients[5]:answer().status })
    local wait = tonumber(clients[5]:answer().headers["retry-after"])
    assert.is_true(wait >= 20 and wait <= 40)
    assert.same({ "wait", wait }, (function(said) return { said.kind, said.seconds } end)(luat.decode { status = 404,
      body = clients[5]:answer().body, retry_after = wait }))
    assert.same({ 206, 404, 200, 200 }, { get(query(), { Range = "bytes=1000-" }).status,
      get(query { version = "1.0.1", core = { name = "Luat_RDA8910", version = 22 } }).status,
      get(query(), nil, "HEAD").status, get("/a.upd").status })
    for i = 2, 4 do
      assert.is_nil(clients[i]:answer())
      now = now + 500
      raw.pump(step, clients, function() return clients[i].closed end)
      assert.equal(302, clients[i]:answer().status)
    end
  end)

  it("says that a file is missing or cannot be read", function()
    open()
    assert.same({ 404, "application/json" }, { get("/absent").status, get("/absent").headers["content-type"] })
    assert.equal(405, get("/", nil, "DELETE").status)
    assert.equal("no packages\n", get("/").body)
    local got, message, code = depot.open { dir = dir .. "/absent", listen = "127.0.0.1:0" }
    assert.is_nil(got)
    assert.matches("absent", message, 1, true)
    assert.equal("missing", code)
    got, message, code = depot.open { dir = dir, listen = served:address() }
    assert.is_nil(got)
    assert.matches(served:address(), message, 1, true)
    assert.equal("network", code)
  end)

  describe("verb", function()
    local verb = require "cli.verbs.depot"
    local pipe, pid

    --- Run `moult depot` on the packages as a process of its own; its address.
    local function run(words)
      pipe = assert(io.popen(("echo $$; exec /proc/$PPID/exe depot %s/packages --listen 127.0.0.1:0 %s 2>%s/err")
        :format(dir, words, dir)))
      pid = pipe:read("l")
      return assert(pipe:read("l"):match("^listening on http://(127%.0%.0%.1:%d+)$"))
    end

    after_each(function()
      if pipe and io.type(pipe) == "file" then -- the spec failed
        os.execute("kill " .. pid)
        pipe:close()
      end
      pipe = nil
    end)

    local function nothing() end

    for _, signal in ipairs { "TERM", "INT" } do
      it(("says where it listens, a line a request, and ends with 0 on SIG%s"):format(signal), function()
        pack("a.upd", 2, "1.0.1")
        local address = run("")
        assert.equal(5120, #raw.get(nothing, address, query()).body)
        assert.equal(404, raw.get(nothing, address, "/absent?project_key=k-123").status)
        assert.matches("^127%.0%.0%.1 GET /api/site/firmware_upgrade imei=866714040000001 core_version=17 "
          .. "version=1%.0%.0 %-> a%.upd 200 5120 bytes %d+ ms$", pipe:read("l"))
        assert.matches("^127%.0%.0%.1 GET /absent 404 %d+ bytes %d+ ms$", pipe:read("l"))
        assert(os.execute(("kill -%s %s"):format(signal, pid)))
        assert.equal("", pipe:read("a"))
        assert.same({ true, "exit", 0 }, { pipe:close() })
        assert.equal("a.upd: added\n", read("err"))
      end)
    end

    it("says with -q why nobody gets a package, and nothing else", function()
      pack("a.upd", 2, "1.0.1")
      write("packages/b.upd", "no package")
      local address = run("-q")
      raw.get(nothing, address, "/")
      assert(os.execute("kill " .. pid))
      assert.equal("", pipe:read("a"))
      pipe:close()
      assert.matches("^b%.upd: skipped: [^\n]+ %(corrupt%)\n$", read("err"))
    end)

    it("writes JSON when it is told to", function()
      local address = run("--json")
      raw.get(nothing, address, "/")
      local event = assert(natives.json.decode(pipe:read("l")))
      assert.same({ "GET", "/", 200, true }, { event.method, event.path, event.status, event.complete })
      assert(os.execute("kill " .. pid))
      assert.same({ true, "exit", 0 }, { pipe:close() })
    end)

    it("serves on while nobody reads its log, and says so to who does again", function()
      local address = run("--json")
      local function ask(n)
        for i = 1, n do
          assert.equal(404, raw.get(nothing, address, ("/%d%s"):format(i, ("x"):rep(900))).status)
        end
      end
      ask(100) -- a pipe holds 64 of these
      for _ = 1, 50 do assert(natives.json.decode(pipe:read("l"))) end
      ask(1)
      assert(os.execute("kill " .. pid))
      assert.is_nil(pipe:read("a"):find("dropped", 1, true)) -- who parses it is not told in the midst of it
      assert.matches("moult: %d+ lines of the log were dropped", read("err"))
      assert.same({ true, "exit", 0 }, { pipe:close() })
    end)

    it("makes text from strangers printable", function()
      local address = run("--json")
      raw.get(nothing, address, "/x%ff%e2%80%ae")
      assert.equal("/x??", assert(natives.json.decode(pipe:read("l"))).path)
      raw.get(nothing, address, "/" .. ("y"):rep(9000))
      assert.equal(1024, #assert(natives.json.decode(pipe:read("l"))).path)
      assert(os.execute("kill " .. pid))
      assert.same({ true, "exit", 0 }, { pipe:close() })
    end)

    it("has as many connections as it is told", function()
      local address = run("--connections 1")
      local first = raw.connect(address):send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      raw.pump(nothing, { first }, function() return first:answer() end)
      assert.equal(503, raw.get(nothing, address, "/").status)
      first:close()
      assert.matches("GET / 200", pipe:read("l") .. pipe:read("l"))
      assert(os.execute("kill " .. pid))
      pipe:close()
      assert.equal("usage", select(3, verb.run({ positional = { dir }, opts = { connections = "0" } },
        { out = error, note = error })))
    end)

    it("refuses a base that is not a URL, and an invalid address", function()
      local env = { out = error, note = error }
      assert.equal("usage", select(3, verb.run({ positional = { dir }, opts = { url = "cdn" } }, env)))
      for _, url in ipairs { "https://h/ota?x=1", "https://h/#a", "https://u:p@h/", "http://h:0", "http://h:99999",
        "http:///x", "ftp://h", "http://?x" } do
        local _, message, code = verb.run({ positional = { dir .. "/absent" }, opts = { url = url } }, env)
        assert.equal("usage", code, url)
        assert.matches("^%-%-url ", message)
      end
      for _, url in ipairs { "https://h.example/ota", "http://[::1]:8080", "http://h:1/" } do
        assert.equal("missing", select(3, verb.run({ positional = { dir .. "/absent" }, opts = { url = url } }, env)))
      end
      assert.equal("usage", select(3, verb.run({ positional = { dir }, opts = { listen = "8080" } }, env)))
      local _, message, code = verb.run({ positional = { dir }, opts = { mqtt = "u:geheim@h:1883" } }, env)
      assert.equal("usage", code)
      assert.is_nil(message:find("geheim", 1, true))
      assert.equal("missing", select(3, verb.run({ positional = { dir .. "/absent" }, opts = {} }, env)))
    end)
  end)
end)

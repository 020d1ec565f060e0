-- The actions of `moult depot`, with the program itself as depot, killed and
-- started anew; devices are plain clients of the broker.

local has_host, host = pcall(require, "update.native.host")
if not has_host then
  describe("depot actions", function() pending "need the host" end)
  return
end

local broker = require "spec.support.broker"
local natives = require "update.natives"
local shared = require "spec.support.depot_world"

local ALIYUN, TENCENT = "a1TestPK001", "QRSTUV1234"

describe("depot actions", function()
  local b, dir, folder, pid, loop, clients

  local function write(...) return folder.write(...) end

  local function read(...) return folder.read(...) end

  local function step()
    local watches = {}
    for _, client in ipairs(clients) do
      local fd = client.mqtt:fd()
      if fd then watches[#watches + 1] = { fd = fd, read = true, write = client.mqtt:wants_write() } end
    end
    assert(loop:poll(20, watches))
    shared.take(clients)
  end

  local function wait(what, done) return shared.wait(step, what, done) end

  -- Start the depot, and wait until it is there.
  local function serve(options)
    write("depot.log", "")
    assert(os.execute(("cd '%s' && { exec '%s' depot packages --listen 127.0.0.1:0 --mqtt 127.0.0.1:%d --settle 0 %s "
      .. ">depot.log 2>&1 </dev/null & } ; echo $! >pid"):format(dir, host.program, b.port, options or "")))
    pid = read("pid"):match "%d+"
    wait("the depot's start", function() return read("depot.log"):find("mqtt: listening", 1, true) end)
  end

  local function has_ended()
    local file = io.open("/proc/" .. pid .. "/stat")
    local stat = file and file:read "l"
    if file then file:close() end
    return not stat or stat:match "%) (%a)" == "Z"
  end

  local function stop(signal)
    if pid then
      os.execute(("kill -%s %s 2>/dev/null"):format(signal or "TERM", pid))
      wait("the depot's end", has_ended)
    end
    pid = nil
  end

  -- Start an action; its result() is output and exit code once it has ended.
  local function begin(line)
    local name = os.tmpname()
    assert(os.execute(("{ cd '%s'; '%s' depot %s >'%s' 2>&1; echo \"exit $?\" >>'%s'; } </dev/null >/dev/null 2>&1 &")
      :format(dir, host.program, line, name, name)))
    return function()
      local text
      wait(line, function()
        local file <close> = assert(io.open(name, "rb"))
        text = file:read "a"
        return text:find "exit %d+\n$"
      end)
      os.remove(name)
      local output, code = text:match "^(.*)exit (%d+)\n$"
      return tonumber(code), output
    end
  end

  local function act(line)
    return begin(line)()
  end

  -- Fetch it into `got`; the number of the answer.
  local function fetch(url)
    local pipe <close> = assert(io.popen(("curl -s -o '%s/got' -w '%%{http_code}' '%s'"):format(dir, url)))
    return pipe:read "a"
  end

  local function status()
    local code, output = act "status packages --json"
    assert.equal(0, code, output)
    return assert(natives.json.decode(output))
  end

  local function device(name, cloud)
    local client = { name = name, inbox = {} }
    client.mqtt = assert(natives.mqtt.open { host = "127.0.0.1", port = b.port, client_id = "device-" .. name,
      back_off_min = 0.02, back_off_max = 0.1 })
    client.mqtt:subscribe(cloud == "tencent" and "$ota/update/" .. TENCENT .. "/" .. name
      or "/ota/device/upgrade/" .. ALIYUN .. "/" .. name, 1)
    clients[#clients + 1] = client
    function client:say(kind, params)
      assert(self.mqtt:publish(("/ota/device/%s/%s/%s"):format(kind, ALIYUN, self.name),
        natives.json.encode { id = "1", params = params }, 1))
    end
    function client:hear()
      return shared.hear(wait, self).data
    end
    wait(name .. " subscribing", function() return client.subscribed end)
    return client
  end

  local function shown(name)
    for _, d in ipairs(status().devices) do
      if d.device == name then return d end
    end
  end

  local function becomes(client, state)
    return wait(client.name .. " being " .. state, function()
      local d = shown(client.name)
      return d and d.state == state and d
    end)
  end

  -- A device that is heard of with this release.
  local function known(name, release)
    local d = device(name)
    d:say("inform", { version = release })
    wait(name .. " being heard of", function() return shown(name) end)
    return d
  end

  setup(function()
    b = broker.start()
    loop = assert(natives.loop.new())
    dir = b.dir .. "/depot"
    folder = shared.folder(dir)
    folder.pack("old.upd", ALIYUN, 1, "1.0.0")
    folder.pack("new.upd", ALIYUN, 2, "2.0.0")
    folder.pack("t.upd", TENCENT, 2, "0.2")
  end)

  teardown(function()
    loop:close()
    b:close()
  end)

  before_each(function() clients = {} end)

  after_each(function()
    stop()
    for _, client in ipairs(clients) do client.mqtt:close() end
    assert(os.execute(("cd '%s/packages' && rm -f *.db* depot.* *.devices .limited .withdrawn .disabled "
      .. ".products"):format(dir)))
    collectgarbage()
  end)

  it("verify a package on one device, and only then give it to more", function()
    serve "--staged"
    local first, second = known("dev1", "1.0.0"), known("dev2", "1.0.0")
    local code, output = act "batch packages new.upd"
    assert.equal(19, code)
    assert.matches("no device has verified new.upd", output, 1, true)

    local result = begin "verify packages new.upd --device dev1 --timeout 60"
    assert.equal("2.0.0", first:hear().version)
    first:say("progress", { step = "30", desc = "" })
    first:say("inform", { version = "2.0.0" })
    code, output = result()
    assert.equal(0, code)
    assert.matches("dev1 runs 2.0.0: new.upd is verified", output, 1, true)
    assert.same({}, second.inbox)

    code, output = act "batch packages --product a1TestPK001"
    assert.equal(0, code)
    assert.matches("new.upd: 1 job, 1 run it already", output, 1, true)
    assert.equal("2.0.0", second:hear().version)
    local third = device "dev3" -- heard of later
    wait("dev3", function() return third.subscribed end)
    third:say("inform", { version = "1.0.0" })
    assert.equal("2.0.0", third:hear().version)
    local all = status()
    assert.is_true(all.served)
    for _, time in ipairs { all.devices[1].heard, all.devices[1].changed, all.rollouts[1].made } do
      assert.is_true(math.abs(time - os.time()) < 300)
    end
    all.devices[1].heard, all.devices[1].changed = nil, nil
    assert.same({ { cloud = "aliyun", product = ALIYUN, device = "dev1", release = "2.0.0", target = "2.0.0",
      state = "succeeded", step = 100, code = natives.json.null, text = natives.json.null,
      listening = natives.json.null, reason = natives.json.null, unordered = false,
      admitted = false, core = natives.json.null, zone = natives.json.null,
      hardware = natives.json.null } }, { all.devices[1] })
    assert.equal("new.upd", all.rollouts[1].package)
  end)

  it("tell by the exit code how the device failed, and leave the package unverified", function()
    serve "--staged"
    local d = known("dev1", "1.0.0")
    local result = begin "verify packages new.upd --device dev1 --timeout 60"
    d:hear()
    d:say("progress", { step = "-4", desc = "sector\u{9b}31m\u{202e} 7" })
    local code, output = result()
    assert.equal(17, code)
    assert.matches("dev1 failed: sector?31m? 7 (-4)", output, 1, true)
    assert.matches("failed (-4) sector?31m? 7\n", select(2, act "status packages"), 1, true)
    assert.equal("sector?31m? 7", shown("dev1").text)
    assert.equal(19, (act "batch packages new.upd"))
    assert.equal(3, (act "retry packages old.upd"))
    assert.equal(0, (act "retry packages new.upd"))
    assert.equal("2.0.0", d:hear().version)
    assert.equal(3, (act "retry packages"))
    d:say("inform", { version = "2.0.0" })
    becomes(d, "succeeded")
    assert.equal(0, (act "batch packages new.upd"))
  end)

  it("choose devices by release and by name", function()
    serve "--staged"
    local one, two, three = known("dev1", "1.0.0"), known("dev2", "1.5.0"), known("dev3", "2.0.0")
    assert.equal(0, (act "verify packages new.upd --device dev3")) -- it runs it
    local code, output = act "batch packages new.upd --from 1.5.0"
    assert.equal(0, code)
    assert.matches("1 job", output, 1, true)
    assert.equal("2.0.0", two:hear().version)
    assert.same({}, one.inbox)
    assert.equal(11, (act "batch packages new.upd --device dev9"))
    code, output = act "batch packages new.upd --device dev9 --device dev1 --cloud aliyun --product a1TestPK001"
    assert.equal(0, code)
    assert.matches("2 jobs", output, 1, true)
    assert.equal("2.0.0", one:hear().version)
    local nine = device "dev9"
    nine:say("inform", { version = "1.0.0" })
    assert.equal("2.0.0", nine:hear().version)
    assert.same({}, three.inbox)
    assert.equal(0, (act "cancel packages --device dev9"))
    nine:say("inform", { version = "1.0.0" })
    assert.equal("cancelled", shown("dev9").state)
    code, output = act "cancel packages"
    assert.equal(0, code)
    assert.matches("2 jobs and 1 rollout ended", output, 1, true)
    assert.equal(3, (act "cancel packages"))
  end)

  it("choose devices by a filter", function()
    serve "--staged"
    local one, two = known("dev1", "1.0.0"), known("dev2", "1.5.0")
    known("dev3", "2.0.0")
    local function names(filter)
      local code, output = act("status packages --json --filter '" .. filter .. "'")
      assert.equal(0, code, output)
      local list = {}
      for _, d in ipairs(assert(natives.json.decode(output)).devices) do list[#list + 1] = d.device end
      return table.concat(list, " ")
    end
    assert.equal("dev1 dev2", names "release<2")
    assert.equal(0, (act "verify packages new.upd --device dev3")) -- it runs it
    local code, output = act "batch packages new.upd --filter 'release<1.2'"
    assert.equal(0, code)
    assert.matches("new.upd: 1 job\n", output, 1, true)
    one:hear()
    local four = device "dev4" -- heard of later
    four:say("inform", { version = "1.1.0" })
    four:hear()
    assert.same({}, two.inbox)
    assert.matches("rollout of 2.0.0 to its product, release<1.2\n", select(2, act "status packages"), 1, true)
    assert.equal("2 jobs and 1 rollout ended\n", select(2, act "cancel packages --filter 'release<1.2'"))
    assert.equal(0, (act "batch packages new.upd"))
    two:hear()
    two:say("progress", { step = "-1", desc = "no" })
    becomes(two, "failed")
    assert.equal("dev2", names "state:failed")
    assert.equal("dev1 dev3 dev4", names "-state:failed -heard<1h")
    assert.equal(3, (act "retry packages --filter 'state:failed release<1.5'"))
    assert.equal(0, (act "retry packages --filter 'state:failed code:-1'"))
    assert.equal("2.0.0", two:hear().version)
    code, output = act "cancel packages --filter name:dev1"
    assert.equal(0, code)
    assert.matches("1 job and 0 rollouts ended", output, 1, true)
    assert.same({ "cancelled", "pending" }, { shown("dev1").state, shown("dev2").state })
    for line, said in pairs { ["status packages --filter imei:7"] = "unknown field imei",
      ["batch packages new.upd --filter state:failed"] = "state changes over time; batches, rollouts and",
      ["verify packages new.upd --device dev1 --filter name:dev1"] = "takes no --filter",
      ["batch packages new.upd other.upd"] = "takes one package at a time",
      ["rollout create packages new.upd other.upd"] = "rollout does not take other.upd too",
      ["patch release packages v1 v2"] = "takes one patch at a time",
      ["patch release packages v1 --device dev1"] = "patch release takes no --device",
      ["patch trial packages v1 --filter name:dev1"] = "patch trial takes no --filter" } do
      code, output = act(line)
      assert.equal(2, code)
      assert.matches(said, output, 1, true)
    end
  end)

  it("keep every job while the depot is killed and the broker restarts", function()
    serve "--staged"
    local d = known("dev1", "1.0.0")
    stop "KILL"
    local result = begin "verify packages new.upd --device dev1 --timeout 60"
    wait("the job", function() return shown("dev1").state == "pending" end)
    assert.is_false(status().served)
    serve "--staged"
    assert.equal("2.0.0", d:hear().version)
    d:say("progress", { step = "40", desc = "" })
    wait("40 %", function() return shown("dev1").step == 40 end)
    stop "KILL"
    b:restart "KILL"
    serve "--staged"
    assert.equal("upgrading", shown("dev1").state)
    d:say("inform", { version = "1.0.0" })
    assert.equal("2.0.0", d:hear().version)
    b:restart()
    wait("the depot's return", function() return select(2, read("depot.log"):gsub("mqtt: listening", "")) == 2 end)
    d:say("inform", { version = "2.0.0" })
    local code, output = result()
    assert.equal(0, code)
    assert.matches("no depot with --mqtt serves packages now", output, 1, true)
  end)

  it("offer the newest package by themselves when nothing is staged", function()
    serve()
    local d = device "dev1"
    d:say("inform", { version = "1.0.0" })
    local offer = d:hear()
    assert.equal("2.0.0", offer.version)
    local pipe <close> = assert(io.popen(("curl -s -o /dev/null -w '%%{http_code} %%{size_download}' '%s'")
      :format(offer.url)))
    assert.equal(("200 %d"):format(offer.size), pipe:read "a")
    d:say("inform", { version = "2.0.0" })
    becomes(d, "succeeded")
    assert.equal(0, (act "batch packages new.upd")) -- a device runs it
  end)

  it("serve links by HTTPS, whose certificate the device checks", function()
    broker.certificates(dir)
    serve "--tls-cert server.crt --tls-key server.key --expiry 60"
    local d = device "dev1"
    d:say("inform", { version = "1.0.0" })
    local offer = d:hear()
    assert.matches("^https://127%.0%.0%.1:", offer.url)
    local function curl(options, range)
      local pipe <close> = assert(io.popen(("cd '%s' && curl -s %s -r %s -o got -w '%%{http_code} "
        .. "%%{size_download}' '%s'"):format(dir, options, range, offer.url)))
      return pipe:read "a"
    end
    assert.equal(("206 %d"):format(offer.size), curl("--cacert ca.crt", ("0-%d"):format(offer.size)))
    assert.equal(read "packages/new.upd", read "got")
    assert.equal("000 0", curl("--cacert other.crt", "0-9"))
  end)

  it("trust the keys of the depot that serves the folder, from any directory", function()
    folder.pack("later.upd", ALIYUN, 3, "1.0.2")
    assert(os.rename(dir .. "/packages/later.upd", dir .. "/later.upd"))
    assert(os.execute(("mv '%s/packages/keys' '%s/trusted'"):format(dir, dir)))
    finally(function()
      assert(os.execute(("cd '%s' && mv trusted packages/keys && rm -f packages/later.*"):format(dir)))
    end)
    assert.equal(14, (act "add packages later.upd"))
    serve "--keys trusted"
    assert.equal(dir .. "/trusted", read "packages/.keys")
    assert.equal(0, (act "add packages later.upd"))
    stop()
    serve ""
    assert.equal(14, (act "add packages later.upd"))
  end)

  describe("add", function()
    before_each(function()
      folder.pack("later.upd", ALIYUN, 3, "1.0.2")
      assert(os.rename(dir .. "/packages/later.upd", dir .. "/later.upd"))
      write("list.txt", "dev1\ndev2\n")
    end)

    after_each(function()
      for _, name in ipairs { ".limited", "later.upd", "later.upd.devices", "new.upd.devices" } do
        os.remove(dir .. "/packages/" .. name)
      end
    end)

    it("copies a package in with its list, or gives it another", function()
      assert.same({ 0, "later.upd: for 2 listed devices\n" }, { act "add packages later.upd --devices list.txt" })
      assert.equal(read "later.upd", read "packages/later.upd")
      assert.equal("dev1\ndev2\n", read "packages/later.upd.devices")
      os.remove(dir .. "/later.upd")
      write("list.txt", "*\n")
      assert.same({ 0, "later.upd: for every device\n" }, { act "add packages later.upd --devices list.txt" })
      assert.same({ 0, "new.upd: for every device\n" }, { act "add packages packages/new.upd" })
      write("packages/.limited", "new.upd\n")
      assert.same({ 0, "new.upd: for the devices on its list\n" }, { act "add packages packages/new.upd" })
      os.remove(dir .. "/packages/new.upd.devices")
      assert.same({ 0, "new.upd: for nobody\n" }, { act "add packages packages/new.upd" })
    end)

    it("copies nothing when something is wrong", function()
      write("list.txt", "dev1,Anna\n")
      local code, output = act "add packages later.upd --devices list.txt"
      assert.equal(2, code)
      assert.matches("list.txt: line 1: several columns", output, 1, true)
      assert.equal(11, (act "add packages absent.upd"))
      write("later.upd", (read "later.upd":sub(1, -2)))
      code, output = act "add packages later.upd"
      assert.equal(13, code, output)
      for _, found in ipairs(natives.folder.list(dir .. "/packages")) do
        assert.is_nil(found.name:find "later")
      end
    end)
  end)

  local mistakes = {
    { "depot add packages", "usage: moult depot add DIR FILE" },
    { "depot packages --tls-cert server.crt", "go together" },
    { "depot packages --tls-cert release.key --tls-key release.key --listen 127.0.0.1:0", "certificate must be PEM" },
    { "depot packages --mqtt nowhere", "expected HOST:PORT" },
    { "depot packages --mqtt me:hidden@broker:x", "--mqtt broker:x: expected HOST:PORT" },
    { "depot packages --url http://me:hidden@h/", "--url http://h/: the base must not hold a user" },
    { "depot packages --url me:hidden@h/x", "--url h/x: expected http:// or https://" },
    { "depot packages --proxy http://me:hidden@h/", "--proxy http://h/: expected a numeric address" },
    { "depot packages --mqtt 127.0.0.1:1 --listen 0.0.0.0:0", "needs --url" },
    { "depot packages --mqtt 127.0.0.1:1 --expiry 0", "expected a number from 1" },
    { "depot packages more", "is not an action" },
    { "depot verify", "usage: moult depot verify DIR" },
    { "depot verify packages new.upd", "name one device to try it on" },
    { "depot verify packages --device dev1", "name a package" },
  }
  for _, case in ipairs(mistakes) do
    it("say what is wrong with " .. case[1], function()
      local pipe <close> = assert(io.popen(("cd '%s' && '%s' %s 2>&1; echo $?"):format(dir, host.program, case[1])))
      local output = pipe:read "a"
      assert.matches(case[2], output, 1, true)
      assert.is_nil(output:find("hidden", 1, true))
      assert.matches("\n2\n$", output)
    end)
  end

  it("count the devices that nothing orders, and show them", function()
    serve()
    local odd, old = device "odd", device "old"
    odd:say("inform", { version = "night-build" })
    old:say("inform", { version = "1.0.0" })
    assert.equal("2.0.0", old:hear().version)
    wait("both reports", function() return #status().devices == 2 end)
    assert.same({ false, true }, { shown("old").unordered, shown("odd").unordered })
    local _, output = act "status packages"
    assert.matches("a1TestPK001/odd night-build (older or newer: unknown)\n", output, 1, true)
    assert.matches("1 pending, 1 without a job; neither sequence nor version tells whether 1 of them runs an older "
      .. "release than the packages here: `batch --from RELEASE` reaches them", output, 1, true)
  end)

  it("are not taken for a depot by each other", function()
    serve()
    stop()
    local pipe <close> = assert(io.popen(("cd '%s' && for i in $(seq 30); do '%s' depot status packages --json & done; "
      .. "wait"):format(dir, host.program)))
    assert.equal(30, select(2, pipe:read("a"):gsub('"served":false', "")))
  end)

  it("show who asks over HTTP beside the others", function()
    serve()
    local address = read("depot.log"):match "listening on (http://%S+)"
    assert(os.execute(("curl -s -o '%s/got' '%s/api/site/firmware_upgrade?project_key=%s&imei=7&firmware_name=METER&"
      .. "core_version=1&dfota=1&version=1.0.0'"):format(dir, address, ALIYUN)))
    wait("the device", function() return (select(2, act "status packages")):find("luat METER/7", 1, true) end)
    assert.equal("luat METER/7 1.0.0-V1 -> 2.0.0 given\n1 given\n", select(2, act "status packages"))
    local all = status().devices
    assert.same({ "luat", "METER", "7", "given", 1 }, { all[1].cloud, all[1].product, all[1].device, all[1].state,
      all[1].asked })
    assert.equal("no devices\n", select(2, act "status packages --device 8"))
  end)

  describe("decide for terminals, which ask over HTTP", function()
    -- What a terminal is told that asks: false, or prover and the link; else the number of the answer.
    local function check(id, version)
      local address = wait("the address", function() return read("depot.log"):match "listening on (http://%S+)" end)
      local number = fetch(("%s/terminal/check?product=%s&id=%s&version=%s"):format(address, ALIYUN, id, version))
      if number ~= "200" then return number end
      local said = assert(natives.json.decode(read "got"))
      return said.update and said.prover, said.update and ("http://%s:%s%s"):format(said.ip, said.port, said.downfile)
    end

    local function verified()
      serve "--staged"
      known("lab", "2.0.0")
      assert.equal(0, (act "verify packages new.upd --device lab"))
    end

    it("and book a download to the terminal that its link is for", function()
      serve "--staged"
      assert.is_false(check("T1", "1.0.0"))
      assert.same({ "terminal", "1.0.0" }, { shown("T1").cloud, shown("T1").release })
      local result = begin "verify packages new.upd --device T1 --timeout 60"
      local prover, link
      wait("the offer", function()
        prover, link = check("T1", "1.0.0")
        return prover
      end)
      assert.equal("2.0.0", prover)
      assert.matches("/new%.upd%?Expires=%d+&For=terminal%%2F%S+%%2FT1&Signature=%x+$", link)
      assert.equal("403", fetch((link:gsub("T1&", "T2&"))))
      assert.equal("pending", shown("T1").state)
      assert.equal("200", fetch(link))
      wait("the record", function() return shown("T1").step == 100 end)
      assert.equal("upgrading", shown("T1").state)
      assert.matches("terminal id=T1", read "depot.log", 1, true)
      assert.is_false(check("T1", "2.0.0"))
      local code, output = result()
      assert.same({ 0, "succeeded" }, { code, shown("T1").state }, output)
      assert.is_false(check("T1", "2.0.0"))
      assert.equal("400", check("T%2F1", "1.0.0"))
    end)

    it("by rollouts: their waves, a pause, the trial list, and what is withdrawn", function()
      verified()
      assert.is_false(check("T1", "1.0.0"))
      local code, output = act "rollout create packages new.upd --waves 100"
      assert.equal(0, code, output)
      local prover, link = check("T1", "1.0.0")
      assert.equal("2.0.0", prover)
      assert.equal(0, (act "rollout pause packages"))
      assert.is_false(check("T2", "1.0.0"))
      assert.is_false(check("T1", "1.0.0"))
      assert.equal("403", fetch(link))
      assert.equal(0, (act "rollout resume packages"))
      assert.equal("2.0.0", (check("T2", "1.0.0")))
      write("packages/new.upd.devices", "T1\n")
      wait("the list", function() return check("T3", "1.0.0") == false end)
      assert.equal(0, (act "release withdraw packages new.upd"))
      wait("its withdrawal", function() return check("T1", "1.0.0") == false end)
    end)

    it("by themselves when nothing is staged", function()
      serve()
      assert.equal("2.0.0", (check("T1", "1.0.0")))
      assert.is_false(check("T1", "2.0.0"))
      assert.equal("succeeded", shown("T1").state)
      assert.is_false(check("T1", "2.0.1"))
    end)
  end)

  it("tell of a folder without touching it", function()
    local before = natives.folder.list(dir .. "/packages")
    assert.same({ devices = {}, more = false, rollouts = {}, served = false }, status())
    local code, output = act "status packages"
    assert.same({ 0, "no devices\n" }, { code, output })
    assert.equal(#before, #natives.folder.list(dir .. "/packages"))
    assert.equal(11, (act "status absent"))
  end)

  it("refuse an unknown package or device", function()
    serve "--staged"
    assert.equal(11, (act "verify packages absent.upd --device dev1"))
    assert.equal(11, (act "verify packages new.upd --device dev1"))
    assert.equal(11, (act "verify packages --product nobody --device dev1"))
    write("packages/new.upd.devices", "dev5\n")
    assert.equal(19, (act("verify packages new.upd --device dev1 --cloud aliyun --product " .. ALIYUN)))
  end)

  describe("with a rollout", function()
    local places = require "depot.rollout.place"

    -- A name whose device belongs to this wave of new.upd.
    local function name_in(wave, percents, but)
      for i = 1, math.huge do
        local name = "dev" .. i
        local place = places.of(natives.digest.sha256, natives.digest.sha256(ALIYUN), 2, name)
        if places.wave(percents, place) == wave and name ~= but then return name end
      end
    end

    local function rollout(id)
      local code, output = act(("rollout show packages %s --json"):format(id or ""))
      assert.equal(0, code, output)
      return assert(natives.json.decode(output))
    end

    -- One device runs the new release, so that is verified.
    local function verified()
      serve "--staged"
      known("lab", "2.0.0")
      assert.equal(0, (act "verify packages new.upd --device lab"))
    end

    it("go wave by wave, and stop when a person pauses it", function()
      verified()
      local one, two = known(name_in(1, { 50, 100 }), "1.0.0"), known(name_in(2, { 50, 100 }), "1.0.0")
      local code, output = act "rollout create packages new.upd --waves 50,100 --soak 0 --advance hand --dry-run"
      assert.equal(0, code, output)
      assert.matches("2.0.0 would reach 2 of the devices known now: wave 1 (50 %) 1, wave 2 (100 %) 1\n", output, 1,
        true)
      assert.matches("not reached: 1 (they run it, or something newer)\n", output, 1, true)
      assert.matches("no rollout is open", select(2, act "rollout show packages"), 1, true)

      code, output = act "rollout create packages new.upd --waves 50,100 --soak 0 --advance hand"
      assert.same({ 0, "rollout 1 of 2.0.0: running\n" }, { code, output })
      assert.equal("2.0.0", one:hear().version)
      one:say("inform", { version = "2.0.0" })
      becomes(one, "succeeded")
      wait("the soak", function() return rollout().state == "waiting" end)
      assert.same({}, two.inbox)
      assert.equal(0, (act "rollout pause packages"))
      assert.same({ "paused", "person" }, { rollout().state, rollout().reason })
      assert.equal(19, (act "rollout advance packages"))
      assert.matches("waiting; forgives 0 failures", select(2, act "rollout resume packages 1"), 1, true)
      assert.same({}, two.inbox)
      assert.equal(0, (act "rollout advance packages"))
      assert.equal("2.0.0", two:hear().version)
      assert.matches("rollout    1 of 2.0.0\nstate      running\n", select(2, act "rollout show packages"), 1, true)
      assert.matches("wave 2     100 %: 1 pending\n", select(2, act "rollout show packages"), 1, true)
      assert.equal(0, (act "rollout cancel packages"))
      becomes(two, "cancelled")
      code, output = act "rollout list packages"
      assert.equal(0, code)
      for line in output:gmatch "[^\n]+" do assert.is_true(#line <= 80, line) end
      assert.matches("   1  cancelled (person)   2.0.0              2/2            1         0\n", output, 1, true)
    end)

    it("pause by themselves when too many devices fail", function()
      verified()
      local one, two = known("dev1", "1.0.0"), known("dev2", "1.0.0")
      assert.equal(0, (act "rollout create packages new.upd --waves 100 --limit 1 --in-flight 1"))
      wait("an offer", function() return one.inbox[1] or two.inbox[1] end)
      local first, second = one, two
      if two.inbox[1] then first, second = two, one end
      assert.same({}, second.inbox)
      first:hear()
      first:say("progress", { step = "10", desc = "" })
      first:say("progress", { step = "-3", desc = "" })
      becomes(first, "failed")
      assert.same({ "paused", "limit", 1, 1 }, { rollout().state, rollout().reason, rollout().failed,
        rollout().verdicts })
      second:say("inform", { version = "1.0.0" })
      assert.matches("forgives 1 failure", select(2, act "rollout resume packages"), 1, true)
      assert.equal("2.0.0", second:hear().version)
      second:say("inform", { version = "2.0.0" })
      becomes(second, "succeeded")
      assert.matches("1 device tries once more", select(2, act "rollout retry packages"), 1, true)
      assert.equal("2.0.0", first:hear().version)
      assert.equal("running", rollout().state)
      local log = read "depot.log"
      assert.matches("rollout: 1 of 2.0.0: paused: 1 of 1 verdicts are failures", log, 1, true)
    end)

    it("refuse the links of devices that have not begun while it is paused", function()
      verified()
      local d = known("dev1", "1.0.0")
      assert.equal(0, (act "rollout create packages new.upd --waves 100"))
      local url = d:hear().url
      assert.equal("200", fetch(url))
      assert.equal(0, (act "rollout pause packages"))
      assert.equal("403", fetch(url))
      assert.matches("Request has expired", read "got", 1, true)
      d:say("progress", { step = "-2", desc = "" }) -- no failure
      assert.equal(0, (act "rollout resume packages"))
      url = d:hear().url
      assert.equal("200", fetch(url))
      d:say("progress", { step = "30", desc = "" })
      becomes(d, "upgrading")
      assert.equal(0, (act "rollout pause packages"))
      assert.equal("200", fetch(url)) -- it has begun
      d:say("inform", { version = "2.0.0" })
      becomes(d, "succeeded")
      assert.equal(0, rollout().failed)
    end)

    it("pause and resume the automatic mode", function()
      serve()
      local function automatic()
        local _, output = act "rollout list packages --json"
        for _, r in ipairs(assert(natives.json.decode(output)).rollouts) do
          if r.kind == "auto" and r.product_key == natives.digest.sha256(ALIYUN) then return r end
        end
      end
      local id = wait("the rollout", automatic).id
      assert.equal(0, (act("rollout pause packages " .. id)))
      local d = known("dev1", "1.0.0")
      assert.equal(19, (act("rollout cancel packages " .. id)))
      assert.equal(2, (act("rollout change packages --soak 5m " .. id)))
      assert.equal(0, (act("rollout change packages --in-flight 5 --limit 7 " .. id)))
      assert.is_nil(shown("dev1").state ~= natives.json.null and shown("dev1").state or nil)
      assert.same({}, d.inbox)
      assert.equal(0, (act("rollout resume packages " .. id)))
      assert.equal("2.0.0", d:hear().version)
      d:say("inform", { version = "2.0.0" })
      becomes(d, "succeeded")
      assert.same({ "running", 1, 5 }, { automatic().state, automatic().jobs.succeeded, automatic().in_flight })
      assert.same({ { count = 7 }, { { release = "2.0.0", verdicts = 1, failed = 0 } } }, { automatic().limit,
        automatic().judged })
      assert.matches("2.0.0: 0 of 1 verdicts are failures", select(2, act("rollout show packages " .. id)), 1, true)
    end)

    it("give Luat's devices what they are granted, and count their verdicts", function()
      verified()
      local base = read("depot.log"):match "listening on (http://%S+)"
      -- The status of the answer to a query from byte 0.
      local function ask(imei, version)
        local pipe <close> = assert(io.popen(("curl -s -o '%s/got' -w '%%{http_code}' '%s/api/site/firmware_upgrade?"
          .. "project_key=%s&imei=%s&firmware_name=METER&core_version=1&dfota=0&version=%s'"):format(dir, base, ALIYUN,
          imei, version)))
        return pipe:read "a"
      end
      local one, two = name_in(1, { 50, 100 }), name_in(2, { 50, 100 })
      assert.equal("404", ask(one, "1.0.0"))
      assert.matches('"code":27', read "got", 1, true)
      assert.equal(0, (act "rollout create packages new.upd --waves 50,100 --soak 0 --advance hand --cloud luat"))
      assert.equal("404", ask(two, "1.0.0"))
      assert.equal("200", ask(one, "1.0.0"))
      assert.equal(read "packages/new.upd", read "got")
      assert.equal("upgrading", shown(one).state)
      assert.equal("404", ask(one, "2.0.0"))
      wait("the success of the first", function() return shown(one).state == "succeeded" end)
      wait("the soak", function() return rollout().state == "waiting" end)
      assert.equal("404", ask(two, "1.0.0"))
      assert.matches(one, select(2, act "device list packages --filter core:1"), 1, true)
      assert.equal(0, (act "rollout advance packages"))
      assert.equal(0, (act "rollout pause packages"))
      assert.equal("404", ask(two, "1.0.0"))
      assert.equal(0, (act "rollout resume packages"))
      for _ = 1, 3 do
        assert.equal("200", ask(two, "1.0.0"))
        wait("the end of the download", function() return shown(two).step == 100 end)
      end
      assert.equal("404", ask(two, "1.0.0"))
      assert.same({ "failed", "downloaded 3 times, still reports 1.0.0-V1" }, { shown(two).state, shown(two).text })
      assert.same({ 1, 1 }, { rollout().verdicts, rollout().failed }) -- since the resume
      -- It falls back. Right after a success the depot takes another report for a device's second one.
      wait("the fall back", function()
        assert.equal("404", ask(one, "1.0.0"))
        return shown(one).state == "reverted"
      end)
      assert.equal(2, rollout().failed)
    end)

    it("offer a withdrawn release no more", function()
      verified()
      local base = read("depot.log"):match "listening on (http://%S+)"
      local one, two = known("dev1", "1.0.0"), known("dev2", "1.0.0")
      assert.equal(0, (act "rollout create packages new.upd --waves 100"))
      local url = one:hear().url
      two:hear()
      two:say("progress", { step = "40", desc = "" })
      becomes(two, "upgrading")
      assert.equal("403", fetch(base .. "/new.upd")) -- the product is staged
      local _, output = act "release list packages"
      assert.matches("METER              2.0.0                      2  released         1\n", output, 1, true)
      for line in output:gmatch "[^\n]+" do assert.is_true(#line <= 80, line) end
      local code
      code, output = act "release withdraw packages new.upd"
      assert.equal(0, code, output)
      assert.matches("1 device runs it; devices never go back, so pack the good content with a sequence above 2",
        output, 1, true)
      assert.same({ "cancelled", "withdrawn" }, { rollout(1).state, rollout(1).reason })
      assert.same({ "cancelled", "cancelled" }, { shown("dev1").state, shown("dev2").state })
      wait("the end of its links", function() return fetch(url) == "403" end)
      assert.equal("403", fetch(base .. "/new.upd?For=7&Has=1.0.0")) -- as a terminal asks
      assert.equal("404", fetch(base .. "/api/site/firmware_upgrade?project_key=" .. ALIYUN
        .. "&imei=7&firmware_name=METER&core_version=1&dfota=0&version=1.0.0"))
      one:say("inform", { version = "1.0.0" })
      assert.equal(19, (act "rollout create packages new.upd"))
      assert.equal(19, (act "batch packages new.upd"))
      assert.equal(19, (act "verify packages new.upd --device dev1"))
      assert.same({}, one.inbox)
      two:say("inform", { version = "2.0.0" }) -- it had begun
      becomes(two, "succeeded")
      local list = natives.json.decode((select(2, act "release list packages --json"))).releases
      for _, release in ipairs(list) do
        if release.release == "2.0.0" then assert.same({ "withdrawn", 2 }, { release.stage, release.runs }) end
      end
      assert.equal(0, (act "release withdraw packages new.upd"))
      assert.matches("^%x+ 2 2.0.0\n$", read "packages/.withdrawn")
      assert.equal(2, (act "release dance packages"))
    end)

    it("offer a release that is switched off to nobody until it is on again", function()
      verified()
      local base = read("depot.log"):match "listening on (http://%S+)"
      local one = known("dev1", "1.0.0")
      assert.equal(2, (act "release disable packages"))
      local code, output = act "release disable packages new.upd"
      assert.equal(0, code, output)
      assert.matches("2.0.0 is disabled: it is offered to nobody", output, 1, true)
      assert.matches("2.0.0                      2  verified         1  disabled\n", select(2,
        act "release list packages"), 1, true)
      assert.equal(19, (act "batch packages new.upd"))
      assert.equal(19, (act "verify packages new.upd --device dev1"))
      assert.equal("403", fetch(base .. "/new.upd?For=7&Has=1.0.0"))
      one:say("request", { version = "1.0.0" })
      assert.equal("1.0.0", shown("dev1").release)
      assert.same({}, one.inbox)
      assert.same({ release = "2.0.0", enabled = true },
        natives.json.decode((select(2, act "release enable packages new.upd --json"))))
      assert.equal(0, (act "rollout create packages new.upd --waves 100"))
      assert.matches("new.upd", one:hear().url, 1, true)
    end)

    it("refuse what cannot be rolled out, and what is no rollout", function()
      serve "--staged"
      known("dev1", "1.0.0")
      local code, output = act "rollout create packages new.upd"
      assert.equal(19, code)
      assert.matches("no device has verified it", output, 1, true)
      for _, line in ipairs { "rollout create packages new.upd --waves 10", "rollout dance packages",
        "rollout show packages x", "rollout create packages new.upd --at tomorrow", "rollout create",
        "status packages --waves 100", "rollout create packages new.upd --window 1-2" } do
        assert.equal(2, (act(line)), line)
      end
      assert.equal(11, (act "rollout show packages 7"))
      assert.equal(11, (act "rollout create packages new.upd --window 08:00-17:00 --zone Mars/Olympus"))
      assert.equal(0, (act "rollout list packages --json"))
    end)
  end)
end)

-- The scripts of examples/api against an admin server, a depot and devices over a real broker.

local admin_process = require "spec.support.admin_process"
local broker = require "spec.support.broker"
local depot = require "spec.support.depot_pair"
local folders = require "spec.support.folder"
local natives = require "update.natives"
local shared = require "spec.support.depot_world"

describe("examples/api", function()
  local folder, w, b, served, clients, secret = folders.new(), nil, nil, nil, nil, nil

  before_each(function()
    clients = {}
    w = admin_process.start(folder.make())
    secret = select(2, w:token("ci", { [w.pk] = "operator" }))
  end)
  after_each(function()
    for _, client in ipairs(clients) do client.mqtt:close() end
    if served then served:close() end
    if b then b:close() end
    served, b = nil, nil
    w:close()
  end)

  local function step()
    if served then assert(served:step(2)) end
    shared.take(clients)
    for _, client in ipairs(clients) do
      for _, event in ipairs(client.inbox) do
        local offer = natives.json.decode(event.payload).data
        if offer and offer.version then client:report(client.fails and "1.0.0" or offer.version, client.fails) end
      end
      client.inbox = {}
    end
  end

  -- Run a script while depot and devices go on.
  local function run(words, variables)
    local text = { ("SERVER=%s MOULT_TOKEN=%s PRODUCT=%s MOULT=%s"):format(w.url, secret, w.pk,
      require("update.native.host").program) }
    for name, value in pairs(variables or {}) do text[#text + 1] = ("%s='%s'"):format(name, value) end
    local here = require("update.native.host").cwd
    local command <close> = assert(natives.command.start { "sh", "-c", ("cd %s && %s sh %s/examples/api/%s >%s 2>&1")
      :format(folder.dir, table.concat(text, " "), here, words, folder.path "out") })
    local status
    repeat
      if served then step() else os.execute "sleep 0.05" end
      status = command:poll()
    until status
    return status, folder.read "out"
  end

  local function device(name)
    local client = { name = name, inbox = {} }
    local topic = "/ota/device/%s/pk/" .. name
    client.mqtt = assert(natives.mqtt.open { host = "127.0.0.1", port = b.port, client_id = name, back_off_min = 0.02,
      back_off_max = 0.1 })
    client.mqtt:subscribe(topic:format "upgrade", 1)
    function client.report(_, version, fails)
      if fails then
        assert(client.mqtt:publish(topic:format "progress", '{"id":0,"params":{"step":"-4","desc":"flash"}}', 1))
      else
        assert(client.mqtt:publish(topic:format "inform", ('{"id":1,"params":{"version":"%s"}}'):format(version), 1))
      end
    end
    clients[#clients + 1] = client
    shared.wait(step, name .. " subscribing", function() return client.subscribed end)
    client:report "1.0.0"
    shared.wait(step, name .. " being known", function() return served.cloud.store:get("aliyun", "pk", name) end)
    return client
  end

  local function serve()
    b = broker.start()
    served = assert(depot.open { dir = w.dir, listen = "127.0.0.1:0", mqtt = { host = "127.0.0.1", port = b.port },
      settle = 1, pace = 1000, auto = false, on_message = function() end })
    folder.write("new/main.lua", 'PROJECT, VERSION = "METER", "1.0.2"\n')
    folder.write("recipe.lua", [[return { project = "METER", product_key = "pk", sequence = 9, version = "1.0.2",
      script = { dir = "new" } }]])
  end

  local CI = { BENCH = "bench", WAVES = "99,100", BENCH_TIME = 60, WAVE_TIME = 60 }

  local function release()
    CI.KEY = folder.path "release.key"
    return run("release.sh recipe.lua", CI)
  end

  it("release.sh packs, uploads, verifies on the bench, and waits for the first wave", function()
    folder.use(folder.dir, "new")
    serve()
    device "bench"
    device "dev2"
    local status, out = release()
    assert.equal(0, status, out)
    assert.matches("METER_1.0.2_%x+%.upd\n.*verified on bench\n.*rollout 1: the first wave went well", out)
    assert.equal("1.0.2", w.store:get("aliyun", "pk", "dev2").release)
    assert.equal("1.0.0", w.store:get("aliyun", "pk", "dev3").release)
  end)

  it("release.sh fails when the bench does, and rolls nothing out", function()
    folder.use(folder.dir, "new")
    serve()
    device("bench").fails = true
    local status, out = release()
    assert.same({ 1, {} }, { status, w.store:every_rollout(10) })
    assert.matches("the bench device bench: failed", out)
  end)

  it("failed.sh names the devices that failed, and tags them", function()
    for _, name in ipairs { "dev1", "dev3" } do
      local row = w.store:get("aliyun", "pk", name)
      row.package, row.target, row.state, row.changed = "d", "1.0.1", "failed", 1000
      assert(w.store:put(row))
    end
    local status, out = run "failed.sh"
    assert.same({ 0, "dev1\ndev3\n" }, { status, out })
    for name, tags in pairs { dev1 = { "look-at-it" }, dev2 = {}, dev3 = { "look-at-it" } } do
      assert.same(tags, w.store:tags_of(w.store:get("aliyun", "pk", name)))
    end
    assert.matches('^"id","at","what"', folder.read "events.csv")
  end)
end)

-- Webhooks: what is sent, how it is signed, and what becomes of a receiver that fails.

local api_world = require "spec.support.api_world"
local copies = require "depot.acts.copies"
local files = require "spec.support.files"
local folders = require "spec.support.folder"
local natives = require "update.natives"
local vaults = require "depot.vault"
local webhooks = require "depot.acts.webhooks"

describe("webhooks", function()
  local folder, w, token, tls, receiver, got, answer, sent = folders.new(), nil, nil, nil, nil, nil, nil, nil

  -- A server that keeps what it is sent, and answers by `answer`.
  local function receive()
    receiver = assert(natives.httpd.open("127.0.0.1:0", { cert = tls.cert, key = tls.key, body_max = 1048576 }))
    got, answer = {}, { status = 204 }
  end

  local function step_receiver()
    assert(receiver:run())
    for request in receiver.next, receiver do
      got[#got + 1] = request
      if answer.status then receiver:reply(request.id, answer.status, answer.headers or {}, "") end
    end
    while receiver:finished() do end
  end

  local function step()
    w.api.webhooks.next_look = 0
    w:step()
    step_receiver()
  end

  local function wait(what, done)
    local till = natives.loop.now() + 20
    while not done() do
      assert(natives.loop.now() < till, "nothing came of " .. what)
      step()
    end
  end

  setup(function()
    local dir = folder.make()
    files.output_of(("(cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
      .. "-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout hook.key -out hook.crt) 2>&1")
      :format(dir))
    tls = { cert = folder.read "hook.crt", key = folder.read "hook.key", ca = folder.path "hook.crt" }
    w = api_world.open(dir, { webhooks = { private = true, ca = tls.ca } })
    token = w:user("ann", { [w.pk] = "admin" })
  end)
  teardown(function() w:close() end)

  before_each(receive)
  after_each(function()
    for _, hook in ipairs(w.store:webhooks()) do
      assert(w.store:change())
      assert(w.store:drop_webhook(hook.id))
      assert(w.store:commit())
    end
    receiver:close()
  end)

  local function ask(method, path, body, etag)
    return w:ask(method, path, { token = token, body = body, headers = { ["If-Match"] = etag } })
  end

  local function url(path) return ("https://localhost:%s%s"):format(receiver:address():match "%d+$", path or "/") end

  local function make(events, where)
    local made = ask("POST", ("/products/%s/webhooks"):format(w.pk), { url = where or url(), events = events })
    assert.equal(201, made.status, made.body)
    return made.object
  end

  local function show(hook) return ask("GET", ("/webhooks/%d"):format(hook.id)).object end

  local function happen(what, text, hash)
    assert(w.store:change())
    assert(w.store:note_event { at = 1767225600000, what = what, hash = hash or w.pk, text = text })
    assert(w.store:commit())
  end

  local function texts()
    local list = {}
    for _, request in ipairs(got) do
      for _, event in ipairs(natives.json.decode(request.body).events) do list[#list + 1] = event.text end
    end
    return list
  end

  -- Keep what the server sends, as our receiver does not tell every header.
  local function listen()
    local open = natives.fetch.open
    sent = {}
    w.api.webhooks.natives = setmetatable({ fetch = { open = function(loop, where, options)
      sent[#sent + 1] = options
      return open(loop, where, options)
    end } }, { __index = natives })
  end

  -- The first message is signed with a secret; when, in seconds.
  local function check_signature(secret)
    local seconds, sum = sent[1].headers["Moult-Signature"]:match "^t=(%d+),v1=(%x+)$"
    assert.equal(natives.digest.hmac("sha256", secret, seconds .. "." .. got[1].body), sum)
    return tonumber(seconds)
  end

  it("are sent the events of their product that they want, in order, signed", function()
    happen("failed", "before")
    listen()
    local hook = make { "failed", "rollout" }
    happen("failed", "one\27[2J")
    happen("runs", "not wanted")
    happen("failed", "foreign", w.other)
    happen("rollout", "two")
    wait("both events", function() return #texts() == 2 end)
    assert.same({ "one?[2J", "two" }, texts()) -- what controls a terminal is not passed on
    assert.same({ "POST", "application/json" }, { got[1].method, got[1].headers["content-type"] })
    assert.is_true(math.abs(os.time() - check_signature(hook.secret)) < 60)
    wait("the note of it", function() return show(hook).delivered ~= natives.json.null end)
    local events = natives.json.decode(got[#got].body).events
    local event = events[#events]
    assert.same({ "rollout", w.pk, 1767225600 }, { event.what, event.product_key, event.at })
  end)

  it("are sent each event once, whenever the server is started anew", function()
    local hook = make()
    happen("failed", "one")
    wait("the first", function() return show(hook).delivered ~= natives.json.null end)
    w:serve { webhooks = { private = true, ca = tls.ca } }
    happen("failed", "two")
    wait("the second", function() return #texts() == 2 end)
    for _ = 1, 5 do step() end
    assert.same({ "one", "two" }, texts())
  end)

  it("are sent many events in messages of a hundred", function()
    local hook = make()
    assert(w.store:change())
    for i = 1, 250 do assert(w.store:note_event { at = 1, what = "failed", hash = w.pk, text = tostring(i) }) end
    assert(w.store:commit())
    wait("all", function() return #texts() == 250 end)
    assert.equal(3, #got)
    for i, text in ipairs(texts()) do assert.equal(tostring(i), text) end
    wait("the note", function() return w.store:webhook(hook.id).cursor == w.store:last_event() end)
  end)

  it("do not hold up others while a receiver is silent", function()
    make()
    answer = {}
    happen("failed", "one")
    wait("the message", function() return #got == 1 end)
    for _ = 1, 3 do assert.equal(200, ask("GET", "/products").status) end
    assert.equal(1, w.api.webhooks.count)
  end)

  it("are not sent an event again and again while the store cannot be written", function()
    local hook, store = make(), w.api.world.store
    local write = store.step_webhook
    store.step_webhook = function() return nil, "the disk is full", "nospace" end
    happen("failed", "one")
    wait("the message", function() return #got == 1 and w.api.webhooks.count == 0 end)
    for _ = 1, 10 do step() end
    store.step_webhook = write
    assert.same({ "one" }, texts())
    w.api.webhooks.rest = {}
    happen("failed", "two")
    wait("the next", function() return show(hook).delivered ~= natives.json.null end)
    assert.same({ "one", "two" }, texts())
  end)

  it("do not go back when a person has moved them on meanwhile", function()
    local hook = make()
    happen("failed", "one")
    local row, last = w.store:webhook(hook.id), w.store:last_event()
    assert(webhooks.set({ natives = natives, store = w.store, actor = { name = "spec" } }, row, { enabled = false }))
    assert.equal(last, w.store:webhook(hook.id).cursor)
    assert.is_true(row.cursor < last)
    assert(w.store:change())
    assert(w.store:step_webhook(row))
    assert(w.store:commit())
    assert.equal(last, w.store:webhook(hook.id).cursor)
  end)

  it("are tried again, later each time, and are off after a day", function()
    local hook = make()
    answer = { status = 500 }
    happen("failed", "one")
    wait("the first try", function() return show(hook).tries == 1 end)
    local row = w.store:webhook(hook.id)
    assert.equal("the receiver answered 500", row.problem)
    assert.is_true(row.again - row.failing >= 10000 and row.again - row.failing <= 11000)
    for _ = 1, 5 do step() end
    assert.equal(1, #got)
    local base = os.time() * 1000
    local ahead = 0
    w.api.webhooks.now = function() return base + ahead end
    local pauses = {}
    for try = 2, 11 do
      ahead = assert(w.store:webhook(hook.id)).again - base
      wait("the next try", function() return show(hook).tries == try end)
      row = w.store:webhook(hook.id)
      pauses[#pauses + 1] = (row.again - base - ahead) // 1000
    end
    assert.same({ 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600 }, pauses)
    assert.is_true(show(hook).enabled)
    ahead = row.failing - base + 86400000
    wait("its end", function() return not show(hook).enabled end)
    assert.matches("it has failed for a day: the receiver answered 500", show(hook).reason, 1, true)
    assert.same({ "webhook.off", "depot" }, { w.store:audited(nil, 1)[1].verb, w.store:audited(nil, 1)[1].actor })
    -- A person switches it on: it begins with the next event.
    answer, got = { status = 200 }, {}
    local etag = ask("GET", ("/webhooks/%d"):format(hook.id)).headers.etag
    assert.is_true(ask("PATCH", ("/webhooks/%d"):format(hook.id), { enabled = true }, etag).object.enabled)
    happen("failed", "two")
    wait("the next event", function() return #got > 0 end)
    assert.same({ "two" }, texts())
    w.api.webhooks.now = require("depot.acts").now
  end)

  it("are not switched off once more where a person was faster", function()
    local hook = make()
    local row = w.store:webhook(hook.id)
    row.problem = "the receiver answered 500"
    local etag = ask("GET", ("/webhooks/%d"):format(hook.id)).headers.etag
    assert.is_false(ask("PATCH", ("/webhooks/%d"):format(hook.id), { enabled = false }, etag).object.enabled)
    local last = w.store:audited(nil, 1)[1]
    assert.matches("was switched off or removed meanwhile", webhooks.give_up(w.api.webhooks.world, row), 1, true)
    assert.same(last, w.store:audited(nil, 1)[1])
  end)

  it("are judged anew where a person has changed them while a message was under way", function()
    local hook = make()
    answer = { status = nil }
    happen("failed", "one")
    wait("the message", function() return #got == 1 end)
    -- It was the last straw: they have failed for a day.
    w.api.webhooks.open[hook.id].hook.failing = 1
    local etag = ask("GET", ("/webhooks/%d"):format(hook.id)).headers.etag
    assert.equal(200, ask("PATCH", ("/webhooks/%d"):format(hook.id), { url = url "/new" }, etag).status)
    receiver:close()
    receive()
    wait("the end of the message", function() return w.api.webhooks.count == 0 end)
    assert.is_true(show(hook).enabled)
    assert.are_not.equal(1, w.store:webhook(hook.id).failing)
    etag = ask("GET", ("/webhooks/%d"):format(hook.id)).headers.etag
    assert.equal(200, ask("PATCH", ("/webhooks/%d"):format(hook.id), { url = url "/newer" }, etag).status)
    wait("the message to where it leads now", function() return #got == 1 end)
    assert.same({ "one" }, texts())
  end)

  it("are tried when they are due though the clock was set back", function()
    local hook = make()
    happen("failed", "one")
    assert(w.store.db:execute(("UPDATE webhook SET tries = 1, again = %d, failing = %d"):format(
      (os.time() + 7200) * 1000, (os.time() + 7200) * 1000)))
    wait("the message", function() return #texts() == 1 end)
    wait("the note", function() return show(hook).tries == 0 end)
  end)

  it("follow no redirect", function()
    local hook = make()
    answer = { status = 307, headers = { Location = url "/elsewhere" } }
    happen("failed", "one")
    wait("the first try", function() return show(hook).tries == 1 end)
    assert.equal("the receiver answered 307, and a redirect is not followed", show(hook).problem)
    for _ = 1, 5 do step() end
    assert.same({ 1, "/" }, { #got, got[1].path })
  end)

  it("ask no address that is not public, and no server without a right certificate", function()
    w:serve { webhooks = { ca = tls.ca } }
    local hook = make()
    happen("failed", "one")
    wait("the try", function() return show(hook).tries == 1 end)
    assert.matches("its address is not public", show(hook).problem, 1, true)
    w:serve { webhooks = { private = true } }
    local other = make()
    happen("failed", "two")
    wait("the try", function() return show(other).tries == 1 end)
    assert.matches("certificate", show(other).problem, 1, true)
    assert.same({}, got)
    w:serve { webhooks = { private = true, ca = tls.ca } }
  end)

  it("are off in a store that was restored, and begin with the next event", function()
    local hook = make()
    assert(w.store:change())
    assert(w.store:note_event { at = 1, what = "failed", hash = w.pk, text = "before" })
    assert(copies.settle { store = w.store, now = os.time() * 1000 })
    assert(w.store:commit())
    for _ = 1, 5 do step() end
    assert.same({ false, "restored" }, { show(hook).enabled, show(hook).reason })
    local etag = ask("GET", ("/webhooks/%d"):format(hook.id)).headers.etag
    assert.equal(200, ask("PATCH", ("/webhooks/%d"):format(hook.id), { enabled = true }, etag).status)
    happen("failed", "after")
    wait("it", function() return #texts() > 0 end)
    assert.same({ "after" }, texts())
  end)

  local wrong = {
    { { url = "http://hooks.example/" }, "url", "expected https://" }, { { url = "hooks.example" }, "url", "url: " },
    { { url = "https://me:secret@hooks.example/" }, "url", "a user or password" },
    { { url = "https://" .. ("a"):rep(1000) .. ".example/" }, "url", "at most 1000" },
    { { url = "https://hooks.example/", events = { "failed", "rain" } }, "events", "rain is none of" },
    { { events = { "failed" } }, "url", "url is missing" },
  }
  for _, case in ipairs(wrong) do
    it("refuse " .. natives.json.encode(case[1]):sub(1, 60), function()
      local refused = ask("POST", ("/products/%s/webhooks"):format(w.pk), case[1])
      assert.same({ 400, case[2] }, { refused.status, refused.object.error.field })
      assert.matches(case[3], refused.object.error.message, 1, true)
    end)
  end

  it("are ten of a product, changed and removed by its admins, and their secret is shown once", function()
    local hook = make(nil, "https://hooks.example/a?key=1")
    assert.same({ "failed", "reverted", "rollout" }, hook.events)
    assert.equal(64, #hook.secret)
    local path = ("/webhooks/%d"):format(hook.id)
    local read = ask("GET", path)
    assert.is_nil(read.object.secret)
    assert.equal(428, ask("PATCH", path, { enabled = false }).status)
    local changed = ask("PATCH", path, { enabled = false, events = { "act" } }, read.headers.etag)
    assert.same({ 200, false, { "act" } }, { changed.status, changed.object.enabled, changed.object.events })
    assert.equal(412, ask("PATCH", path, { enabled = true }, read.headers.etag).status)
    for _ = 2, 10 do make(nil, "https://hooks.example/b") end
    local more = ask("POST", ("/products/%s/webhooks"):format(w.pk), { url = "https://hooks.example/c" })
    assert.same({ 422, "refused" }, { more.status, more.object.error.code })
    assert.equal(10, #ask("GET", ("/products/%s/webhooks"):format(w.pk)).object.items)
    local operator, foreign = w:user("oli", { [w.pk] = "operator" }), w:user("eve", { [w.other] = "admin" })
    assert.equal(403, w:ask("GET", path, { token = operator }).status)
    assert.equal(404, w:ask("GET", path, { token = foreign }).status)
    assert.equal(200, ask("DELETE", path, nil, changed.headers.etag).status)
    assert.equal(404, ask("GET", path).status)
    for _, row in ipairs(w.store:audited(nil, 20)) do assert.is_nil((row.after or ""):find("key=1", 1, true)) end
  end)

  it("have a sealed secret where the store's secrets are sealed", function()
    local path = folder.path "vault.key"
    local vault = assert(vaults.open(natives, path, true))
    assert(w.store:change())
    assert(w.store:seal_secret("other", "x", vault))
    assert(w.store:commit())
    local refused = ask("POST", ("/products/%s/webhooks"):format(w.pk), { url = url() })
    assert.same({ 400, "usage" }, { refused.status, refused.object.error.code })
    assert.matches("give --secret-file", refused.object.error.message, 1, true)
    w:serve { webhooks = { private = true, ca = tls.ca }, secret_file = path }
    listen()
    local hook = make()
    assert.is_nil(w.store:webhook(hook.id).secret)
    happen("failed", "one")
    wait("it", function() return #got == 1 end)
    check_signature(hook.secret)
    assert(webhooks.drop({ natives = natives, store = w.store, actor = { name = "spec" } }, hook))
    assert.is_nil((w.store:sealed_secret(("webhook %d"):format(hook.id), vault)))
    assert(w.store:change())
    assert(w.store:drop_secret "other")
    assert(w.store:commit())
    w:serve { webhooks = { private = true, ca = tls.ca } }
  end)
end)

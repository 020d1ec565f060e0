-- The pages of webhooks: made, changed, switched and removed by forms, and what is said of one that went off.

local console_world = require "spec.support.console_world"
local folders = require "spec.support.folder"
local form = require "depot.console.form"

local HOSTILE = "https://hooks.example/\"'><script>alert(1)</script>\226\128\174?key=s3cret"

describe("the pages of webhooks", function()
  local folder, console, w = folders.new(), nil, nil

  before_each(function()
    console = console_world.open(folder.make())
    w = console.w
  end)
  after_each(function() console:close() end)

  local function base() return ("/p/%s/webhooks"):format(w.pk) end

  local function shows(...) return console:shows(...) end

  local function hides(path, text)
    local body = console:get(path).body
    assert.is_nil(body:find(text, 1, true), text .. " in\n" .. body)
  end

  -- The path of one that a form has made, and the page with its secret. Boxes are sent as browsers send them.
  local function made(url, ...)
    local fields = { url = url, back = base() }
    local boxes = {}
    for i, event in ipairs { ... } do boxes[i] = form.query { events = event }:sub(2) end
    fields.csrf = console.session.csrf
    local body = form.query(fields):sub(2) .. (#boxes > 0 and "&" or "") .. table.concat(boxes, "&")
    local page = w:ask("POST", ("//do/products/%s/webhooks"):format(w.pk), { body = body, headers = {
      ["Content-Type"] = "application/x-www-form-urlencoded", Origin = w.origin, Cookie = console.session.cookie } })
    local hooks = w.store:webhooks()
    return ("/webhooks/%d"):format(hooks[#hooks] and hooks[#hooks].id or 0), page
  end

  local function hook(path) return (w.store:webhook(tonumber(path:match "%d+"))) end

  -- Send the form of a page for a webhook.
  local function send(path, fields)
    fields.etag, fields.back = console:hidden(console:get(path), path, "etag"), fields.back or path
    fields.method = fields.method or "PATCH"
    return console:post("/do" .. path, fields)
  end

  local function change(path, fields)
    local row = hook(path)
    for name, value in pairs(fields) do row[name] = value end
    assert(w.store:change())
    assert(w.store:step_webhook(row))
    assert(w.store:commit())
  end

  -- As the depot does after a day.
  local function gave_up(path)
    change(path, { failing = 1767225600000, tries = 40, problem = "the receiver answered 500" })
    assert(w.store:change())
    assert(w.store:give_up_webhook(hook(path).id, "it has failed for a day: the receiver answered 500"))
    assert(w.store:commit())
  end

  it("make one by ticking events, show its secret once, and are found from settings and events", function()
    shows(base(), "No webhooks yet.", 'checked name="events" type="checkbox" value="failed"',
      '<input name="events" type="checkbox" value="turned away">')
    local path, page = made("https://hooks.example/a?key=s3cret", "failed", "first heard")
    local secret = page.body:match "<pre>(%x+)</pre>"
    assert.same({ 200, 64 }, { page.status, #(secret or "") }, page.body)
    assert.same({ "failed", "first heard" }, hook(path).events)
    assert.equal(secret, hook(path).secret)
    for _, one in ipairs { base(), path } do
      shows(one, ">https://hooks.example/a</bdi>", "failed, first heard", ">on<")
      hides(one, secret)
      hides(one, "s3cret")
    end
    shows("/settings", ('href="%s"'):format(base()))
    shows(("/p/%s/events"):format(w.pk), ('href="%s"'):format(base()))
    assert.same({ "failed", "reverted", "rollout" }, hook((made "https://hooks.example/b")).events)
  end)

  it("say what is wrong with an address", function()
    for url, says in pairs { ["http://hooks.example/"] = "expected https://", ["https://a:b@hooks.example/"] =
      "a user or password", [""] = "url is missing" } do
      local _, page = made(url)
      assert.is_true(page.status >= 400)
      assert.is_truthy(page.body:find(says, 1, true), page.body)
    end
    assert.same({}, w.store:webhooks())
  end)

  it("show how deliveries fare, and when the next try is", function()
    local path = made "https://hooks.example/"
    change(path, { delivered = 1767225600000 })
    shows(base(), "2026-01-01 00:00 UTC")
    hides(base(), "data-poll")
    change(path, { failing = 1767229200000, tries = 3, again = 1767232800000, problem = "<b>500" })
    for _, one in ipairs { base(), path } do
      shows(one, "on, but it fails since", "2026-01-01 01:00 UTC", "&lt;b&gt;500</bdi>", "2026-01-01 02:00 UTC",
        "data-poll")
    end
  end)

  it("switch one off and on, if nobody was faster", function()
    local path = made "https://hooks.example/"
    local wish = { method = "PATCH", etag = console:hidden(console:get(base()), path, "etag"), enabled = "0",
      back = base() }
    local done = console:post("/do" .. path, wish)
    assert.same({ 303, base() }, { done.status, done.headers.location }, done.body)
    assert.equal(0, hook(path).enabled)
    shows(base(), ">off<", "Switch on")
    hides(base(), "Leave it off")
    hides("/p/" .. w.pk, "Webhooks that the depot switched off")
    assert.equal(412, console:post("/do" .. path, wish).status)
    assert.equal(303, send(path, { enabled = "1" }).status)
    assert.equal(1, hook(path).enabled)
  end)

  it("say why one went off and what to do, and the first page counts it until a person has decided", function()
    local now, path = "/p/" .. w.pk, made "https://hooks.example/"
    gave_up(path)
    shows(now, ('<a href="%s"><strong>1</strong> Webhooks that the depot switched off'):format(base()))
    shows(base(), "off, since it failed for a day: <bdi>the receiver answered 500</bdi>", "Mend its receiver",
      "Leave it off")
    w:user("vera", { [w.pk] = "viewer" })
    local vera = w:log_in("vera", console_world.PASSWORD)
    local seen = console:get(now, vera).body
    assert.is_truthy(seen:find("<a><strong>1</strong> Webhooks that the depot switched off", 1, true), seen)
    assert.is_nil(seen:find("hooks.example", 1, true))
    assert.equal(303, send(path, { enabled = "0" }).status)
    assert.same({ 0 }, { hook(path).enabled, hook(path).reason })
    hides(now, "Webhooks that the depot switched off")
    assert(w.store:change())
    assert(w.store:stop_webhooks())
    assert(w.store:commit())
    hides(now, "Webhooks that the depot switched off")
    gave_up(made "https://hooks.example/b")
    assert.equal(303, send(path, { enabled = "1" }).status)
    shows(now, "<strong>1</strong> Webhooks")
  end)

  it("tell of one that is off because the database was restored", function()
    local path = made "https://hooks.example/"
    assert(w.store:change())
    assert(w.store:stop_webhooks())
    assert(w.store:commit())
    shows(path, "off, since the database was restored or copied.", "if no other depot sends to it")
    assert.equal(303, send(path, { enabled = "1" }).status)
    shows(path, ">on<")
  end)

  it("change address and events, leave what is empty, and remove one", function()
    local path = made("https://hooks.example/a?key=s3cret", "failed")
    assert.equal(303, send(path, { url = "", events = "act\nruns" }).status)
    assert.same({ "https://hooks.example/a?key=s3cret", { "act", "runs" } }, { hook(path).url, hook(path).events })
    shows(path, 'checked name="events" type="checkbox" value="act"')
    assert.equal(303, send(path, { url = "https://hooks.example/b" }).status)
    assert.same({ "https://hooks.example/b", { "act", "runs" } }, { hook(path).url, hook(path).events })
    shows(path, "Nothing more is sent there")
    local gone = send(path, { method = "DELETE", back = base() })
    assert.same({ 303, base() }, { gone.status, gone.headers.location }, gone.body)
    shows(base(), "No webhooks yet.")
    assert.equal(404, console:get(path).status)
  end)

  it("show a hostile address as text", function()
    local path, page = made(HOSTILE)
    assert.equal(200, page.status, page.body)
    change(path, { failing = 1767225600000, tries = 1, problem = console_world.HOSTILE:gsub("[%c]", "") })
    for _, one in ipairs { base(), path, "/audit" } do
      local body = shows(one, "script&gt;alert(1)")
      assert.is_nil(body:find("<script>", 1, true), one)
      assert.is_nil(body:find("\226\128\174", 1, true), one)
      assert.is_nil(body:find("s3cret", 1, true), one)
    end
  end)

  it("are for admins of the product, of this one alone too", function()
    local path = made "https://hooks.example/"
    for name, roles in pairs { oli = { [w.pk] = "operator" }, eve = { [w.other] = "admin", [w.pk] = "viewer" } } do
      w:user(name, roles)
      local as = w:log_in(name, console_world.PASSWORD)
      for _, one in ipairs { base(), path } do assert.equal(403, console:get(one, as).status, name .. " " .. one) end
      assert.equal(403, console:post("/do" .. path, { method = "DELETE", etag = "x" }, as).status)
      for _, one in ipairs { "/settings", ("/p/%s/events"):format(w.pk) } do
        assert.is_nil(console:get(one, as).body:find(base(), 1, true), name .. " " .. one)
      end
    end
    w:user("una", { [w.other] = "admin" })
    assert.equal(404, console:get(path, w:log_in("una", console_world.PASSWORD)).status)
    w:user("pat", { [w.pk] = "admin" })
    local pat = w:log_in("pat", console_world.PASSWORD)
    assert.is_truthy(console:get("/settings", pat).body:find(base(), 1, true))
    assert.is_truthy(console:get(base(), pat).body:find("Switch off", 1, true))
  end)
end)

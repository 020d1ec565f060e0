-- The console: pages over the routes of the API, in both languages, for hostile names, without script.

local console_world = require "spec.support.console_world"
local folders = require "spec.support.folder"
local form = require "depot.console.form"
local patches = require "depot.acts.patches"
local natives = require "update.natives"
local views = require "depot.console.views"

local PASSWORD, HOSTILE = console_world.PASSWORD, console_world.HOSTILE

describe("the console", function()
  local folder, console, w, session = folders.new(), nil, nil, nil

  before_each(function()
    console = console_world.open(folder.make())
    w, session = console.w, console.session
  end)
  after_each(function() console:close() end)

  local function get(...) return console:get(...) end
  local function post(...) return console:post(...) end
  local function hidden(...) return console:hidden(...) end
  local function device(name) return console:device(name) end

  local function verified_release()
    local release = w:ask("GET", ("/products/%s/releases"):format(w.pk), { session = session }).object.items[1]
    local entry = w.api.world.packages[1]
    local row = w.store:get("aliyun", "pk", "dev1")
    row.package, row.target, row.state = entry.manifest.digest, "1.0.1", "succeeded"
    assert(w.store:verify(row, 1))
    return release.id
  end

  it("shows every page, in both languages, with what keeps it safe", function()
    local release = verified_release()
    local rollout = w:ask("POST", ("/products/%s/rollouts"):format(w.pk), { session = session,
      body = { release = release } }).object.id
    local parts = { product = w.pk }
    assert(patches.of(w.api.world):add({ hash = w.pk, name = HOSTILE, version = "v1", about = HOSTILE, digest = "d",
      size = 1, crc = 1 }, 1))
    local group = assert(w.store:add_group(w.pk, "lab"))
    local hook = assert(w.store:add_webhook({ product = w.pk, url = "https://a.example/", events = { "act" } }, 1))
    local of = { ["/groups/{id}"] = tostring(group), ["/hotfixes/{id}"] = "1", ["/devices/{id}"] = device "dev1",
      ["/releases/{id}"] = release, ["/rollouts/{id}"] = rollout, ["/webhooks/{id}"] = tostring(hook) }
    for _, view in ipairs(views.list) do
      parts.id = of[view.path]
      local path = view.path:gsub("{(%w+)}", parts)
      for lang, tag in pairs { en = "en", zh = "zh-CN" } do
        local page = get(path .. "?lang=" .. lang)
        assert.equal(200, page.status, path .. ": " .. page.body)
        assert.is_truthy(page.body:find(('<html lang="%s">'):format(tag), 1, true), path)
        assert.matches("default%-src 'none'.*form%-action 'self'.*frame%-ancestors 'none'",
          page.headers["content-security-policy"])
        assert.is_nil(page.body:find "style=", path)
        assert.is_nil(page.body:find " on%l+=", path)
        assert.equal(1, select(2, page.body:gsub("<h1>", "")))
        -- Nothing from elsewhere.
        for link in page.body:gmatch '[hs]re?[fc]="([^"]*)"' do assert.matches("^[/#?]", link) end
        assert.is_true(#page.body < 100 * 1024)
      end
    end
  end)

  it("shows hostile names as text, and nothing else", function()
    assert(w.store:put { cloud = "aliyun", product = "pk", device = HOSTILE, hash = w.pk, release = HOSTILE,
      heard = 1, state = "failed", target = HOSTILE, text = HOSTILE, changed = 1 })
    for _, path in ipairs { "/p/" .. w.pk, ("/p/%s/devices"):format(w.pk), "/devices/" .. device(HOSTILE),
      "/search" .. form.query { q = HOSTILE }, ("/p/%s/devices"):format(w.pk) .. form.query { filter = HOSTILE },
      ("/p/%s/events"):format(w.pk) } do
      local page = get(path)
      assert.is_true(page.status == 200, path .. " " .. page.status)
      assert.is_nil(page.body:find("<script>", 1, true), path)
      assert.is_nil(page.body:find("\226\128\174", 1, true), path)
      assert.is_nil(page.body:find("\27", 1, true), path)
    end
    assert.is_truthy(get("/devices/" .. device(HOSTILE)).body:find("&quot;&#39;&gt;&lt;script&gt;alert(1)", 1, true))
  end)

  it("takes who is not logged in to the log-in, and on to where he wanted to go", function()
    local away = get("/settings", { cookie = "x=y" })
    assert.same({ 303, "/login?back=%2Fsettings" }, { away.status, away.headers.location })
    local page = get(away.headers.location, { cookie = "x=y" })
    local key = hidden(page, "/session", "form")
    assert.equal("moult-form=" .. key, page.headers["set-cookie"]:match "^[^;]+")
    local nobody = { cookie = "moult-form=" .. key, csrf = "" }
    local wish = { form = key, name = "ann", password = PASSWORD, back = "/settings" }
    local wrong = post("/do/session", { form = key, name = "ann", password = "wrong" }, nobody)
    assert.same({ 401, true }, { wrong.status, wrong.body:find('role="alert"', 1, true) ~= nil })
    assert.equal(403, post("/do/session", { name = "ann", password = PASSWORD }, nobody).status)
    assert.equal(403, post("/do/session", wish, { cookie = "moult-form=other", csrf = "" }).status)
    assert.equal(403, post("/do/session", wish, nobody, { Origin = "http://evil.example" }).status)
    local done = post("/do/session", wish, nobody)
    assert.same({ 303, "/settings" }, { done.status, done.headers.location })
    assert.matches("^moult=%x+;", done.headers["set-cookie"])
    assert.equal(200, get("/settings", { cookie = done.headers["set-cookie"]:match "^[^;]+" }).status)
    for _, elsewhere in ipairs { "//evil.example", "https://evil.example", "/\\evil.example", "javascript:1" } do
      wish.back = elsewhere
      assert.equal("/", post("/do/session", wish, nobody).headers.location)
    end
  end)

  it("sets a password by a link", function()
    w:user("bob", { [w.pk] = "viewer" })
    local page = post("/do/users/bob/once", {})
    local link = page.body:match "/once%?token=%x+"
    local form_page = get(link, { cookie = "x=y" })
    local key = hidden(form_page, "/session/once", "form")
    local done = post("/do/session/once", { form = key, token = link:match "=(%x+)", password = PASSWORD },
      { cookie = "moult-form=" .. key, csrf = "" })
    assert.equal(303, done.status)
    assert.equal("/p/" .. w.pk, get("/", { cookie = done.headers["set-cookie"]:match "^[^;]+" }).headers.location)
  end)

  it("changes a device by a form, if nobody was faster", function()
    local path = "/devices/" .. device "dev1"
    local page = get(path)
    local etag = hidden(page, path, "etag")
    local wish = { method = "PATCH", etag = etag, tags = "lab\r\neu\r\n", note = "on the roof", back = path }
    assert.equal(403, post("/do" .. path, { method = "PATCH", etag = etag, tags = "x", csrf = "0" }).status)
    assert.equal(403, post("/do" .. path, { method = "PATCH", etag = etag }, nil, { Origin = "null" }).status)
    local done = post("/do" .. path, wish)
    assert.equal(303, done.status, done.body)
    local id = done.headers.location:match("^" .. path:gsub("%p", "%%%0") .. "%?undo=(%d+)$")
    page = get(done.headers.location)
    assert.equal(id, page.body:match '<form action="/do/undo/(%d+)"')
    assert.is_truthy(page.body:find(">eu\nlab</textarea>", 1, true))
    assert.is_truthy(page.body:find(">on the roof</textarea>", 1, true))
    assert.is_truthy(page.body:find("<dd><bdi>on the roof</bdi></dd><dt>Tags</dt><dd><bdi>eu lab</bdi></dd>", 1, true))
    local late = post("/do" .. path, wish)
    assert.same({ 412, true }, { late.status, late.body:find("last by ann", 1, true) ~= nil })
    assert.equal(303, post("/do/undo/" .. id, { back = path }).status)
    assert.is_false(w.store:note { cloud = "aliyun", product = "pk", device = "dev1" })
    page = get(path)
    wish.etag, wish.tags, wish.note = hidden(page, path, "etag"), "", ""
    assert.equal(303, post("/do" .. path, wish).status)
    assert.is_false(w.store:note { cloud = "aliyun", product = "pk", device = "dev1" })
  end)

  it("says what hardware a device is, and where, and records only what has changed", function()
    local path = "/devices/" .. device "dev1"
    local function send(fields)
      fields.method, fields.etag, fields.back = "PATCH", hidden(get(path), path, "etag"), path
      fields.tags, fields.note = "", ""
      return post("/do" .. path, fields)
    end
    local function acts()
      local count = 0
      for _, row in ipairs(w.store:audited(nil, 100)) do count = count + (row.verb == "device.set" and 1 or 0) end
      return count
    end
    assert.equal(303, send({ hardware = "", zone = "" }).status)
    assert.equal(0, acts())
    assert.equal(303, send({ hardware = "<i>rev-a", zone = "Asia/Shanghai" }).status)
    assert.equal(303, send({ hardware = "<i>rev-a", zone = "Asia/Shanghai" }).status)
    local body = get(path).body
    assert.same({ 2, true, true }, { acts(), body:find('value="&lt;i&gt;rev-a"', 1, true) ~= nil,
      body:find('value="Asia/Shanghai"', 1, true) ~= nil })
    assert.equal(303, send({ hardware = "", zone = "" }).status)
    local row = w.store:get("aliyun", "pk", "dev1")
    assert.same({}, { row.hardware, row.zone })
    local wrong = send { hardware = "", zone = "Nowhere/City" }
    assert.is_truthy(wrong.body:find("Nowhere/City", 1, true), wrong.body)
  end)

  it("changes a rollout while it runs, and says in which zone a product is", function()
    local release = verified_release()
    local id = w:ask("POST", ("/products/%s/rollouts"):format(w.pk), { session = session,
      body = { release = release } }).object.id
    local path = ("/rollouts/%d"):format(id)
    local page = get(path)
    assert.is_truthy(page.body:find('name="limit" type="text" value="5%"', 1, true))
    local done = post("/do" .. path, { method = "PATCH", etag = hidden(page, path, "etag"), limit = "7", in_flight = "",
      window = "22:00-05:00", back = path })
    assert.equal(303, done.status, done.body)
    local object = w:ask("GET", path, { session = session }).object
    assert.same({ 7, 100, 22 * 60 }, { object.limit.count, object.in_flight, object.window.from })
    page = get(path)
    assert.is_truthy(page.body:find('value="22:00-05:00"', 1, true))
    done = post("/do" .. path, { method = "PATCH", etag = hidden(page, path, "etag"), limit = "none", back = path })
    assert.equal(303, done.status, done.body)
    assert.is_truthy(get(path).body:find('name="limit" type="text" value="none"', 1, true))
    local route = "/products/" .. w.pk
    assert(w.store:change())
    assert(w.store:add_product(w.pk, "METER", "staged", 1))
    assert(w.store:commit())
    local etag = w:ask("GET", route, { session = session }).headers.etag
    assert.equal(303, post("/do" .. route, { method = "PATCH", etag = etag, zone = "Asia/Tokyo" }).status)
    assert.is_truthy(get("/depot").body:find("Asia/Tokyo", 1, true))
  end)

  it("keeps what was entered when the session ends meanwhile", function()
    local path = "/devices/" .. device "dev1"
    local etag = hidden(get(path), path, "etag")
    local fields = { method = "PATCH", etag = etag, note = HOSTILE, tags = "lab", back = path }
    local page = post("/do" .. path, fields, { cookie = "x=y", csrf = session.csrf })
    assert.same({ 403, true }, { page.status, page.body:find("Your session ended", 1, true) ~= nil })
    assert.is_nil(page.body:find("<script>", 1, true))
    local function plain(name) return hidden(page, "/session", name) end
    local key = plain "form"
    local done = post("/do/session", { form = key, name = "ann", password = PASSWORD, again = plain "again",
      again_route = plain "again_route" }, { cookie = "moult-form=" .. key, csrf = "" })
    assert.equal(200, done.status, done.body)
    assert.is_nil(done.body:find("<script>", 1, true))
    local as = { cookie = done.headers["set-cookie"]:match "moult=%x+", csrf = hidden(done, path, "csrf") }
    local sent = { method = hidden(done, path, "method"), etag = hidden(done, path, "etag"),
      tags = hidden(done, path, "tags"), note = "on the roof", back = path }
    local final = post("/do" .. path, sent, as)
    assert.equal(303, final.status, final.body)
    assert.equal("on the roof", w.store:note { cloud = "aliyun", product = "pk", device = "dev1" })
  end)

  it("leads from a release to a rollout in waves, with a preview", function()
    local page = get(("/p/%s/releases"):format(w.pk))
    local path = page.body:match 'href="(/releases/%x+)"'
    assert.is_truthy(get(path).body:find("Verify it on a device first.", 1, true))
    local asked = post(("/do%s/verify"):format(path), { name = "dev1", back = path .. "?device={id}" })
    assert.same({ 303, path .. "?device=" .. device "dev1" }, { asked.status, asked.headers.location })
    assert.is_truthy(get(asked.headers.location).body:find("waits for the device to ask", 1, true))
    assert.equal("verify", w.store:get("aliyun", "pk", "dev1").kind)
    assert.equal(404, post(("/do%s/verify"):format(path), { name = "nobody", back = path }).status)
    local release = verified_release()
    local new = ("/p/%s/rollouts/new"):format(w.pk)
    local preview = get(new .. form.query { release = release, waves = "50,100", devices = "dev2\r\ndev3" })
    assert.is_truthy(preview.body:find("It reaches 2 devices now.", 1, true))
    -- What the preview sends in an address has no token; the other button has it.
    local sent = get(new).body:match '<form action="/do/products/.-</form>'
    assert.is_nil(sent:find('type="hidden" name="csrf"', 1, true) or sent:find('name="csrf" type="hidden"', 1, true))
    assert.is_truthy(sent:find(('<button name="csrf" type="submit" value="%s">'):format(session.csrf), 1, true))
    local wrong = get(new .. form.query { release = release, waves = "1,2" })
    assert.is_truthy(wrong.body:find("expected rising percentages", 1, true))
    local route = ("/products/%s/rollouts"):format(w.pk)
    assert.same({ 0, 303 }, { #w.store:rollouts(), post("/do" .. route, { release = release, waves = "50,100",
      soak = "24h", limit = "5%", in_flight = "100", from = "", window = "", devices = "" }).status })
    local rollout = w.store:rollouts()[1]
    local one = "/rollouts/" .. rollout.id
    assert.equal(303, post(("/do%s/pause"):format(one), { back = one }).status)
    page = get("/p/" .. w.pk)
    assert.is_truthy(page.body:find(">A rollout is paused</a>", 1, true))
    assert.is_truthy(page.body:find("Resume (forgives 0 failures)", 1, true))
    assert.equal(303, post(("/do%s/resume"):format(one), {}).status)
    assert.equal("running", w.store:rollout(rollout.id).state)
  end)

  it("makes a product whose key is shown once, switches it off, and backs the store up", function()
    local made = post("/do/products", { name = "<i>PUMP", mode = "staged" })
    local key = made.body:match "<pre>(%x+)</pre>"
    assert.equal(200, made.status, made.body)
    local hash = natives.digest.sha256(key)
    local function product() return w:ask("GET", "/products/" .. hash, { session = session }) end
    assert.equal("<i>PUMP", product().object.name)
    local body = get("/depot").body
    assert.is_truthy(body:find("&lt;i&gt;PUMP", 1, true))
    assert.is_nil(body:find(key, 1, true))
    assert.is_truthy(body:find("release.pub", 1, true))
    local off = post("/do/products/" .. hash, { method = "PATCH", etag = product().headers.etag, enabled = "0" })
    assert.same({ 303, false }, { off.status, product().object.enabled })
    assert.is_truthy(get("/depot").body:find("Switch on", 1, true))
    assert.equal(303, post("/do/settings", { method = "PATCH", events_days = "30", audit_days = "1000" }).status)
    assert.equal(30, w:ask("GET", "/settings", { session = session }).object.events_days)
    local copy = post("/do/backup", {}).body:match "<pre>(%.backups/depot%-[%d-]+%.db)</pre>"
    assert.is_true(folder.exists("packages/" .. copy))
  end)

  it("draws what devices ran day by day, in Now and with the releases", function()
    local now = os.time() * 1000
    for _, path in ipairs { "/p/" .. w.pk, ("/p/%s/releases"):format(w.pk) } do
      assert.is_nil(get(path).body:find('class="chart"', 1, true), "a single day is no picture")
    end
    for i, days in ipairs { 100, 40, 2, 1 } do
      assert(w.store:put { cloud = "aliyun", product = "pk", device = "dev" .. i, hash = w.pk, release = HOSTILE .. i })
      assert(w.store:change())
      assert(w.store:note_day(now - days * 86400000))
      assert(w.store:commit())
    end
    local function first(path) return get(path).body:match '<p class="span"><span>([%d-]+)</span>' end
    assert.equal(os.date("!%Y-%m-%d", now // 1000 - 2 * 86400), first("/p/" .. w.pk))
    assert.equal(os.date("!%Y-%m-%d", now // 1000 - 40 * 86400), first(("/p/%s/releases"):format(w.pk)))
    assert.is_nil(get("/p/" .. w.pk).body:find("<script>", 1, true))
    local path = ("/products/%s/summary"):format(w.pk)
    assert.is_nil(w:ask("GET", path, { session = session }).object.daily)
    local days = w:ask("GET", path .. "?days=400", { session = session }).object.daily
    assert.same({ 5, "1.0.0", 2, 1 }, { #days, days[1].releases[1].release, days[1].releases[1].devices,
      #days[5].releases[1].release > 0 and days[5].releases[1].devices })
    assert.equal(400, w:ask("GET", path .. "?days=401", { session = session }).status)
  end)

  it("describes a release, in words that stay text", function()
    local path = get(("/p/%s/releases"):format(w.pk)).body:match 'href="(/releases/%x+)"'
    local function etag() return w:ask("GET", path, { session = session }).headers.etag end
    local said = post("/do" .. path, { method = "PATCH", etag = etag(), text = "<b>mends</b> it", security = "true",
      support_until = "2028-02-29" })
    assert.equal(303, said.status, said.body)
    local body = get(path).body
    for _, text in ipairs { "&lt;b&gt;mends&lt;/b&gt; it", "<strong>Mends a security fault</strong>", "2028-02-29" } do
      assert.is_truthy(body:find(text, 1, true), text)
    end
    assert.equal(303, post("/do" .. path, { method = "PATCH", etag = etag(), text = "", support_until = "" }).status)
    assert.is_nil(get(path).body:find("mends", 1, true))
    local wrong = post("/do" .. path, { method = "PATCH", etag = etag(), support_until = "soon" })
    assert.is_truthy(wrong.body:find("expected a day", 1, true), wrong.body)
  end)

  it("switches a release off and on, and shows that it is", function()
    local list = ("/p/%s/releases"):format(w.pk)
    local path = get(list).body:match 'href="(/releases/%x+)"'
    local function switch(value)
      local etag = w:ask("GET", path, { session = session }).headers.etag
      return post("/do" .. path, { method = "PATCH", etag = etag, enabled = value })
    end
    assert.is_nil(get(list).body:find("<strong>disabled</strong>", 1, true))
    assert.is_truthy(get(path).body:find('name="enabled"', 1, true))
    assert.equal(303, switch("false").status)
    assert.is_truthy(get(list).body:find("<strong>disabled</strong>", 1, true))
    assert.is_truthy(get(path).body:find("Disabled: it is offered to nobody.", 1, true))
    assert.equal(303, switch("true").status)
    assert.is_nil(get(path).body:find("Disabled: it is offered to nobody.", 1, true))
  end)

  it("asks for the name before a release is withdrawn that many run", function()
    for i = 1, 101 do
      assert(w.store:put { cloud = "aliyun", product = "pk", device = "many" .. i, hash = w.pk, release = "1.0.1" })
    end
    local path = get(("/p/%s/releases"):format(w.pk)).body:match 'href="(/releases/%x+)"'
    local route = path .. "/withdraw"
    assert.equal("1.0.1", hidden(get(path), route, "expect"))
    assert.equal(422, post("/do" .. route, { expect = "1.0.1", confirm = "1.0" }).status)
    assert.same({}, w.store:withdrawn())
    assert.equal(303, post("/do" .. route, { expect = "1.0.1", confirm = "1.0.1" }).status)
    assert.is_truthy(next(w.store:withdrawn()))
  end)

  it("has the menu of the only product on pages that are of none", function()
    w:user("bob", { [w.pk] = "viewer" })
    local bob = w:log_in("bob", PASSWORD)
    local item = ('<a href="/p/%s/devices">'):format(w.pk)
    assert.is_truthy(get("/settings", bob).body:find(item, 1, true))
    assert.is_nil(get("/settings").body:find(item, 1, true), "there are two for ann")
  end)

  it("lets a viewer look, and no more", function()
    w:user("bob", { [w.pk] = "viewer" })
    local bob = w:log_in("bob", PASSWORD)
    assert.equal(200, get("/p/" .. w.pk, bob).status)
    assert.equal(404, get("/p/" .. w.other, bob).status)
    assert.is_nil(get("/settings", bob).body:find("Add a user", 1, true))
    local path = "/devices/" .. device "dev1"
    local etag = hidden(get(path), path, "etag")
    assert.is_nil(get(path, bob).body:find('action="/do' .. path, 1, true))
    assert.is_nil(get(("/p/%s/releases"):format(w.pk), bob).body:find("data-upload", 1, true))
    assert.equal(403, post("/do" .. path, { method = "PATCH", etag = etag, note = "x" }, bob).status)
    assert.equal(403, post("/do/users", { name = "eve", roles = "=admin" }, bob).status)
  end)

  it("makes users and tokens, whose secrets are shown once", function()
    local page = post("/do/users", { name = "eve", roles = w.pk .. "=operator" })
    assert.same({ 200, true }, { page.status, page.body:find("/once?token=", 1, true) ~= nil }, page.body)
    assert.same({ [w.pk] = "operator" }, w.store:roles(w.store:account("eve").id))
    page = post("/do/me/tokens", { name = "ci" })
    assert.matches("moult_%x+", page.body)
    assert.is_nil(get("/settings").body:find "moult_%x+")
  end)

  local function send(name, bytes, o) return console:send(name, bytes, o) end

  it("takes a package from a form, without script", function()
    w.folder.pack("new.upd", "pk", 3, "1.0.2")
    local bytes = folder.read "packages/new.upd"
    assert(os.remove(folder.path "packages/new.upd"))
    assert.equal(403, send("a.upd", bytes, { headers = { Origin = "http://evil.example" } }).status)
    assert.equal(403, send("a.upd", bytes, { fields = { csrf = "wrong" } }).status)
    assert.equal(401, send("a.upd", bytes, { as = { cookie = "x=y" } }).status)
    local bad = send(HOSTILE:gsub("[%c\"]", ""), bytes:sub(1, -2) .. "?")
    assert.same({ 422, nil }, { bad.status, bad.body:find("<script>alert", 1, true) }, bad.body)
    assert.is_truthy(bad.body:find(('href="/p/%s/releases">Something has changed'):format(w.pk), 1, true))
    w:user("bob", { [w.pk] = "viewer" })
    local bob = w:log_in("bob", PASSWORD)
    assert.equal(403, send("a.upd", bytes, { as = bob }).status)
    local done = send("a.upd", bytes)
    assert.same({ 303, ("/p/%s/releases"):format(w.pk) }, { done.status, done.headers.location }, done.body)
    assert.is_truthy(get(done.headers.location).body:find(">1.0.2</bdi>", 1, true))
    assert.same({}, natives.folder.list(w.dir .. "/.incoming"))
  end)

  it("leaves no upload behind when the package of a form cannot be written", function()
    w.folder.pack("new.upd", "pk", 3, "1.0.2")
    local bytes = folder.read "packages/new.upd"
    assert(os.remove(folder.path "packages/new.upd"))
    local incoming = w.api.answers.incoming
    incoming.run = function(self, script, ...)
      if script:find("head", 1, true) then return 1 end
      return getmetatable(self).run(self, script, ...)
    end
    for _ = 1, 3 do -- more than a user may have open at once
      local failed = send("a.upd", bytes)
      assert.is_truthy(failed.body:find("the package could not be written", 1, true), failed.body)
    end
    incoming.run = nil
    assert.equal(303, send("a.upd", bytes).status)
    assert.same({}, natives.folder.list(w.dir .. "/.incoming"))
  end)

  it("takes a hotfix from the dialog to its release", function()
    local mac, other = "00:0c:29:4b:5b:1f", "00:0c:29:4b:5b:20"
    w.folder.pack_hotfix("fix.upd", "pk", 10, "v1")
    local bytes = folder.read "packages/fix.upd"
    assert(os.remove(folder.path "packages/fix.upd"))
    local done = send("fix.zip", bytes, { fields = { about = "mends the clock", back = "/hotfixes/{hotfix}" } })
    assert.same({ 303, "/hotfixes/1" }, { done.status, done.headers.location }, done.body)
    local one = "/hotfixes/1"
    local function shows(text) assert.is_truthy(get(one).body:find(text, 1, true), text) end
    shows "mends the clock"
    shows "Verify it on a device first."
    assert.equal(422, post("/do/hotfixes/1/release", {}).status)
    assert.equal(303, post("/do/hotfixes/1/verify", { device = mac, timeout = "120", back = one }).status)
    shows ">waits for the device to ask</li>"
    shows "data-poll"
    local known = patches.of(w.api.world)
    for _, state in ipairs { { state = "downloading", percent = 40 }, { state = "downloaded" }, { state = "done" } } do
      assert(w.api.world.store:change())
      assert(known:note(known:one(1), mac, state, 1))
      assert(w.api.world.store:commit())
      if state.percent then shows " 40 %" end
    end
    shows "Verify again"
    assert.equal(303, send("list.csv", other .. "\r\n", { fields = { devices = mac, back = one },
      route = "//do/hotfixes/1/trial" }).status)
    shows(other)
    assert.equal(303, post("/do/hotfixes/1/release", { back = one }).status)
    local page = get(("/p/%s/hotfixes"):format(w.pk)).body
    assert.is_truthy(page:find(mac .. " " .. other, 1, true))
    local etag = hidden(get(one), "/hotfixes/1", "etag")
    assert.equal(303, post("/do/hotfixes/1", { method = "DELETE", etag = etag, back = one }).status)
    assert.is_truthy(get(("/p/%s/hotfixes"):format(w.pk)).body:find('>deleted</td>', 1, true))
  end)

  it("takes a hotfix that nobody signed where the page of the depot allows it", function()
    assert(w.store:change())
    assert(w.store:add_product(w.pk, "METER", "staged", 1))
    assert(w.store:commit())
    local function fixes() return get(("/p/%s/hotfixes"):format(w.pk)).body end
    local fields = { product = w.pk, about = "", back = "/hotfixes/{hotfix}" }
    assert.is_nil(fixes():find('name="product"', 1, true))
    local refused = send("clock_v1.bin", "bytes", { fields = fields })
    assert.is_truthy(refused.body:find("takes signed patches only", 1, true), refused.body)
    local path = "/products/" .. w.pk
    local product = w:ask("GET", path, { token = w:user("root", { [""] = "admin" }) })
    assert.equal(303, post("/do" .. path, { method = "PATCH", etag = product.headers.etag, unsigned = "1" }).status)
    assert.is_truthy(fixes():find('name="product"', 1, true))
    local done = send("clock_v1.bin", "bytes", { fields = fields })
    assert.same({ 303, "/hotfixes/1" }, { done.status, done.headers.location }, done.body)
    assert.is_truthy(get("/hotfixes/1").body:find("unsigned", 1, true))
    assert.is_truthy(fixes():find("unsigned", 1, true))
  end)

  it("limits a release to a list that is typed or uploaded, and adds to it", function()
    local release = w:ask("GET", ("/products/%s/releases"):format(w.pk), { session = session }).object.items[1].id
    local path = "/releases/" .. release
    local etag = hidden(get(path), path .. "/list", "etag")
    local done = send("imei.csv", "dev2\r\ndev3\r\n", { fields = { method = "PUT", etag = etag, devices = "dev1",
      back = path }, route = ("//do%s/list"):format(path) })
    assert.equal(303, done.status, done.body)
    assert.equal("dev1\ndev2\ndev3\n", folder.read "packages/METER_1.0.1.upd.devices")
    assert.is_truthy(get(path).body:find("Only the devices on its list", 1, true))
    assert.equal(303, post(("/do%s/list"):format(path), { devices = "far", back = path }).status)
    assert.matches("far\n", folder.read "packages/METER_1.0.1.upd.devices")
  end)

  it("tries again on all that failed, and on no other", function()
    local release = w:ask("GET", ("/products/%s/releases"):format(w.pk), { session = session }).object.items[1].id
    local digest = w.api.world.packages[1].manifest.digest
    for name, state in pairs { dev1 = "failed", dev2 = "failed", dev3 = "succeeded" } do
      assert(w.store:put { cloud = "aliyun", product = "pk", device = name, hash = w.pk, state = state, code = -2,
        target = "1.0.1", package = digest, kind = "batch", text = "no route" })
    end
    local path = "/releases/" .. release
    local page = get(path .. "?state=failed").body
    assert.is_truthy(page:find("-2 the download failed", 1, true))
    assert.is_truthy(page:find("2 devices that failed are offered it again", 1, true))
    assert.is_nil(get(path .. "?state=succeeded").body:find("offered it again", 1, true))
    local done = post(("/do/products/%s/jobs/bulk"):format(w.pk), { act = "retry",
      filter = 'target:"1.0.1" state:failed', back = path .. "?state=failed&task={id}" })
    assert.equal(303, done.status, done.body)
    assert.matches("%?state=failed&task=%x+$", done.headers.location)
    repeat page = get(done.headers.location).body until page:find("Done: 2 of 2 devices.", 1, true)
    assert.same({ "pending", "succeeded" }, { w.store:get("aliyun", "pk", "dev2").state,
      w.store:get("aliyun", "pk", "dev3").state })
  end)

  it("finds devices by a name in any spelling, by its beginning, and releases", function()
    local mac = "00:0c:29:4b:5b:1f"
    assert(w.store:put { cloud = "qinglian", product = "pk", device = mac, hash = w.pk, heard = 1 })
    for q, found in pairs { ["000C294B5B1F"] = mac, ["00-0c-29-4b-5b-1f"] = mac, dev = "dev3", dev2 = "dev2" } do
      assert.is_truthy(get("/search" .. form.query { q = q }).body:find(">" .. found .. "<", 1, true), q)
    end
    assert.is_nil(get("/search?q=dev2").body:find(">dev3<", 1, true))
    assert.matches('href="/releases/%x+"', get("/search?q=1.0").body)
    assert.is_truthy(get("/search?q=nothing").body:find("Nothing found", 1, true))
  end)

  it("shows times in the zone of the user", function()
    local event = w.store:events_before({}, 1)[1].at // 1000
    local local_time = os.date("!%Y-%m-%d %H:%M", event + 8 * 3600)
    local path = ("/p/%s/events"):format(w.pk)
    assert.is_nil(get("/audit").body:find("data-zone", 1, true))
    assert.equal(422, post("/do/me", { method = "PATCH", tz = "Nowhere/City" }).status)
    assert.equal(303, post("/do/me", { method = "PATCH", tz = "Asia/Shanghai", lang = "zh" }).status)
    local page = get("/audit").body
    assert.is_truthy(page:find('data-zone="Asia/Shanghai"', 1, true))
    assert.is_truthy(page:find(local_time:sub(1, 13), 1, true))
    assert.is_truthy(get(path).body:find('lang="zh-CN"', 1, true))
    assert.equal(303, post("/do/me", { method = "PATCH", tz = "" }).status)
    assert.is_truthy(get("/audit").body:find(" UTC</time>", 1, true))
  end)

  it("gives programs the same time that it shows, which the script turns into the reader's", function()
    assert(w.store:put { cloud = "aliyun", product = "pk", device = "dev1", hash = w.pk, heard = 1767225600000 })
    local page = get("/devices/" .. device "dev1").body
    assert.is_truthy(page:find('<time datetime="2026-01-01T00:00:00Z">2026-01-01 00:00 UTC</time>', 1, true))
  end)

  it("serves its style and script, and no other file", function()
    assert.equal("text/css; charset=utf-8", get("/static/console.css").headers["content-type"])
    assert.equal("text/javascript; charset=utf-8", get("/static/console.js").headers["content-type"])
    assert.equal(404, get("/static/init.lua").status)
    assert.equal(404, get("/nowhere").status)
    assert.equal(405, w:ask("POST", "//nowhere", { session = session }).status)
    assert.equal(421, get("/login", nil, { Host = "evil.example" }).status)
  end)

  it("remembers the language of a link", function()
    local page = get("/settings?lang=zh")
    local cookie = session.cookie .. "; " .. page.headers["set-cookie"]:match "lang=zh"
    assert.is_truthy(get("/settings", { cookie = cookie }).body:find('lang="zh-CN"', 1, true))
    page = get("/settings", nil, { ["Accept-Language"] = "zh-CN,zh;q=0.9" })
    assert.is_truthy(page.body:find('lang="zh-CN"', 1, true))
  end)
end)

-- The admin server: who is let in, and what he gets.

local api_world = require "spec.support.api_world"
local folders = require "spec.support.folder"
local ids = require "depot.api.ids"
local natives = require "update.natives"

describe("the admin server", function()
  local folder, w = folders.new(), nil

  before_each(function() w = api_world.open(folder.make()) end)
  after_each(function() w:close() end)

  local function device(name) return ids.of { cloud = "aliyun", product = "pk", device = name } end

  it("answers only to its own names", function()
    local token = w:user("ann", { [""] = "admin" })
    for _, host in ipairs { "evil.example", "127.0.0.1", "", "localhost" } do
      local answer = w:ask("GET", "/me", { token = token, headers = { Host = host } })
      assert.same({ 421, "host" }, { answer.status, answer.object.error.code })
    end
    local port = w.api:address():match ":(%d+)$"
    assert.equal(200, w:ask("GET", "/me", { token = token, headers = { Host = "LOCALHOST:" .. port } }).status)
    w:serve { urls = { "https://depot.example/" } }
    assert.equal(421, w:ask("GET", "/me", { token = token }).status)
    assert.equal(200, w:ask("GET", "/me", { token = token, headers = { Host = "depot.example" } }).status)
  end)

  it("says that it is there, and no more, to whom it does not know", function()
    assert.same({ 200, "ok\n" }, { w:ask("GET", "//healthz").status, w:ask("GET", "//healthz").body })
    for _, path in ipairs { "/me", "/products", "/users", "/openapi.json" } do
      local answer = w:ask("GET", path)
      assert.same({ 401, "login" }, { answer.status, answer.object.error.code })
      assert.equal('Bearer realm="moult"', answer.headers["www-authenticate"])
    end
  end)

  it("shows products, devices, releases and rollouts to whom may see them", function()
    local token = w:user("ann", { [w.pk] = "viewer" })
    local products = w:ask("GET", "/products", { token = token }).object.items
    assert.same({ 1, w.pk, 3, 1 }, { #products, products[1].product_key, products[1].devices, products[1].releases })
    local devices = w:ask("GET", ("/products/%s/devices"):format(w.pk), { token = token }).object
    assert.same({ 3, "dev1", "1.0.0" }, { #devices.items, devices.items[1].device, devices.items[1].release })
    local releases = w:ask("GET", ("/products/%s/releases"):format(w.pk), { token = token }).object.items
    assert.same({ 1, "uploaded", "METER_1.0.1.upd" }, { #releases, releases[1].stage, releases[1].packages[1] })
    assert.equal(releases[1].id, w:ask("GET", "/releases/" .. releases[1].id, { token = token }).object.id)
    assert.same({}, w:ask("GET", ("/products/%s/rollouts"):format(w.pk), { token = token }).object.items)
    for _, path in ipairs { "/products/" .. w.other, "/products/" .. w.other .. "/devices", "/products/x",
      "/devices/" .. ids.of { cloud = "aliyun", product = "other", device = "far" }, "/devices/zz", "/rollouts/7",
      "/releases/x" } do
      local answer = w:ask("GET", path, { token = token })
      assert.same({ 404, "missing" }, { answer.status, answer.object.error.code }, path)
    end
  end)

  it("lists devices a page at a time, by filter", function()
    local token = w:user("ann", { [""] = "viewer" })
    local path, seen = ("/products/%s/devices?limit=2"):format(w.pk), {}
    local cursor
    repeat
      local page = w:ask("GET", path .. (cursor and "&cursor=" .. cursor or ""), { token = token }).object
      assert.is_true(#page.items <= 2)
      for _, item in ipairs(page.items) do seen[#seen + 1] = item.device end
      cursor = page.next ~= natives.json.null and page.next or nil
    until not cursor
    assert.same({ "dev1", "dev2", "dev3" }, seen)
    local found = w:ask("GET", path .. "&filter=name:dev2", { token = token }).object.items
    assert.same({ 1, "dev2" }, { #found, found[1].device })
    for argument, field in pairs { ["filter=colour:red"] = "filter", ["limit=0"] = "limit", ["limit=1001"] = "limit",
      ["cursor=xyz"] = "cursor", ["colour=red"] = "colour" } do
      local answer = w:ask("GET", ("/products/%s/devices?%s"):format(w.pk, argument), { token = token })
      assert.same({ 400, "usage", field }, { answer.status, answer.object.error.code, answer.object.error.field })
    end
  end)

  it("changes tags and note of a device, if it is as whoever changes it has seen it", function()
    local token = w:user("ann", { [w.pk] = "operator" })
    local path = "/devices/" .. device "dev1"
    local tag = w:ask("GET", path, { token = token }).headers.etag
    assert.equal(428, w:ask("PATCH", path, { token = token, body = { tags = { "Lab" } } }).status)
    local answer = w:ask("PATCH", path, { token = token, body = { tags = { "Lab" }, note = "roof" },
      headers = { ["If-Match"] = tag } })
    assert.same({ 200, { "lab" }, "roof" }, { answer.status, answer.object.tags, answer.object.note })
    assert.not_equal(tag, answer.headers.etag)
    answer = w:ask("PATCH", path, { token = token, body = { tags = {} }, headers = { ["If-Match"] = tag } })
    assert.same({ 412, "changed" }, { answer.status, answer.object.error.code })
    assert.matches("last by ann at %d", answer.object.error.message)
    local row = w.store:audited(nil, 1)[1]
    assert.same({ "ann", "device.note", "127.0.0.1" }, { row.actor, row.verb, row.address })
    assert(w.store:check_audit())
  end)

  it("says what is wrong with a request", function()
    local token = w:user("ann", { [""] = "admin" })
    local path = "/devices/" .. device "dev1"
    local tag = w:ask("GET", path, { token = token }).headers.etag
    for _, case in ipairs {
      { '{"tags":[1]}', 400, "tags" }, { '{"note":1}', 400, "note" }, { '{"colour":"red"}', 400, "colour" },
      { "[1]", 400 }, { "{", 400 }, { '{"tags":["a b"]}', 400, "tags" },
      { '{"note":"' .. ("x"):rep(1001) .. '"}', 400, "note" }, { '{"note":"\\u0000"}', 400, "note" },
    } do
      local answer = w:ask("PATCH", path, { token = token, body = case[1], headers = { ["If-Match"] = tag } })
      assert.same({ case[2], case[3] }, { answer.status, (answer.object.error or {}).field }, case[1])
    end
    assert.equal(400, w:ask("PATCH", path, { token = token, body = "a=b", headers = { ["If-Match"] = tag,
      ["Content-Type"] = "text/plain" } }).status)
    assert.equal(405, w:ask("POST", path, { token = token }).status)
    assert.equal(404, w:ask("GET", path .. "/", { token = token }).status)
  end)

  it("rolls out, after it has said what it would reach", function()
    local token = w:user("ann", { [w.pk] = "operator" })
    local release = w:ask("GET", ("/products/%s/releases"):format(w.pk), { token = token }).object.items[1]
    local path = ("/products/%s/rollouts"):format(w.pk)
    local wish = { release = release.id, waves = "50,100" }
    local preview = w:ask("POST", path .. "?dry_run=1", { token = token, body = wish })
    assert.same({ 200, 3 }, { preview.status, preview.object.reaches })
    local refused = w:ask("POST", path, { token = token, body = wish })
    assert.same({ 422, "refused" }, { refused.status, refused.object.error.code })
    assert.matches("no device has verified it", refused.object.error.message)
    -- A device verifies it.
    local answer = w:ask("POST", ("/releases/%s/verify"):format(release.id), { token = token,
      body = { device = device "dev1" } })
    assert.same({ 202, "pending" }, { answer.status, answer.object.state })
    local row = w.store:get("aliyun", "pk", "dev1")
    row.release, row.state = "1.0.1", "succeeded"
    assert(w.store:put(row))
    assert(w.store:verify(row, 1))
    local made = w:ask("POST", path, { token = token, body = wish })
    assert.same({ 201, "running" }, { made.status, made.object.state })
    local one = "/rollouts/" .. made.object.id
    assert.equal("paused", w:ask("POST", one .. "/pause", { token = token }).object.state)
    local resumed = w:ask("POST", one .. "/resume", { token = token }).object
    assert.same({ "running", 0 }, { resumed.state, resumed.forgives })
    answer = w:ask("POST", one .. "/start", { token = token })
    assert.same({ 422, "refused" }, { answer.status, answer.object.error.code })
    local tag = w:ask("GET", one, { token = token }).headers.etag
    answer = w:ask("PATCH", one, { token = token, body = { in_flight = 7 }, headers = { ["If-Match"] = tag } })
    assert.same({ 200, 7 }, { answer.status, answer.object.in_flight })
    assert.equal("cancelled", w:ask("POST", one .. "/cancel", { token = token }).object.state)
    assert.equal(403, w:ask("POST", ("/releases/%s/withdraw"):format(release.id), { token = token }).status)
  end)

  it("withdraws a release", function()
    local token = w:user("ann", { [""] = "admin" })
    local release = w:ask("GET", ("/products/%s/releases"):format(w.pk), { token = token }).object.items[1]
    local answer = w:ask("POST", ("/releases/%s/withdraw"):format(release.id), { token = token })
    assert.same({ 200, "withdrawn" }, { answer.status, answer.object.stage })
    assert.equal("withdrawn", w:ask("GET", "/releases/" .. release.id, { token = token }).object.stage)
  end)

  it("lets nobody ask without end", function()
    local token = w:user("ann", { [""] = "viewer" })
    local status
    for _ = 1, 130 do
      local answer = w:ask("GET", "/me", { token = token })
      status = answer.status
      if status == 429 then
        assert.equal("1", answer.headers["retry-after"])
        break
      end
    end
    assert.equal(429, status)
  end)

  it("shows text of devices without what controls a terminal", function()
    local name = "a\27[31m\226\128\174b\255<script>"
    assert(w.store:put { cloud = "aliyun", product = "pk", device = name, hash = w.pk, release = "1\0", heard = 1 })
    local token = w:user("ann", { [""] = "viewer" })
    local answer = w:ask("GET", "/devices/" .. device(name), { token = token })
    assert.equal("a?[31m?b?<script>", answer.object.device)
    assert.is_nil(answer.body:find "[\27\255]")
  end)
end)

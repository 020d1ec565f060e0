-- Server-sent events, exports and figures of the admin server.

local api_world = require "spec.support.api_world"
local folders = require "spec.support.folder"
local ids = require "depot.api.ids"
local natives = require "update.natives"
local raw = require "spec.support.raw_http"

describe("live events", function()
  local folder, w = folders.new(), nil

  before_each(function()
    w = api_world.open(folder.make())
    w.api.answers.limits.ask = function() end
  end)
  after_each(function() w:close() end)

  local function step()
    w.api.live.next_look = 0
    w:step()
  end

  local function connect(token, headers)
    local client = raw.connect(w.api:address())
    client:send(("GET /api/v1/events/live HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n%s\r\n"):format(
      w.api:address(), token, headers or ""))
    raw.pump(step, { client }, function() return client.received:find("\r\n\r\n", 1, true) end)
    return client
  end

  local function hears(client, text)
    raw.pump(step, { client }, function() return client.received:find(text, 1, true) end)
  end

  local function happen(product, text)
    assert(w.store:note_event { at = 1000, what = "rollout", hash = product, text = text })
  end

  it("reach those who may see them, and no others", function()
    local ann, bob = w:user("ann", { [w.pk] = "viewer" }), w:user("bob", { [w.other] = "viewer" })
    local a, b = connect(ann), connect(bob)
    assert.matches("Content%-Type: text/event%-stream", a.received)
    happen(w.pk, "first")
    happen(w.other, "second")
    hears(a, "first")
    hears(b, "second")
    assert.is_nil(a.received:find("second", 1, true))
    assert.is_nil(b.received:find("first", 1, true))
    a:close()
    b:close()
    raw.pump(step, {}, function()
      happen(w.pk, "gone")
      happen(w.other, "gone")
      return w.api.live:count() == 0
    end)
  end)

  it("go on at Last-Event-ID", function()
    local ann = w:user("ann", { [""] = "viewer" })
    happen(w.pk, "missed")
    local last = w.store:last_event()
    happen(w.pk, "next one")
    local client = connect(ann, ("Last-Event-ID: %d\r\n"):format(last))
    hears(client, "next one")
    assert.is_nil(client.received:find("missed", 1, true))
    assert.matches("id: " .. last + 1 .. "\ndata: {", client.received)
    client:close()
  end)

  it("end with the rights to see them", function()
    local ann, row = w:user("ann", { [w.pk] = "viewer" })
    local client = connect(ann)
    row.disabled = 1
    assert(w.store:save_account(row))
    happen(w.pk, "secret")
    raw.pump(step, { client }, function() return client.received:find("\r\n0\r\n", 1, true) end)
    assert.is_nil(client.received:find("secret", 1, true))
    client:close()
  end)

  it("are limited in number", function()
    local ann = w:user("ann", { [""] = "viewer" })
    local clients = {}
    for i = 1, 5 do clients[i] = connect(ann) end
    -- The fifth has ended the first, and hears what happens.
    raw.pump(step, { clients[1] }, function() return clients[1].received:find "\r\n0\r\n\r\n$" end)
    assert.equal(4, w.api.live:count())
    happen(w.pk, "still heard")
    hears(clients[5], "still heard")
    for n = 1, 15 do
      local token = w:user("user" .. n, { [""] = "viewer" })
      for _ = 1, 4 do clients[#clients + 1] = connect(token) end
    end
    local other = w:user("other", { [""] = "viewer" })
    assert.equal(503, w:ask("GET", "/events/live", { token = other }).status)
    assert.equal(200, w:ask("GET", "/me", { token = other }).status)
    for _, client in ipairs(clients) do client:close() end
  end)

  describe("as a file", function()
    it("hold what the asker may see, safe for spreadsheets", function()
      local ann = w:user("ann", { [w.pk] = "viewer" })
      happen(w.pk, "=HYPERLINK(1)")
      happen(w.other, "foreign")
      local csv = w:ask("GET", "/events/export?format=csv", { token = ann })
      assert.equal("text/csv; charset=utf-8", csv.headers["content-type"])
      assert.is_truthy(csv.body:find([["'=HYPERLINK(1)"]], 1, true))
      assert.is_nil(csv.body:find("foreign", 1, true))
      local rows = {}
      for line in csv.body:gmatch "([^\n]*)\n" do rows[#rows + 1] = line end
      assert.matches('^"id","at",', rows[1])
      assert.matches('first heard', rows[2])
      assert.equal(csv.body, table.concat(rows, "\n") .. "\n") -- a line for each
      local lines = w:ask("GET", "/events/export?format=jsonl&limit=1", { token = ann })
      assert.equal("1", lines.headers["x-next-cursor"])
      assert.equal("first heard", natives.json.decode((lines.body:match "^[^\n]*")).what)
      assert.equal(400, w:ask("GET", "/events/export?format=xls", { token = ann }).status)
      local function count(query)
        local body = w:ask("GET", "/events/export?format=jsonl" .. query, { token = ann }).body
        return select(2, body:gsub("\n", ""))
      end
      assert.equal(1, count "&device=dev1")
      assert.equal(3, count "&product=pk")
      assert.equal(0, count "&product=pk&since=4000000000")
      assert.equal(0, count "&device=far") -- not what another product's devices did
    end)
  end)

  describe("a page at a time", function()
    it("of a device and of all", function()
      local ann = w:user("ann", { [w.pk] = "viewer" })
      for i = 1, 3 do happen(w.pk, "n" .. i) end
      local page = w:ask("GET", "/events?what=rollout&limit=2", { token = ann }).object
      assert.same({ "n3", "n2" }, { page.items[1].text, page.items[2].text })
      page = w:ask("GET", "/events?what=rollout&limit=2&cursor=" .. page.next, { token = ann }).object
      assert.same({ 1, "n1", natives.json.null }, { #page.items, page.items[1].text, page.next })
      local id = ids.of { cloud = "aliyun", product = "pk", device = "dev1" }
      assert.equal("first heard", w:ask("GET", ("/devices/%s/events"):format(id), { token = ann }).object.items[1].what)
    end)

    it("of the audit, to admins", function()
      local ann, bob = w:user("ann", { [""] = "admin" }), w:user("bob", { [w.pk] = "admin" })
      local rows = w:ask("GET", "/audit?limit=1", { token = ann }).object
      assert.same({ 1, "token.add" }, { #rows.items, rows.items[1].verb })
      assert.equal(403, w:ask("GET", "/audit", { token = bob }).status)
      for _, item in ipairs(w:ask("GET", "/events", { token = bob }).object.items) do
        assert.not_equal("act", item.what)
      end
    end)
  end)

  describe("figures", function()
    it("are for this machine", function()
      local text = w:ask("GET", "//metrics").body
      assert.is_truthy(text:find('moult_devices{product="pk"} 3', 1, true), text)
      assert.is_truthy(text:find('moult_admin_streams 0', 1, true))
      assert.equal("ok\n", w:ask("GET", "//readyz").body)
      assert.equal(401, w:ask("GET", "//metrics", { headers = { ["X-Forwarded-For"] = "192.0.2.1" } }).status)
    end)
  end)
end)

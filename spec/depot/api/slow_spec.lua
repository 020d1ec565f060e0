-- Clients of the admin server that are slow, stay, or say nothing: the others are answered all the same.

local api_world = require "spec.support.api_world"
local folders = require "spec.support.folder"
local raw = require "spec.support.raw_http"

describe("the admin server, beside", function()
  local folder, w, token, clients = folders.new(), nil, nil, nil

  before_each(function()
    w = api_world.open(folder.make())
    token = w:user("ann", { [""] = "admin" })
    clients = {}
  end)
  after_each(function()
    for _, client in ipairs(clients) do client:close() end
    w:close()
  end)

  local function connect(bytes)
    local client = raw.connect(w.api:address())
    client:send(bytes or "")
    clients[#clients + 1] = client
    return client
  end

  local function head(path, more, who)
    return ("%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n%s"):format(path, w.api:address(), who or token,
      more or "")
  end

  local function turn(times)
    for _ = 1, times or 5 do
      w:step()
      for _, client in ipairs(clients) do client:turn() end
    end
  end

  local function is_there() return w:ask("GET", "/me", { token = token }).status == 200 end

  it("a hundred connections that say nothing, or half of a request", function()
    for i = 1, 100 do
      connect(({ "", "GET", "GET /api/v1/me HTTP/1.1\r\nHost: x\r\nX-", head "GET /api/v1/me" })[i % 4 + 1])
    end
    turn()
    assert.is_true(is_there())
  end)

  it("a body that comes a byte at a time", function()
    local body = '{"name":"lab","filter":"tag:lab"}'
    local client = connect(head(("POST /api/v1/products/%s/groups"):format(w.pk),
      ("Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"):format(#body)))
    for i = 1, #body do
      assert.is_nil(client:answer())
      client:send(body:sub(i, i))
      turn(1)
      if i % 10 == 0 then assert.is_true(is_there()) end
    end
    raw.pump(function() w:step() end, clients, function() return client:answer() end)
    assert.equal(201, client:answer().status)
  end)

  it("an upload whose bytes stop, and to which nobody else can send", function()
    local id = w:ask("POST", "/uploads", { token = token, body = { name = "x", size = 1000 } }).object.id
    connect(head("PUT /api/v1/uploads/" .. id, "Content-Length: 1000\r\n\r\nabc"))
    raw.pump(function() w:step() end, clients, function()
      return (folder.read("packages/.incoming/" .. id) or "") == "abc"
    end)
    local other = w:ask("PUT", "/uploads/" .. id, { token = token, body = "x", headers = { ["Upload-Offset"] = "3" } })
    assert.same({ 503, "busy" }, { other.status, other.object.error.code })
    assert.is_true(is_there())
  end)

  it("64 streams of events, and no more", function()
    local answered = {}
    for i = 1, 17 do
      local who = w:user("viewer" .. i, { [""] = "viewer" })
      for _ = 1, i == 17 and 1 or 4 do
        local client = connect(head("GET /api/v1/events/live", "\r\n", who))
        raw.pump(function() w:step() end, { client }, function() return client.received:find "HTTP/1.1 %d+" end)
        answered[#answered + 1] = client.received:match "HTTP/1.1 (%d+)"
      end
    end
    for i = 1, 64 do assert.equal("200", answered[i], i) end
    assert.equal("503", answered[65])
    assert.equal(64, w.api.live:count())
    assert.is_true(is_there())
    -- Each hears of a change.
    assert.equal(201, w:ask("POST", ("/products/%s/groups"):format(w.pk), { token = token, body = { name = "lab",
      filter = "tag:lab" } }).status)
    raw.pump(function() w:step() end, clients, function()
      for i = 1, 64 do
        if not clients[i].received:find("group lab", 1, true) then return false end
      end
      return true
    end)
  end)
end)

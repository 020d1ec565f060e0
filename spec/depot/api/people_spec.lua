-- Log-in, sessions and tokens of the admin server.

local api_world = require "spec.support.api_world"
local folders = require "spec.support.folder"
local natives = require "update.natives"
local store = require "depot.store"

local PASSWORD = "correct horse battery"

describe("people of the admin server", function()
  local folder, w = folders.new(), nil

  before_each(function() w = api_world.open(folder.make()) end)
  after_each(function() w:close() end)

  local function log_in(name, password, headers)
    headers = headers or { Origin = w.origin }
    return w:ask("POST", "/session", { body = { name = name, password = password }, headers = headers })
  end

  it("set a password by a link, once, and log in with it", function()
    w:user("ann", { [""] = "admin" })
    local session = w:log_in("ann", PASSWORD)
    assert.equal("ann", w:ask("GET", "/me", { session = session }).object.name)
    local again = w:ask("POST", "/session/once", { body = { token = session.secret, password = PASSWORD },
      headers = { Origin = w.origin } })
    assert.same({ 401, "login" }, { again.status, again.object.error.code })
    local answer = log_in("Ann", PASSWORD)
    assert.same({ 201, "ann" }, { answer.status, answer.object.name })
    assert.matches("^moult=%x+; Path=/; HttpOnly; SameSite=Lax$", answer.headers["set-cookie"])
    assert.equal(401, log_in("ann", "wrong horse battery").status)
    assert.equal(400, w:ask("POST", "/session/once", { body = { token = "x", password = PASSWORD, extra = "" },
      headers = { Origin = w.origin } }).status)
  end)

  it("have no password that is short, and none that is a guess at a link", function()
    w:user("ann", { [""] = "admin" })
    local answer = w:ask("POST", "/session/once", { body = { token = ("0"):rep(64), password = PASSWORD },
      headers = { Origin = w.origin } })
    assert.equal(401, answer.status)
    assert.has_error(function() w:log_in("ann", "short") end)
  end)

  it("get a cookie for TLS only if the server is reached by TLS", function()
    w:user("ann", { [""] = "admin" })
    w:serve { urls = { "https://depot.example" }, origin = "https://depot.example" }
    local answer
    local world_link = require "depot.acts.users"
    local acts = require "depot.acts"
    local world = { natives = natives, store = w.store, actor = { name = "spec" } }
    local link = assert(acts.change(world, function() return world_link.link(world, w.store:account "ann") end))
    answer = w:ask("POST", "/session/once", { body = { token = link, password = PASSWORD },
      headers = { Origin = w.origin, Host = "depot.example" } })
    assert.matches("^__Host%-moult=%x+; Path=/; HttpOnly; SameSite=Lax; Secure$", answer.headers["set-cookie"])
  end)

  it("cannot be made to act by another page", function()
    w:user("ann", { [""] = "admin" })
    local session = w:log_in("ann", PASSWORD)
    local body = { lang = "zh" }
    local function change(headers)
      return w:ask("PATCH", "/me", { session = session, body = body, headers = headers })
    end
    assert.equal(200, change().status)
    local origins = { "http://evil.example", "null", w.origin .. ".evil.example", "https" .. w.origin:sub(5) }
    for _, origin in ipairs(origins) do
      assert.equal(403, change({ Origin = origin }).status)
    end
    assert.equal(403, change({ Origin = false }).status)
    assert.equal(200, change({ Origin = false, ["Sec-Fetch-Site"] = "same-origin" }).status)
    assert.equal(403, change({ Origin = false, ["Sec-Fetch-Site"] = "same-site" }).status)
    assert.equal(403, change({ ["X-CSRF-Token"] = false }).status)
    assert.equal(403, change({ ["X-CSRF-Token"] = ("0"):rep(64) }).status)
    assert.equal(403, log_in("ann", PASSWORD, { Origin = "http://evil.example" }).status)
    assert.equal(403, log_in("ann", PASSWORD, {}).status)
  end)

  it("cannot be given a session by somebody else", function()
    w:user("ann", { [""] = "admin" })
    local planted = "moult=" .. ("a"):rep(64)
    assert.equal(401, w:ask("GET", "/me", { headers = { Cookie = planted } }).status)
    local session = w:log_in("ann", PASSWORD)
    local answer = w:ask("POST", "/session", { body = { name = "ann", password = PASSWORD },
      headers = { Origin = w.origin, Cookie = session.cookie } })
    assert.equal(201, answer.status)
    assert.not_equal(session.cookie, answer.headers["set-cookie"]:match "^[^;]+")
    assert.equal(401, w:ask("GET", "/me", { headers = { Cookie = planted } }).status)
  end)

  it("log out, and are out", function()
    w:user("ann", { [""] = "admin" })
    local session = w:log_in("ann", PASSWORD)
    local answer = w:ask("DELETE", "/session", { session = session })
    assert.same({ 200, true }, { answer.status, answer.headers["set-cookie"]:find "Max%-Age=0" ~= nil })
    assert.equal(401, w:ask("GET", "/me", { session = session }).status)
  end)

  it("end other sessions with a new password, and by hand", function()
    w:user("ann", { [""] = "admin" })
    local first = w:log_in("ann", PASSWORD)
    local answer = log_in("ann", PASSWORD)
    local second = { cookie = answer.headers["set-cookie"]:match "^[^;]+", csrf = answer.object.csrf }
    local new = PASSWORD .. " staple"
    assert.equal(400, w:ask("PATCH", "/me", { session = second, body = { password = new } }).status)
    assert.equal(401, w:ask("PATCH", "/me", { session = second, body = { password = new, old = "wrong" } }).status)
    assert.equal(200, w:ask("PATCH", "/me", { session = second, body = { password = new, old = PASSWORD } }).status)
    assert.equal(401, w:ask("GET", "/me", { session = first }).status)
    local list = w:ask("GET", "/me/sessions", { session = second }).object.items
    assert.same({ 1, true }, { #list, list[1].current })
    assert.equal(200, w:ask("DELETE", "/me/sessions/" .. list[1].id, { session = second }).status)
    assert.equal(401, w:ask("GET", "/me", { session = second }).status)
    assert.equal(201, log_in("ann", new).status)
  end)

  it("lose their sessions with their rights, and what a token may with theirs", function()
    local admin = w:user("root", { [""] = "admin" })
    local token = w:user("ann", { [""] = "operator" })
    w:log_in("root", PASSWORD)
    local boss = log_in("root", PASSWORD)
    local root = { cookie = boss.headers["set-cookie"]:match "^[^;]+", csrf = boss.object.csrf }
    local session = w:log_in("ann", PASSWORD)
    assert.equal(200, w:ask("GET", "/products/" .. w.other, { token = token }).status)
    local tag = w:ask("GET", "/users/ann", { session = root }).headers.etag
    assert.equal(403, w:ask("PUT", "/users/ann/roles", { token = admin, body = { roles = {} },
      headers = { ["If-Match"] = tag } }).status)
    assert.equal(200, w:ask("PUT", "/users/ann/roles", { session = root, body = { roles = { [w.pk] = "viewer" } },
      headers = { ["If-Match"] = tag } }).status)
    assert.equal(401, w:ask("GET", "/me", { session = session }).status)
    assert.equal(404, w:ask("GET", "/products/" .. w.other, { token = token }).status)
    assert.equal(200, w:ask("GET", "/products/" .. w.pk, { token = token }).status)
    tag = w:ask("GET", "/users/ann", { session = root }).headers.etag
    assert.equal(200, w:ask("PATCH", "/users/ann", { session = root, body = { disabled = true },
      headers = { ["If-Match"] = tag } }).status)
    assert.equal(401, w:ask("GET", "/products/" .. w.pk, { token = token }).status)
    assert.equal(401, log_in("ann", PASSWORD).status)
  end)

  it("limit what a token may, and end it", function()
    w:user("ann", { [""] = "admin" })
    local session = w:log_in("ann", PASSWORD)
    local made = w:ask("POST", "/me/tokens", { session = session, body = { name = "ci", verbs = { "read" },
      products = { w.pk } } })
    assert.equal(201, made.status)
    local token = made.object.token
    assert.matches("^moult_%x+$", token)
    assert.equal(200, w:ask("GET", "/products/" .. w.pk, { token = token }).status)
    assert.equal(404, w:ask("GET", "/products/" .. w.other, { token = token }).status)
    assert.equal(403, w:ask("GET", "/users", { token = token }).status)
    assert.equal(403, w:ask("POST", "/me/tokens", { token = token, body = { name = "more" } }).status)
    local wrong = { name = "x", verbs = { "fly" } }
    assert.equal(400, w:ask("POST", "/me/tokens", { session = session, body = wrong }).status)
    local other = w:user("bob", { [""] = "viewer" })
    assert.equal(403, w:ask("DELETE", "/me/tokens/" .. made.object.id, { token = other }).status)
    local bob = w:log_in("bob", PASSWORD)
    assert.equal(404, w:ask("DELETE", "/me/tokens/" .. made.object.id, { session = bob }).status)
    assert.equal(200, w:ask("DELETE", "/me/tokens/" .. made.object.id, { session = session }).status)
    assert.equal(401, w:ask("GET", "/products/" .. w.pk, { token = token }).status)
    assert.equal(401, w:ask("GET", "/me", { token = token:sub(1, -2), session = session }).status)
  end)

  it("wait longer with each wrong password", function()
    w:user("ann", { [""] = "admin" })
    w:log_in("ann", PASSWORD)
    for _ = 1, 5 do assert.equal(401, log_in("ann", "wrong horse battery").status) end
    local answer = log_in("ann", PASSWORD)
    assert.same({ 429, "limited" }, { answer.status, answer.object.error.code })
    assert.equal(answer.object.error.message:match "again in (%d+) s", answer.headers["retry-after"])
  end)

  it("leave no secret in the database or the log", function()
    local token = w:user("ann", { [""] = "admin" })
    local session = w:log_in("ann", PASSWORD)
    w:ask("GET", "/me", { session = session })
    w:ask("GET", "/me", { token = token })
    local secrets = { PASSWORD, token, session.secret, session.cookie:match "=(.*)" }
    local text = { folder.read "packages/depot.db" or "", folder.read "packages/depot.db-wal" or "" }
    for _, event in ipairs(w.requests) do text[#text + 1] = natives.json.encode(event) end
    text = table.concat(text, "\n")
    for _, secret in ipairs(secrets) do assert.is_nil(text:find(secret, 1, true)) end
    local s = assert(store.open(natives, w.dir))
    assert(s:check_audit())
    s:close()
  end)
end)

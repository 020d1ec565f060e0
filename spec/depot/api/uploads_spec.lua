-- Uploads: whole and trusted, or not there.

local api_world = require "spec.support.api_world"
local folders = require "spec.support.folder"
local natives = require "update.natives"
local raw = require "spec.support.raw_http"

describe("an upload", function()
  local folder, w, token, bytes = folders.new(), nil, nil, nil

  before_each(function()
    w = api_world.open(folder.make())
    w.api.answers.limits.ask = function() end
    token = w:user("ann", { [w.pk] = "operator" })
    w.folder.pack("new.upd", "pk", 3, "1.0.2")
    bytes = folder.read "packages/new.upd"
    assert(os.remove(folder.path "packages/new.upd"))
  end)
  after_each(function() w:close() end)

  local function begin(size, as)
    return w:ask("POST", "/uploads", { token = as or token, body = { name = "../my package.upd", size = size } })
  end

  local function put(id, part, offset, as)
    return w:ask("PUT", "/uploads/" .. id, { token = as or token, body = part,
      headers = { ["Upload-Offset"] = tostring(offset or 0), ["Content-Type"] = false } })
  end

  local function files()
    local list = {}
    for _, found in ipairs(natives.folder.list(w.dir)) do
      if found.regular and found.name:find "%.upd$" then list[#list + 1] = found.name end
    end
    table.sort(list)
    return list
  end

  it("becomes a package when all of it has come", function()
    local begun = begin(#bytes)
    assert.same({ 201, 0, "open" }, { begun.status, begun.object.offset, begun.object.state })
    local done = put(begun.object.id, bytes)
    assert.same({ 201, "done" }, { done.status, done.object.state }, done.body)
    assert.matches("^METER_1%.0%.2_%x+%.upd$", done.object.file)
    assert.same({ "METER_1.0.1.upd", done.object.file }, files())
    assert.equal(bytes, folder.read("packages/" .. done.object.file))
    local releases = w:ask("GET", ("/products/%s/releases"):format(w.pk), { token = token }).object.items
    assert.equal("1.0.2", releases[1].release)
    local verbs = {}
    for _, row in ipairs(w.store:audited(nil, 2)) do verbs[#verbs + 1] = row.verb end
    assert.same({ "upload.done", "upload.begin" }, verbs)
    -- The same once more.
    local again = put(begin(#bytes).object.id, bytes)
    assert.same({ 200, done.object.file }, { again.status, again.object.file })
    assert.equal(2, #files())
  end)

  it("goes on where it broke off", function()
    local id = begin(#bytes).object.id
    assert.same({ 202, 100 }, { put(id, bytes:sub(1, 100)).status, w:ask("GET", "/uploads/" .. id,
      { token = token }).object.offset })
    local client = raw.connect(w.api:address())
    client:send(("PUT /api/v1/uploads/%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nUpload-Offset: 100\r\n"
      .. "Content-Length: %d\r\n\r\n%s"):format(id, w.api:address(), token, #bytes - 100, bytes:sub(101, 150)))
    raw.pump(function() w:step() end, { client }, function()
      return #(folder.read("packages/.incoming/" .. id) or "") == 150
    end)
    client:close()
    raw.pump(function() w:step() end, {}, function()
      return #w.requests > 0 and not w.requests[#w.requests].complete
    end)
    assert.same({ 409, "conflict" }, { put(id, bytes).status, put(id, bytes).object.error.code })
    assert.same({}, { table.unpack(files(), 2) })
    assert.equal(201, put(id, bytes:sub(151), 150).status)
    assert.equal(2, #files())
  end)

  it("is refused with the reason if it is not whole, not signed, or lies about its length", function()
    local broken = bytes:sub(1, -2) .. string.char(bytes:byte(-1) ~ 1)
    local in_the_middle = bytes:sub(1, #bytes // 2) .. string.char(bytes:byte(#bytes // 2 + 1) ~ 1)
      .. bytes:sub(#bytes // 2 + 2)
    for _, text in ipairs { broken, in_the_middle, bytes:sub(1, -100), "nonsense", bytes .. "x" } do
      local id = begin(#text).object.id
      local answer = put(id, text)
      assert.equal(422, answer.status, answer.body)
      local seen = w:ask("GET", "/uploads/" .. id, { token = token }).object
      assert.same({ "failed", answer.object.error.message }, { seen.state, seen.reason })
      assert.is_nil(answer.body:find(folder.dir, 1, true), answer.body)
    end
    assert.equal(413, put(begin(10).object.id, bytes).status)
    assert.same({ "METER_1.0.1.upd" }, files())
  end)

  it("is removed beside other answers, because the system takes its time for gigabytes", function()
    local incoming, may = w.api.answers.incoming, false
    incoming.run = function(self, script, ...)
      if script:find("rm ", 1, true) then coroutine.yield(function() return may end) end
      return getmetatable(self).run(self, script, ...)
    end
    local id = begin(8).object.id
    local client = raw.connect(w.api:address())
    client:send(("PUT /api/v1/uploads/%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Length: 8\r\n"
      .. "\r\nnonsense"):format(id, w.api:address(), token))
    raw.pump(function() w:step() end, { client }, function() return #w.api.waiting == 1 and incoming.running == 0
      and w.store:upload(id).state == "checking" end)
    assert.equal(200, w:ask("GET", "/me", { token = token }).status)
    assert.is_nil(client:answer())
    may = true
    raw.pump(function() w:step() end, { client }, function() return client:answer() end)
    assert.equal(422, client:answer().status)
    assert.is_false(folder.exists("packages/.incoming/" .. id))
    client:close()
  end)

  it("of another key is not trusted", function()
    assert(natives.minisign.keygen(folder.path "other"))
    assert(os.rename(folder.path "release.key", folder.path "release.kept"))
    assert(os.rename(folder.path "other.key", folder.path "release.key"))
    w.folder.pack("foreign.upd", "pk", 4, "1.0.3")
    local text = folder.read "packages/foreign.upd"
    assert(os.remove(folder.path "packages/foreign.upd"))
    local answer = put(begin(#text).object.id, text)
    assert.same({ 422, "untrusted" }, { answer.status, answer.object.error.code })
    assert.same({ "METER_1.0.1.upd" }, files())
  end)

  it("is taken for products only whose operator sends it", function()
    local other = w:user("bob", { [w.other] = "operator", [w.pk] = "viewer" })
    local id = begin(#bytes, other).object.id
    local answer = put(id, bytes, 0, other)
    assert.same({ 403, "forbidden" }, { answer.status, answer.object.error.code })
    assert.same({ "METER_1.0.1.upd" }, files())
    assert.equal(404, w:ask("GET", "/uploads/" .. id, { token = token }).status)
    assert.equal(404, put(id, bytes).status)
  end)

  it("is one of two at most, and can be given up", function()
    local first = begin(10).object.id
    begin(10)
    local third = begin(10)
    assert.same({ 429 }, { third.status, third.headers["retry-after"] }) -- time alone does not mend it
    put(first, "abc")
    assert.equal(200, w:ask("DELETE", "/uploads/" .. first, { token = token }).status)
    assert.is_false(folder.exists("packages/.incoming/" .. first))
    assert.equal(201, begin(10).status)
  end)

  it("does not fill the disk", function()
    local answer = begin(1 << 40)
    assert.same({ 507, "nospace" }, { answer.status, answer.object.error.code })
    for _, size in ipairs { 0, -1, (1 << 40) + 1 } do assert.equal(400, begin(size).status) end
  end)

  it("needs no body to be refused", function()
    local client = raw.connect(w.api:address())
    client:send(("PUT /api/v1/uploads/1 HTTP/1.1\r\nHost: %s\r\nContent-Length: 1000000000\r\n\r\n"):format(
      w.api:address()))
    raw.pump(function() w:step() end, { client }, function() return client:answer() end)
    assert.equal(401, client:answer().status)
    client:close()
  end)
end)

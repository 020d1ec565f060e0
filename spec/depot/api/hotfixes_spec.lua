-- Hotfixes over the API: the stages of the vendor's console.

local api_world = require "spec.support.api_world"
local folders = require "spec.support.folder"
local patches = require "depot.acts.patches"

local MAC, OTHER = "00:0c:29:4b:5b:1f", "00:0c:29:4b:5b:20"

describe("a hotfix over the API", function()
  local folder, w, token, admin = folders.new(), nil, nil, nil

  before_each(function()
    w = api_world.open(folder.make())
    w.api.answers.limits.ask = function() end
    token = w:user("ann", { [w.pk] = "operator" })
    admin = w:user("adam", { [w.pk] = "admin" })
  end)
  after_each(function() w:close() end)

  local function ask(method, path, body, headers, as)
    return w:ask(method, path, { token = as or token, body = body, headers = headers })
  end

  local function upload(version, product, damage)
    w.folder.pack_hotfix("fix.upd", product or "pk", 10, version)
    local bytes = folder.read "packages/fix.upd"
    assert(os.remove(folder.path "packages/fix.upd"))
    if damage then bytes = bytes:sub(1, -2) .. "?" end
    local begun = ask("POST", "/uploads", { name = "fix.upd", size = #bytes })
    return ask("PUT", "/uploads/" .. begun.object.id, bytes, { ["Upload-Offset"] = "0", ["Content-Type"] = false })
  end

  -- A device has done what was asked of it.
  local function report(id, mac, state)
    local known = patches.of(w.api.world)
    assert(w.api.world.store:change())
    assert(known:note(assert(known:one(id)), mac, { state = state }, 1))
    assert(w.api.world.store:commit())
  end

  it("goes from stage to stage, in order", function()
    local done = upload "v1"
    assert.same({ 201, 1 }, { done.status, done.object.hotfix }, done.body)
    local path = "/hotfixes/1"
    local one = ask("GET", path)
    assert.same({ "clock", "v1", "uploaded" }, { one.object.name, one.object.version, one.object.stage })
    assert.equal(428, ask("PATCH", path, { about = "mends the clock" }).status)
    assert.equal(200, ask("PATCH", path, { about = "mends the clock" }, { ["If-Match"] = one.headers.etag }).status)
    assert.equal(412, ask("PATCH", path, { about = "no" }, { ["If-Match"] = one.headers.etag }).status)
    assert.equal("mends the clock", ask("GET", path).object.about)
    for _, act in ipairs { "release", "trial" } do
      local early = ask("POST", path .. "/" .. act, act == "trial" and { devices = { MAC } } or nil)
      assert.same({ 422, "patch v1 is uploaded; it must be verified or trial before it is "
        .. (act == "trial" and "tried" or "released") }, { early.status, early.object.error.message })
    end
    local bad = ask("POST", path .. "/verify", { device = "dev1" })
    assert.same({ 400, "device" }, { bad.status, bad.object.error.field })
    local asked = ask("POST", path .. "/verify", { device = MAC:upper(), timeout = 30 })
    assert.same({ 202, MAC, "waiting", true }, { asked.status, asked.object.devices[1].device,
      asked.object.devices[1].state, asked.object.devices[1].verifies })
    report(1, MAC, "done")
    assert.equal("verified", ask("GET", path).object.stage)
    assert.equal(400, ask("POST", path .. "/trial", { devices = { MAC, "x" } }).status)
    local tried = ask("POST", path .. "/trial", { devices = { OTHER } })
    assert.same({ "trial", true }, { tried.object.stage, tried.object.devices[2].trial })
    assert.equal("released", ask("POST", path .. "/release").object.stage)
    local row = w.store:audited(nil, 1)[1]
    assert.same({ "patch.release", "patch v1", "trial" }, { row.verb, row.object, row.before })
  end)

  it("is one of a version in its product, and belongs to that product alone", function()
    assert.equal(201, upload("v1").status)
    local again = upload "v1"
    assert.same({ 422, true }, { again.status, again.object.error.message:find("version v1 is taken", 1, true) ~= nil })
    assert.equal(403, upload("v1", "other").status)
    local stranger = w:user("bob", { [w.other] = "admin" })
    assert.equal(404, ask("GET", "/hotfixes/1", nil, nil, stranger).status)
    assert.equal(404, ask("GET", "/hotfixes/99").status)
    assert.equal(1, #ask("GET", ("/products/%s/hotfixes"):format(w.pk)).object.items)
  end)

  it("is not taken in when a byte is wrong", function()
    assert.equal(422, upload("v1", nil, true).status)
    assert.same({}, ask("GET", ("/products/%s/hotfixes"):format(w.pk)).object.items)
  end)

  describe("that nobody signed", function()
    local BYTES = "PK\3\4 and more"

    before_each(function()
      assert(w.store:change())
      for _, hash in ipairs { w.pk, w.other } do assert(w.store:add_product(hash, hash:sub(1, 8), "staged", 1)) end
      assert(w.store:commit())
    end)

    local function send(name, bytes, product, as)
      local begun = ask("POST", "/uploads", { name = name, size = #bytes, product = product }, nil, as)
      return ask("PUT", "/uploads/" .. begun.object.id, bytes, { ["Upload-Offset"] = "0", ["Content-Type"] = false },
        as)
    end

    local function allow(word)
      local path = "/products/" .. w.pk
      return ask("PATCH", path, { unsigned = word }, { ["If-Match"] = ask("GET", path).headers.etag }, admin)
    end

    it("is taken for a product that an admin allows it, under the name that its file has", function()
      assert.equal(422, send("clock_v1.zip", BYTES, w.pk).status)
      local path = "/products/" .. w.pk
      local etag = { ["If-Match"] = ask("GET", path).headers.etag }
      assert.equal(403, ask("PATCH", path, { unsigned = true }, etag).status)
      local allowed = allow(true)
      assert.same({ 200, true }, { allowed.status, allowed.object.unsigned }, allowed.body)
      local refused = send("clock_v1.zip", BYTES)
      assert.same({ 422, "untrusted" }, { refused.status, refused.object.error.code })
      assert.equal(400, send("../a/clock_v1.zip", BYTES, w.pk).status)
      local done = send("clock_v1.zip", BYTES, w.pk)
      assert.same({ 201, 1 }, { done.status, done.object.hotfix }, done.body)
      local one = ask("GET", "/hotfixes/1").object
      assert.same({ "clock", "v1", "uploaded", true, #BYTES }, { one.name, one.version, one.stage, one.unsigned,
        one.size })
      local row = patches.of(w.api.world):one(1)
      assert.equal(BYTES, folder.read("packages/patch-" .. row.digest:sub(1, 32) .. ".hotfix"))
      assert.is_false(allow(false).object.unsigned)
      local verify = ask("POST", "/hotfixes/1/verify", { device = MAC })
      assert.same({ 422, "refused" }, { verify.status, verify.object.error.code })
    end)

    it("is of a product whose patches one may upload", function()
      allow(true)
      local stranger = w:user("bob", { [w.other] = "operator" })
      local refused = ask("POST", "/uploads", { name = "clock_v1.zip", size = 1, product = w.pk }, nil, stranger)
      assert.same({ 404, "product" }, { refused.status, refused.object.error.field })
      local viewer = w:user("vera", { [w.pk] = "viewer", [w.other] = "operator" })
      refused = send("clock_v1.zip", BYTES, w.pk, viewer)
      assert.same({ 403, "forbidden" }, { refused.status, refused.object.error.code })
      assert.same({}, ask("GET", ("/products/%s/hotfixes"):format(w.pk)).object.items)
    end)
  end)

  it("is deleted by an admin, and stays listed", function()
    assert.equal(201, upload("v1").status)
    local file = folder.path("packages/patch-" .. patches.of(w.api.world):one(1).digest:sub(1, 32) .. ".hotfix")
    assert(io.open(file)):close()
    local etag = { ["If-Match"] = ask("GET", "/hotfixes/1").headers.etag }
    assert.equal(403, ask("DELETE", "/hotfixes/1", nil, etag).status)
    assert.equal(200, ask("DELETE", "/hotfixes/1", nil, etag, admin).status)
    assert.is_nil(io.open(file))
    assert.equal("deleted", ask("GET", ("/products/%s/hotfixes"):format(w.pk)).object.items[1].stage)
    assert.equal(409, ask("POST", "/hotfixes/1/verify", { device = MAC }).status)
  end)
end)

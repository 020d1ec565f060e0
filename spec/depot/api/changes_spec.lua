-- What people change over the API: groups, lists of releases, devices; and how they take it back.

local api_world = require "spec.support.api_world"
local folders = require "spec.support.folder"
local ids = require "depot.api.ids"
local natives = require "update.natives"

describe("over the admin server", function()
  local folder, w, token, release = folders.new(), nil, nil, nil

  before_each(function()
    w = api_world.open(folder.make())
    token = w:user("ann", { [w.pk] = "admin" })
    release = w:ask("GET", ("/products/%s/releases"):format(w.pk), { token = token }).object.items[1]
  end)
  after_each(function() w:close() end)

  local function ask(method, path, body, etag)
    return w:ask(method, path, { token = token, body = body, headers = { ["If-Match"] = etag } })
  end

  local function code_of(answer) return answer.status, answer.object.error and answer.object.error.code end

  local function device(name) return "/devices/" .. ids.of { cloud = "aliyun", product = "pk", device = name } end

  local function verified()
    local entry = w.api.world.packages[1]
    assert(w.store:verify({ cloud = "aliyun", product = "pk", device = "dev1", package = entry.manifest.digest,
      target = "1.0.1" }, 1))
  end

  it("a device is named by its MAC in any spelling, to verify on", function()
    assert(w.store:put { cloud = "aliyun", product = "pk", device = "AABBCC001122", hash = w.pk, release = "1.0.0" })
    local path = ("/releases/%s/verify"):format(release.id)
    assert.same({ 404, "missing" }, { code_of(ask("POST", path, { name = "aa:bb:cc:00:11:23" })) })
    assert.equal(202, ask("POST", path, { name = "aa:bb:cc:00:11:22" }).status)
    assert.equal("pending", w.store:get("aliyun", "pk", "AABBCC001122").state)
    assert(w.store:put { cloud = "aliyun", product = "pk", device = "aa:bb:cc:00:11:22", hash = w.pk })
    assert.equal(202, ask("POST", path, { name = "aa:bb:cc:00:11:22" }).status) -- exactly this one
    assert.equal("pending", w.store:get("aliyun", "pk", "aa:bb:cc:00:11:22").state)
    assert.same({ 409, "conflict" }, { code_of(ask("POST", path, { name = "AA-BB-CC-00-11-22" })) })
  end)

  describe("a product", function()
    local all

    before_each(function() all = w:user("root", { [""] = "admin" }) end)

    local function add(body) return w:ask("POST", "/products", { token = all, body = body }) end

    it("is registered with a key that is shown once, and switched", function()
      local made = add { name = "PUMP", mode = "auto" }
      assert.same({ 201, "PUMP", "auto", true }, { made.status, made.object.name, made.object.mode,
        made.object.enabled })
      assert.equal(natives.digest.sha256(made.object.key), made.object.product_key)
      local path = "/products/" .. made.object.product_key
      local etag = w:ask("GET", path, { token = all }).headers.etag
      local zoned = w:ask("PATCH", path, { token = all, body = { zone = "Asia/Shanghai" },
        headers = { ["If-Match"] = etag } })
      assert.same({ 200, "Asia/Shanghai" }, { zoned.status, zoned.object.zone })
      assert.is_nil(w:ask("GET", path, { token = all }).object.key)
      local changed = w:ask("PATCH", path, { token = all, body = { mode = "staged", enabled = false },
        headers = { ["If-Match"] = zoned.headers.etag } })
      assert.same({ 200, "staged", false }, { changed.status, changed.object.mode, changed.object.enabled })
      assert.equal(412, w:ask("PATCH", path, { token = all, body = { mode = "auto" },
        headers = { ["If-Match"] = made.headers.etag } }).status)
      assert.same({ 409, "conflict" }, { code_of(add { name = "PUMP" }) })
      for _, body in ipairs { { name = "a/b" }, { name = "X", mode = "fast" }, { name = "" }, {} } do
        assert.equal(400, add(body).status, natives.json.encode(body))
      end
      assert.equal(403, ask("POST", "/products", { name = "X" }).status)
      assert.equal(404, ask("PATCH", path, { mode = "auto" }, "x").status)
    end)

    it("has devices that have not reported yet", function()
      local path = ("/products/%s/devices"):format(w.pk)
      assert.same({ 400, "usage" }, { code_of(ask("POST", path, { cloud = "aliyun", devices = { "new1" } })) })
      local answer = ask("POST", path, { cloud = "aliyun", product = "pk", devices = { "new1", "new2", "dev1" } })
      assert.same({ 201, 2 }, { answer.status, answer.object.added })
      assert.equal("1.0.0", w.store:get("aliyun", "pk", "dev1").release)
      assert.equal(5, #ask("GET", path).object.items)
      assert.equal(400, ask("POST", path, { cloud = "mars", devices = { "x" } }).status)
      assert.equal(400, ask("POST", path, { cloud = "aliyun", product = "pk", devices = { "" } }).status)
      assert.equal(400, ask("POST", path, { cloud = "aliyun", product = "other", devices = { "x" } }).status)
    end)
  end)

  it("a release is described, and what it was before is in the audit", function()
    local id = ask("GET", ("/products/%s/releases"):format(w.pk)).object.items[1].id
    local path = "/releases/" .. id
    local before = ask("GET", path)
    local null = natives.json.null
    assert.same({ null, false, null }, { before.object.text, before.object.security, before.object.support_until })
    assert.equal(428, ask("PATCH", path, { text = "x" }).status)
    local done = ask("PATCH", path, { text = "mends the clock", security = true, support_until = "2028-02-29" },
      before.headers.etag)
    assert.same({ 200, "mends the clock", true, "2028-02-29" }, { done.status, done.object.text, done.object.security,
      done.object.support_until })
    assert.equal(412, ask("PATCH", path, { text = "x" }, before.headers.etag).status)
    local less = ask("PATCH", path, { support_until = "" }, done.headers.etag)
    assert.same({ 200, "mends the clock", null }, { less.status, less.object.text, less.object.support_until })
    local row = w.store:audited(nil, 1)[1]
    assert.same({ "release.note", "security; supported until 2028-02-29; mends the clock",
      "security; mends the clock" }, { row.verb, row.before, row.after })
    for _, day in ipairs { "2027-02-29", "2027-13-01", "27-01-01", "tomorrow", "2027-1-1" } do
      local answer = ask("PATCH", path, { support_until = day }, less.headers.etag)
      assert.same({ 400, "support_until" }, { answer.status, answer.object.error.field }, day)
    end
    assert.equal("mends the clock", ask("GET", ("/products/%s/releases"):format(w.pk)).object.items[1].text)
  end)

  it("a release is switched off and on again, by those who may roll out", function()
    local path, off = "/releases/" .. release.id, { enabled = false }
    local before = ask("GET", path)
    assert.is_true(before.object.enabled)
    assert.equal(400, ask("PATCH", path, { enabled = "perhaps" }, before.headers.etag).status)
    local function try(who, status)
      local answer = w:ask("PATCH", path, { token = who, body = off, headers = { ["If-Match"] = before.headers.etag } })
      assert.equal(status, answer.status, answer.body)
      return answer
    end
    try(w:user("vic", { [w.pk] = "viewer" }), 403)
    try(w:user("eve", { [w.other] = "admin" }), 404)
    local limited = try(w:user("tom", { [w.pk] = "operator" }, { name = "t", verbs = { "read", "upload" } }), 403)
    assert.equal("enabled", limited.object.error.field)
    local done = try(token, 200)
    assert.is_false(done.object.enabled)
    assert.equal(412, ask("PATCH", path, { enabled = true }, before.headers.etag).status)
    assert.is_false(ask("GET", ("/products/%s/releases"):format(w.pk)).object.items[1].enabled)
    local refused = ask("POST", path .. "/verify", { name = "dev1" })
    assert.same({ 422, "refused" }, { code_of(refused) })
    assert.is_true(ask("PATCH", path, { enabled = true }, done.headers.etag).object.enabled)
    assert.equal(202, ask("POST", path .. "/verify", { name = "dev1" }).status)
  end)

  it("devices are found by their name, ignoring case, and a MAC in any spelling", function()
    local mac = "00:0c:29:4b:5b:1f"
    assert(w.store:put { cloud = "qinglian", product = "pk", device = mac, hash = w.pk, heard = 1 })
    local function found(q)
      local names = {}
      for i, item in ipairs(ask("GET", "/search?q=" .. q).object.items) do names[i] = item.device end
      return names
    end
    for q, names in pairs { dev1 = { "dev1" }, DEV1 = { "dev1" }, dev = {}, far = {}, [mac] = { mac },
      ["000C294B5B1F"] = { mac }, ["00-0c-29-4b-5b-1f"] = { mac } } do
      assert.same(names, found(q), q)
    end
  end)

  describe("a group", function()
    local function make(body) return ask("POST", ("/products/%s/groups"):format(w.pk), body) end

    it("is made by a filter, shown, given another one, removed", function()
      local made = make { name = "Lab", filter = "name:dev1" }
      assert.same({ 201, "lab", 1, natives.json.null }, { made.status, made.object.name, made.object.devices,
        made.object.names })
      local path = ("/groups/%d"):format(made.object.id)
      assert.equal(428, ask("PUT", path, { filter = "name:dev*" }).status)
      local changed = ask("PUT", path, { filter = "name:dev*" }, made.headers.etag)
      assert.same({ 200, 3 }, { changed.status, changed.object.devices })
      assert.equal(412, ask("PUT", path, { filter = "name:x" }, made.headers.etag).status)
      assert.same({ 400, "usage" }, { code_of(ask("PUT", path, { filter = "colour:red" }, changed.headers.etag)) })
      assert.same({ 422, "refused" }, { code_of(ask("POST", path .. "/names", { add = { "dev2" } })) })
      assert.equal(1, #ask("GET", ("/products/%s/groups"):format(w.pk)).object.items)
      assert.equal(200, ask("DELETE", path, nil, changed.headers.etag).status)
      assert.equal(404, ask("GET", path).status)
    end)

    it("is made by a list, which is changed, shown a page at a time, and taken back", function()
      local made = make { name = "north", names = { "dev1", "never heard of" } }
      assert.same({ 201, 1, 2 }, { made.status, made.object.devices, made.object.names })
      local path = ("/groups/%d/names"):format(made.object.id)
      local changed = ask("POST", path, { add = { "dev2", "dev1" }, remove = { "never heard of", "nobody" } })
      assert.same({ 200, 2, 2, 2 }, { changed.status, changed.object.changed, changed.object.devices,
        changed.object.names })
      local names, cursor = {}, ""
      repeat
        local page = ask("GET", path .. "?limit=1" .. cursor).object
        for _, item in ipairs(page.items) do names[#names + 1] = item.name end
        cursor = "&cursor=" .. tostring(page.next)
      until page.next == natives.json.null
      assert.same({ "dev1", "dev2" }, names)
      assert.equal(400, ask("GET", path .. "?cursor=x").status)
      assert.equal(200, ask("POST", "/undo/" .. changed.headers["x-undo"]).status)
      names = {}
      for i, item in ipairs(ask("GET", path).object.items) do names[i] = item.name end
      assert.same({ "dev1", "never heard of" }, names)
    end)

    it("is refused if it makes no sense, and is nobody else's", function()
      for _, body in ipairs { { name = "x", filter = "colour:red" }, { name = "a b" }, { filter = "name:x" },
        { name = "x", filter = "group:lab" }, { name = "x", filter = "name:x", names = { "y" } },
        { name = "x", names = { "y" }, cloud = "mars" } } do
        assert.equal(400, make(body).status, natives.json.encode(body))
      end
      assert.equal(201, make({ name = "x", names = {} }).status)
      assert.same({ 409, "conflict" }, { code_of(make { name = "X" }) })
      local foreign = w:user("bob", { [w.other] = "admin" })
      assert.equal(404, w:ask("GET", "/groups/1", { token = foreign }).status)
      assert.equal(404, w:ask("POST", "/groups/1/names", { token = foreign, body = { add = { "x" } } }).status)
    end)
  end)

  describe("a device", function()
    it("is given tags, a note and hardware, which are taken back unless somebody was faster", function()
      local path = device "dev1"
      local etag = ask("GET", path).headers.etag
      local answer = ask("PATCH", path, { note = "roof", hardware = "B" }, etag)
      assert.same({ 200, "roof", "B" }, { answer.status, answer.object.note, answer.object.hardware })
      local tagged = ask("PATCH", path, { tags = { "lab" } }, answer.headers.etag)
      assert.equal(200, ask("POST", "/undo/" .. tagged.headers["x-undo"]).status)
      assert.equal(404, ask("POST", "/undo/" .. tagged.headers["x-undo"]).status)
      assert.same({}, ask("GET", path).object.tags)
      local noted = ask("PATCH", path, { note = "cellar" }, ask("GET", path).headers.etag)
      ask("PATCH", path, { note = "garden" }, noted.headers.etag)
      assert.same({ 409, "conflict" }, { code_of(ask("POST", "/undo/" .. noted.headers["x-undo"])) })
      assert.equal("garden", ask("GET", path).object.note)
      assert.equal(400, ask("PATCH", path, { hardware = ("x"):rep(65) }, ask("GET", path).headers.etag).status)
    end)

    it("cannot be changed back after ten minutes", function()
      local path = device "dev1"
      local answer = ask("PATCH", path, { tags = { "lab" } }, ask("GET", path).headers.etag)
      assert(w.store.db:execute "UPDATE undo SET at = at - 599000")
      assert.is_truthy(w.store:find_undo(math.tointeger(tonumber(answer.headers["x-undo"])), os.time() * 1000))
      assert(w.store.db:execute "UPDATE undo SET at = at - 2000")
      assert.same({ 404, "missing" }, { code_of(ask("POST", "/undo/" .. answer.headers["x-undo"])) })
      for _, number in ipairs { "0", "x", "99" } do assert.equal(404, ask("POST", "/undo/" .. number).status) end
    end)

    it("shows the jobs that it has had", function()
      local row = w.store:get("aliyun", "pk", "dev1")
      for i, step in ipairs { { "1.0.1", "pending" }, { "1.0.1", "upgrading" }, { "1.0.1", "failed", -2 },
        { "1.0.1", "pending" }, { "1.0.1", "succeeded" }, { "1.0.2", "pending" } } do
        row.target, row.state, row.code, row.changed = step[1], step[2], step[3], i * 1000
        assert(w.store:put(row))
      end
      local answer = ask("GET", device "dev1" .. "/jobs").object
      assert.same({ "1.0.2", "pending" }, { answer.items[1].target, answer.items[1].state })
      local past = {}
      for i, job in ipairs(answer.past) do past[i] = { job.target, job.state, job.began, job.changed } end
      assert.same({ { "1.0.2", "pending", 6, 6 }, { "1.0.1", "succeeded", 4, 5 }, { "1.0.1", "failed", 1, 3 } }, past)
      assert.equal("-2", answer.past[3].code)
    end)

    it("is forgotten with all that is known of it", function()
      local path = device "dev1"
      assert.equal(428, ask("DELETE", path).status)
      assert.equal(200, ask("DELETE", path, nil, ask("GET", path).headers.etag).status)
      assert.equal(404, ask("GET", path).status)
      local row = w.store:audited(nil, 1)[1]
      assert.same({ "device.forget", "device sha256:" .. natives.digest.sha256 "dev1" }, { row.verb, row.object })
    end)
  end)

  describe("a release", function()
    it("is for the devices of a list, or for all", function()
      local path = ("/releases/%s/list"):format(release.id)
      local function etag() return ask("GET", "/releases/" .. release.id).headers.etag end
      assert.equal(428, ask("PUT", path, { devices = { "dev1" } }).status)
      assert.same({ 422, "refused" }, { code_of(ask("POST", path, { devices = { "dev1" } })) })
      local answer = ask("PUT", path, { devices = { "dev2", "dev1" } }, etag())
      assert.same({ 200, 2 }, { answer.status, answer.object.listed })
      assert.equal("dev2\ndev1\n", folder.read "packages/METER_1.0.1.upd.devices")
      local more = ask("POST", path, { devices = { "dev3", "dev1" } })
      assert.same({ 200, 3 }, { more.status, more.object.listed })
      assert.equal(200, ask("POST", "/undo/" .. more.headers["x-undo"]).status)
      assert.equal(2, ask("GET", "/releases/" .. release.id).object.listed)
      ask("PUT", path, { devices = { "dev3" } }, etag())
      assert.same({ 409, "conflict" }, { code_of(ask("POST", "/undo/" .. answer.headers["x-undo"])) })
      for _, body in ipairs { {}, { devices = { "*" } }, { devices = { "a,b" } }, { devices = { "1E+05" } },
        { devices = { "dev1" }, everybody = true } } do
        assert.equal(400, ask("PUT", path, body, etag()).status, natives.json.encode(body))
      end
      assert.equal(natives.json.null, ask("PUT", path, { everybody = true }, etag()).object.listed)
    end)

    it("goes to a few, then to all, once a device has verified it", function()
      local path = "/releases/" .. release.id
      assert.same({ 422, "refused" }, { code_of(ask("POST", path .. "/release")) })
      verified()
      assert.equal(400, ask("POST", path .. "/trial", {}).status)
      assert.same({ 404, "missing" }, { code_of(ask("POST", path .. "/trial", { devices = { "nobody" } })) })
      local trial = ask("POST", path .. "/trial", { devices = { "dev2" } })
      assert.same({ 201, "trial", "running", "fixed" }, { trial.status, trial.object.kind, trial.object.state,
        trial.object.members })
      local all = ask("POST", path .. "/release")
      assert.same({ 201, "running", 1, 100 }, { all.status, all.object.state, #all.object.waves,
        all.object.waves[1].percent })
      assert.equal("released", ask("GET", path).object.stage)
    end)

    it("shows the jobs of its rollout a page at a time", function()
      verified()
      local made = ask("POST", ("/products/%s/rollouts"):format(w.pk), { release = release.id })
      for _, name in ipairs { "dev2", "dev3" } do
        local row = w.store:get("aliyun", "pk", name)
        row.rollout, row.wave, row.state, row.target, row.changed = made.object.id, 1, "pending", "1.0.1", 1000
        assert(w.store:put(row))
      end
      local path = ("/rollouts/%d/jobs?limit=1"):format(made.object.id)
      local first = ask("GET", path).object
      local second = ask("GET", path .. "&cursor=" .. first.next).object
      assert.same({ "dev2", "dev3" }, { first.items[1].device, second.items[1].device })
      local answer = ask("GET", path .. "&cursor=zz")
      assert.same({ 400, "cursor" }, { answer.status, answer.object.error.field })
    end)

    it("gets back the plan of its rollout", function()
      verified()
      local made = ask("POST", ("/products/%s/rollouts"):format(w.pk), { release = release.id })
      local path = "/rollouts/" .. made.object.id
      local changed = ask("PATCH", path, { limit = "9%", priority = 3 }, made.headers.etag)
      assert.same({ 9, 3 }, { changed.object.limit.percent, changed.object.priority })
      assert.equal(200, ask("POST", "/undo/" .. changed.headers["x-undo"]).status)
      local now = ask("GET", path)
      assert.same({ 5, 0 }, { now.object.limit.percent, now.object.priority })
      local first = ask("PATCH", path, { limit = "9%" }, now.headers.etag)
      ask("PATCH", path, { limit = "8%" }, first.headers.etag)
      assert.same({ 409, "conflict" }, { code_of(ask("POST", "/undo/" .. first.headers["x-undo"])) })
    end)

    it("shows its devices by the state of their jobs", function()
      local digest = w.api.world.packages[1].manifest.digest
      local row = w.store:get("aliyun", "pk", "dev2")
      row.package, row.target, row.state, row.code, row.changed = digest, "1.0.1", "failed", -2, 1000
      assert(w.store:put(row))
      local path = ("/releases/%s/devices"):format(release.id)
      local items = ask("GET", path .. "?state=failed").object.items
      assert.same({ 1, "dev2", -2 }, { #items, items[1].device, items[1].code })
      assert.same({}, ask("GET", path .. "?state=pending").object.items)
      assert.equal(1, #ask("GET", path).object.items)
      assert.equal(400, ask("GET", path .. "?state=odd").status)
      assert.equal(400, ask("GET", path .. "?cursor=odd").status)
    end)

    it("is given byte by byte", function()
      local digest = ask("GET", "/releases/" .. release.id).object.files[1].digest
      local answer = ask("GET", ("/packages/%s/file"):format(digest))
      assert.equal(200, answer.status)
      assert.equal(folder.read "packages/METER_1.0.1.upd", answer.body)
      assert.equal('attachment; filename="METER_1.0.1.upd"', answer.headers["content-disposition"])
      assert.equal(404, ask("GET", "/packages/" .. ("0"):rep(64) .. "/file").status)
      local foreign = w:user("bob", { [w.other] = "admin" })
      assert.equal(404, w:ask("GET", ("/packages/%s/file"):format(digest), { token = foreign }).status)
    end)

    it("is removed only if nothing runs or awaits it", function()
      local path = "/releases/" .. release.id
      local row = w.store:get("aliyun", "pk", "dev2")
      row.release = "1.0.1"
      assert(w.store:put(row))
      local etag = ask("GET", path).headers.etag
      assert.same({ 422, "refused" }, { code_of(ask("DELETE", path, nil, etag)) })
      row.release, row.package, row.target, row.state = "1.0.0", w.api.world.packages[1].manifest.digest, "1.0.1",
        "pending"
      assert(w.store:put(row))
      assert.same({ 422, "refused" }, { code_of(ask("DELETE", path, nil, etag)) })
      row.state = "failed"
      assert(w.store:put(row))
      assert.equal(200, ask("DELETE", path, nil, etag).status)
      assert.equal(404, ask("GET", path).status)
      assert.is_false(folder.exists "packages/METER_1.0.1.upd")
      assert.is_truthy((folder.read "packages/.withdrawn"):find("1.0.1", 1, true))
    end)
  end)

  describe("many devices", function()
    local function run(path, body)
      local begun = ask("POST", ("/products/%s%s"):format(w.pk, path), body)
      assert.equal(202, begun.status, begun.body)
      local task
      repeat
        w:step()
        task = ask("GET", "/tasks/" .. begun.object.id).object
      until task.state ~= "running"
      return task
    end

    it("are tagged in slices, which a task counts", function()
      assert(w.store:change())
      for i = 1, 450 do
        assert(w.store:put { cloud = "aliyun", product = "pk", device = ("x%03d"):format(i), hash = w.pk })
      end
      assert(w.store:commit())
      local dry = ask("POST", ("/products/%s/devices/bulk?dry_run=1"):format(w.pk), { filter = "name:x*",
        tag = { "lab" } })
      assert.same({ 200, 450 }, { dry.status, dry.object.total })
      local task = run("/devices/bulk", { filter = "name:x*", tag = { "Lab" } })
      assert.same({ "done", 450, 450, 450 }, { task.state, task.done, task.total, task.changed })
      assert.equal(450, #ask("GET", ("/products/%s/devices?filter=tag:lab&limit=1000"):format(w.pk)).object.items)
      assert.equal("200 devices", w.store:audited(nil, 3)[2].object)
      assert.equal(50, run("/devices/bulk", { devices = { "x001" }, untag = { "lab" } }).changed + 49)
      local foreign = w:user("bob", { [w.pk] = "admin" })
      assert.equal(404, w:ask("GET", "/tasks/" .. task.id, { token = foreign }).status)
    end)

    it("are not tagged with what is both given and taken away", function()
      local answer = ask("POST", ("/products/%s/devices/bulk"):format(w.pk), { devices = { "dev1" }, tag = { "lab" },
        untag = { "LAB" } })
      assert.same({ 400, "usage" }, { code_of(answer) })
      assert.equal("untag", answer.object.error.field)
    end)

    it("are chosen by id, of their product only", function()
      local function bulk(list) return ask("POST", ("/products/%s/devices/bulk"):format(w.pk), { ids = list,
        tag = { "lab" } }) end
      local one = ids.of { cloud = "aliyun", product = "pk", device = "dev1" }
      local task = run("/devices/bulk", { ids = { one, ids.of { cloud = "aliyun", product = "pk", device = "gone" } },
        tag = { "lab" } })
      assert.same({ 1, 1 }, { task.total, task.changed })
      local far = ids.of { cloud = "aliyun", product = "other", device = "far" }
      assert.same({ 404, "missing" }, { code_of(bulk { one, far }) })
      assert.same({ 400, "usage" }, { code_of(bulk { "x" }) })
      assert.same({ 400, "usage" }, { code_of(ask("POST", ("/products/%s/devices/bulk"):format(w.pk), { ids = { one },
        devices = { "dev1" }, tag = { "lab" } })) })
    end)

    it("try again", function()
      for _, name in ipairs { "dev1", "dev2" } do
        local row = w.store:get("aliyun", "pk", name)
        row.package, row.target, row.state, row.changed = "d", "1.0.1", "failed", 1000
        assert(w.store:put(row))
      end
      local task = run("/jobs/bulk", { filter = "name:dev*", act = "retry" })
      assert.same({ 3, 2 }, { task.total, task.changed })
      assert.equal("pending", w.store:get("aliyun", "pk", "dev2").state)
      assert.equal("job.retry", w.store:audited(nil, 1)[1].verb)
    end)

    it("are chosen in one way, and not too many", function()
      local path = ("/products/%s/devices/bulk"):format(w.pk)
      for _, body in ipairs { { tag = { "x" } }, { filter = "name:x", devices = { "x" }, tag = { "x" } },
        { filter = "colour:red", tag = { "x" } }, { filter = "name:x" }, { filter = "name:x", tag = { "a b" } } } do
        assert.equal(400, ask("POST", path, body).status, natives.json.encode(body))
      end
      assert(w.store:change())
      for i = 1, 10001 do
        assert(w.store:put { cloud = "aliyun", product = "pk", device = ("y%05d"):format(i), hash = w.pk })
      end
      assert(w.store:commit())
      assert.same({ 422, "refused" }, { code_of(ask("POST", path, { filter = "name:y*", tag = { "x" } })) })
    end)
  end)

  it("settings are shown and changed", function()
    local all = w:user("root", { [""] = "admin" })
    local answer = w:ask("GET", "/settings", { token = all })
    assert.same({ 400, 1825 }, { answer.object.events_days, answer.object.audit_days })
    answer = w:ask("PATCH", "/settings", { token = all, body = { events_days = 30 } })
    assert.same({ 200, 30, 1825 }, { answer.status, answer.object.events_days, answer.object.audit_days })
    assert.equal(400, w:ask("PATCH", "/settings", { token = all, body = { events_days = 29 } }).status)
    local day, now = 86400000, os.time() * 1000
    assert(w.store:change())
    assert(w.store:note_event { at = now - 31 * day, what = "old" })
    assert(w.store:note_event { at = now - 29 * day, what = "young" })
    assert.is_false(w.store:prune(now))
    assert(w.store:commit())
    local seen = {}
    for _, event in ipairs(w.store:events({}, 100)) do seen[event.what] = true end
    assert.same({ nil, true }, { seen.old, seen.young })
  end)

  it("a backup is made that holds what the store holds", function()
    local all = w:user("root", { [""] = "admin" })
    local answer = w:ask("POST", "/backup", { token = all })
    assert.equal(201, answer.status, answer.body)
    local kept = assert(require("depot.store").open_file(natives, w.dir .. "/" .. answer.object.file))
    assert.equal("1.0.0", kept:get("aliyun", "pk", "dev1").release)
    kept:close()
  end)

  it("keys are named, and deltas that are missing", function()
    local answer = ask("GET", ("/products/%s/keys"):format(w.pk))
    assert.equal(200, answer.status, answer.body)
    local items = answer.object.items
    assert.equal(1, #items)
    assert.matches("^" .. ("%x"):rep(16) .. "$", items[1].id)
    for i, core in ipairs { 17, 17, 20 } do
      local row = w.store:get("aliyun", "pk", "dev" .. i)
      row.core = core
      assert(w.store:put(row))
    end
    answer = ask("GET", ("/products/%s/deltas"):format(w.pk)).object
    assert.same({ "1.0.1", 2, 17, 2, natives.json.null }, { answer.release, #answer.items, answer.items[1].core,
      answer.items[1].devices, answer.items[1].file })
  end)

  it("the audit is written into a file", function()
    local all = w:user("root", { [""] = "admin" })
    local answer = w:ask("GET", "/audit/export?format=csv", { token = all })
    assert.equal("text/csv; charset=utf-8", answer.headers["content-type"])
    assert.matches('^"id","at","actor","address","verb"', answer.body)
    assert.matches('"user.add"', answer.body)
    answer = w:ask("GET", "/audit/export?format=jsonl&limit=1", { token = all })
    assert.equal("user.add", natives.json.decode(answer.body:match "^[^\n]+").verb)
    assert.equal("1", answer.headers["x-next-cursor"])
    assert.equal(400, w:ask("GET", "/audit/export?format=xml", { token = all }).status)
    assert.equal(403, w:ask("GET", "/audit/export?format=csv", { token = token }).status)
  end)
end)

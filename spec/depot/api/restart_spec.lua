-- What people began outlives the server: tasks go on where they were, and changes can still be taken back.

local api_world = require "spec.support.api_world"
local copies = require "depot.acts.copies"
local folders = require "spec.support.folder"
local ids = require "depot.api.ids"
local natives = require "update.natives"

describe("a server that is started anew", function()
  local folder, w, token = folders.new(), nil, nil

  before_each(function()
    w = api_world.open(folder.make())
    token = w:user("ann", { [w.pk] = "admin" })
  end)
  after_each(function() w:close() end)

  local function ask(method, path, body, etag)
    return w:ask(method, path, { token = token, body = body, headers = { ["If-Match"] = etag } })
  end

  -- A task for 450 devices, of which the first slice is done.
  local function begun()
    assert(w.store:change())
    for i = 1, 450 do
      assert(w.store:put { cloud = "aliyun", product = "pk", device = ("x%03d"):format(i), hash = w.pk })
    end
    assert(w.store:commit())
    local answer = ask("POST", ("/products/%s/devices/bulk"):format(w.pk), { filter = "name:x*", tag = { "lab" } })
    assert.equal(202, answer.status, answer.body)
    while assert(w.store:task(answer.object.id)).done == 0 do w:step() end
    assert.equal(200, assert(w.store:task(answer.object.id)).done)
    return answer.object.id
  end

  local function task(id) return ask("GET", "/tasks/" .. id).object end

  -- It runs until nothing more is to be done.
  local function rest(id)
    for _ = 1, 10 do w:step() end
    return task(id)
  end

  local function tagged()
    return #ask("GET", ("/products/%s/devices?filter=tag:lab&limit=1000"):format(w.pk)).object.items
  end

  it("goes on with a task, each device once", function()
    local id = begun()
    w:serve()
    local done = rest(id)
    assert.same({ "done", 450, 450, 450 }, { done.state, done.done, done.total, done.changed })
    assert.equal(450, tagged())
    local texts = {}
    for i, row in ipairs(w.store:audited(nil, 3)) do texts[i] = row.actor .. ": " .. row.object end
    assert.same({ "ann: 50 devices", "ann: 200 devices", "ann: 200 devices" }, texts)
    w:serve()
    assert.equal("done", task(id).state) -- what became of it can still be asked
  end)

  it("ends a task whose user may no longer do that", function()
    local id = begun()
    local account = w.store:account "ann"
    assert(w.store:change())
    assert(w.store:set_roles(account.id, { [w.pk] = "viewer" }))
    assert(w.store:commit())
    w:serve()
    local done = rest(id)
    assert.same({ "failed", 200, "refused" }, { done.state, done.done, done.code })
    assert.matches("its user may no longer do this", done.message, 1, true)
    assert.equal(200, tagged())
  end)

  it("ends a task that has rested for an hour, and forgets one that ended as long ago", function()
    local id = begun()
    assert(w.store.db:execute "UPDATE task SET stepped = stepped - 3601000")
    w:serve()
    local done = rest(id)
    assert.same({ "failed", 200 }, { done.state, done.done })
    assert.matches("no server ran for an hour", done.message, 1, true)
    assert(w.store.db:execute "UPDATE task SET stepped = stepped - 3601000")
    local other = ask("POST", ("/products/%s/devices/bulk"):format(w.pk), { devices = { "dev1" }, tag = { "lab" } })
    assert.equal(202, other.status)
    assert.equal(404, ask("GET", "/tasks/" .. id).status)
    local left = w.store.db:prepare("SELECT count(*) AS n FROM task_device"):first().n
    assert.equal(1, left)
  end)

  it("goes on without a task whose user is gone", function()
    local id = begun()
    assert(w.store:change())
    assert(w.store:drop_account(w.store:account("ann").id))
    assert(w.store:commit())
    w:serve()
    for _ = 1, 10 do w:step() end
    assert.is_false(w.store:task(id))
    assert.same({}, w.api.tasks.list)
  end)

  it("leaves a task to another server that has gone on with it", function()
    local id = begun()
    local other = require("depot.api.tasks").new(w.api.world)
    assert.is_true(other:step()) -- the second slice, of its own
    for _ = 1, 3 do w:step() end
    assert.same({}, w.api.tasks.list)
    assert.same({ "running", 400, 400 }, { task(id).state, task(id).done, task(id).changed })
    while other:step() do end
    assert.same({ "done", 450, 450 }, { task(id).state, task(id).done, task(id).changed })
    assert.equal(450, tagged())
  end)

  it("counts nothing of a slice that failed", function()
    local id = begun()
    w:serve()
    local store = w.api.world.store
    local put = store.touch
    store.touch = function() return nil, "the disk is full", "nospace" end
    local done = rest(id)
    store.touch = put
    assert.same({ "failed", 200, 200, "nospace" }, { done.state, done.done, done.changed, done.code })
    assert.equal(200, tagged())
  end)

  it("counts nothing of a slice that could not be committed", function()
    local id = begun()
    w:serve()
    local store = w.api.world.store
    local commit, left = store.commit, 1
    function store.commit(self)
      left = left - 1
      if left < 0 then return commit(self) end
      self:abandon()
      return nil, "the disk is full", "nospace"
    end
    for _ = 1, 3 do w:step() end
    store.commit = commit
    local done = task(id)
    assert.same({ "failed", 200, 200, "nospace" }, { done.state, done.done, done.changed, done.code })
  end)

  it("takes back what was changed before", function()
    local path = "/devices/" .. ids.of { cloud = "aliyun", product = "pk", device = "dev1" }
    local tags = ask("PATCH", path, { tags = { "lab" } }, ask("GET", path).headers.etag)
    local note = ask("PATCH", path, { note = "cellar" }, tags.headers.etag)
    local release = ask("GET", ("/products/%s/releases"):format(w.pk)).object.items[1]
    local place = "/releases/" .. release.id
    local list = ask("PUT", place .. "/list", { devices = { "dev1" } }, ask("GET", place).headers.etag)
    assert.equal(200, list.status, list.body)
    w:serve()
    for _, answer in ipairs { note, tags, list } do
      assert.equal(200, ask("POST", "/undo/" .. answer.headers["x-undo"]).status)
      assert.equal(404, ask("POST", "/undo/" .. answer.headers["x-undo"]).status) -- once
    end
    local device = ask("GET", path).object
    assert.same({ {}, natives.json.null }, { device.tags, device.note })
    assert.equal(natives.json.null, ask("GET", place).object.listed)
  end)

  it("knows neither in a store that was restored", function()
    local id = begun()
    local path = "/devices/" .. ids.of { cloud = "aliyun", product = "pk", device = "dev1" }
    local tags = ask("PATCH", path, { tags = { "lab" } }, ask("GET", path).headers.etag)
    assert(w.store:change())
    assert(copies.settle { store = w.store, now = os.time() * 1000 })
    assert(w.store:commit())
    w:serve()
    assert.equal(404, ask("POST", "/undo/" .. tags.headers["x-undo"]).status)
    assert.equal(404, ask("GET", "/tasks/" .. id).status)
  end)
end)

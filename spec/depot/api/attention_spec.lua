-- What needs a person: each kind once, with the filter or the rollout that leads there.

local api_world = require "spec.support.api_world"
local folders = require "spec.support.folder"

local DAY = 86400 * 1000

describe("what needs a person", function()
  local folder, w, token = folders.new(), nil, nil

  before_each(function()
    w = api_world.open(folder.make())
    w.api.answers.limits.ask = function() end
    token = w:user("ann", { [w.pk] = "admin" })
  end)
  after_each(function() w:close() end)

  local function kinds()
    local found = {}
    for _, item in ipairs(w:ask("GET", ("/products/%s/attention"):format(w.pk), { token = token }).object.items) do
      found[item.what] = item
    end
    return found
  end

  local function put(name, fields)
    local row = { cloud = "aliyun", product = "pk", device = name, hash = w.pk, heard = 1, changed = 1 }
    for key, value in pairs(fields) do row[key] = value end
    assert(w.store:put(row))
  end

  local function listed(filter)
    local names = {}
    for i, device in ipairs(w:ask("GET", ("/products/%s/devices?filter=%s"):format(w.pk,
      (filter:gsub("[^%w]", function(c) return ("%%%02X"):format(c:byte()) end))), { token = token }).object.items) do
      names[i] = device.device
    end
    return names
  end

  it("is nothing, when all is well", function() assert.same({}, kinds()) end)

  it("are devices that failed, fell silent and fell back, each on a list of its own", function()
    put("a", { state = "failed", code = -2 })
    put("b", { state = "failed", reason = "silent" })
    put("c", { state = "reverted" })
    local found = kinds()
    for what, name in pairs { failed = "a", silent = "b", reverted = "c" } do
      assert.equal(1, found[what].count, what)
      assert.same({ name }, listed(found[what].filter))
    end
  end)

  it("is a rollout without a result for a day, but not one that began today", function()
    local now = os.time() * 1000
    local digest = w.api.world.packages[1].manifest.digest
    local id = assert(w.store:roll_out({ package = digest, target = "1.0.1", hash = w.pk }, now - 2 * DAY))
    local rollout = w.store:rollout(id)
    rollout.state, rollout.wave, rollout.wave_at = "running", 1, now - 2 * DAY
    assert(w.store:save_rollout(rollout))
    put("a", { state = "pending", rollout = id, wave = 1 })
    assert.equal(1, kinds().stalled.count)
    put("b", { state = "succeeded", rollout = id, wave = 1, changed = now })
    assert.is_nil(kinds().stalled)
  end)

  it("is a release that devices run although it was withdrawn", function()
    put("a", { release = "1.0.1" })
    assert.is_nil(kinds().withdrawn)
    local id = w:ask("GET", ("/products/%s/releases"):format(w.pk), { token = token }).object.items[1].id
    assert.equal(200, w:ask("POST", ("/releases/%s/withdraw"):format(id), { token = token }).status)
    local found = kinds().withdrawn
    assert.same({ 1, "1.0.1", { "a" } }, { found.count, found.release, listed(found.filter) })
  end)

  it("is what no package orders", function()
    put("a", { release = "blue" })
    local found = kinds().unordered
    assert.same({ 1, "blue", { "a" } }, { found.count, found.release, listed(found.filter) })
    put("b", { release = "blue" })
    assert.equal(2, kinds().unordered.count)
    w.api.world.packages[1].devices = { a = true } -- for this one only
    assert.equal(1, kinds().unordered.count)
  end)

  it("is a rollout that is paused, or waits for a person", function()
    local digest = w.api.world.packages[1].manifest.digest
    local id = assert(w.store:roll_out({ package = digest, target = "1.0.1", hash = w.pk }, 1))
    local rollout = w.store:rollout(id)
    for what, state in pairs { paused = "paused", waiting = "waiting" } do
      rollout.state, rollout.reason = state, state == "paused" and "limit" or nil
      assert(w.store:save_rollout(rollout))
      local found = kinds()
      assert.same({ id, rollout.reason }, { found[what].rollout, found[what].reason })
      found[what] = nil
      assert.same({}, found)
    end
  end)

  it("are devices that do not listen to their offers", function()
    put("a", { state = "pending", not_listening = 1 })
    put("b", { state = "pending" })
    local unheard = kinds()["not listening"]
    assert.same({ 1, 1 }, { unheard.count, #listed(unheard.filter) })
  end)

  it("are webhooks of the product that went off by themselves, until a person has decided", function()
    local ids = {}
    for i, hash in ipairs { w.pk, w.pk, w.other } do
      ids[i] = assert(w.store:add_webhook({ product = hash, url = "https://a.example/", events = { "act" } }, 1))
    end
    assert.is_nil(kinds()["webhook off"])
    assert(w.store:give_up_webhook(ids[1], "it has failed for a day: x"))
    assert(w.store:give_up_webhook(ids[3], "it has failed for a day: x"))
    assert.same({ what = "webhook off", count = 1 }, kinds()["webhook off"])
    local path = ("/webhooks/%d"):format(ids[1])
    local etag = w:ask("GET", path, { token = token }).headers.etag
    local kept = w:ask("PATCH", path, { token = token, body = { enabled = false }, headers = { ["If-Match"] = etag } })
    assert.same({ 200, false }, { kept.status, kept.object.enabled })
    assert.is_nil(kinds()["webhook off"])
  end)

  it("are devices of unknown hardware, once there are releases for several", function()
    put("a", { hardware = "B" })
    local packages = w.api.world.packages
    packages[1].manifest.hardware = { "A" }
    assert.is_nil(kinds()["hardware unknown"])
    w.folder.pack("METER_1.0.2.upd", "pk", 3, "1.0.2")
    w.api.world.next_look = 0
    w.api.world:refresh()
    packages = w.api.world.packages
    packages[1].manifest.hardware, packages[2].manifest.hardware = { "A" }, { "B" }
    local found = kinds()["hardware unknown"]
    assert.same({ 3, { "dev1", "dev2", "dev3" } }, { found.count, listed(found.filter) })
  end)

  it("is a release that ends within a month, unless it was withdrawn", function()
    local manifest = w.api.world.packages[1].manifest
    manifest.not_after = os.time() + 40 * 86400
    assert.is_nil(kinds().ends)
    manifest.not_after = os.time() + 20 * 86400
    local found = kinds().ends
    assert.same({ "1.0.1", manifest.not_after }, { found.release, found.at })
    assert.equal(200, w:ask("POST", ("/releases/%s/withdraw"):format(found.id), { token = token }).status)
    assert.is_nil(kinds().ends)
  end)

  it("is a release whose support ends within a month while devices run it", function()
    local manifest = w.api.world.packages[1].manifest
    local function says(days)
      assert(w.store:note_release(manifest, { security = false,
        support_until = days and os.date("!%Y-%m-%d", os.time() + days * 86400) }))
      return kinds()["support ends"]
    end
    assert.is_nil(says(10))
    put("dev1", { release = "1.0.1" })
    assert.same({ "1.0.1", 1 }, { says(10).release, says(10).count })
    assert.equal(1, says(-10).count)
    assert.is_nil(says(40))
    assert.is_nil(says(nil))
  end)

  it("is a broker that cannot be reached", function()
    assert(w.store:change())
    assert(w.store:note_event { at = 5000, what = "connection", code = "disconnected", text = "refused" })
    assert(w.store:commit())
    assert.same({ "refused", 5 }, { kinds().broker.text, kinds().broker.since })
    assert(w.store:change())
    assert(w.store:note_event { at = 6000, what = "connection", code = "connected" })
    assert(w.store:commit())
    assert.is_nil(kinds().broker)
  end)
end)

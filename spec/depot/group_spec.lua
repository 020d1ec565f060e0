-- Groups of devices, and rollouts that are for them.

local actions = require "depot.actions.group"
local devices = require "depot.actions.device"
local filters = require "depot.filter"
local folders = require "spec.support.folder"
local grants = require "depot.grants"
local natives = require "update.natives"
local store = require "depot.store"

local HASH = natives.digest.sha256 "pk"

describe("depot group", function()
  local folder = folders.new()
  local dir, printed, s

  local function run(action, verb, name, opts, as_json)
    printed = {}
    return action.run { verb = verb, dir = dir, name = name, opts = opts or {}, natives = natives,
      env = { json = as_json, out = function(text) printed[#printed + 1] = text end, note = function() end } }
  end

  local function group(...) return run(actions, ...) end

  local function fails(code, ...)
    local done, message, word = group(...)
    assert.same({ nil, code }, { done, word })
    return message
  end

  local function shown(name)
    assert.equal(0, group("show", name, {}, true))
    return natives.json.decode(printed[1])
  end

  local function row(name) return assert(s:get("aliyun", "pk", name)) end

  before_each(function()
    dir = folder.make "keys"
    s = assert(store.open(natives, dir))
    for _, name in ipairs { "dev1", "dev2", "dev3" } do
      assert(s:put { cloud = "aliyun", product = "pk", device = name, hash = HASH, release = "1.0.0", heard = 5000 })
    end
  end)

  after_each(function()
    s:close()
    folder.remove()
  end)

  it("has a list, also of names that were never heard of", function()
    assert.equal(0, group("create", "Field", { product = "pk", device = { "dev1", "later" } }))
    assert.same({ 1, 2 }, { shown("field").devices, shown("field").names })
    assert(s:put { cloud = "aliyun", product = "pk", device = "later", hash = HASH, release = "1.0.0" })
    assert.equal(2, shown("field").devices)
    assert.equal(0, group("add", "field", { device = { "dev2", "dev1" }, cloud = "tencent" }))
    assert.equal("group field: 2 names more", printed[1])
    assert.equal(2, shown("field").devices) -- no device of that cloud
    assert.equal(0, group("remove", "field", { device = { "dev1" } }))
    assert.equal(1, shown("field").devices)
    assert.equal(0, group("list"))
    assert.equal("field                           1  a list of 3", printed[2])
    assert.same({ "field" }, s:groups_of(row "later"))
  end)

  it("has a filter, and lists ask for it", function()
    assert.equal(0, group("create", "lab", { product = "pk", filter = "tag:lab" }))
    assert.equal(0, run(devices, "tag", "dev2", { tag = { "lab" } }))
    assert.equal(1, shown("lab").devices)
    assert.equal(0, run(devices, "list", nil, { filter = "group:lab" }, true))
    assert.equal("dev2", natives.json.decode(printed[1]).devices[1].device)
    assert.equal(0, run(devices, "show", "dev2", {}, true))
    assert.equal("lab", natives.json.decode(printed[1]).groups[1])
  end)

  it("lets a rollout be for a group, and its devices become due when they enter it", function()
    assert.equal(0, group("create", "lab", { product = "pk", filter = "tag:lab" }))
    local rollout = { hash = HASH, filter = "group:lab", means = filters.parse("group:lab", true) }
    assert.is_false(grants.covers(rollout, row "dev1", s:about()))
    assert.equal(0, run(devices, "tag", "dev1", { tag = { "lab" } }))
    assert.is_true(grants.covers(rollout, row "dev1", s:about()))
    assert.is_not_nil(row("dev1").due)
    assert.is_nil(row("dev2").due)
  end)

  it("is kept while an open rollout is for it", function()
    assert.equal(0, group("create", "lab", { product = "pk" }))
    assert(s:roll_out({ package = "p", target = "t", hash = HASH, filter = "group:lab" }, 1))
    assert.matches("rollout 1 is for group lab", fails("refused", "delete", "lab"))
    assert(s.db:execute "UPDATE rollout SET ended = 1")
    assert.equal(0, group("delete", "lab"))
    fails("missing", "show", "lab")
    assert.equal("group.delete", assert(s:audited(nil, 1))[1].verb)
  end)

  it("says what is wrong", function()
    fails("usage", "dance")
    fails("usage", "show")
    fails("missing", "show", "lab")
    fails("usage", "create", "lab")
    fails("usage", "create", "a b", { product = "pk" })
    fails("usage", "create", "lab", { product = "pk", filter = "group:x" })
    fails("usage", "create", "lab", { product = "pk", filter = "state:failed" })
    fails("usage", "create", "lab", { product = "pk", filter = "tag:x", device = { "dev1" } })
    assert.equal(0, group("create", "lab", { product = "pk", filter = "tag:x" }))
    fails("conflict", "create", "LAB", { product = "pk" })
    fails("refused", "add", "lab", { device = { "dev1" } })
    fails("usage", "add", "lab")
    assert.equal(0, group("create", "lab", { product = "other" }))
    fails("usage", "show", "lab")
    assert.equal(0, group("show", "lab", { product = "other" }))
  end)
end)

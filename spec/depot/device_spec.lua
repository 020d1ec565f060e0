-- What people write about devices: the actions on a store, without a depot.

local actions = require "depot.actions.device"
local folders = require "spec.support.folder"
local natives = require "update.natives"
local store = require "depot.store"

describe("depot device", function()
  local folder = folders.new()
  local dir, printed

  -- Run `moult depot device VERB DIR [NAME]`.
  local function act(verb, name, opts, as_json)
    printed = {}
    return actions.run { verb = verb, dir = dir, name = name, opts = opts or {}, natives = natives,
      env = { json = as_json, out = function(text) printed[#printed + 1] = text end, note = function() end } }
  end

  -- The names of the devices that a filter lists.
  local function listed(filter, opts)
    opts = opts or {}
    opts.filter = filter
    assert.equal(0, act("list", nil, opts, true))
    local names = {}
    for i, device in ipairs(natives.json.decode(printed[1]).devices) do names[i] = device.device end
    return table.concat(names, " ")
  end

  local function fails(code, ...)
    local done, message, word = act(...)
    assert.same({ nil, code }, { done, word })
    return message
  end

  before_each(function()
    dir = folder.make "keys"
    local s = assert(store.open(natives, dir))
    for _, name in ipairs { "dev1", "dev2", "dev3" } do
      assert(s:put { cloud = "aliyun", product = "pk", device = name, hash = "h", release = "1.0.0", heard = 5000 })
    end
    s:close()
  end)

  after_each(folder.remove)

  it("registers devices before they report", function()
    local s = assert(store.open(natives, dir))
    assert(s:change())
    assert(s:add_product(natives.digest.sha256 "pk2", "meter", "staged", 1))
    assert(s:commit())
    s:close()
    folder.write("list", "new1\nnew2\n")
    assert.equal(0, act("add", "new3", { product = "pk2", cloud = "aliyun", devices = dir .. "/list" }))
    assert.equal("3 of 3 devices are new", printed[1])
    assert.equal(0, act("add", nil, { product = "pk2", cloud = "aliyun", device = { "new3", "new4" } }, true))
    assert.same({ added = 1 }, natives.json.decode(printed[1]))
    assert.equal("new1 new2 new3 new4", listed "product:pk2")
    assert.matches("--cloud", fails("usage", "add", "x", { product = "pk2" }))
    assert.matches("--product", fails("usage", "add", "x", { cloud = "aliyun" }))
    assert.matches("which devices", fails("usage", "add", nil, { product = "pk2", cloud = "aliyun" }))
    assert.matches("no product is called pk3", fails("missing", "add", "x", { product = "pk3", cloud = "aliyun" }))
    assert.matches("say what tencent calls it", fails("usage", "add", "x", { product = "meter", cloud = "tencent" }))
  end)

  it("gives tags and takes them away, and filters ask for them", function()
    assert.equal(0, act("tag", "dev1", { tag = { "Lab", "eu" } }))
    assert.equal("1 device changed", printed[1])
    assert.equal(0, act("tag", nil, { tag = { "lab" }, filter = "name:dev2" }))
    assert.equal(0, act("tag", "dev1", { tag = { "lab" } }))
    assert.equal("0 devices changed", printed[1])
    assert.equal("dev1 dev2", listed "tag:LAB")
    assert.equal("dev1", listed "tag:lab tag:eu")
    assert.equal("dev3", listed "-tag:lab")
    assert.equal("dev3", listed 'tag:""')
    assert.equal(0, act("tag", nil, { untag = { "lab" }, filter = "tag:lab" }))
    assert.equal("", listed "tag:lab")
    assert.equal("dev1", listed "tag:eu")
  end)

  it("tags the devices of a list as spreadsheets write it", function()
    local path = dir .. "/list.csv"
    local file <close> = assert(io.open(path, "wb"))
    file:write '\239\187\191"dev1"\r\ndev3\r\nnever-heard\r\n'
    file:flush()
    assert.equal(0, act("tag", nil, { tag = { "field" }, devices = path }))
    assert.equal("2 devices changed", printed[1])
    assert.equal("dev1 dev3", listed "tag:field")
    assert.matches("nowhere", fails("usage", "tag", nil, { tag = { "x" }, devices = dir .. "/nowhere" }))
  end)

  it("keeps tags and note when the running depot writes the device's row", function()
    assert.equal(0, act("tag", "dev1", { tag = { "lab" } }))
    assert.equal(0, act("note", "dev1", { note = "on the roof" }))
    local s = assert(store.open(natives, dir))
    local row = s:get("aliyun", "pk", "dev1")
    row.release = "2.0.0"
    assert(s:put(row))
    s:close()
    assert.equal(0, act("show", "dev1", {}, true))
    local device = natives.json.decode(printed[1])
    assert.same({ "2.0.0", { "lab" }, "on the roof" }, { device.release, { table.unpack(device.tags) }, device.note })
    assert.equal(0, act("show", "dev1"))
    assert.same({ "heard     1970-01-01 00:00:05 UTC", "tags      lab", "note      on the roof" },
      { table.unpack(printed, 5) })
    assert.equal(0, act("note", "dev1", { note = "" }))
    assert.equal(0, act("show", "dev1", {}, true))
    assert.equal(natives.json.null, natives.json.decode(printed[1]).note)
  end)

  it("lists in 80 columns", function()
    assert.equal(0, act("tag", "dev1", { tag = { ("x"):rep(32), ("y"):rep(32) } }))
    assert.equal(0, act("list"))
    assert.equal(4, #printed)
    for _, line in ipairs(printed) do assert.is_true(#line <= 80, line) end
  end)

  it("says what is wrong", function()
    fails("missing", "show", "dev9")
    fails("usage", "show")
    fails("usage", "dance")
    fails("usage", "tag", "dev1")
    fails("usage", "tag", nil, { tag = { "lab" } })
    fails("usage", "tag", "dev1", { tag = { "a b" } })
    fails("usage", "tag", "dev1", { tag = { "a" }, untag = { "A" } })
    fails("usage", "note", "dev1")
    fails("usage", "note", "dev1", { note = ("x"):rep(1001) })
  end)
end)

-- What the queries of an IMEI were answered, on the page of the device and by search; who may see it.

local console_world = require "spec.support.console_world"
local folders = require "spec.support.folder"
local http_devices = require "depot.http_devices"
local natives = require "update.natives"

local IMEI, HOSTILE = "866714040000001", console_world.HOSTILE

describe("queries of devices", function()
  local folder, console, w = folders.new(), nil, nil

  before_each(function()
    console = console_world.open(folder.make())
    w = console.w
    local kept = http_devices.new(natives, w.dir, error)
    local function asks(key, code, why, time, device)
      kept:note({ product = "METER_<i>", device = device or IMEI, key = key, release = "1.0.0", code = code, why = why,
        is_strange = code == 25 or nil }, time)
    end
    asks("a stranger's", 25, "no package has this project_key", 10)
    for i = 1, 1234 do asks("pk", 27, "it runs the latest", 1000 + i) end
    asks("pk", 0, "METER_1.0.1.upd (full)", 3000)
    asks("pk", 43, HOSTILE, 3000, "hostile")
    asks("other", 43, "over the pace", 4000)
    kept:close()
    assert(w.store:put { cloud = "luat", product = "METER_<i>", device = IMEI, hash = w.pk, heard = 5000 })
  end)
  after_each(function() console:close() end)

  local function codes(as)
    local list = {}
    local answer = w:ask("GET", "/queries?device=" .. IMEI, as)
    for i, item in ipairs(assert(answer.object, answer.body).items) do list[i] = item.code end
    return list
  end

  it("are found by the IMEI, each with its answer, by whoever may see the product", function()
    assert.same({ 43, 0, 27, 25 }, codes { session = console.session })
    assert.same({ 0, 27 }, codes { token = w:user("bob", { [w.pk] = "viewer" }) })
    assert.same({ 43 }, codes { token = w:user("eve", { [w.other] = "operator" }) })
    assert.same({ 43, 0, 27, 25 }, codes { token = w:user("all", { [""] = "viewer" }) })
    local narrow = { name = "spec", products = { w.pk }, verbs = { "read" } }
    assert.same({ 0, 27 }, codes { token = w:user("tok", { [""] = "admin" }, narrow) })
    local item = w:ask("GET", "/queries?product=" .. w.pk .. "&device=" .. IMEI, { session = console.session })
      .object.items[2]
    assert.same({ 1234, 1001, 2234, w.pk }, { item.count, item.first, item.last, item.product_key })
  end)

  it("stand on the page of the device and in what a search finds, in both languages", function()
    console:shows("/search?q=" .. IMEI, "What its queries were answered", "METER_1.0.1.upd (full)", "(1,234 ×)",
      "The key is of no product", "METER_&lt;i&gt;")
    local page = console:shows("/search?lang=zh&q=" .. IMEI, "产品密钥不存在")
    page = console:shows("/devices/" .. page:match 'href="/devices/(%x+)"', "27 nothing for it now")
    assert.is_nil(page:find("over the pace", 1, true), "that is of another product")
    page = console:shows("/search?q=hostile", "&lt;script&gt;alert(1)")
    assert.is_nil(page:find("<script>", 1, true))
    assert.is_nil(page:find("\27", 1, true))
    console:shows("/search?q=nobody", "Nothing found")
    console:shows("/search?q=" .. ("9"):rep(200))
  end)
end)

-- What queries over HTTP were answered: like ones are one row, a device has its last ones, and strangers do not fill
-- the disk.

local folders = require "spec.support.folder"
local http_devices = require "depot.http_devices"
local natives = require "update.natives"
local site = require "depot.site"

local sha256 = natives.digest.sha256

describe("depot.http_answers", function()
  local folder, dir, kept = folders.new(), nil, nil

  before_each(function()
    dir = folder.make()
    kept = http_devices.new(natives, dir, function(text) error(text) end)
  end)
  after_each(function()
    kept:close()
    folder.remove()
  end)

  local function asks(device, code, why, time, fields)
    local question = { product = "METER_RDA8910", device = device, key = "k", release = "1.0.0", code = code,
      why = why }
    for name, value in pairs(fields or {}) do question[name] = value end
    kept:note(question, time)
  end

  local function write() kept:step(math.huge) kept.next_time = 0 end

  -- "CODE WHY FIRST-LAST xN" of each row.
  local function answers(device)
    local list = {}
    for i, row in ipairs(assert(http_devices.answers(natives, dir, { device }))) do
      list[i] = ("%d %s %d-%d x%d"):format(row.code, row.why, row.first, row.last, row.n)
    end
    return list
  end

  it("keeps like answers that follow each other as one, in memory and in the database", function()
    asks("1", 27, "it runs the latest", 10)
    asks("1", 27, "it runs the latest", 20)
    asks("1", 0, "a.upd", 30)
    write()
    asks("1", 0, "a.upd", 40)
    asks("2", 27, "it runs the latest", 40)
    write()
    asks("1", 27, "it runs the latest", 50)
    asks("1", 27, "it runs the latest", 60, { release = "1.0.1" })
    write()
    assert.same({ "27 it runs the latest 60-60 x1", "27 it runs the latest 50-50 x1", "0 a.upd 30-40 x2",
      "27 it runs the latest 10-20 x2" }, answers "1")
    assert.same({ "27 it runs the latest 40-40 x1" }, answers "2")
    assert.same({}, answers "3")
    local row = http_devices.answers(natives, dir, { "2" })[1]
    assert.same({ sha256 "k", "METER_RDA8910", "1.0.0" }, { row.hash, row.product, row.release })
  end)

  it("keeps the last twenty of a device, written at once or one after the other", function()
    for i = 1, 30 do
      asks("1", 43, "wait " .. i, i)
      asks("2", 43, "wait " .. i, i)
      if i < 25 then write() end
    end
    write()
    for _, device in ipairs { "1", "2" } do
      local list = answers(device)
      assert.same({ 20, "43 wait 30 30-30 x1", "43 wait 11 11-11 x1" }, { #list, list[1], list[20] })
    end
  end)

  it("keeps a thousand of those with a key of no product, and takes in a hundred at once", function()
    for round = 1, 11 do
      for i = 1, 101 do
        asks(("x%d-%d"):format(round, i), 25, "no package has this project_key", round * 1000 + i,
          { is_strange = true })
      end
      write()
    end
    asks("x11-1", 27, "it runs the latest", 20000) -- its program was mended
    write()
    local db <close> = assert(natives.database.open(dir .. "/luat.db", { readonly = true }))
    assert.equal(1000, db:prepare("SELECT count(*) AS n FROM http_answer WHERE code = 25"):first().n)
    assert.same({}, answers "x1-1")
    assert.same({}, answers "x11-101")
    assert.same({ "25 no package has this project_key 11100-11100 x1" }, answers "x11-100")
    assert.equal(2, #answers "x11-1")
    -- Only the one that is no stranger is a device.
    assert.equal(1, #http_devices.read(natives, dir))
    assert.equal(0, kept.strangers)
  end)

  it("forgets what a forgotten device asked", function()
    asks("1", 27, "why", 1)
    asks("2", 27, "why", 1)
    write()
    assert(http_devices.forget(natives, dir, { product = "METER_RDA8910", device = "1" }))
    assert.same({ 0, 1 }, { #answers "1", #answers "2" })
  end)

  it("has none in a database that is being made, and no devices", function()
    folder.write("luat.db", "")
    assert.same({}, answers "1")
    assert.same({}, http_devices.read(natives, dir))
  end)

  it("has none in a database of before, and adds the table to it", function()
    local db = assert(natives.database.open(dir .. "/luat.db"))
    assert(db:execute [[CREATE TABLE http_device (product TEXT NOT NULL, device TEXT NOT NULL, release TEXT NOT NULL,
      target TEXT, given INTEGER, heard INTEGER NOT NULL, asked INTEGER NOT NULL, PRIMARY KEY (product, device))]])
    db:close()
    assert.same({}, answers "1")
    assert(http_devices.forget(natives, dir, { product = "METER_RDA8910", device = "1" }))
    asks("1", 27, "why", 1)
    write()
    assert.equal(1, #answers "1")
  end)

  it("is told by the site what was answered, and never a product's key in clear", function()
    local function question(query)
      return site.answer({ packages = function() return {} end, sha256 = sha256 }, { method = "GET", headers = {},
        path = "/api/site/firmware_upgrade", query = query }).question
    end
    local query = { imei = "866714040000001", project_key = "secret-key", firmware_name = "METER_RDA8910",
      core_version = "17", version = "1.0.0" }
    local asked = question(query)
    assert.same({ 25, "no package has this project_key", true }, { asked.code, asked.why, asked.is_strange })
    kept:note(asked, 1)
    write()
    local file <close> = assert(io.open(dir .. "/luat.db", "rb"))
    assert.is_nil(file:read("a"):find("secret-key", 1, true))
    query.imei = nil
    assert.is_nil(question(query))
  end)
end)

local device_list = require "depot.device_list"
local luat = require "depot.luat"
local site = require "depot.site"

local KEY = "k-123"

local function sha256(text)
  return "sha256 of " .. text
end

--- A package as the catalog knows it: script and core 22 for METER, unless told otherwise.
local function entry(overrides)
  local manifest = {
    project = "METER", product_key = sha256(KEY), sequence = 5, release = "1.0.1", script_version = "1.0.1",
    core_name = "Luat_RDA8910", core_version = 22, parts = { { kind = "script" }, { kind = "core" } },
  }
  local e = { name = "a.upd", path = "/packages/a.upd", size = 1000, manifest = manifest }
  for name, value in pairs(overrides or {}) do
    if name == "name" or name == "devices" or name == "size" or name == "tag" or name == "pending" then
      e[name] = value
    elseif value == "none" then
      manifest[name] = nil
    else
      manifest[name] = value
    end
  end
  return e
end

local function delta(version)
  return { { kind = "script" }, { kind = "core", delta = true, source_version = version } }
end

local function script_only(overrides)
  local e = entry(overrides)
  e.manifest.core_name, e.manifest.core_version, e.manifest.parts = nil, nil, { { kind = "script" } }
  return e
end

local function core_only(overrides)
  local e = entry(overrides)
  e.manifest.script_version, e.manifest.parts = nil, { { kind = "core" } }
  return e
end

local function query(overrides)
  local q = {
    project_key = KEY, imei = "866714040000001", firmware_name = "METER_Luat_RDA8910", core_version = "17",
    dfota = "1", version = "1.0.0",
  }
  for name, value in pairs(overrides or {}) do
    q[name] = value ~= "none" and value or nil
  end
  return q
end

local function libfota(overrides)
  local q = { project_key = KEY, imei = "866714040000001", firmware_name = "METER_Luat_RDA8910", version = "17.1.0" }
  for name, value in pairs(overrides or {}) do
    q[name] = value ~= "none" and value or nil
  end
  return q
end

local function files_only(version, sequence)
  local e = entry { name = version .. ".upd", sequence = sequence, files_version = version,
    release = "1.0.0-F" .. version }
  e.manifest.script_version, e.manifest.core_name, e.manifest.core_version = nil, nil, nil
  e.manifest.parts = { { kind = "files" } }
  return e
end

--- Name of the package given, or the vendor's code.
local function outcome(q, ...)
  local answer = luat.answer(q, { ... }, sha256)
  return answer.kind == "package" and answer.entry.name or answer.code, answer
end

describe("depot.luat", function()
  describe("gives a 724U", function()
    local cases = {
      { "what is newer in both parts",      {},                                            entry(),       "a.upd" },
      { "a newer script with its core",     { core_version = "22" },                       entry(),       "a.upd" },
      { "a newer core with its script",     { version = "1.0.1" },                         entry(),       "a.upd" },
      { "nothing when both are equal",      { version = "1.0.1", core_version = "22" },    entry(),       27 },
      { "nothing when its script is newer", { version = "1.0.2" },                         entry(),       27 },
      { "nothing when its core is newer",   { core_version = "23" },                       entry(),       27 },
      { "1.0.10 above 1.0.9",  { version = "1.0.9" },       entry { script_version = "1.0.10" },          "a.upd" },
      { "a newer script alone",             {},                                            script_only(), "a.upd" },
      { "no older script alone",            { version = "1.0.1" },                         script_only(), 27 },
      { "a newer core alone",               {},                                            core_only(),   "a.upd" },
      { "no equal core alone",              { core_version = "22" },                       core_only(),   27 },
      { "no core of another name",          { firmware_name = "METER_Luat_ASR1802" },      entry(),       26 },
      { "no core when it tells none",       { firmware_name = "METER", core_version = "none" }, entry(),  26 },
      { "a script when it tells no core",   { firmware_name = "METER", core_version = "none" }, script_only(),
        "a.upd" },
      { "a script for its core", {}, script_only { requires_core = "Luat_RDA8910", requires_version = 17 }, "a.upd" },
      { "no script for a later core", {}, script_only { requires_core = "Luat_RDA8910", requires_version = 18 }, 27 },
      { "no script for another core", {}, script_only { requires_core = "Luat_ASR1802", requires_version = 1 }, 26 },
      { "no core that needs a later one", {}, entry { requires_core = "Luat_RDA8910", requires_version = 20 }, 27 },
      { "a delta against its core", {}, entry { parts = delta(17) },                                       "a.upd" },
      { "no delta against another core", {}, entry { parts = delta(16) },                                  27 },
      { "no delta when it wants none", { dfota = "0" }, entry { parts = delta(17) },                       27 },
      { "no delta when it tells no core", { core_version = "none" }, entry { parts = delta(0) },           27 },
      { "an older version when the publisher says so", { version = "1.0.2" },
        script_only { override = { "version" } },                                                         "a.upd" },
      { "but not the one that it has", { version = "1.0.1" }, script_only { override = { "version" } },   27 },
      { "nothing of another product",       { project_key = "other" },                     entry(),       25 },
      { "nothing of another project",       { firmware_name = "METERS_Luat_RDA8910" },     entry(),       26 },
      { "a package that lists it",          {}, entry { devices = { ["866714040000001"] = true } },       "a.upd" },
      { "none that lists others",           {}, entry { devices = { ["866714040000002"] = true } },       27 },
      { "none that lists nobody",           {}, entry { devices = {} },                                   27 },
    }
    for _, case in ipairs(cases) do
      it(case[1], function()
        assert.equal(case[4], (outcome(query(case[2]), case[3])))
      end)
    end
  end)

  describe("gives LuatOS", function()
    -- VERSION 1.y.0 on core 17
    local cases = {
      { "what is newer in both parts",        {},                             entry(),                 "a.upd" },
      { "a newer last part",                  {},                             script_only(),           "a.upd" },
      { "a newer first part",                 {}, script_only { script_version = "2.0.0" },            "a.upd" },
      { "nothing for the middle, which it does not tell", {}, script_only { script_version = "1.5.0" }, 27 },
      { "nothing lower in the first part",    { version = "17.2.0" },         script_only(),           27 },
      { "a version with leading zeros", { version = "0017.001.000" },
        script_only { script_version = "001.000.001" }, "a.upd" },
      { "nothing when all is equal",          { version = "22.1.1" },         entry(),                 27 },
      { "an answer by mac",                   { imei = "none", mac = "A0B1C2D3E4F5" },   entry(),      "a.upd" },
      { "an answer by uid",                   { imei = "none", uid = "0102030405" },     entry(),      "a.upd" },
    }
    for _, case in ipairs(cases) do
      it(case[1], function()
        assert.equal(case[4], (outcome(libfota(case[2]), case[3])))
      end)
    end
  end)

  it("gives files to a device that has others, and not again and again", function()
    local own = script_only { name = "own.upd", sequence = 1, script_version = "1.0.0" }
    local old, new = files_only("7", 2), files_only("8", 3)
    local rows = {
      { nil, 27 }, { "0", "8.upd" }, { "6", "8.upd" }, { "7", "8.upd" }, { "8", 27 },
    }
    for i = 1, 5 do
      assert.equal(rows[i][2], (outcome(query { files_version = rows[i][1] }, own, old, new)))
    end
    assert.equal(27, (outcome(query { files_version = "8" }, new, old)))
    assert.equal("7.upd", (outcome(query { files_version = "0" }, old)))
  end)

  it("understands the older form, with the core's number in its name", function()
    local q = query { core_version = "none", dfota = "none", firmware_name = "METER_Luat_V0017_RDA8910" }
    assert.equal("a.upd", (outcome(q, entry())))
    q.firmware_name = "METER_Luat_V0022_RDA8910"
    assert.equal("a.upd", (outcome(q, entry())))
    q.version = "1.0.1"
    assert.equal(27, (outcome(q, entry())))
  end)

  it("gives the newest that fits, not the newest", function()
    local old = script_only { name = "old.upd", sequence = 6, script_version = "1.0.1" }
    local new = script_only { name = "new.upd", sequence = 7, script_version = "1.0.2" }
    local listed = script_only { name = "listed.upd", sequence = 8, script_version = "1.0.3", devices = { x = true } }
    local later = script_only { name = "later.upd", sequence = 9, script_version = "1.0.4",
      requires_core = "Luat_RDA8910", requires_version = 18 }
    local other = script_only { name = "other.upd", sequence = 10, project = "PUMP" }
    assert.equal("new.upd", (outcome(query(), old, new, listed, later, other)))
    assert.equal("new.upd", (outcome(query(), other, later, listed, new, old)))
    assert.equal("later.upd", (outcome(query { core_version = "18" }, old, new, listed, later)))
    assert.equal("listed.upd", (outcome(query { imei = "x" }, old, new, listed, later)))
    assert.equal(27, (outcome(query { version = "1.0.2" }, old, new, listed, later)))
  end)

  it("gives another build of one version when its sequence is later, and the device's own is known", function()
    local first = script_only { name = "first.upd", sequence = 6, script_version = "1.0.1+1" }
    local second = script_only { name = "second.upd", sequence = 7, script_version = "1.0.1+2" }
    local both = entry { name = "both.upd", sequence = 8, script_version = "1.0.1+3" }
    assert.equal("second.upd", (outcome(query { version = "1.0.1+1" }, first, second)))
    assert.equal("second.upd", (outcome(query { version = "1.0.0" }, first, second)))
    for _, version in ipairs { "1.0.1+2", "1.0.1+9", "1.0.1", "1.0.2" } do
      assert.equal(27, (outcome(query { version = version }, first, second)))
    end
    assert.equal(27, (outcome(libfota { version = "17.1.1" }, first, second)))
    assert.equal("both.upd", (outcome(query { version = "1.0.1+2", core_version = "22" }, first, second, both)))
    assert.equal("both.upd", (outcome(query { version = "1.0.1+2", core_version = "21" }, first, second, both)))
    assert.equal(27, (outcome(query { version = "1.0.1+2", core_version = "23" }, first, second, both)))
  end)

  it("continues the package that a device has begun, while that still fits", function()
    local begun = script_only { name = "begun.upd", sequence = 6 }
    local newer = script_only { name = "newer.upd", sequence = 7, script_version = "1.0.2" }
    local newest = script_only { name = "newest.upd", sequence = 8, script_version = "1.0.3" }
    begun.tag, newer.tag, newest.tag = '"b"', '"n"', '"m"'
    local function given(tag, version)
      return luat.answer(query { version = version }, { newer, begun, newest }, sha256, tag).entry.name
    end
    assert.equal("begun.upd", given('"b"'))
    assert.equal("newer.upd", given('"n"'))
    assert.equal("newest.upd", given('"gone"'))
    assert.equal("newest.upd", given(nil))
    assert.equal("newest.upd", given('"b"', "1.0.1"))
  end)

  describe("of one release gives", function()
    local function release(...)
      return entry { name = "full.upd", size = 1000 }, entry { name = "d17.upd", size = 100, parts = delta(17) },
        entry { name = "d16.upd", size = 50, parts = delta(16) }, ...
    end
    local cases = {
      { "the delta against the core that runs", {},                      "d17.upd",  "delta against core 17" },
      { "another core its own delta",   { core_version = "16" },         "d16.upd",  "delta against core 16" },
      { "the full package to other cores", { core_version = "15" },      "full.upd",
        "full, no smaller delta against core 15" },
      { "the full package when that is asked for", { dfota = "0" },      "full.upd", "full, asks for no delta" },
      { "no delta to a client of another form", { dfota = "none" },      "full.upd", "full, asks for no delta" },
    }
    for _, case in ipairs(cases) do
      it(case[1], function()
        local list = { release() }
        for _ = 1, #list do
          table.insert(list, 1, table.remove(list))
          local name, answer = outcome(query(case[2]), table.unpack(list))
          assert.same({ case[3], case[4] }, { name, answer.why })
        end
      end)
    end

    it("a delta to nobody for whom the full package is smaller", function()
      local full = entry { name = "full.upd", size = 99 }
      local d17 = entry { name = "d17.upd", size = 100, parts = delta(17) }
      local name, answer = outcome(query(), full, d17)
      assert.same({ "full.upd", "full, no smaller delta against core 17" }, { name, answer.why })
    end)

    it("the newest release before the smallest package", function()
      local newest = entry { name = "newest.upd", size = 5000, sequence = 6 }
      assert.equal("newest.upd", (outcome(query(), release(newest))))
    end)

    it("the package that was begun, full or delta", function()
      local full, d17 = release()
      full.tag, d17.tag = '"f"', '"d"'
      local answer = luat.answer(query(), { full, d17 }, sha256, '"f"')
      assert.same({ "full.upd", "continues with it" }, { answer.entry.name, answer.why })
      answer = luat.answer(query { dfota = "0" }, { full, d17 }, sha256, '"d"')
      assert.equal("full.upd", answer.entry.name)
    end)
  end)

  it("looks at the packages once for all devices of a kind", function()
    local looks, entries = 0, {}
    for i = 1, 50 do
      local real = entry { sequence = i, release = "1.0." .. i, script_version = "1.0." .. i }
      entries[i] = { name = i .. ".upd", size = 1, tag = ('"%d"'):format(i), manifest = setmetatable({}, {
        __index = function(_, name)
          if name == "project" then looks = looks + 1 end
          return real.manifest[name]
        end }) }
    end
    for i = 1, 20 do
      assert.equal("50.upd", luat.answer(query { imei = tostring(866714040000000 + i) }, entries, sha256).entry.name)
    end
    assert.equal(50, looks)
    -- Lists and what was begun are each device's own.
    entries[50].devices = { ["866714040000021"] = true }
    assert.equal("49.upd", luat.answer(query { imei = "866714040000022" }, entries, sha256).entry.name)
    assert.equal("50.upd", luat.answer(query { imei = "866714040000021" }, entries, sha256).entry.name)
    assert.equal("7.upd", luat.answer(query(), entries, sha256, '"7"').entry.name)
    assert.equal(27, luat.answer(query { version = "1.0.50" }, entries, sha256).code)
    -- Many kinds are not kept for ever, and are right all the same.
    for i = 1, 600 do
      assert.equal("49.upd", luat.answer(query { version = "0.1." .. i }, entries, sha256).entry.name)
    end
  end)

  describe("while packages are being made", function()
    local coming = { entry { name = "m.upd", sequence = 6, pending = true },
      entry { name = "m-from-17.upd", sequence = 6, parts = delta(17), pending = true } }
    local old = entry { name = "old.upd", script_version = "1.0.0", core_version = 20 }
    local function given(q, entries, begun)
      local answer = luat.answer(q, entries, sha256, begun, coming)
      return answer.kind == "package" and answer.entry.name or answer.code, answer
    end

    it("asks those to wait who will be given one", function()
      for _, q in ipairs { query(), query { core_version = "16" }, query { dfota = "0" }, libfota() } do
        local code, answer = given(q, { old })
        assert.same({ 43, 404, "1.0.1 is not ready yet" }, { code, answer.status, answer.why })
      end
    end)

    it("lets no device wait for a delta against another core, or for a release that it has", function()
      local full = entry { name = "m.upd", sequence = 6, size = 1000 }
      table.remove(coming, 1)
      assert.equal(43, (given(query(), { full })))
      assert.equal("m.upd", (given(query { core_version = "16" }, { full })))
      assert.equal("m.upd", (given(query { dfota = "0" }, { full })))
      assert.equal(27, (given(query { core_version = "22", version = "1.0.1" }, { full })))
      assert.equal(25, (given(query { project_key = "other" }, { full })))
    end)

    it("continues the package that was begun", function()
      local full = entry { name = "m.upd", sequence = 6, size = 1000, tag = '"f"' }
      assert.equal("m.upd", (given(query(), { full }, '"f"')))
    end)
  end)

  local broken = {
    { "without an id",              { imei = "none" },               403, 3 },
    { "with an empty id",           { imei = "" },                   403, 3 },
    { "with an endless id",         { imei = ("1"):rep(65) },        403, 3 },
    { "with a line end in the id",  { imei = "1\n2" },               403, 3 },
    { "without a project_key",      { project_key = "none" },        404, 25 },
    { "without a firmware_name",    { firmware_name = "none" },      404, 26 },
    { "without a version",          { version = "none" },            400, 26 },
    { "with an endless version",    { version = ("1"):rep(33) },     400, 26 },
    { "with a core that is no number", { core_version = "V17" },     400, 26 },
    { "with a negative core",       { core_version = "-1" },         400, 26 },
  }
  for _, case in ipairs(broken) do
    it(("refuses a query %s with code %d"):format(case[1], case[4]), function()
      local code, answer = outcome(query(case[2]), entry())
      assert.same({ case[3], case[4] }, { answer.status, code })
      assert.is_true(#answer.why > 0)
    end)
  end

  it("refuses a LuatOS query whose version is not CORE.X.Z", function()
    for _, text in ipairs { "1.0", "1.2.3.4", "x.0.0", "1..0", "99999999999999999999.0.0" } do
      assert.equal(26, (outcome(libfota { version = text }, entry())))
    end
  end)

  it("refuses in words that the oldest client can show, and the latest takes for JSON", function()
    for _, q in ipairs { query { imei = "none" }, query { project_key = "x" }, query { firmware_name = "x" },
      query { version = "2" } } do
      local body = luat.refusal_body(select(2, outcome(q, entry())))
      assert.is_true(#body <= 200)
      assert.matches('^{"code":%d+,"msg":"[\\u%x]+"}$', body)
    end
    assert.matches('"}$', luat.refusal_body(luat.answer(query(), {}, sha256, nil, { entry { pending = true } })))
    assert.is_true(#luat.refusal_body(luat.answer(query(), {}, sha256, nil, { entry { pending = true } })) <= 200)
  end)

  it("says so when there is no package at all", function()
    assert.equal(25, (outcome(query())))
  end)

  it("tells in the log a device that is not listed from one that is up to date", function()
    assert.matches("not on the list", select(2, outcome(query(), entry { devices = {} })).why, 1, true)
    assert.matches("runs the latest", select(2, outcome(query { version = "2" }, entry())).why, 1, true)
  end)
end)

describe("depot.site", function()
  local function ask(fields, overrides)
    local packages = { entry { name = 'me ter"1.upd' } }
    local s = {
      packages = function() return packages end,
      entries = function()
        return { packages[1], { name = "b\27.upd", size = 3, reason = "no key made its signature (untrusted)" } }
      end,
      file = function(name) return name == packages[1].name and packages[1] or nil end,
      sha256 = sha256,
      address = "127.0.0.1:8080",
    }
    for name, value in pairs(overrides or {}) do
      s[name] = value
    end
    local request = { method = "GET", path = "/", query = {}, headers = {} }
    for name, value in pairs(fields) do
      request[name] = value
    end
    return site.answer(s, request)
  end

  it("serves the package in answer to the query", function()
    local got = ask { path = luat.PATH, query = query() }
    assert.equal("/packages/a.upd", got.path)
    assert.equal('attachment; filename="me ter_1.upd"', got.headers["Content-Disposition"])
    assert.equal("no-store", got.headers["Cache-Control"])
  end)

  local function check(version, more)
    local fields = { product = KEY, id = "T1", version = version }
    for name, value in pairs(more or {}) do fields[name] = value ~= "none" and value or nil end
    local old, new = files_only("080507", 5), files_only("080508", 6)
    new.devices = { T1 = true }
    return ask({ path = "/terminal/check", query = fields, headers = { host = "10.1.2.3:8080" } },
      { packages = function() return { old, new, entry { parts = delta(17), sequence = 7 } } end })
  end

  it("says what a terminal's update call needs, if there is something higher for it", function()
    local got = check "080506"
    assert.same({ 200, "application/json", '{"update":true,"ip":"10.1.2.3","port":"8080","prover":"080508",'
      .. '"downfile":"/080508.upd?For=T1&Has=080506"}\n' }, { got.status, got.headers["Content-Type"], got.body })
    assert.equal("terminal id=T1 version=080506 -> 080508.upd", got.note)
    assert.same({ product = "METER", device = "T1", release = "080506", target = "080508" }, got.question)
    assert.matches('"prover":"080507".*For=T%%262&Has=', check("080506", { id = "T&2" }).body)
    for _, id in ipairs { "T/2", "T 2", "T\u{e9}" } do assert.equal(400, check("1", { id = id }).status) end
    for _, row in ipairs { { "080508" }, { "80509" }, { "080507", { id = "T2" } }, { "1", { product = "other" } } } do
      assert.equal('{"update":false}\n', check(row[1], row[2]).body)
    end
    assert.is_nil(check("1", { product = "other" }).question)
    for _, name in ipairs { "product", "id", "version" } do
      assert.equal(400, check("1", { [name] = "none" }).status)
      assert.equal(400, check("1", { [name] = ("9"):rep(65) }).status)
    end
  end)

  it("tells a terminal what a depot with jobs grants it, and nothing of its own", function()
    local fields, answers = { product = KEY, id = "T1", version = "080506" }, {}
    local function granted(...)
      answers = table.pack(...)
      return ask({ path = "/terminal/check", query = fields, headers = { host = "10.1.2.3:8080" } },
        { terminal = function() return table.unpack(answers, 1, answers.n) end })
    end
    local got = granted(files_only("080507", 5), "METER", "/080507.upd?Expires=1&For=t&Signature=0")
    assert.matches('"prover":"080507","downfile":"/080507.upd?Expires=1&For=t&Signature=0"', got.body, 1, true)
    assert.is_nil(got.question) -- the store has it
    assert.equal('{"update":false}\n', granted(false, "METER").body)
    got = granted(nil)
    assert.same({ 503, "30" }, { got.status, got.headers["Retry-After"] })
  end)

  it("tells terminals only addresses that they can use", function()
    local fields = { product = KEY, id = "T1", version = "1" }
    local function port_of(url)
      local got = ask({ path = "/terminal/check", query = fields }, { url = url })
      return got.status == 200 and got.body:match '"port":"(%d+)"' or got.status
    end
    assert.same({ "80", "8080", 501, 501 }, { port_of "http://updates.example", port_of "http://updates.example:8080/",
      port_of "https://updates.example", port_of "http://updates.example/fw" })
  end)

  it("books a download to the terminal that its link names", function()
    local got = ask { path = '/me ter"1.upd', query = { For = "T1", Has = "080506" } }
    assert.same({ product = "METER", device = "T1", release = "080506", target = "1.0.1" }, got.question)
    assert.equal("terminal id=T1", got.note)
    for _, fields in ipairs { {}, { For = "T1" }, { For = "a\nb", Has = "1" },
      { For = "T1", Has = "1", Signature = "0" } } do
      assert.is_nil(ask({ path = '/me ter"1.upd', query = fields }).question)
    end
  end)

  it("says in the log who asked and what it got, but not the key", function()
    local got = ask { path = luat.PATH, query = query { version = "0.9\n" } }
    assert.equal('imei=866714040000001 core_version=17 version=0.9? -> me ter"1.upd '
      .. "(full, no smaller delta against core 17)", got.note)
    got = ask { path = luat.PATH, query = query { version = "1.0.1", core_version = "22" } }
    assert.equal("imei=866714040000001 core_version=22 version=1.0.1 -> code 27 (it runs the latest)", got.note)
  end)

  it("asks to wait as the platform does", function()
    local pending = { entry { sequence = 6, script_version = "1.0.2", pending = true } }
    local got = ask({ path = luat.PATH, query = query() }, { pending = function() return pending end })
    assert.same({ 404, "application/json" }, { got.status, got.headers["Content-Type"] })
    assert.matches('^{"code":43,', got.body)
    assert.matches("%-> code 43 %(1.0.1 is not ready yet%)$", got.note)
    assert.equal("30", got.headers["Retry-After"])
    pending[1].wait = 2
    got = ask({ path = luat.PATH, query = query() }, { pending = function() return pending end })
    assert.equal("2", got.headers["Retry-After"])
    assert.matches("\\u0020\\u0032\\u0020\\u0073\"}$", got.body) -- " 2 s"
  end)

  it("refuses as the platform does", function()
    local got = ask { path = luat.PATH, query = query { version = "1.0.1", core_version = "22" } }
    assert.equal(404, got.status)
    assert.equal([[{"code":27,"msg":"\u006e\u006f\u0074\u0068\u0069\u006e\u0067\u0020\u006e\u0065\u0077\u0065\u0072"}]],
      got.body)
    assert.equal("application/json", got.headers["Content-Type"])
  end)

  describe("gives a link", function()
    local cases = {
      { "below the host that was asked",      { headers = { host = "depot.lan:8080" } }, {}, "http://depot.lan:8080" },
      { "below an IPv6 host",                 { headers = { host = "[::1]:80" } },       {}, "http://[::1]:80" },
      { "below the address when there is no host",       {},                             {}, "http://127.0.0.1:8080" },
      { "below the address when the host is not one",    { headers = { host = "a/b" } }, {}, "http://127.0.0.1:8080" },
      { "below the base that it was told", { headers = { host = "x" } }, { url = "https://cdn/up/" },
        "https://cdn/up" },
    }
    for _, case in ipairs(cases) do
      it(case[1], function()
        case[2].path, case[2].query = luat.PATH, query { need_oss_url = "1" }
        local got = ask(case[2], case[3])
        assert.equal(302, got.status)
        assert.equal(case[4] .. "/me%20ter%221.upd", got.headers.Location)
      end)
    end
  end)

  it("serves packages by name", function()
    assert.equal("/packages/a.upd", ask({ path = '/me ter"1.upd' }).path)
  end)

  for _, path in ipairs { "/absent.upd", "/keys/release.pub", "/a.upd/", "//", "/api", luat.PATH .. "/" } do
    it("has nothing at " .. path, function()
      local got = ask { path = path }
      assert.same({ 404, "application/json" }, { got.status, got.headers["Content-Type"] })
    end)
  end

  it("lists the packages, safe to print", function()
    local got = ask {}
    assert.equal('me ter"1.upd\t1000 bytes\tMETER 1.0.1, sequence 5, script 1.0.1, core Luat_RDA8910 22\n'
      .. "b?.upd\t3 bytes\tskipped: no key made its signature (untrusted)\n", got.body)
    got = ask({}, { entries = function() return { entry { parts = delta(17) } } end })
    assert.matches("core Luat_RDA8910 22, delta against core 17\n", got.body)
    got = ask({}, { entries = function() return { script_only { files_version = "080507" } } end })
    assert.matches("script 1.0.1, files 080507\n", got.body)
    assert.equal("no packages\n", ask({}, { entries = function() return {} end }).body)
  end)

  it("understands GET and HEAD only", function()
    assert.equal(200, ask({ method = "HEAD" }).status)
    for _, method in ipairs { "POST", "PUT", "DELETE", "PROPFIND" } do
      local got = ask { method = method, path = luat.PATH, query = query() }
      assert.same({ 405, "GET, HEAD" }, { got.status, got.headers.Allow })
    end
  end)
end)

describe("depot.proxy", function()
  local proxy = require "depot.proxy"
  local PROXIES = { ["10.0.0.2"] = true }
  local forwarded = { host = "10.0.0.9:8080", ["x-forwarded-proto"] = "https", ["x-forwarded-host"] = "ota.example",
    ["x-forwarded-for"] = "198.51.100.7, 203.0.113.5, 10.0.0.2" }

  local function said(client, changes)
    local headers = {}
    for name, value in pairs(forwarded) do headers[name] = value end
    for name, value in pairs(changes or {}) do headers[name] = value or nil end
    return proxy.said(PROXIES, { client = client, headers = headers })
  end

  it("believes this machine and who was named", function()
    for _, client in ipairs { "127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.2", "::ffff:10.0.0.2" } do
      assert.same({ scheme = "https", host = "ota.example", client = "203.0.113.5" }, said(client))
    end
    assert.same({ untrusted = true }, said "10.0.0.3")
    assert.same({ untrusted = false }, said("10.0.0.3", { ["x-forwarded-proto"] = "http" }))
  end)

  it("uses Host when the proxy names no host, with its port", function()
    assert.equal("10.0.0.9:8080", said("::1", { ["x-forwarded-host"] = false }).host)
    assert.equal("ota.example:8443", said("::1", { ["x-forwarded-port"] = "8443" }).host)
    assert.equal("ota.example", said("::1", { ["x-forwarded-port"] = "443" }).host)
    assert.equal("[2001:db8::1]:8443", said("::1", { ["x-forwarded-host"] = "[2001:db8::1]",
      ["x-forwarded-port"] = "8443" }).host)
  end)

  it("takes the values of the first of several proxies, and nothing that cannot be", function()
    assert.equal("https", said("::1", { ["x-forwarded-proto"] = "HTTPS, http" }).scheme)
    assert.is_nil(said("::1", { ["x-forwarded-proto"] = "javascript" }).scheme)
    assert.is_nil(said("::1", { ["x-forwarded-host"] = "a/b" }).host)
    assert.is_nil(said("::1", { ["x-forwarded-for"] = "unknown, \"_x\"" }).client)
    assert.same({}, said("::1", { ["x-forwarded-proto"] = false, ["x-forwarded-host"] = false,
      ["x-forwarded-for"] = false }))
  end)
end)

describe("depot.callers", function()
  local callers = require "depot.callers"

  it("warns once about each proxy that is not named, with advice", function()
    local said = {}
    local function note(has_url, ...)
      local c = callers.new({ "10.0.0.2" }, has_url, function(text) said[#said + 1] = text:match "^%S+" end)
      for i, address in ipairs { ... } do
        c:note { id = i, client = address,
          headers = { ["x-forwarded-proto"] = "https", ["x-forwarded-for"] = "9.9.9.9" } }
      end
      return c
    end
    local c = note(false, "10.0.0.3", "10.0.0.3", "10.0.0.2", "10.0.0.4", "127.0.0.1")
    assert.same({ "10.0.0.3", "10.0.0.4" }, said)
    assert.same({ "9.9.9.9" }, { c:take(3), c:take(3), c:take(1) })
    note(true, "10.0.0.5")
    assert.equal(2, #said)
  end)
end)

describe("depot.device_list.parse", function()
  it("takes one id a line and leaves comments out", function()
    assert.same({ ["1"] = true, ["2"] = true, ["a b"] = true },
      (device_list.parse "# field test\n1\r\n\n  2  # Anna's\n#3\na b"))
    assert.same({}, (device_list.parse ""))
  end)

  local read = {
    { "a byte order mark", "\239\187\1911\r\n2\r\n", 2 },
    { "old line ends", "1\r2\r", 2 },
    { "quotes around ids", '"1"\n"2"\n', 2 },
    { "an id twice", "1\n2\n1\n", 2 },
  }
  for _, case in ipairs(read) do
    it("reads " .. case[1], function()
      local devices, count = device_list.parse(case[2])
      assert.same({ ["1"] = true, ["2"] = true }, devices)
      assert.equal(case[3], count)
    end)
  end

  it("takes ids of other scripts", function()
    assert.same({ ["\u{8BBE}\u{5907}1"] = true, ["d\u{E9}v"] = true, ["1e5x"] = true },
      (device_list.parse "\u{8BBE}\u{5907}1\nd\u{E9}v\n1e5x\n"))
  end)

  it("takes a star for every device", function()
    assert.same({ false, 0 }, { device_list.parse "1\n*\n" })
  end)

  local refused = {
    { "columns", "1\n2,Anna\n", "line 2: several columns" },
    { "columns of other spreadsheets", "# a\n\n1;x\n", "line 3: several columns" },
    { "half a quote", '"1\n', "line 1: a quote" },
    { "UTF-16", "1\0\n\0", "line 1: a control character" },
    { "the mark that keeps a number text", "'866714040000001\n", "line 1: a quote" },
    { "a number that was shortened", "1\n8.66714E+14\n", "line 2: a number that a spreadsheet shortened" },
    { "Latin-1", "d\xe9v\n", "line 1: not UTF-8" },
    { "a space from a web page", "1\u{A0}\n", "line 1: an invisible space or mark" },
    { "a mark without width", "1\n\u{200B}2\n", "line 2: an invisible space or mark" },
  }
  for _, case in ipairs(refused) do
    it("refuses " .. case[1] .. " by line", function()
      local devices, message = device_list.parse(case[2])
      assert.is_nil(devices)
      assert.matches(case[3], message, 1, true)
    end)
  end
end)

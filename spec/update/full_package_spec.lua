local http_place = require "update.cloud.http_place"
local engine = require "update.engine"
local fakes = require "spec.support.engine_fakes"
local policy = require "update.policy"

local function manifest(delta, changes)
  local m = {
    digest = (delta and "de" or "fu"):rep(32), project = "METER", sequence = 18, release = "1.0.1", core_name = "L",
    core_version = 22, parts = { { kind = "core", size = 9000, data_size = delta and 100 or 4000, delta = delta } },
  }
  for name, value in pairs(changes or {}) do m[name] = value end
  return m
end

local CLOSED = { open = false, code = "incompatible", message = "the delta is against another core",
  lines = { { gate = "project", open = true, text = "METER" }, { gate = "source", open = false, text = "another" } } }
local OPEN = { open = true, lines = { { gate = "source", open = true, text = "fits" } } }

-- Gates that only a full package passes.
local function gates(package)
  return package:manifest().parts[1].delta and CLOSED or OPEN
end

local INSTALL = { action = "install", reason = "newer" }

-- An engine over fakes; `decide` is policy.
local function make(o, decide)
  o.head = o.head or { true, true, true, true }
  o.blocks = o.blocks or { { "done" } }
  o.finish = o.finish or { true }
  local f = fakes.new(o)
  local lines, asked = {}, {}
  local e = engine.new {
    natives = f.natives, device = f.device, loop = {}, keys = "/keys", tasks = f.tasks, tries = 1,
    ask = function(offer, facts)
      asked[#asked + 1] = offer
      local decision, tree = (decide or function() return INSTALL, {} end)(offer, facts)
      return decision, tree or {}, "owner"
    end,
    log = function(line) lines[#lines + 1] = line end, random = function() return 1 end,
  }
  return e, f, asked, lines
end

local function where(fields)
  local w = { cloud = "luat", location = "http://h/?dfota=1", hoped = true,
    full = function() return { cloud = "luat", location = "http://h/?dfota=0" } end }
  for name, value in pairs(fields or {}) do w[name] = value end
  return w
end

local function opened(f)
  local list = {}
  for _, line in ipairs(f.log) do list[#list + 1] = line:match("^open http://h/(.*)") end
  return list
end

local function count(f, what)
  local n = 0
  for _, line in ipairs(f.log) do n = n + (line == what and 1 or 0) end
  return n
end

local function logged(lines, text)
  return table.concat(lines, "\n"):find(text, 1, true) ~= nil
end

describe("update.engine.full_package", function()
  it("installs a delta that fits, and asks nothing else", function()
    local e, f, asked = make { manifest = manifest(true) }
    assert.truthy(e:install(where()))
    assert.same({ "?dfota=1" }, opened(f))
    assert.is_nil(asked[1].fallback)
  end)

  it("asks for the full package when only the source does not fit", function()
    local e, f, asked, lines = make { manifests = { manifest(true), manifest(false) }, gates = gates }
    assert.equal("1.0.1", assert(e:install(where())).release)
    assert.same({ "?dfota=1", "?dfota=0" }, opened(f))
    assert.equal(1, #asked)
    assert.is_true(asked[1].fallback)
    assert.is_true(logged(lines, "1.0.1: the delta is against another core; asking for the full package"))
    for _, s in ipairs(f.sources) do assert.is_true(s.closed) end
    assert.equal(2, count(f, "close package"))
    assert.equal(1, count(f, "begin"))
  end)

  it("asks for it when the old core turns out to be another, or cannot be read half-way", function()
    local e, f = make { manifests = { manifest(true), manifest(false) },
      learn_source = function(package)
        return package:manifest().parts[1].delta and { nil, "slot a: another image", "incompatible" }
      end }
    assert.truthy(e:install(where()))
    assert.same({ "?dfota=1", "?dfota=0" }, opened(f))
    assert.equal(1, count(f, "begin"))

    e, f = make { manifests = { manifest(true), manifest(false) },
      blocks = { { { nil, "slot a cannot be read", "incompatible" } }, { "block", "done" } } }
    assert.truthy(e:install(where()))
    assert.same({ "?dfota=1", "?dfota=0" }, opened(f))
    assert.equal(1, count(f, "abandon incompatible"))
    assert.equal(2, count(f, "begin"))
  end)

  local stands = {
    { "the package is for another project, too", { code = "incompatible", open = false, message = "no", lines = {
      { gate = "project", open = false, text = "X" }, { gate = "source", open = false, text = "another" } } } },
    { "another gate is closed", { code = "incompatible", open = false, message = "no", lines = {
      { gate = "floor", open = false, text = "X" }, { gate = "source", open = true, text = "fits" } } } },
    { "it was seen to fail", { code = "refused", open = false, message = "no", lines = {
      { gate = "quarantine", open = false, text = "X" } } } },
  }
  for _, case in ipairs(stands) do
    it("does not when " .. case[1], function()
      local e, f = make { manifest = manifest(true), gates = case[2] }
      local result, message, code = e:install(where())
      assert.same({ nil, "no", case[2].code }, { result, message, code })
      assert.same({ "?dfota=1" }, opened(f))
    end)
  end

  it("does not for a full package, nor where there is no such question", function()
    local e, f = make { manifest = manifest(false), gates = CLOSED }
    assert.is_nil((e:install(where())))
    e:install { cloud = "file", location = "http://h/p.upd" }
    assert.same({ "?dfota=1", "p.upd" }, opened(f))
    e, f = make { manifest = manifest(true), gates = CLOSED }
    local _, message, code = e:install(where { full = function() return nil end })
    assert.same({ "the delta is against another core", "incompatible" }, { message, code })
    assert.same({ "?dfota=1" }, opened(f))
  end)

  it("keeps the result of the delta when there is no full package", function()
    local e, f, _, lines = make { manifest = manifest(true), gates = CLOSED,
      head = { true, { nil, "h: latest (code 27)", "nothing" } } }
    local result, message, code = e:install(where())
    assert.same({ nil, "the delta is against another core", "incompatible" }, { result, message, code })
    assert.same({ "?dfota=1", "?dfota=0" }, opened(f))
    assert.is_true(logged(lines, "1.0.1: no full package available: http://h/: h: latest (code 27) (nothing)"))
  end)

  it("comes back later when the full package cannot be had now", function()
    local e = make { manifest = manifest(true), gates = CLOSED, head = { true, { nil, "no route", "network" } } }
    assert.equal("network", (select(3, e:install(where()))))
  end)

  it("gives the full package when policy prefers it", function()
    local function decide(offer)
      assert.is_nil(offer.fallback) -- the choice is policy's own
      return { action = "install", reason = "newer", prefer = "full" }
    end
    local e, f = make({ manifests = { manifest(true), manifest(false) } }, decide)
    assert.truthy(e:install(where()))
    assert.same({ "?dfota=1", "?dfota=0" }, opened(f))
    assert.equal(1, count(f, "begin"))
  end)

  it("takes the delta when policy prefers a full package that does not exist", function()
    local function decide() return { action = "install", reason = "newer", prefer = "full" } end
    local e, f = make({ manifest = manifest(true), head = { true, { nil, "latest", "nothing" }, true } }, decide)
    assert.truthy(e:install(where()))
    assert.same({ "?dfota=1", "?dfota=0", "?dfota=1" }, opened(f))
    e, f = make({ manifest = manifest(true) }, decide)
    assert.truthy(e:install(where { full = function() return nil end }))
    assert.same({ "?dfota=1", "?dfota=1" }, opened(f))
    e, f = make({ manifest = manifest(true) }, decide)
    assert.truthy(e:install { cloud = "file", location = "http://h/p.upd" }) -- by hand: nothing to choose from
    assert.same({ "p.upd" }, opened(f))
  end)

  describe("with a data cap", function()
    local function capped(limits)
      return function(offer, device)
        device.metered = true
        return policy.decide(offer, device, limits)
      end
    end

    it("defers a full package that replaces a delta, and fetches nothing of it", function()
      local e, f, asked = make({ manifests = { manifest(true), manifest(false) }, gates = gates },
        capped { data_cap = 4999 })
      local result, message, code, verdict = e:install(where())
      assert.is_nil(result)
      assert.equal("deferred", code)
      assert.matches("policy says defer %(data_cap%): the full package needs 5000 bytes, over 4999", message)
      assert.same({ 21600, "data_cap" }, { verdict.decision.retry_after, verdict.decision.reason })
      assert.equal(1, #asked)
      assert.equal(0, count(f, "begin"))
    end)

    it("lets one through that fits to the byte", function()
      local e = make({ manifests = { manifest(true), manifest(false) }, gates = gates }, capped { data_cap = 5000 })
      assert.truthy(e:install(where()))
    end)

    it("counts a full package that comes although a delta was asked for", function()
      local e, _, asked = make({ manifest = manifest(false) }, capped { data_cap = 4999 })
      assert.equal("deferred", (select(3, e:install(where()))))
      assert.is_true(asked[1].fallback)
      e, _, asked = make({ manifest = manifest(false) }, capped { data_cap = 4999 })
      assert.truthy(e:install(where { hoped = false })) -- a device that never asked for a delta
      assert.is_false(asked[1].fallback or false)
    end)

    it("does not count a script, or a core that runs already", function()
      local script = manifest(false, { script_version = "2", core_name = "L",
        parts = { { kind = "script", size = 10, data_size = 10 } } })
      script.core_name = nil
      local e, _, asked = make({ manifest = script }, capped { data_cap = 10 })
      assert.truthy(e:install(where()))
      assert.is_nil(asked[1].fallback)
      e, _, asked = make({ manifest = manifest(false), parts = { "script" } }, capped { data_cap = 10 })
      assert.truthy(e:install(where()))
      assert.is_nil(asked[1].fallback)
    end)
  end)

  it("shows the verdict on the full package", function()
    local e, f = make { manifests = { manifest(true), manifest(false) }, gates = gates }
    local verdict = e:inspect(where())
    assert.is_nil(verdict.code)
    assert.is_true(verdict.offer.fallback)
    assert.same({ "?dfota=1", "?dfota=0" }, opened(f))
    e = make { manifest = manifest(true), gates = CLOSED, head = { true, { nil, "latest", "nothing" } } }
    assert.equal("incompatible", e:inspect(where()).code)
  end)
end)

describe("update.cloud.http_place and the full package", function()
  local config = { project = "METER", product_key_text = "k-123", id = "8667" }
  local core = { name = "L", version = 17 }

  it("asks the same with dfota=0", function()
    local cloud = { kind = "luat", url = "http://h/api" }
    local w = assert(http_place.ask(config, cloud, { version = "1.0.0", core = core }))
    assert.is_true(w.hoped)
    local full = assert(w.full())
    assert.equal((w.location:gsub("dfota=1", "dfota=0")), full.location)
    assert.is_nil(full.full)
    assert.is_nil(full.hoped)
    w = assert(http_place.ask(config, cloud, { version = "1.0.0", core = core }, { link = "http://cdn/p" }))
    assert.equal(full.location, w.full().location)
  end)

  it("does not for a device without a core, or a URL that is used untouched", function()
    assert.is_nil(assert(http_place.ask(config, { kind = "luat", url = "http://h/api" }, { version = "1.0.0" })).full)
    local untouched = { kind = "luat", url = "###http://h/p.upd" }
    assert.is_nil(assert(http_place.ask(config, untouched, { version = "1", core = core })).full)
  end)
end)

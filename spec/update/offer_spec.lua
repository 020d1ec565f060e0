local offer = require "update.engine.offer"

local function manifest(fields)
  local m = {
    project = "METER", sequence = 18, release = "1.0.1-V22", script_version = "1.0.1",
    core_name = "Luat_RDA8910", core_version = 22,
    parts = { { kind = "script", data_size = 100 }, { kind = "core", data_size = 1000 } },
  }
  for k, v in pairs(fields or {}) do m[k] = v end
  return m
end

describe("update.engine.offer", function()
  it("takes everything but size and cloud from the manifest", function()
    local m = manifest()
    assert.same({
      cloud = "luat", release = "1.0.1-V22", version = "1.0.1", core = { name = "Luat_RDA8910", version = 22 },
      sequence = 18, size = 5000, to_fetch = 5000, permit = false, repair = false, manifest = m,
    }, offer.of(m, { cloud = "luat", size = 5000 }))
  end)

  it("leaves out fields of parts that the package does not have", function()
    local script = offer.of(manifest { parts = { { kind = "script" } } }, { size = 1 })
    assert.is_nil(script.core)
    local core = offer.of(manifest { parts = { { kind = "core" } } }, { size = 1 })
    assert.is_nil(core.version)
  end)

  it("names files, and describes them", function()
    local m = manifest { files_version = "080507", parts = { { kind = "script" }, { kind = "files" } } }
    local made = offer.of(m, { size = 1 })
    assert.same({ version = "080507" }, made.files)
    assert.equal("1.0.1-V22 (sequence 18: script 1.0.1, files 080507; 1 bytes)", offer.describe(made))
  end)

  it("calls the cloud of a package that is installed by hand a file", function()
    assert.equal("file", offer.of(manifest(), { size = 1 }).cloud)
  end)

  local cases = {
    { "all of it without a transaction", nil, 5000 },
    { "the rest of an open transaction", { sequence = 18, release = "1.0.1-V22", done = 1200 }, 3800 },
    { "nothing when all is there", { sequence = 18, release = "1.0.1-V22", done = 6000 }, 0 },
    { "all of it when another release is open", { sequence = 17, release = "1.0.0", done = 1200 }, 5000 },
    { "all of it when the release differs", { sequence = 18, release = "1.0.1", done = 1200 }, 5000 },
  }
  for _, case in ipairs(cases) do
    local name, transaction, expected = table.unpack(case)
    it("has to fetch " .. name, function()
      assert.equal(expected, offer.of(manifest(), { size = 5000, transaction = transaction }).to_fetch)
    end)
  end

  it("does not have to fetch a part that is left out", function()
    local m = manifest { parts = { { kind = "script", data_size = 800 }, { kind = "core", data_size = 3000 } } }
    assert.equal(2000, offer.of(m, { size = 5000, parts = { "script" } }).to_fetch)
    assert.equal(5000, offer.of(m, { size = 5000, parts = { "script", "core" } }).to_fetch)
  end)

  it("describes itself in a line", function()
    assert.equal("1.0.1-V22 (sequence 18: script 1.0.1, core Luat_RDA8910 22; 5000 bytes)",
      offer.describe(offer.of(manifest(), { size = 5000 })))
  end)

  it("tells URLs from paths", function()
    assert.is_true(offer.is_url("http://h/p"))
    assert.is_true(offer.is_url("HTTPS://h/p"))
    assert.is_true(offer.is_url("ftp://u:p@h/p")) -- which no path is, and nobody fetches
    assert.is_false(offer.is_url("http.upd"))
    assert.is_false(offer.is_url("/tmp/http://x"))
  end)
end)

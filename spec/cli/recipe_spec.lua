local recipe = require "cli.recipe"

local function given(changes)
  local made = {
    project = "METER", product_key = "k-123", hardware = { "rev-a" }, sequence = 18, version = "1.0.1",
    script = { dir = "app" }, core = { name = "Luat_RDA8910", version = 22, image = "core22.img" },
  }
  for name, value in pairs(changes or {}) do
    if value == "none" then made[name] = nil else made[name] = value end
  end
  return made
end

describe("cli.recipe.normalise", function()
  it("fills in defaults", function()
    local made = assert(recipe.normalise(given(), "folder"))
    assert.equal("1.0.1", made.release)
    assert.same({ dir = "folder/app", encoding = "zstd", version = "1.0.1" }, made.script)
    assert.same({ image = "folder/core22.img", encoding = "zstd", name = "Luat_RDA8910", version = 22 }, made.core)
    assert.is_nil(made.issued)
  end)

  it("names a core-only release after both versions", function()
    assert.equal("1.0.1-V22", assert(recipe.normalise(given { script = "none" }, ".")).release)
  end)

  it("names a release of files alone after both versions, one with a script after that", function()
    local files = { dir = "UPDATE_080507", version = "080507" }
    local made = assert(recipe.normalise(given { script = "none", core = "none", files = files }, "folder"))
    assert.equal("1.0.1-F080507", made.release)
    assert.same({ dir = "folder/UPDATE_080507", version = "080507", encoding = "zstd" }, made.files)
    assert.equal("1.0.1", assert(recipe.normalise(given { core = "none", files = files }, ".")).release)
  end)

  it("takes issued from the epoch unless it is said", function()
    assert.equal(7, assert(recipe.normalise(given(), ".", 7)).issued)
    assert.equal(8, assert(recipe.normalise(given { issued = 8 }, ".", 7)).issued)
  end)

  it("keeps absolute paths and a block size of a part's own", function()
    local made = assert(recipe.normalise(given { block_size = 8192,
      script = { dir = "/srv/app", block_size = 4096, encoding = "raw" } }, "folder"))
    assert.same({ dir = "/srv/app", encoding = "raw", block_size = 4096, version = "1.0.1" }, made.script)
    assert.equal(8192, made.core.block_size)
  end)

  it("reads older cores, their paths from its folder", function()
    local made = assert(recipe.normalise(given { core = { name = "L", version = 22, image = "core22.img",
      from = { { version = 17, image = "core17.img" }, { version = 30, image = "/srv/core30.img" } } } }, "folder"))
    assert.same({ { version = 17, image = "folder/core17.img" }, { version = 30, image = "/srv/core30.img" } },
      made.core.from)
    made = assert(recipe.normalise(given { core = { name = "L", version = 22, image = "i", from = {} } }, "."))
    assert.is_nil(made.core.from)
  end)

  it("signs the maker's notes as JSON", function()
    local meta = { text = { en = "new", de = "neu" }, security = true, notes_url = "https://h/n", own = { 1, "x" },
      advisories = { { id = "CVE-1", severity = "high", url = "https://h/1" } }, support_until = 2000000000,
      sbom = { format = "spdx", sha256 = "ab", url = "https://h/s" }, data = "a name of its own" }
    local made = assert(recipe.normalise(given { meta = meta }, "."))
    assert.is_nil(made.meta)
    assert.same(meta, require("update.native.json").decode(made.meta_text))
  end)

  local fine = {
    { "the lowest sequence", { sequence = 1 } },
    { "the highest sequence", { sequence = math.maxinteger } },
    { "a release of 32 bytes", { release = ("r"):rep(32) } },
    { "a text of 1024 bytes", { text = ("t"):rep(1024) } },
    { "the largest block", { block_size = 1048576 } },
    { "all overrides", { override = { "version", "window", "battery", "budget" } } },
    { "requires", { requires = { core = "Luat", version = 0 } } },
    { "an empty list", { hardware = {} } },
    { "script only", { core = "none" } },
  }
  for _, case in ipairs(fine) do
    it("accepts " .. case[1], function()
      assert.is_table(recipe.normalise(given(case[2]), "."))
    end)
  end

  local function core(changes)
    local made = { name = "L", version = 1, image = "i" }
    for name, value in pairs(changes) do made[name] = value end
    return { core = made }
  end

  local wrong = {
    { "an unknown field", { colour = "red" }, "unknown field colour; known are project" },
    { "a misspelt field", core { encodng = "raw" }, "unknown field core.encodng; did you mean encoding%?" },
    { "an unknown field of a part", core { colour = 1 }, "unknown field core.colour" },
    { "a value without a name", { "lost" }, "unknown field 1" },
    { "a missing project", { project = "none" }, "field project is missing" },
    { "a missing product key", { product_key = "none" }, "field product_key is missing" },
    { "a missing sequence", { sequence = "none" }, "field sequence is missing" },
    { "a missing version", { version = "none" }, "field version is missing" },
    { "no part", { script = "none", core = "none" }, "neither script, core, files nor hotfix" },
    { "files without a version", { core = "none", files = { dir = "d" } }, "field files.version is missing" },
    { "files without a folder", { core = "none", files = { version = "1" } }, "field files.dir is missing" },
    { "sequence 0", { sequence = 0 }, "field sequence must be an integer" },
    { "a sequence that is no integer", { sequence = 1.5 }, "field sequence must be an integer" },
    { "a sequence in quotes", { sequence = "18" }, "field sequence must be an integer" },
    { "a release of 33 bytes", { release = ("r"):rep(33) }, "field release is longer than 32" },
    { "a project of 65 bytes", { project = ("p"):rep(65) }, "field project is longer than 64" },
    { "control characters", { text = "a\nb" }, "field text has control characters" },
    { "bytes that are not UTF-8", { text = "\xff" }, "field text is not UTF%-8" },
    { "an empty text", { text = "" }, "field text must be a string and not empty" },
    { "a part that is no table", { script = "app" }, "field script must be a table" },
    { "a part without its place", { script = {} }, "field script.dir is missing" },
    { "an unknown encoding", core { encoding = "gzip" }, "field core.encoding must be one of zstd, raw, lzma" },
    { "a source that is no table", core { from = { "core17.img" } }, "field core.from must be a list of tables" },
    { "a source alone", core { from = { version = 17, image = "x" } }, "field core.from must be a list" },
    { "a source without a version", core { from = { { image = "x" } } }, "field core.from%[1%].version is missing" },
    { "a source without an image", core { from = { { version = 0 } } }, "field core.from%[1%].image is missing" },
    { "an unknown field of a source", core { from = { { version = 0, image = "x", name = "L" } } },
      "unknown field core.from%[1%].name" },
    { "a source twice", core { from = { { version = 17, image = "x" }, { version = 17, image = "y" } } },
      "field core.from%[2%].version is 17" },
    { "the core as its own source", core { version = 17, from = { { version = 17, image = "x" } } },
      "field core.from%[1%].version is 17, which is the core's own" },
    { "a block size that is no power of two", { block_size = 5000 }, "field block_size must be a power of two" },
    { "a block size too small", { block_size = 2048 }, "field block_size" },
    { "meta that is none", { meta = "new" }, "field meta must be a table" },
    { "meta without names", { meta = { "new" } }, "field meta holds a value without a name" },
    { "a misspelt key of meta", { meta = { securty = true } }, "unknown field meta.securty; did you mean security%?" },
    { "a word for a flag", { meta = { security = "yes" } }, "field meta.security must be true or false" },
    { "a text of no language", { meta = { text = "new" } }, "field meta.text must be a table of texts by language" },
    { "an advisory that is none", { meta = { advisories = { "CVE-1" } } },
      "field meta.advisories%[1%] must be a table" },
    { "a number for an id", { meta = { advisories = { { id = 1 } } } },
      "field meta.advisories%[1%].id must be a text" },
    { "a word for a list", { meta = { advisories = "CVE-1" } }, "field meta.advisories must be a list" },
    { "a date in words", { meta = { support_until = "2030" } }, "field meta.support_until must be an integer above 0" },
    { "a word for the parts", { meta = { sbom = "spdx" } }, "field meta.sbom must be a table" },
    { "a fraction in meta", { meta = { own = { 1.5 } } }, "field meta must hold texts, integers" },
    { "names and numbers mixed", { meta = { own = { 1, a = 2 } } }, "field meta must hold texts, integers" },
    { "meta that is too deep", { meta = { own = { { { { { { { 1 } } } } } } } } }, "at most 6 levels" },
    { "meta that is too large", { meta = { own = ("x"):rep(16384) } },
      "field meta has 16394 bytes as JSON; the limit is 16384" },
    { "an unknown rule", { override = { "floor" } }, "field override holds an element that must be one of" },
    { "a rule twice", { override = { "version", "version" } }, "field override names version twice" },
    { "a list with a hole", { hardware = { "a", "b", e = "c", [4] = "d" } }, "field hardware must be a list" },
    { "a list with names", { hardware = { a = "b" } }, "field hardware must be a list" },
    { "17 names", { hardware = { "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16",
      "17" } }, "field hardware must be a list of at most 16" },
    { "a deadline of 0", { deadline = 0 }, "field deadline" },
    { "a deadline over a week", { deadline = 604801 }, "field deadline" },
    { "requires without a version", { requires = { core = "L" } }, "field requires.version is missing" },
  }
  for _, case in ipairs(wrong) do
    it("refuses " .. case[1], function()
      local made, message, code = recipe.normalise(given(case[2]), ".")
      assert.is_nil(made)
      assert.matches(case[3], message)
      assert.equal("usage", code)
    end)
  end

  it("leaves the name of files that come without VERSION to the device", function()
    local files = { dir = "update", version = "080507" }
    local made = assert(recipe.normalise(given { script = "none", core = "none", version = "none",
      files = files }, "."))
    assert.is_nil(made.release)
    made = assert(recipe.normalise(given { script = "none", core = "none", files = files }, "."))
    assert.matches("%-F080507$", made.release)
    local _, message = recipe.normalise(given { version = "none", files = files }, ".")
    assert.matches("field version is missing", message)
  end)

  it("refuses a default release that is too long", function()
    local made, message = recipe.normalise(given { script = "none", version = ("1"):rep(31) }, ".")
    assert.is_nil(made)
    assert.matches("release is missing", message)
  end)

  it("refuses a file that does not return a table", function()
    assert.is_nil(recipe.normalise("text", "."))
  end)
end)

describe("cli.recipe.load", function()
  local path

  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  local function load_text(text)
    local file = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
    return recipe.load(path)
  end

  it("reads a table as data", function()
    local made = assert(load_text [[return { project = "P", product_key = "k", sequence = 1, version = "1",
      script = { dir = "app" } }]])
    assert.equal(path:match("^(.*)/") .. "/app", made.script.dir)
  end)

  local wrong = {
    { "a syntax error", "return {", "expected" },
    { "a word without quotes", "return { core = {\n encoding = raw } }",
      ":2: unknown name raw; put a string in quotes: \"raw\"" },
    { "a byte order mark", "\xef\xbb\xbfreturn {}", "begins with a byte order mark" },
    { "bytecode", string.dump(function() return {} end), "attempt to load a binary chunk" },
    { "a call", "return { project = os.getenv 'HOME' }", "os" },
    { "a method of a string", "return { text = ('x'):rep(9) }", "index a string" },
    { "an endless loop", "while true do end", "takes too long" },
    { "no table", "return 7", "must return one table" },
    { "nothing", "local a = 1", "must return one table" },
  }
  for _, case in ipairs(wrong) do
    it("refuses " .. case[1], function()
      local made, message, code = load_text(case[2])
      assert.is_nil(made)
      assert.matches(case[3], message)
      assert.truthy(message:find(path, 1, true))
      assert.equal("usage", code)
    end)
  end

  it("names a file that is not there", function()
    local made, message, code = recipe.load(path .. ".absent")
    assert.is_nil(made)
    assert.truthy(message:find(path .. ".absent", 1, true))
    assert.equal("usage", code)
  end)
end)

describe("cli.recipe.epoch", function()
  it("takes seconds, and nothing else", function()
    assert.equal(1700000000, recipe.epoch("1700000000"))
    assert.same({}, { recipe.epoch(nil) })
    assert.same({}, { recipe.epoch("") })
    for _, text in ipairs { "0", "-1", "1.5", "yesterday", "99999999999999999999" } do
      local value, message = recipe.epoch(text)
      assert.is_nil(value)
      assert.matches("SOURCE_DATE_EPOCH", message)
    end
  end)
end)

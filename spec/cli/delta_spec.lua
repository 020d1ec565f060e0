-- `moult delta`: from two files to the difference and back; and where such a file is refused.

local json = require "update.native.json"

local folder = require("spec.support.folder").new()
local verbs = require "spec.support.verb"

local path, write, read = folder.path, folder.write, folder.read

local function good(...) return verbs.good("delta", ...) end

local function bad(fragment, word, ...) return verbs.bad(fragment, word, "delta", ...) end

-- Bytes that no codec makes smaller, the same for the same seed.
local function noise(seed, count)
  local state, words = seed, {}
  for i = 1, count // 4 do
    state = state * 6364136223846793005 + 1442695040888963407
    words[i] = string.pack("<I4", state >> 32)
  end
  return table.concat(words)
end

describe("moult delta", function()
  before_each(function()
    folder.make()
  end)

  after_each(folder.remove)

  local a, b = noise(1, 100000), noise(2, 100000)
  local cases = {
    { "identical",         a, a,                                         400 },
    { "one byte",          a, a:sub(1, 9999) .. "!" .. a:sub(10001),     600 },
    { "shorter",           a, a:sub(1, 30000),                          400 },
    { "longer",            a, a .. b:sub(1, 5000),                       6000 },
    { "moved",             a .. b, b .. a,                               800 },
    { "all zeros",         a, ("\0"):rep(100000),                        400 },
    { "from zeros",        ("\0"):rep(100000), a,                        105000 },
    { "nothing in common", a, b,                                         105000 },
    { "a single byte",     "x", "y",                                     400 },
    { "over several blocks", a .. ("\0"):rep(3 << 20), ("\0"):rep(3 << 20) .. a, 1500 },
  }
  for _, case in ipairs(cases) do
    it("makes and applies: " .. case[1], function()
      write("old", case[2])
      write("new", case[3])
      good({ path("old"), path("new") }, { out = path("p") })
      assert.is_true(#read("p") <= case[4], #read("p") .. " bytes")
      good({ path("old"), path("p") }, { out = path("again"), apply = true })
      assert.truthy(read("again") == case[3])
      good({ path("old"), path("new") }, { out = path("q") })
      assert.truthy(read("p") == read("q")) -- the same bytes
    end)
  end

  it("tells sizes, progress and JSON", function()
    write("old", a)
    write("new", a .. b)
    local out, notes, progress = good({ path("old"), path("new") }, { out = path("p") })
    assert.matches(("p: %d bytes, [%%d.]+ %%%% of .*new"):format(#read("p")), out)
    assert.equal("", notes)
    assert.same({ 200000, 200000, "comparing" }, progress[#progress])
    for i = 2, #progress do assert.is_true(progress[i][1] >= progress[i - 1][1]) end
    assert.same({ patch = path("p"), size = #read("p"), old_size = 100000, new_size = 200000 },
      json.decode((good({ path("old"), path("new") }, { out = path("p") }, { json = true }))))
    local said, _, steps = good({ path("old"), path("p") }, { out = path("x"), apply = true }, { json = true })
    assert.same({ image = path("x"), size = 200000 }, json.decode(said))
    assert.same({ 200000, 200000, "applying" }, steps[#steps])
  end)

  it("takes another encoding", function()
    write("old", "x")
    write("new", ("text "):rep(9000) .. a)
    for _, encoding in ipairs { "lzma", "zstd", "raw" } do
      good({ path("old"), path("new") }, { out = path("p"), encoding = encoding })
      good({ path("old"), path("p") }, { out = path("x"), apply = true })
      assert.truthy(read("x") == read("new"))
    end
  end)

  it("warns of a compressed image", function()
    write("old", "\x1f\x8b\x08" .. a)
    write("new", "\x1f\x8b\x08" .. b)
    local _, notes = good({ path("old"), path("new") }, { out = path("p") })
    assert.matches("new is compressed with gzip: a delta will hardly", notes)
  end)

  it("refuses the wrong old image, and leaves the output in place", function()
    write("old", a)
    write("new", b)
    good({ path("old"), path("new") }, { out = path("p") })
    write("x", "kept")
    write("old", a:sub(1, -2))
    bad("old", "incompatible", { path("old"), path("p") }, { out = path("x"), apply = true })
    write("old", a:sub(1, -2) .. "!")
    bad("old", "incompatible", { path("old"), path("p") }, { out = path("x"), apply = true })
    assert.equal("kept", read("x"))
    assert.is_nil(read("x.new"))
  end)

  it("refuses a broken one", function()
    write("old", a)
    write("new", b)
    good({ path("old"), path("new") }, { out = path("p") })
    local text = read("p")
    for _, at in ipairs { 1, 10, 20, 50, 60, 90, 95, 130, 200, #text - 5 } do
      write("q", text:sub(1, at - 1) .. string.char(text:byte(at) ~ 1) .. text:sub(at + 1))
      local exit, _, code = verbs.run("delta", { path("old"), path("q") }, { out = path("x"), apply = true })
      assert.is_nil(exit)
      assert.truthy(code == "corrupt" or code == "incompatible", code)
      assert.is_nil(read("x"))
    end
    for _, length in ipairs { 0, 7, 50, 91, 100, #text - 1 } do
      write("q", text:sub(1, length))
      bad("q", "corrupt", { path("old"), path("q") }, { out = path("x"), apply = true })
    end
    write("q", text .. "!")
    bad("q", "corrupt", { path("old"), path("q") }, { out = path("x"), apply = true })
  end)

  it("asks for an output, and replaces nothing that it reads and no device", function()
    write("old", a)
    write("new", b)
    bad("needs -o", "usage", { path("old"), path("new") }, {})
    bad("not applied in place", "usage", { path("old"), path("new") }, { out = path("old"), apply = true })
    bad("cannot be the output", "usage", { path("old"), path("new") }, { out = path("new") })
    bad("not a regular file", "usage", { path("old"), path("new") }, { out = "/dev/null" })
    bad("absent", "missing", { path("absent"), path("new") }, { out = path("p") })
    bad("absent", "missing", { path("old"), path("absent") }, { out = path("p") })
    bad("absent", "missing", { path("old"), path("absent") }, { out = path("p"), apply = true })
    write("empty", "")
    bad("empty", "usage", { path("empty"), path("new") }, { out = path("p") })
    bad("empty", "usage", { path("old"), path("empty") }, { out = path("p") })
    assert.is_nil(read("p"))
  end)

  it("refuses an old image of 2 GiB before it reads it", function()
    assert(os.execute(("truncate -s 2147483648 %s"):format(path("old"))))
    write("new", b)
    bad("a delta needs an older image of less than 2 GiB", "usage", { path("old"), path("new") }, { out = path("p") })
  end)

  it("writes nothing on a dry run", function()
    write("old", a)
    write("new", b)
    assert.matches("would be made of 100000 bytes, against 100000", (good({ path("old"), path("new") },
      { out = path("p") }, { dry_run = true })))
    assert.is_nil(read("p"))
    good({ path("old"), path("new") }, { out = path("p") })
    assert.matches("would have 100000 bytes", (good({ path("old"), path("p") }, { out = path("x"), apply = true },
      { dry_run = true })))
    assert.is_nil(read("x"))
    bad("not made by", "corrupt", { path("old"), path("new") }, { out = path("x"), apply = true }, { dry_run = true })
  end)

  it("makes nothing that a device would install", function()
    write("old", a)
    write("new", b)
    good({ path("old"), path("new") }, { out = path("p") })
    for _, name in ipairs { "install", "provision", "explain", "verify" } do
      local exit, message, code = verbs.run(name, { path("p") }, { key = path("none"), config = path("none") })
      assert.same({ "untrusted", true }, { code, exit == nil })
      assert.matches("made by `moult delta` and is not signed: no device installs it", message)
    end
  end)
end)

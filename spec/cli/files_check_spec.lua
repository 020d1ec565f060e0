-- What doctor says of the directories that packages may put files into.

local files_check = require "cli.files_check"
local world = require "spec.support.world"

local function status(bits)
  return ("Name:\tmoult\nCapPrm:\t0000000000000000\nCapBnd:\t%016x\nCapAmb:\t0000000000000000\n"):format(bits)
end

local ALL = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 19 | 1 << 31

describe("doctor's word on the rights that files need", function()
  local cases = {
    { "nothing is missing", ALL, {}, nil },
    { "the owner of a file", ALL & ~1, {}, "CAP_CHOWN (give a file its owner)" },
    { "two of them", ALL & ~(1 << 4 | 1 << 31), {},
      "CAP_FSETID (keep setuid bits), CAP_SETFCAP (keep the capabilities of a file)" },
    { "processes, which commands stop", ALL & ~(1 << 19), { stop = { "s" }, start = { "s" } }, nil },
    { "processes, which one command stops", ALL & ~(1 << 19), { stop = { "s" } },
      "CAP_SYS_PTRACE (see which processes run a file)" },
  }
  for _, case in ipairs(cases) do
    it(case[1], function() assert.equal(case[4], files_check.missing(status(case[2]), case[3])) end)
  end

  it("says nothing where the kernel does not", function() assert.is_nil(files_check.missing("Name:\tx\n", {})) end)
end)

describe("moult doctor", function()
  local w

  setup(function()
    w = world.new()
    w:device {}
  end)
  teardown(function() w:close() end)

  it("lists roots, and says which is not there", function()
    assert(w:shell "mkdir -p app")
    w:configure 'files = { roots = { "app", { path = "card", weak = true } } },'
    local code, out = w:moult "doctor"
    assert.equal(0, code, out)
    assert.matches("\nok    files +[^\n]*/app\n", out)
    assert.matches("\nwarn  files +[^\n]*/card[^\n]*\n +%-> make it, or mount it", out)
    assert(w:shell "mkdir -p card")
    assert.matches("\nok    files +[^\n]*/card, without hard links\n", (select(2, w:moult "doctor")))
  end)

  it("fails when a root is where the device lives, by another name", function()
    assert(w:shell "ln -sfn . elsewhere")
    w:configure 'files = { roots = { "elsewhere" } },'
    local code, out = w:moult "doctor"
    assert.not_equal(0, code)
    assert.matches("\nfail  files +files%.roots: the root [^\n]*/elsewhere holds the state directory", out)
  end)

  it("tells of temporary files that no update knows", function()
    w:configure 'files = { roots = { "app" } },'
    assert(w:shell "mkdir -p app/deep && touch app/deep/.moult-0011223344556677-3.old app/.moult-0011223344556677.here")
    local _, out = w:moult "doctor"
    assert.matches("\nwarn  strays +temporary files of ours that no update knows: 2, among them [^\n]*/app/.*%.moult",
      out)
    assert.matches("`moult settle --clean` removes them", out, 1, true)
    assert.equal(0, (w:moult "settle --clean"))
    assert.is_nil((select(2, w:moult "doctor")):find("strays", 1, true))
  end)

  it("tells of files of others that were set aside", function()
    w:configure 'files = { roots = { "app" } },'
    assert(w:shell "mkdir -p state/files/foreign && echo theirs >state/files/foreign/0011223344556677-3")
    local _, out = w:moult "doctor"
    assert.matches("\nwarn  foreign +files of others in [^\n]*/state/files/foreign: 1, 7 B;", out)
  end)
end)

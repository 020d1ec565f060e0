-- A bare archive of files as the head of a package that nobody signed: what its process behind walls gives, and what
-- is believed of it.

local package_native = require "update.native.package"
local digest = require "update.native.digest"
local loop = require "update.native.loop"
local program = require("update.native.host").program
local zip = require "spec.support.zip"

describe("package.bare", function()
  local dir

  local function shell(format, ...)
    assert(os.execute(("cd '%s' && { %s; } >/dev/null 2>&1"):format(dir, format:format(...))))
  end

  local function write(name, text)
    local file = assert(io.open(dir .. "/" .. name, "wb"))
    file:write(text)
    file:close()
  end

  local function read(name)
    local file = io.open(dir .. "/" .. name, "rb")
    local text = file and file:read "a"
    if file then file:close() end
    return text
  end

  local INI = "MIT\t/app/Bin\t4\t2\r\n\xb8\xfc.db\t/app/ etc\t1\t4\r\nset_db.dat\t/app/etc\t2\t4\r\n"

  before_each(function()
    dir = os.tmpname()
    os.remove(dir)
    assert(os.execute(("mkdir -p '%s/spool' '%s/UPDATE_080507'"):format(dir, dir)))
    write("UPDATE_080507/MIT", "the new one")
    write("UPDATE_080507/\xb8\xfc.db", ("db"):rep(200000))
    write("UPDATE_080507/update.ini", INI)
    shell "tar czf A.tar.gz ./UPDATE_080507"
  end)
  after_each(function() os.execute(("rm -rf '%s'"):format(dir)) end)

  local function make(o)
    o = o or {}
    local fields = { archive = dir .. "/" .. (o.archive or "A.tar.gz"), dir = dir .. "/content",
      spool = dir .. "/spool", project = "MIT", product_key = ("0"):rep(64), program = o.program or program }
    for _, name in ipairs { "trim", "hotfix_name", "hotfix_version", "base_script", "lua", "opaque" } do
      fields[name] = o[name]
    end
    if not o.hotfix_name then fields.release, fields.files_version = "1.0-F080507", "080507" end
    local maker, message, code = package_native.bare(fields)
    local l = loop.new()
    local package
    while maker do
      package, message, code = maker:step()
      if package or code ~= "again" then break end
      if maker:fd() then l:poll(1000, { { fd = maker:fd(), read = true } }) end
    end
    if maker then maker:close() end
    return package, message, code
  end

  it("is known by the digest of its bytes, and has its content and index in the spool", function()
    write("spool/manifest.minisig", "of another")
    local package, blanks = assert(make())
    assert.equal(1, blanks)
    local m = package:manifest()
    assert.same({ digest.sha256(read "A.tar.gz"), "MIT", "1.0-F080507", "080507", 1, "files" },
      { m.digest, m.project, m.release, m.files_version, #m.parts, m.parts[1].kind })
    assert.same({ 0, m.digest:sub(1, 14) }, { m.sequence, m.unsigned })
    assert.equal(#read "A.tar.gz", package:layout().size)
    assert.equal(m.parts[1].size, #read "spool/files.tar")
    assert.equal(m.parts[1].index_size, #read "spool/files.idx")
    assert.is_nil(read "spool/manifest.minisig")
    assert.is_nil(read "content/update.ini")
    shell "mkdir out && tar xf spool/files.tar -C out && cmp out/update.ini UPDATE_080507/update.ini"
    shell "cmp out/MIT UPDATE_080507/MIT && cmp out/*.db UPDATE_080507/*.db"
    -- Again, over what is there, and with another content.
    local before = read "spool/files.tar"
    assert(make { trim = true })
    assert.not_equal(before, read "spool/files.tar")
    assert.truthy(read("spool/files.tar"):find("/app/etc\t1", 1, true))
  end)

  local function refuses(code, fragment, o)
    local package, message, word = make(o)
    assert.is_nil(package)
    assert.equal(code, word, message)
    assert.truthy(message:find(fragment, 1, true), message)
    assert.is_nil(read "content/update.ini")
  end

  it("refuses an archive that is damaged, cut short or of another kind", function()
    local whole = read "A.tar.gz"
    write("B.tar.gz", whole:sub(1, #whole // 2))
    refuses("corrupt", "", { archive = "B.tar.gz" })
    write("B.tar.gz", whole:sub(1, 200) .. "\0\0\0\0" .. whole:sub(205))
    refuses("corrupt", "", { archive = "B.tar.gz" })
    write("B.tar.gz", "<html>come later</html>")
    refuses("corrupt", "", { archive = "B.tar.gz" })
    shell "tar czf B.tar.gz -C UPDATE_080507 ."
    refuses("untrusted", "one folder", { archive = "B.tar.gz" })
    shell "rm UPDATE_080507/MIT && tar czf B.tar.gz ./UPDATE_080507"
    refuses("untrusted", "line 1: name: there is no file MIT", { archive = "B.tar.gz" })
    shell "ln -s /etc/passwd UPDATE_080507/MIT && tar czf B.tar.gz ./UPDATE_080507"
    refuses("untrusted", "a link", { archive = "B.tar.gz" })
    shell "rm UPDATE_080507/update.ini UPDATE_080507/MIT && tar czf B.tar.gz ./UPDATE_080507"
    refuses("untrusted", "update.ini", { archive = "B.tar.gz" })
    shell "truncate -s 3M UPDATE_080507/MIT && tar czf B.tar.gz --hole-detection=raw -S ./UPDATE_080507"
    refuses("untrusted", "", { archive = "B.tar.gz" })
    refuses("missing", "", { archive = "none.tar.gz" })
  end)

  it("cannot be filled by a bomb", function()
    shell "head -c 30000000 /dev/zero >UPDATE_080507/MIT && tar czf B.tar.gz ./UPDATE_080507 && rm UPDATE_080507/MIT"
    refuses("untrusted", "", { archive = "B.tar.gz" })
  end)

  -- Processes that say what they like: a letter, four bytes of length, the rest.
  local function record(letter, bytes) return letter .. ("<s4"):pack(bytes) end

  local function process(says, more)
    write("said", says)
    write("process", ("#!/bin/sh\ncat '%s/said'\n%s\n"):format(dir, more or ""))
    shell "chmod 755 process"
    return dir .. "/process"
  end

  local good = record("N", "MIT") .. record("D", "x") .. record("N", "update.ini")
    .. record("D", "MIT\t/app/Bin\t4\t2\n") .. record("E", "")

  it("takes the files of a process that keeps to the protocol", function()
    assert(make { program = process(good) })
  end)

  -- One of a hotfix: what the fields say it is.
  local function fix(o)
    o.hotfix_name, o.hotfix_version, o.base_script = "clock", "v1", "1.0"
    return o
  end

  local STRANGE, NO_LUA = "consists of lua/, files/ and test.lua", "does not say lua = true"
  local refused_zips = {
    { "a name that leads out",       { { "lua/a.lua", "" }, { "lua/../../out", "" } },   "" },
    { "a second folder",             { { "fix/lua/a.lua", "" }, { "lua/a.lua", "" } },   "it must hold one folder" },
    { "something else",              { { "lua/a.lua", "" }, { "bin/sh", "" } },          STRANGE },
    { "a folder deeper down",        { { "a/b/lua/a.lua", "" } },                        STRANGE },
    { "a file in the place of lua/", { { "lua", "" } },                                  STRANGE },
    { "a file that is a folder",     { { "lua/a", "" }, { "lua/a/b.lua", "" } },         "" },
    { "a test alone",                { { "test.lua", "" } },                             "has neither" },
    { "nothing",                     {},                                                 "" },
    { "a name of 256 bytes",         { { "lua/" .. ("n"):rep(252), "" } },               "" },
    { "Lua without leave",           { { "lua/a.lua", "" } },                            NO_LUA, true },
    { "a test without leave",        { { "files/a", "" }, { "test.lua", "" } },           NO_LUA, true },
  }
  for _, case in ipairs(refused_zips) do
    it("refuses a zip with " .. case[1], function()
      write("fix.zip", zip.of(case[2]))
      refuses(#case[2] == 0 and "corrupt" or "untrusted", case[3], fix { archive = "fix.zip", lua = not case[4] })
      shell "test ! -e out && test ! -e content"
    end)
  end

  it("makes the same content of a hotfix's folder, in a folder or not, and keeps what is no zip as it is", function()
    write("fix.zip", zip.of { { "lua/a.lua", "x" }, { "files/update.ini", "y" } })
    local m = assert(make(fix { archive = "fix.zip", lua = true })):manifest()
    assert.same({ digest.sha256(read "fix.zip"), "clock", "v1", "hotfix", { script = "1.0" }, true },
      { m.digest, m.hotfix.name, m.hotfix.version, m.parts[1].kind, m.hotfix.base, m.hotfix.files })
    local before = read "spool/hotfix.tar"
    write("fix.zip", zip.of { { "FIX/", "" }, { "FIX/files/update.ini", "y" }, { "FIX/lua/a.lua", "x" } })
    assert(make(fix { archive = "fix.zip", lua = true }))
    assert.equal(before, read "spool/hotfix.tar")
    write("fix.bin", "anything")
    m = assert(make(fix { archive = "fix.bin", opaque = true })):manifest()
    assert.same({ digest.sha256 "anything", nil }, { m.digest, m.hotfix.files })
    assert.is_nil(read "fix.bin")
    shell "mkdir out && tar xf spool/hotfix.tar -C out && test \"$(ls out)\" = patch.bin"
    assert.equal("anything", read "out/patch.bin")
  end)

  it("bounds a hotfix", function()
    write("big.bin", "")
    shell "truncate -s 16777217 big.bin"
    refuses("untrusted", "more than the 16777216 bytes", fix { archive = "big.bin", opaque = true })
    for _, name in ipairs { "../a", "lua/./a", "lua//a", "lua/", "lua/../files/a", "x/a", "" } do
      refuses("untrusted", "a name that no hotfix can have", fix { program = process(record("N", name)), lua = true })
    end
    local much = (record("N", "lua/a") .. record("D", ("x"):rep(65536)):rep(257))
    refuses("untrusted", "too much of it", fix { program = process(much), lua = true })
  end)

  local hostile = {
    { "a name that leads out",      record("N", "../MIT"),                      "a name that no update.ini can have" },
    { "an absolute name",           record("N", "/tmp/MIT"),                    "a name that no update.ini can have" },
    { "the folder above",           record("N", ".."),                          "a name that no update.ini can have" },
    { "no name",                    record("N", ""),                            "a name that no update.ini can have" },
    { "a NUL in a name",            record("N", "a\0b"),                        "a name that no update.ini can have" },
    { "a long name",                record("N", ("n"):rep(65)),                 "a name that no update.ini can have" },
    { "two files of a name",        record("N", "a"):rep(2),                    "two files of that name" },
    { "too many files",             nil,                                        "or too many" },
    { "content of no file",         record("D", "x"),                           "content without a file" },
    { "an unknown record",          record("Q", "x"),                           "sent an invalid record" },
    { "a record that is too long",  "D\255\255\255\255",                        "too long" },
    { "half a record",              record("N", "MIT"):sub(1, 6),               "ended too early" },
    { "nothing",                    "",                                         "ended too early" },
    { "no end",                     good:sub(1, -6),                            "ended too early" },
    { "more after the end",         good .. record("D", "x"),                   "more after the end" },
    { "a reason that moves a terminal", record("X", "U\27[2J bad"),             "\\x1B[2J bad" },
  }
  for _, case in ipairs(hostile) do
    it("does not believe " .. case[1], function()
      local says = case[2]
      if not says then
        local names = {}
        for i = 1, 1026 do names[i] = record("N", "n" .. i) end
        says = table.concat(names)
      end
      refuses("untrusted", case[3], { program = process(says) })
      shell "test ! -e /tmp/MIT && test ! -e MIT"
    end)
  end

  it("does not wait for a process that closes its pipe and stays", function()
    refuses("untrusted", "closed its pipe and does not exit",
      { program = process(good, "exec sleep 1000 >/dev/null") })
  end)

  it("does not believe a process that is killed or fails after the end", function()
    refuses("untrusted", "ended too early", { program = process(good, "exit 1") })
    refuses("untrusted", "was killed", { program = process(good, "kill -9 $$") })
  end)
end)

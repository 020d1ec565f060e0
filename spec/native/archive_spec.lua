local archive = require "update.native.archive"
local zip = require "spec.support.zip"

-- What hostile archives are refused for is in spec/native/hostile_archive_check.c.

local function read(path)
  local f <close> = assert(io.open(path, "rb"))
  return f:read "a"
end

local function write(path, text)
  local f <close> = assert(io.open(path, "wb"))
  assert(f:write(text))
end

describe("archive", function()
  local dir, packed

  before_each(function()
    dir = io.popen "mktemp -d":read "l"
    packed = dir .. "/app.tar.gz"
    assert(os.execute(("cd %s && mkdir -p app/lib && echo hello >app/main.lua && printf x >app/lib/a.lua && "
      .. "chmod 755 app/lib/a.lua && tar -czf app.tar.gz ./app"):format(dir)))
  end)

  after_each(function()
    os.execute("rm -rf " .. dir)
    collectgarbage()
  end)

  local function listed(a)
    local list = {}
    for entry in a:entries() do
      list[#list + 1] = ("%s %s %d %o"):format(entry.kind, entry.name, entry.size, entry.mode)
    end
    table.sort(list)
    return list
  end

  it("lists the entries of a tar.gz", function()
    local a <close> = assert(archive.open(packed))
    assert.same({ "directory app 0 755", "directory app/lib 0 755", "file app/lib/a.lua 1 755",
      "file app/main.lua 6 644" }, listed(a))
    assert.is_false(a:next())
  end)

  it("reads an entry whole or in pieces", function()
    local a <close> = assert(archive.open(packed))
    for entry in a:entries() do
      if entry.name == "app/main.lua" then
        assert.equal("he", a:read(2))
        assert.equal("llo\n", a:read())
        assert.equal("", a:read())
      end
    end
  end)

  it("extracts to a new directory, whole", function()
    local to = dir .. "/to"
    do
      local a <close> = assert(archive.open(packed))
      assert.equal(2, a:extract(to))
    end
    assert.equal("hello\n", read(to .. "/app/main.lua"))
    local again <close> = assert(archive.open(packed))
    local ok, message, code = again:extract(to)
    assert.is_nil(ok)
    assert.equal("write", code)
    assert.matches("it exists; extract to a new directory", message)
  end)

  it("takes an archive in pieces, of any kind it knows", function()
    for _, whole in ipairs { read(packed), zip.of { { "app/lib/a.lua", "" }, { "b", "hello" } } } do
      local c <close> = archive.chunks()
      for at = 1, #whole, 100 do assert(c:write(whole:sub(at, at + 99))) end
      local a <close> = assert(c:open())
      assert.matches("file app/lib/a.lua", table.concat(listed(a), "\n"))
    end
  end)

  it("keeps no more of one than it is told", function()
    local c <close> = archive.chunks { kept = 10 }
    assert(c:write "0123456789")
    local ok, message, code = c:write "x"
    assert.is_nil(ok)
    assert.equal("nospace", code)
    assert.matches("more than 10 bytes", message)
  end)

  it("says what is wrong, and with which entry", function()
    local evil = dir .. "/evil.tar"
    assert(os.execute(("cd %s && ln -s /etc app/link && tar -cf evil.tar app/link"):format(dir)))
    local a <close> = assert(archive.open(evil))
    local entry, message, code = a:next()
    assert.is_nil(entry)
    assert.equal("untrusted", code)
    assert.equal("archive: app/link: a link", message)
    assert.has_error(function() for _ in a:entries() do end end, "archive: app/link: a link")
    write(evil, "<html>no such page</html>")
    message, code = select(2, archive.open(evil))
    assert.equal("corrupt", code)
    assert.matches("^archive: ", message)
    message, code = select(2, archive.open(dir .. "/none"))
    assert.equal("missing", code)
    assert.matches("none: open: No such file", message)
  end)

  it("keeps to the limits that it is given", function()
    local a <close> = assert(archive.open(packed, { entries = 1 }))
    local n, message, code = a:extract(dir .. "/to")
    assert.is_nil(n)
    assert.equal("nospace", code)
    assert.matches("more than 1 entries", message)
    assert.is_nil(io.open(dir .. "/to"))
    assert.has_error(function() archive.open(packed, { ratio = 0 }) end)
    assert.has_error(function() archive.open(packed, { bytes = "many" }) end)
  end)

  it("raises when it is used after its end", function()
    local a = assert(archive.open(packed))
    a:close()
    a:close()
    assert.has_error(function() a:next() end, "attempt to use a closed archive")
  end)
end)

local database = require "update.native.database"

describe("native.database", function()
  local path, db

  before_each(function()
    path = os.tmpname()
    db = assert(database.open(path))
    assert(db:execute "CREATE TABLE t (name TEXT PRIMARY KEY, n INTEGER, x REAL) WITHOUT ROWID")
  end)

  after_each(function()
    db:close()
    for _, suffix in ipairs { "", "-wal", "-shm" } do
      os.remove(path .. suffix)
    end
    collectgarbage()
  end)

  it("gives values back as they went in", function()
    local put = assert(db:prepare "INSERT INTO t VALUES (?, ?, ?)")
    assert.equal(1, put:run("a\0b\255", math.maxinteger, 0.25))
    assert.equal(1, put:run("", math.mininteger, nil))
    assert.equal(1, put:run("b", true, 3))
    local rows = assert(db:prepare("SELECT * FROM t ORDER BY name"):all())
    assert.same({ { name = "", n = math.mininteger }, { name = "a\0b\255", n = math.maxinteger, x = 0.25 },
      { name = "b", n = 1, x = 3.0 } }, rows)
    assert.equal("integer", math.type(rows[3].n))
    assert.equal("float", math.type(rows[3].x))
  end)

  it("tells a row from no row", function()
    db:prepare("INSERT INTO t VALUES (?, 1, NULL)"):run "a"
    local get = assert(db:prepare "SELECT n FROM t WHERE name = ?")
    assert.same({ n = 1 }, get:first "a")
    assert.is_false(get:first "b")
    assert.same({}, get:all "b")
  end)

  it("runs a statement again and counts what it changed", function()
    local put = assert(db:prepare "INSERT INTO t (name) VALUES (?)")
    for i = 1, 100 do
      assert.equal(1, put:run(tostring(i)))
    end
    assert.equal(100, assert(db:prepare "UPDATE t SET n = 1"):run())
    assert.equal(0, assert(db:prepare "DELETE FROM t WHERE n = 2"):run())
  end)

  it("keeps committed changes, and only those", function()
    assert(db:execute "BEGIN; INSERT INTO t (name) VALUES ('kept'); COMMIT")
    assert(db:execute "BEGIN; INSERT INTO t (name) VALUES ('lost')")
    db:close()
    db = assert(database.open(path))
    assert.same({ { name = "kept" } }, db:prepare("SELECT name FROM t"):all())
    assert.same({ journal_mode = "wal" }, db:prepare("PRAGMA journal_mode"):first())
    assert.same({ synchronous = 2 }, db:prepare("PRAGMA synchronous"):first())
  end)

  it("lets another connection read while one writes, and says busy to a second writer", function()
    local other <close> = assert(database.open(path, { timeout = 0 }))
    assert(db:execute "BEGIN IMMEDIATE; INSERT INTO t (name) VALUES ('a')")
    assert.same({}, other:prepare("SELECT name FROM t"):all())
    local done, message, code = other:execute "BEGIN IMMEDIATE"
    assert.same({ nil, "busy" }, { done, code })
    assert.matches("locked", message)
    assert(db:execute "COMMIT")
    assert.same({ { name = "a" } }, other:prepare("SELECT name FROM t"):all())
    local before = db:prepare("PRAGMA data_version"):first().data_version
    assert(other:execute "DELETE FROM t")
    assert.not_equal(before, db:prepare("PRAGMA data_version"):first().data_version)
  end)

  it("makes files that only their owner may read", function()
    local fresh = os.tmpname()
    os.remove(fresh)
    do
      local other <close> = assert(database.open(fresh))
      assert(other:execute "CREATE TABLE t (a)")
      for _, name in ipairs { fresh, fresh .. "-wal" } do
        local pipe <close> = assert(io.popen("stat -c %a " .. name))
        assert.equal("600\n", pipe:read "a")
      end
    end
    os.remove(fresh)
  end)

  it("reads only, when told so", function()
    local other <close> = assert(database.open(path, { readonly = true }))
    local _, _, code = other:execute "DELETE FROM t"
    assert.equal("write", code)
  end)

  it("reports failures of the system", function()
    local function code_of(...)
      return (select(3, database.open(...)))
    end
    assert.equal("write", code_of(path .. ".absent/x"))
    assert.equal("write", code_of(path .. ".absent", { readonly = true }))
    local broken = os.tmpname()
    local file = assert(io.open(broken, "wb"))
    file:write(("no database, "):rep(200))
    file:close()
    assert.equal("corrupt", code_of(broken))
    os.remove(broken)
    local put = assert(db:prepare "INSERT INTO t (name) VALUES ('a')")
    assert.equal(1, put:run())
    local done, message, code = put:run()
    assert.same({ nil, "internal" }, { done, code })
    assert.matches("UNIQUE constraint failed: t.name", message)
  end)

  it("raises on mistakes", function()
    local put = assert(db:prepare "INSERT INTO t (name) VALUES (?)")
    assert.error_matches(function() db:execute "SELEC" end, "syntax error")
    assert.error_matches(function() db:prepare "SELECT absent FROM t" end, "no such column")
    assert.error_matches(function() db:prepare "SELECT 1; SELECT 2" end, "one statement")
    assert.error_matches(function() db:prepare " " end, "one statement")
    assert.error_matches(function() put:run() end, "takes 1 values, 0 are given")
    assert.error_matches(function() put:run("a", "b") end, "takes 1 values, 2 are given")
    assert.error_matches(function() put:run {} end, "a value is nil")
    assert.error_matches(function() database.open(path, { timeout = -1 }) end, "timeout")
    put:close()
    put:close()
    assert.error_matches(function() put:run "a" end, "closed statement")
    local get = assert(db:prepare "SELECT 1")
    db:close()
    db:close()
    assert.error_matches(function() get:first() end, "closed database")
    assert.error_matches(function() db:execute "SELECT 1" end, "closed database")
    get:close()
  end)

  it("keeps no file open once it is closed, whatever its statements are", function()
    local function is_open()
      local stat <close> = assert(io.open "/proc/self/stat")
      local pipe <close> = assert(io.popen(("ls -l /proc/%d/fd"):format(stat:read "n")))
      return pipe:read("a"):find(path, 1, true) ~= nil
    end
    local first, second, third = assert(db:prepare "SELECT * FROM t"), assert(db:prepare "SELECT 1"),
      assert(db:prepare "SELECT 2")
    assert(first:all())
    second:close()
    assert.is_true(is_open())
    db:close()
    assert.is_false(is_open())
    first:close()
    third:close()
    db:close()
    collectgarbage()
  end)

  it("leaves no lock behind when it is collected in the middle", function()
    do
      local other = assert(database.open(path))
      assert(other:execute "BEGIN IMMEDIATE")
      assert(other:prepare "SELECT * FROM t"):first()
    end
    collectgarbage()
    collectgarbage()
    assert(db:execute "BEGIN IMMEDIATE; COMMIT")
  end)
end)

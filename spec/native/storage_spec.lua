local storage = require "update.native.storage"

describe("storage", function()
  local path

  before_each(function()
    path = os.tmpname()
    os.remove(path)
  end)
  after_each(function()
    os.remove(path)
    collectgarbage()
  end)

  local function fails(code, fragment, text, message, word)
    assert.is_nil(text)
    assert.equal(code, word)
    assert.matches(fragment, message, 1, true)
  end

  it("returns the values that were bound", function()
    assert.is_true(storage.replace(path, "old"))
    assert.is_true(storage.replace(path, "new\0text"))
    assert.equal("new\0text", storage.read(path))
    assert.is_nil(io.open(path .. ".new"))
  end)

  it("reads a file up to its limit, and nothing of a larger one", function()
    assert.is_true(storage.replace(path, ("x"):rep(64)))
    assert.equal(64, #storage.read(path, 64))
    fails("usage", "larger than 63 bytes", storage.read(path, 63))
    assert.is_true(storage.replace(path, ""))
    assert.equal("", storage.read(path, 1))
  end)

  it("says why there is nothing to read", function()
    fails("missing", path, storage.read(path))
    fails("write", "Is a directory", storage.read("/"))
    fails("write", "/nowhere/at/all", storage.replace("/nowhere/at/all", "text"))
  end)

  it("raises when it is used wrongly", function()
    assert.has_error(function() storage.read(path, 0) end)
    assert.has_error(function() storage.read(path, 2 * 1024 * 1024) end)
    assert.has_error(function() storage.read() end)
    assert.has_error(function() storage.replace(path) end)
  end)

  it("knows the time", function()
    assert.is_true(math.abs(storage.now() - os.time()) <= 1)
    assert.equal("integer", math.type(storage.now()))
  end)
end)

local faulty = require "spec.support.servers.faulty"
local loop = require "update.native.loop"
local source = require "update.native.source"

-- Sources behind a web server, in all their troubles, are in spec/system/http_spec.lua.

describe("source.file", function()
  local path, content

  setup(function()
    path, content = os.tmpname(), faulty.content(200003)
    local f <close> = assert(io.open(path, "wb"))
    assert(f:write(content))
  end)

  teardown(function()
    os.remove(path)
    collectgarbage()
  end)

  it("reads at any offset, up to the end", function()
    local s <close> = assert(source.file(path))
    assert.equal(#content, s:size())
    assert.is_true(s:read(0) == content:sub(1, 65536))
    assert.is_true(s:read(65536, 100000) == content:sub(65537, 165536))
    assert.is_true(s:read(5, 3) == content:sub(6, 8))
    assert.equal(content:sub(-1), s:read(#content - 1))
    assert.is_false(s:read(#content))
    assert.is_false(s:read(1 << 40))
    assert.is_nil(s:answer())
    s:want(0, 10)
  end)

  it("names what is not there", function()
    for _, missing in ipairs { "/nowhere/x.upd", "/tmp" } do
      local s, message, code = source.file(missing)
      assert.is_nil(s)
      assert.equal("missing", code)
      assert.matches("^" .. missing .. ": ", message)
    end
  end)

  it("raises on nonsense, and when closed", function()
    local s = assert(source.file(path))
    assert.error_matches(function() s:read(-1) end, "negative")
    assert.error_matches(function() s:read(0, 0) end, "between 1 byte")
    assert.error_matches(function() s:read(0, 1 << 30) end, "between 1 byte")
    s:close()
    s:close()
    assert.error_matches(function() s:read(0) end, "closed")
    assert.error_matches(function() source.file() end, "string expected")
  end)
end)

describe("source.http", function()
  it("refuses an address that is not http or https, and raises on wrong options", function()
    local l <close> = assert(loop.new())
    local s, message, code = source.http(l, "file:///etc/passwd")
    assert.is_nil(s)
    assert.equal("usage", code)
    assert.matches("not an http or https URL", message)
    local _
    s, _, code = source.http(l, "http://127.0.0.1/", { method = "a b" })
    assert.is_nil(s)
    assert.equal("usage", code)
    assert.error_matches(function() source.http(l, "http://127.0.0.1/", { proxy = {} }) end, "proxy")
    assert.error_matches(function() source.http("loop", "http://127.0.0.1/") end, "update.native.loop")
  end)

  it("knows nothing before its first answer, and can be left to the collector", function()
    local l = assert(loop.new())
    local s = assert(source.http(l, "http://127.0.0.1:1/x"))
    assert.is_nil(s:size())
    assert.equal(0, s:received())
    assert.is_nil(s:answer())
    s:read(0)
    l:close()
    s, l = nil, nil -- luacheck: ignore 311
    collectgarbage()
    collectgarbage()
  end)
end)

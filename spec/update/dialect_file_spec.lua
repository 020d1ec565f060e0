local dialect_file = require "update.config.dialect_file"
local registry = require "update.cloud.registry"

describe("update.config.dialect_file", function()
  local path

  local function add(text)
    path = os.tmpname()
    local file = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
    return dialect_file.add(path)
  end

  after_each(function()
    if path then os.remove(path) end
    path = nil
  end)

  local SHELF = [[
    local luat = require "update.cloud.luat"
    luat.name = "changed" -- a copy
    string.rep = nil      -- as well
    return { name = "shelf", over = "http", request = luat.request, decode = luat.decode,
      recognises = function(answer) return #(("x"):rep(3)) == 3 and answer.status == 204 end }]]

  it("adds what the file returns, and lets it change nothing for the rest", function()
    assert.is_true(add(SHELF))
    assert.is_true(registry.of("shelf").recognises { status = 204 })
    assert.equal("luat", require("update.cloud.luat").name)
    assert.is_function(string.rep)
  end)

  local refused = {
    { "a mistake in the text", "return {", "expected" },
    { "bytecode", string.dump(function() end), "binary chunk" },
    { "what is no dialect", "return 7", "a dialect must be a table" },
    { "nothing", "", "a dialect must be a table" },
    { "a built-in name", "return require 'update.cloud.luat'", "dialect luat is built in" },
    { "the system", "os.exit(0)", "os" },
    { "files", "io.open('/etc/passwd')", "io" },
    { "other modules", "require 'update.native.storage'", 'a dialect cannot require "update.native.storage"' },
    { "what strings lead to", "getmetatable('').__index = nil", "nil" },
    { "an endless loop", "while true do end", "takes too long" },
    { "UTF-16", "\xff\xfer\0", "is UTF-16 text" },
  }
  for _, case in ipairs(refused) do
    it("refuses " .. case[1] .. " and names the file", function()
      local ok, message, code = add(case[2])
      assert.same({ nil, "usage" }, { ok, code })
      assert.matches(case[3], message, 1, true)
      assert.matches(path, message, 1, true)
    end)
  end

  it("refuses a file that is not there", function()
    local ok, message, code = dialect_file.add "/nowhere/shelf.lua"
    assert.same({ nil, "usage" }, { ok, code })
    assert.matches("/nowhere/shelf.lua", message, 1, true)
  end)
end)

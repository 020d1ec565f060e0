-- module(...) of Lua 5.1, for Luat's older files.

local luat_module = require "update.script.luat_module"

describe("module", function()
  local module = luat_module.module

  -- A file, as require loads it.
  local function load_file(text, ...)
    return assert(load(text, "=file", "t", setmetatable({ module = module, seeall = luat_module.seeall },
      { __index = _G })))(...)
  end

  after_each(function() package.loaded["luat_module.sample"], _G.luat_module = nil, nil end)

  it("makes what a file defines the fields of a table, and lets it see the globals", function()
    load_file("module(..., seeall) count = #tostring(7)", "luat_module.sample")
    assert.equal(1, package.loaded["luat_module.sample"].count)
    assert.equal(package.loaded["luat_module.sample"], _G.luat_module.sample)
  end)

  it("says in main.lua that there is no name", function()
    assert.error_matches(function() load_file "module(..., seeall)" end, "^module: a name is needed")
  end)
end)

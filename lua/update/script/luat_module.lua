--- `module(...)` and `package.seeall` of Lua 5.1, with which Luat's older files begin.
--
-- @module update.script.luat_module

local M = {}

-- The table at a.b.c of the globals, made if it is missing.
local function find(globals, name)
  local at = globals
  for word in name:gmatch "[^.]+" do
    if type(rawget(at, word)) ~= "table" then at[word] = {} end
    at = at[word]
  end
  return at
end

-- From now on the global names of this function are fields of the table.
local function enclose(fn, module)
  local i = 1
  while true do
    local name = debug.getupvalue(fn, i)
    if not name then return end
    if name == "_ENV" then return debug.upvaluejoin(fn, i, function() return module end, 1) end
    i = i + 1
  end
end

--- Let a module see the globals.
function M.seeall(module)
  setmetatable(module, { __index = _G })
end

--- Turn the file that calls this into a module, whose globals are the module's fields.
-- @tparam string name
-- @param ... functions that are called with the module: package.seeall
function M.module(name, ...)
  if type(name) ~= "string" then
    error("module: a name is needed; `...` gives one only in a file that is loaded by require, not in main.lua", 2)
  end
  local known = package.loaded[name]
  local module = type(known) == "table" and known or find(_G, name)
  package.loaded[name] = module
  module._M, module._NAME = module, name
  for _, prepare in ipairs { ... } do prepare(module) end
  enclose(debug.getinfo(2, "f").func, module)
end

return M

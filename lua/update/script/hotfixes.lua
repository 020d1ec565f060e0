--- What a running script does with a hotfix.
--
-- Its modules lead package.path, or no longer do, and the handlers are asked.
--
-- @module update.script.hotfixes

local M = {}

local traceback, pcall, xpcall = debug.traceback, pcall, xpcall

-- The templates of a hotfix's folder.
local function templates(dir)
  return ("%s/lua/?.lua;%s/lua/?/init.lua;"):format(dir, dir)
end

local function leave(dir)
  local from, to = package.path:find(templates(dir), 1, true)
  if from then package.path = package.path:sub(1, from - 1) .. package.path:sub(to + 1) end
end

--- Hand a hotfix to the handlers.
-- @tparam table event id, name, version, action, dir, path (of the bytes of a bare .bin), below (folder of the
--   lower version that is back; nil: none)
-- @tparam {function,...} handlers
-- @tparam function log function(line)
-- @treturn boolean whether one of them took it
function M.take(event, handlers, log)
  leave(event.dir)
  if event.below then leave(event.below) end
  local dir = event.action == "apply" and event.dir or event.below
  if dir then package.path = templates(dir) .. package.path end
  local taken = false
  for _, fn in ipairs(handlers) do
    local ok, result = xpcall(fn, traceback, { name = event.name, version = event.version, action = event.action,
      dir = event.dir, path = event.path })
    if not ok then log(("update.on hotfix: %s"):format(tostring(result))) end
    taken = taken or ok and result == true
  end
  return taken
end

--- See update.reload.
function M.reload(name)
  local old = package.loaded[name]
  package.loaded[name] = nil
  local ok, result = pcall(require, name)
  if ok then return result end
  package.loaded[name] = old
  return nil, tostring(result), "internal"
end

return M

--- `moult depot add DIR FILE`: put a package into the folder, its list of devices first.
--
-- Durable order: the list, then the package. Each is written under a temporary
-- name and renamed when it is complete. So no device gets a package that its
-- list excludes it from, and a depot never sees half a package. A package that
-- never had a list gets one that says "every device", so that a running depot
-- does not hold it back in case a list follows.
--
-- @module depot.actions.add

local catalog = require "depot.catalog"
local device_list = require "depot.device_list"
local files = require "depot.files"
local into_folder = require "depot.into_folder"
local limited = require "depot.limited"

local M = {}

local function write_star(path)
  local file <close>, why = io.open(path, "wb")
  if not file then return nil, why end
  file:write "*\n"
  return file:close()
end

-- Write the list, and say in words whom the package is for.
local function put_list(context, name)
  local dir, from = context.dir, context.opts.devices
  local limits, message, code = limited.read(context.natives, dir)
  if not limits then return nil, message, code end
  local has_list = files.exists(("%s/%s.devices"):format(dir, name))
  if not from and (has_list or limits[name]) then return has_list and "the devices on its list" or "nobody" end
  local devices, count = false, 0
  if from then devices, count = device_list.read(from) end
  if devices == nil then return nil, ("--devices %s: %s"):format(from, count), "usage" end
  local ok
  ok, message, code = into_folder.put(dir, name .. ".devices", function(path)
    if from then return into_folder.copy(from, path) end
    return write_star(path)
  end)
  if not ok then return nil, message, code end
  return devices and ("%d listed device%s"):format(count, count == 1 and "" or "s") or "every device"
end

--- @tparam table context dir, name (path of the package, or the name of one that is in dir), opts, env, natives
-- @treturn integer|nil 0; nil, message, code
function M.run(context)
  local path, name = context.name, context.name and context.name:match "[^/]+$"
  if not name or not catalog.is_package(name) then
    return nil, "usage: moult depot add DIR FILE.upd [--devices LIST] (or FILE.tar)", "usage"
  end
  local inside = ("%s/%s"):format(context.dir, name)
  local there = not files.exists(path) and files.exists(inside)
  local ok, message, code = into_folder.manifest(context, there and inside or path)
  if not ok then return nil, message, code end
  local whom
  whom, message, code = put_list(context, name)
  if not whom then return nil, message, code end
  if not there then
    ok, message, code = into_folder.put(context.dir, name, function(to) return into_folder.copy(path, to) end)
    if not ok then return nil, message, code end
  end
  context.env.out(("%s: for %s"):format(name, whom))
  return 0
end

return M

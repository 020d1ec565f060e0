--- A folder of a spec, and its files.
--
--     local folder = require("spec.support.folder").new()
--     setup(function() folder.make("app", "packages/keys") end)
--     teardown(folder.remove)
--     folder.write("app/main.lua", text)
--
-- @module spec.support.folder

local M = {}

--- @treturn table make(folders in it, ...), use(dir, folders in it, ...), remove(), path(name),
--   write(name, text) -> path, read(name) -> text or nil, exists(name)
function M.new()
  local folder = {}

  --- @treturn string its path, also in folder.dir
  function folder.make(...)
    local name = os.tmpname()
    os.remove(name)
    return folder.use(name, ...)
  end

  --- The same with a path that is given.
  function folder.use(dir, ...)
    folder.dir = dir
    for _, name in ipairs { "", ... } do assert(os.execute(("mkdir -p '%s/%s'"):format(dir, name))) end
    return dir
  end

  function folder.remove()
    assert(os.execute(("rm -rf '%s'"):format(folder.dir)))
    collectgarbage()
  end

  function folder.path(name)
    return folder.dir .. "/" .. name
  end

  function folder.write(name, text)
    local file <close> = assert(io.open(folder.path(name), "wb"))
    assert(file:write(text))
    return folder.path(name)
  end

  function folder.read(name)
    local file <close> = io.open(folder.path(name), "rb")
    return file and file:read "a"
  end

  function folder.exists(name)
    local file <close> = io.open(folder.path(name))
    return file ~= nil
  end

  return folder
end

return M

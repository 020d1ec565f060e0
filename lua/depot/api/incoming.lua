--- The bytes of uploads: FOLDER/.incoming/ID, until a package is whole and trusted.
--
-- Durable order: all bytes, the check of every block by a child, their sync, then the name in the folder. So nobody is
-- offered half a package, nor one that no key verifies.
--
-- @module depot.api.incoming

local releases = require "depot.acts.releases"
local trusted = require "depot.trusted"

local M = {}

local FREE, SHARE = 1 << 30, 10 -- bytes and percent that have to stay free

local Incoming = {}
Incoming.__index = Incoming

--- @tparam table natives update.natives
-- @tparam string dir
-- @tparam[opt] string keys as depot.catalog takes it
function M.new(natives, dir, keys)
  return setmetatable({ natives = natives, dir = dir, keys = keys, folder = dir .. "/.incoming", running = 0 },
    Incoming)
end

--- Where the bytes of an upload are.
function Incoming:path(id) return ("%s/%s"):format(self.folder, id) end

--- Bytes that are there already.
function Incoming:size(id)
  local file <close> = io.open(self:path(id), "rb")
  return file and file:seek "end" or 0
end

--- Whether there is room for `size` more bytes.
-- @treturn true|nil nil, message, "nospace"
function Incoming:check_room(size)
  local total, free, code = self.natives.folder.space(self.dir)
  if not total then return nil, free, code end
  if total == 0 then return true end -- a file system that does not tell
  local rest = math.max(math.min(FREE, total // 2), total * SHARE // 100)
  if free - size >= rest then return true end
  return nil, ("%d bytes are more than the disk has to spare: %d are free, %d have to stay so"):format(size, free,
    rest), "nospace"
end

--- Make the folder of uploads, or another one; call it in a coroutine.
-- @treturn true|nil nil, message, code
function Incoming:prepare(folder)
  folder = folder or self.folder
  if self:run('mkdir -p -m 0700 "$1"', folder) == 0 then return true end
  return nil, folder .. " cannot be made", "write"
end

-- The keys that packages of the folder are checked with.
function Incoming:_keys()
  local files = {}
  for _, found in ipairs(self.natives.folder.list(self.dir) or {}) do files[found.name] = found end
  return (trusted.keys(self.natives, self.dir, self.keys, files))
end

-- The beginning of a file.
local function said(path)
  local file <close> = io.open(path, "rb")
  return file and file:read(1000) or ""
end

--- The public keys that packages of the folder are checked with.
-- @treturn {table,...} name (of its file), text (base64)
function Incoming:public_keys()
  local path, list, names = self:_keys(), {}, {}
  if path:find "%.pub$" then names[1], path = path:match "[^/]+$", path:match "^(.*)/" or "." end
  for _, found in ipairs(#names == 0 and self.natives.folder.list(path) or {}) do
    if found.name:find "%.pub$" then names[#names + 1] = found.name end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local text = (said(("%s/%s"):format(path, name))):match "\n([%w+/=]+)"
    if text then list[#list + 1] = { name = name, text = text } end
  end
  return list
end

--- Run a shell script in a child at low priority, and wait for it; call it in a coroutine.
-- @tparam string script
-- @tparam string ... its arguments, from $1 on
-- @treturn integer|nil how it ended, 0: well; nil, message, code: it did not begin
function Incoming:run(script, ...)
  local child, message, code = self.natives.command.start { "nice", "-n", "10", "sh", "-c", script, "sh", ... }
  if not child then return nil, message, code end
  local status
  self.running = self.running + 1
  repeat
    coroutine.yield(function()
      status = child:poll()
      return status ~= nil
    end)
  until status
  self.running = self.running - 1
  child:close()
  return status
end

--- Check every byte of an upload; call it in a coroutine.
-- @treturn true|nil nil, message, code
function Incoming:check(id)
  local path = self:path(id)
  local result = path .. ".result"
  local program = require("update.native.host").program
  local status, message, code = self:run('"$1" verify "$2" -k "$3" --progress none >"$4" 2>&1 && sync "$2"', program,
    path, self:_keys(), result)
  if not status then return nil, message, code end
  local text = said(result):gsub("%s+$", "")
  os.remove(result)
  if status == 0 then return true end
  local why, word = text:match "^moult verify: (.*) %((%l+)%)"
  why = (why or text):gsub(self.folder:gsub("%p", "%%%0") .. "/%x+", "the package")
  return nil, why ~= "" and why or "the package could not be checked", word or "untrusted"
end

--- The manifest of an upload that was checked.
function Incoming:manifest(id) return trusted.manifest(self.natives, self:path(id), self:_keys()) end

--- The name that a package gets in the folder: nothing of it is the client's.
function M.name(manifest)
  local function safe(text) return (text:gsub("[^A-Za-z0-9._-]", "_"):gsub("^[.]+", "_")) end
  local source = releases.source_core(manifest)
  local core = source and "-from-" .. source or ""
  return ("%s_%s%s_%s.upd"):format(safe(manifest.project), safe(manifest.release), safe(core),
    manifest.digest:sub(1, 8))
end

--- The file of the folder that has this manifest already, as when two send it at once; nil: there is none.
function Incoming:taken(manifest)
  local name = M.name(manifest)
  local found = trusted.manifest(self.natives, ("%s/%s"):format(self.dir, name), self:_keys())
  return found and found.digest == manifest.digest and name or nil
end

--- Give an upload its name in the folder.
-- @treturn string|nil the name; nil, message, code
function Incoming:take(id, manifest)
  local name = M.name(manifest)
  local ok, why = os.rename(self:path(id), ("%s/%s"):format(self.dir, name))
  if not ok then return nil, why, "write" end
  return name
end

--- Remove the bytes of an upload; call it in a coroutine. To free gigabytes takes seconds, so a child does it.
-- @treturn true|nil nil, message, code
function Incoming:drop(id) return self:remove(self:path(id)) end

--- Remove a file; call it in a coroutine.
-- @treturn true|nil nil, message, code
function Incoming:remove(path)
  local status, message, code = self:run('rm -f -- "$1"', path)
  if not status then return nil, message, code end
  if status == 0 then return true end
  return nil, path .. " cannot be removed", "write"
end

return M

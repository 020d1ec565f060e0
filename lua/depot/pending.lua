--- Packages that are being made: devices that would get one are asked to wait.
--
-- While `moult depot pack` works it keeps a file `.packing` in the folder. The
-- file lists the packages that are still to come, and the process that makes
-- them. While that process lives, a depot answers devices that would get one
-- of these packages with Luat's code 43. If the packer was killed, the file is
-- ignored and no device waits. Both have to run on one machine.
--
-- @module depot.pending

local M = {}

local NAME = "/.packing"
local SIZE = 1 << 20

local function read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read(SIZE)
  file:close()
  return text
end

-- A process is identified by its number and its start time, because numbers are used again.
local function started(pid)
  local text = read(("/proc/%s/stat"):format(pid))
  local rest = text and text:match("^.*%) (.*)$")
  if not rest then return nil end
  local fields = {}
  for field in rest:gmatch("%S+") do fields[#fields + 1] = field end
  return text:match("^%d+"), fields[20]
end

local function is_entry(entry)
  local m = type(entry) == "table" and entry.manifest
  return type(m) == "table" and math.type(m.sequence) == "integer" and type(m.project) == "string"
    and type(m.product_key) == "string" and type(m.release) == "string" and type(m.parts) == "table"
end

--- The packages that are being made in a folder.
-- @tparam table natives json
-- @tparam string dir
-- @treturn {table,...} {name, manifest (as much as depot.luat needs), pending = true}; empty if none is being made
function M.read(natives, dir)
  local text = read(dir .. NAME)
  local said = text and natives.json.decode(text)
  if type(said) ~= "table" or type(said.packages) ~= "table" then return {} end
  local pid, start = started(tostring(said.pid):match("^%d+$") or "none")
  if not pid or start ~= said.start then return {} end
  local list = {}
  for _, entry in ipairs(said.packages) do
    if is_entry(entry) then
      entry.pending = true
      list[#list + 1] = entry
    end
  end
  return list
end

--- Write which packages this process will still make. An empty list removes the file.
-- @tparam table natives json
-- @tparam string dir
-- @tparam {table,...} list {name, manifest}
-- @treturn true|nil nil, message, code
function M.write(natives, dir, list)
  if #list == 0 then
    os.remove(dir .. NAME)
    return true
  end
  local pid, start = started("self")
  local path = dir .. NAME .. ".new"
  local file, message = io.open(path, "wb")
  if not file then return nil, message, "write" end
  local ok
  ok, message = file:write(natives.json.encode { pid = pid, start = start, packages = natives.json.array(list) })
  file:close()
  if ok then ok, message = os.rename(path, dir .. NAME) end
  if not ok then return nil, message, "write" end
  return true
end

return M

--- Who runs a command on this machine, as records name him: "local:USER".
--
-- @module depot.actor

local files = require "depot.files"

local M = {}

local name

local function text_of(path) return files.read(path) or "" end

--- @treturn string
function M.name()
  if name then return name end
  local id = text_of("/proc/self/status"):match "\nUid:%s*(%d+)"
  for line in text_of("/etc/passwd"):gmatch "[^\n]+" do
    local user, number = line:match "^([^:]+):[^:]*:(%d+):"
    if id and number == id then name = "local:" .. user end
  end
  name = name or "local:" .. (id or "unknown")
  return name
end

return M

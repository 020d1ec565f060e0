--- The list of packages at `/`.
--
-- Pure.
--
-- @module depot.listing

local choice = require "depot.choice"

local M = {}

local function line_of(entry)
  if not entry.manifest then
    return ("%s\t%d bytes\tskipped: %s"):format(entry.name, entry.size, entry.reason)
  end
  local m = entry.manifest
  local parts = { ("%s %s"):format(m.project, m.release), ("sequence %d"):format(m.sequence) }
  if m.script_version then
    parts[#parts + 1] = "script " .. m.script_version
  end
  if m.core_name then
    parts[#parts + 1] = ("core %s %d"):format(m.core_name, m.core_version)
  end
  if m.files_version then
    parts[#parts + 1] = "files " .. m.files_version
  end
  for _, part in ipairs(m.parts) do
    if part.delta then
      parts[#parts + 1] = ("delta against core %d"):format(part.source_version)
    end
  end
  if not choice.is_offered(entry) then parts[#parts + 1] = "not offered" end
  if entry.devices then
    parts[#parts + 1] = "listed devices only"
  end
  return ("%s\t%d bytes\t%s"):format(entry.name, entry.size, table.concat(parts, ", "))
end

--- A line for each package.
-- @tparam {table,...} entries of the catalog
-- @treturn string
function M.text(entries)
  local lines = {}
  for i, entry in ipairs(entries) do
    lines[i] = line_of(entry):gsub("[%c\127]", function(c) return c == "\t" and c or "?" end) .. "\n"
  end
  return #lines > 0 and table.concat(lines) or "no packages\n"
end

return M

--- NAME.upd.devices: the devices that a package is for.
--
-- @module depot.device_list

local M = {}

-- Bytes of a file, at most: 16 characters for each of four million.
local SIZE = 64 * 1024 * 1024

-- Spaces and marks that text copied from web pages and word processors brings along.
local UNSEEN = {
  utf8.char(0xA0), utf8.char(0xAD), "\226\128[\128-\143\168-\175]", "\226\129[\159-\175]", utf8.char(0x3000),
  utf8.char(0xFEFF),
}

local function holds_unseen(id)
  for _, pattern in ipairs(UNSEEN) do
    if id:find(pattern) then return true end
  end
  return false
end

-- Why a line is not an id. A guess could give the package to devices that were not meant.
local function fault_of(id)
  if id:find "[%z\1-\31\127]" then return "a control character (is the file UTF-16?)" end
  if id:find "[,;]" then return "several columns; write one id on each line" end
  if id:find '"' or id:find "^'" then return "a quote that does not enclose the id" end
  if id:find "^%d[%d.]*[eE]%+?%d+$" then return "a number that a spreadsheet shortened; format its cells as text" end
  if not utf8.len(id) then return "not UTF-8; save the list as UTF-8" end
  if holds_unseen(id) then return "an invisible space or mark; type the id again" end
end

--- The ids in a list: one on each line; "#" begins a comment. A byte order mark, line ends of any kind and quotes
-- around an id are accepted, because spreadsheets and editors add them.
-- @tparam string text
-- @treturn table|false {id = true}; false: a line says "*", every device
-- @treturn integer how many; or nil, message naming the line
function M.parse(text)
  local devices, count, number, everybody = {}, 0, 0, false
  text = text:gsub("^\239\187\191", ""):gsub("\r\n", "\n"):gsub("\r", "\n")
  for line in (text .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    local id = line:gsub("#.*", ""):match("^%s*(.-)%s*$")
    id = id:match('^"([^"]*)"$') or id
    local fault = fault_of(id)
    if fault then return nil, ("line %d: %s"):format(number, fault) end
    everybody = everybody or id == "*"
    if id ~= "" and not devices[id] then
      devices[id], count = true, count + 1
    end
  end
  if everybody then return false, 0 end
  return devices, count
end

--- The ids in the list at path.
-- @treturn table|false, integer as parse() gives them; or nil, message
function M.read(path)
  local file, message = io.open(path, "rb")
  if not file then return nil, message end
  local text
  text, message = file:read(SIZE)
  file:close()
  if not text and message then return nil, message end
  return M.parse(text or "")
end

--- The names that options list one by one and in a file, in which "*" is none.
-- @tparam table opts device (array), devices (path)
-- @treturn {string,...}|nil sorted; nil, message, "usage"
function M.names(opts)
  local list = table.move(opts.device or {}, 1, #(opts.device or {}), 1, {})
  if opts.devices then
    local listed, message = M.read(opts.devices)
    if not listed then
      return nil, ("%s: %s"):format(opts.devices, listed == false and '"*" is no name' or message), "usage"
    end
    for name in pairs(listed) do list[#list + 1] = name end
  end
  table.sort(list)
  return list
end

return M

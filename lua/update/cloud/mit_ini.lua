--- mit.ini of the terminal's update module: read, changed, and otherwise left as it is.
--
-- Pure. Unknown sections, keys and lines stay, and so do the line ends. Sections
-- and keys are found in any case of letters, as Windows' own functions do.
--
-- @module update.cloud.mit_ini

local M = {}

local LONGEST = 65536 -- bytes of a file

--- @tparam string text
-- @treturn table|nil document | nil, message, "usage"
function M.parse(text)
  if #text > LONGEST then return nil, ("mit.ini: more than %d bytes"):format(LONGEST), "usage" end
  if text:find "\0" then return nil, "mit.ini: a NUL byte in it", "usage" end
  local lines, section = {}, ""
  for body, stop in (text:gsub("([^\n])$", "%1\n\1")):gmatch "([^\n]*)(\n\1?)" do
    local ended = stop == "\n"
    local line = { text = ended and body:gsub("\r$", "") or body,
      stop = ended and (body:match "\r$" or "") .. "\n" or "" }
    local head = line.text:match "^[\xef\xbb\xbf]*%s*%[([^%]]*)%]"
    if head then section = head:lower() end
    line.section = section
    line.key, line.value = line.text:match "^%s*([^=;%[%]]-)%s*=%s*(.-)%s*$"
    if line.key then line.key = line.key:lower() end
    lines[#lines + 1] = line
  end
  return lines
end

--- @treturn string the value, "" when there is none
function M.get(document, section, key)
  for _, line in ipairs(document) do
    if line.section == section:lower() and line.key == key:lower() then return line.value end
  end
  return ""
end

local function text_of(document)
  local parts = {}
  for i, line in ipairs(document) do parts[i] = line.text .. line.stop end
  return table.concat(parts)
end

-- Where a new line of a section goes: behind its last one that is not empty.
local function place_in(document, section)
  local place
  for i, line in ipairs(document) do
    if line.section == section:lower() and line.text:find "%S" then place = i end
  end
  return place
end

local function put(document, section, key, value)
  for _, line in ipairs(document) do
    if line.section == section:lower() and line.key == key:lower() then
      if line.value ~= value then line.text = line.text:match "^[^=]*=" .. value end
      line.value = value
      return
    end
  end
  local stop = document[1] and document[1].stop ~= "" and document[1].stop or "\r\n"
  local place = place_in(document, section)
  if not place then
    if document[1] and document[#document].stop == "" then document[#document].stop = stop end
    document[#document + 1] = { text = "[" .. section .. "]", stop = stop, section = section:lower() }
    place = #document
  end
  if document[place].stop == "" then document[place].stop = stop end
  table.insert(document, place + 1, { text = key .. "=" .. value, stop = stop, section = section:lower(),
    key = key:lower(), value = value })
end

--- The text with some values changed.
-- @tparam table document of parse(); changed
-- @tparam string section
-- @tparam table values {key = value}
-- @treturn string
function M.change(document, section, values)
  local keys = {}
  for key in pairs(values) do keys[#keys + 1] = key end
  table.sort(keys)
  for _, key in ipairs(keys) do put(document, section, key, values[key]) end
  return text_of(document)
end

return M

--- What a browser sends as a form with a file (RFC 7578).
--
-- Pure. The file is the last field of our forms, so its bytes are what stands between the head and the closing
-- boundary, and need not be searched.
--
-- @module depot.console.multipart

local M = {}

local FIELDS = 200 -- at most

--- The boundary that a Content-Type names.
-- @treturn string|nil nil: it is no form with files
function M.boundary(content_type)
  local rest = (content_type or ""):match "^multipart/form%-data%s*;(.*)$"
  local boundary = rest and (rest:match 'boundary="([^"]+)"' or rest:match "boundary=([^%s;]+)")
  return boundary and #boundary <= 70 and boundary or nil
end

--- What ends the form.
function M.tail(boundary) return ("\r\n--%s--\r\n"):format(boundary) end

-- Name and file name of a part, from its head.
local function names_of(head)
  for line in (head .. "\r\n"):gmatch "([^\r\n]*)\r\n" do
    local value = line:match "^[Cc][Oo][Nn][Tt][Ee][Nn][Tt]%-[Dd][Ii][Ss][Pp][Oo][Ss][Ii][Tt][Ii][Oo][Nn]:%s*(.*)$"
    if value then return value:match ';%s*name="([^"]*)"', value:match ';%s*filename="([^"]*)"' end
  end
end

--- Read the fields up to the file.
-- @tparam string bytes how the form begins, with all before the file
-- @tparam string boundary
-- @treturn table|nil {[name] = text}; nil, message: that is no form
-- @treturn table|nil the file: field, name, and `from`, the place in the form of its first byte (1 is the first)
function M.head(bytes, boundary)
  local mark, fields = "--" .. boundary, {}
  local at = bytes:sub(1, #mark + 2) == mark .. "\r\n" and #mark + 3
  for _ = 1, at and FIELDS or 0 do
    local stop, start = bytes:find("\r\n\r\n", at, true)
    if not stop then return nil, "the form is cut off" end
    local name, file = names_of(bytes:sub(at, stop - 1))
    if not name then return nil, "a part of the form has no name" end
    if file then return fields, { field = name, name = file, from = start + 1 } end
    local last, after = bytes:find("\r\n" .. mark, start + 1, true)
    if not last then return nil, "the form is cut off" end
    fields[name] = bytes:sub(start + 1, last - 1)
    if bytes:sub(after + 1, after + 2) == "--" then return fields end
    at = after + 3
  end
  return nil, at and "the form has too many fields" or "that is no form"
end

--- Read a whole form; what a file has is added to the field of its name.
-- @treturn table|nil {[name] = text}; nil, message
function M.read(bytes, boundary)
  local fields, file = M.head(bytes, boundary)
  if not fields then return nil, file end
  local tail = M.tail(boundary)
  if file and bytes:sub(-#tail) ~= tail then return nil, "the form is cut off" end
  if file then
    local given, more = fields[file.field] or "", bytes:sub(file.from, -#tail - 1)
    fields[file.field] = given .. (given ~= "" and more ~= "" and "\n" or "") .. more
  end
  return fields
end

return M

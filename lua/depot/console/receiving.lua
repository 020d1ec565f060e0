--- A package that comes as a browser's form: for whoever has no script.
--
-- The whole form goes into a file of the folder of uploads; then its file becomes an upload as the API has it, which is
-- checked and taken in by the same route.
--
-- @module depot.console.receiving

local multipart = require "depot.console.multipart"
local random = require "depot.random"

local M = {}

M.PATH = "/api/v1/uploads/form" -- below the path whose bodies the server hands out before they have come

local HEAD = 65536  -- bytes, before the file
local AT_ONCE = 2   -- forms that come

-- Fields and file of a form that has come.
local function read(path, boundary)
  local file <close>, why = io.open(path, "rb")
  if not file then return nil, why end
  local fields, found = multipart.head(file:read(HEAD) or "", boundary)
  if not fields then return nil, found end
  local tail = multipart.tail(boundary)
  local size = file:seek "end" - #tail - (found and found.from - 1 or 0)
  if not found or size <= 0 then return nil, "choose a file" end
  file:seek("end", -#tail)
  if file:read "a" ~= tail then return nil, "the form is cut off" end
  found.size = size
  return fields, found
end

-- The file of a form to where the bytes of an upload are, by a child.
local function cut(incoming, from, file, id)
  local status, message, code = incoming:run('tail -c "+$2" "$1" | head -c "$3" >"$4"', from, tostring(file.from),
    tostring(file.size), incoming:path(id))
  if not status then return nil, message, code end
  if status == 0 then return true end
  return nil, "the package could not be written", "write"
end

-- Take the form in `path` to where the API would have the bytes, and let it go on from there.
local function hand_over(console, ask, tag, path, boundary)
  local fields, file = read(path, boundary)
  if not fields then return nil, file, "usage" end
  local headers = { ["x-csrf-token"] = fields.csrf }
  -- A browser without script sends all of it, also where an upload was to go on.
  if (fields.upload or ""):find "^%x+$" then
    local dropped, why, word = ask("DELETE", "/uploads/" .. fields.upload, nil, headers)
    if not dropped and word ~= "missing" then return nil, why, word, fields end
  end
  local upload, message, code = ask("POST", "/uploads", { name = file.name ~= "" and file.name or "package",
    size = file.size, product = fields.product }, headers)
  if not upload then return nil, message, code, fields end
  local ok
  ok, message, code = cut(console.answers.incoming, path, file, upload.id)
  console.answers.incoming:remove(path)
  if not ok then
    ask("DELETE", "/uploads/" .. upload.id, nil, headers) -- nobody could go on with it
    return nil, message, code, fields
  end
  headers["upload-offset"] = tostring(file.size)
  local done
  done, message, code = ask("PUT", "/uploads/" .. upload.id, nil, headers)
  if done and done.hotfix and (fields.about or "") ~= "" then
    local _, etag = tag("/hotfixes/" .. done.hotfix)
    ok, message, code = ask("PATCH", "/hotfixes/" .. done.hotfix, { about = fields.about },
      { ["x-csrf-token"] = fields.csrf, ["if-match"] = etag })
    if not ok then return nil, message, code, fields end
  end
  return done, message, code, fields
end

--- Receive a form with a package; call it in a coroutine.
-- @tparam table console depot.console
-- @tparam table request
-- @tparam function ask function(method, path, body, headers), as depot.console asks a route
-- @tparam function tag function(path) -> object, ETag
-- @treturn table|nil the upload; nil, message, code
-- @treturn table as the fourth: the fields of the form
function M.take(console, request, ask, tag)
  local answers, boundary = console.answers, multipart.boundary(request.headers["content-type"])
  if not boundary then return nil, "expected a form with a file", "usage" end
  if (console.arriving or 0) >= AT_ONCE then return nil, "other packages are coming; try again", "busy" end
  local incoming = answers.incoming
  local ok, message, code = incoming:prepare()
  -- The form, and the package that is cut out of it.
  if ok then ok, message, code = incoming:check_room(2 * (request.expected or 0)) end
  if not ok then return nil, message, code end
  local path = incoming:path("form-" .. random.hex():sub(1, 32))
  console.arriving = (console.arriving or 0) + 1
  ok, message, code = answers.receive({ request = request }, path, 0)
  console.arriving = console.arriving - 1
  local done, fields
  if ok then done, message, code, fields = hand_over(console, ask, tag, path, boundary) end
  incoming:remove(path)
  return done, message, code, fields
end

return M

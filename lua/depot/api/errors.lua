--- How failures are said over HTTP: {"error":{"code","message","field","hint","request"}}.
--
-- Pure.
--
-- @module depot.api.errors

local M = {}

--- HTTP's number for each code word.
M.STATUS = {
  usage = 400, login = 401, forbidden = 403, missing = 404, method = 405, conflict = 409, changed = 412, large = 413,
  host = 421, untrusted = 422, incompatible = 422, refused = 422, nothing = 422, corrupt = 422, precondition = 428,
  limited = 429, internal = 500, write = 500, busy = 503, nospace = 507,
}

--- What to do about it, where the message does not say.
M.HINTS = {
  login = "log in, or send Authorization: Bearer TOKEN",
  precondition = "send If-Match with the ETag of the object as you have seen it",
  changed = "read the object again, and repeat the change if it still makes sense",
  busy = "try again later",
}

--- @tparam string code
-- @tparam string message
-- @tparam[opt] string field the argument that is wrong
-- @tparam string request its number, which the log has, too
-- @treturn integer, table the status and the object for JSON
function M.of(code, message, field, request)
  local known = M.STATUS[code] and code or "internal"
  return M.STATUS[known], { error = { code = known, message = message, field = field, hint = M.HINTS[known],
    request = request } }
end

return M

--- What part of a file a request is for. Pure.
--
-- @module depot.ranges

local M = {}

--- Whether a request reads, and changes nothing.
function M.is_read(request) return request.method == "GET" or request.method == "HEAD" end

--- Whether a download begins. A device that continues one was offered the package before. The server sends everything
-- if there are several ranges, or if the file is no longer the one that the device has a part of.
-- @tparam table request method, headers
-- @tparam table entry of the catalog
function M.begin(request, entry)
  if request.method ~= "GET" then return false end
  local from, has = (request.headers.range or ""):match "^bytes=(%d+)%-%d*%s*$", request.headers["if-range"]
  return not from or from:find "^0+$" ~= nil or has ~= nil and has ~= entry.tag
end

--- Whether a download goes on to the end of the file.
function M.reach_end(request)
  local range = request.headers.range
  return request.method == "GET" and (not range or range:find "^bytes=%d+%-%s*$" ~= nil)
end

return M

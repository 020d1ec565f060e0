--- Links that expire, signed with the depot's secret.
--
-- Pure. A link is `/NAME?Expires=SECONDS[&For=WHO]&Signature=HEX`. The signature is the HMAC-SHA256 of the lines
-- "NAME", "SECONDS" and, if the link belongs to a device, "WHO". A request with neither Expires nor Signature is not a
-- signed link, and is served. One with only a part of the fields is refused. Refusals read like those of the vendors'
-- object stores, because clients tell an expired link from a damaged one by them.
--
-- @module depot.links

local M = {}

local function sign(hmac, secret, name, expires, who)
  return hmac("sha256", secret, ("%s\n%d%s"):format(name, expires, who and "\n" .. who or ""))
end

-- Takes the same time wherever they differ.
local function equal(a, b)
  if #a ~= #b then return false end
  local different = 0
  for i = 1, #a do
    different = different | (a:byte(i) ~ b:byte(i))
  end
  return different == 0
end

--- A name as a piece of a URL.
function M.escape(name)
  return (name:gsub("[^%w%-%._~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

--- The query of a link to the package `name`.
-- @tparam function hmac function(kind, key, text) -> hex
-- @tparam string secret
-- @tparam string name
-- @tparam integer expires last second since 1970
-- @tparam[opt] string who it is for
-- @treturn string
function M.query(hmac, secret, name, expires, who)
  return ("Expires=%d%s&Signature=%s"):format(expires, who and "&For=" .. M.escape(who) or "",
    sign(hmac, secret, name, expires, who))
end

--- What is wrong with the link of a request.
-- @tparam function hmac
-- @tparam string secret
-- @tparam string name
-- @tparam table query fields of the request
-- @tparam integer now seconds since 1970
-- @treturn string|nil "expired", "signature"; nil: nothing
-- @treturn string|nil with "expired": the device that the link was given to
function M.check(hmac, secret, name, query, now)
  if not query.Expires and not query.Signature then return nil end
  local text = query.Expires or ""
  local expires = #text <= 12 and text:find("^%d+$") and math.tointeger(tonumber(text))
  if not expires or not query.Signature
      or not equal(sign(hmac, secret, name, expires, query.For), query.Signature:lower()) then
    return "signature"
  end
  if now > expires then return "expired", query.For end
  return nil
end

--- Whom a link is for, as its query names a device.
-- @tparam table row cloud, product, device
-- @treturn string
function M.who(row) return ("%s/%s/%s"):format(row.cloud, row.product, row.device) end

--- The device that who() named.
-- @treturn string|nil cloud
-- @treturn string|nil product
-- @treturn string|nil device
function M.place(who) return who:match "^(%l+)/([^/]+)/([^/]+)$" end

local TEMPLATE = [[
<?xml version="1.0" encoding="UTF-8"?>
<Error>
  <Code>%s</Code>
  <Message>%s</Message>
</Error>
]]

local NOTES = { expired = "the link has expired", signature = "the link's signature is wrong",
  unsigned = "its product is staged, so it takes a link" }

local refusals = {
  expired = { "AccessDenied", "Request has expired." },
  unsigned = { "AccessDenied", "Access denied." },
  signature = { "SignatureDoesNotMatch",
    "The request signature we calculated does not match the signature you provided." },
}

--- The answer to a request whose link is wrong.
-- @tparam string problem as check() gives it; or "unsigned"
-- @treturn table {status, headers, body, note}
function M.refusal(problem)
  return { status = 403, note = NOTES[problem],
    headers = { ["Content-Type"] = "application/xml", ["Cache-Control"] = "no-store" },
    body = TEMPLATE:format(table.unpack(refusals[problem])) }
end

return M

--- The Luat dialect: what an 8910/724U asks and what the platform answers.
--
-- Pure: builds the request for a device and decodes the answer. The client does
-- not compare versions: the server decides, and an answer with a body is the
-- package. Source of the wire facts: the vendor's update.lua and libfota2.lua,
-- and captures of the former.
--
-- @module update.cloud.luat

local M = {}

M.name, M.over = "luat", "http"

--- Where devices ask by default.
M.url = "http://iot.openluat.com/api/site/firmware_upgrade"

--- Seconds to wait when the package is still being made (code 43) and the server does not say how long.
M.WAIT = 30

--- Vendor codes in the body of a refusal: our code word and the meaning.
M.codes = {
  [3] = { word = "refused", text = "the device id is not valid" },
  [17] = { word = "refused", text = "the device has no permission" },
  [21] = { word = "refused", text = "updates are forbidden for this device" },
  [25] = { word = "missing", text = "the server does not know this product key" },
  [26] = { word = "missing", text = "the server has no firmware of this name" },
  [27] = { word = "nothing", text = "this is the latest version, or the device is not listed" },
  [40] = { word = "refused", text = "asked too often; the server protects itself from loops" },
  [43] = { word = "busy", text = "the package is being made; ask again in 30 s" },
}

local MESSAGE_MAX = 200

-- The vendor's client encodes nothing. Plain values are sent as it sends them;
-- others are encoded, because they would end the field or the request line.
local function encode(value)
  return (value:gsub("[^%w%-%._~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

--- The request of a device that asks for an update.
-- @tparam table device project, version, product_key, id (IMEI), core = {name, version (integer)} or nil
-- @tparam[opt] table options url (replaces the part before the "?"; with the
--   prefix "###" it is used unchanged), redirect (boolean: ask for a link), offset (bytes: continue there),
--   full (boolean: ask for the full package, not a delta)
-- @treturn table {url = string, headers = {name = value}, delta = true if the answer may be one}; or nil, message,
--   "usage" if a field of the device is missing
function M.request(device, options)
  options = options or {}
  local url = options.url or M.url
  local headers = {}
  if options.offset then
    headers.Range = ("bytes=%d-"):format(options.offset)
  end
  if url:sub(1, 3) == "###" then
    return { url = url:sub(4), headers = headers }
  end

  for _, field in ipairs { "product_key", "id", "project", "version" } do
    if type(device[field]) ~= "string" or device[field] == "" then
      return nil, ("a Luat request needs the device's %s"):format(field), "usage"
    end
  end
  local core = device.core
  local fields = {
    "project_key=" .. encode(device.product_key),
    "imei=" .. encode(device.id),
    "firmware_name=" .. encode(core and device.project .. "_" .. core.name or device.project),
  }
  if core then
    fields[#fields + 1] = ("core_version=%d"):format(core.version)
  end
  fields[#fields + 1] = options.full and "dfota=0" or "dfota=1"
  fields[#fields + 1] = "version=" .. encode(device.version)
  -- Of a device that has files: their version is in no VERSION. The vendor's cloud does not know the field.
  if device.files then fields[#fields + 1] = "files_version=" .. encode(device.files.version) end
  if options.redirect then
    fields[#fields + 1] = "need_oss_url=1"
  end

  local joint = "?"
  if url:find("?", 1, true) then
    joint = url:find("[?&]$") and "" or "&"
  end
  return { url = url .. joint .. table.concat(fields, "&"), headers = headers,
    delta = core and not options.full or nil }
end

--- The question without the data of the device, to see whether the server is there; it does not count as a question of
-- the device.
-- @tparam string url of request()
-- @treturn string
function M.bare(url)
  return url:find("[?&]project_key=") and url:match("^(.-)[?&]project_key=") or url
end

local plain = { b = " ", f = " ", n = " ", r = " ", t = " ", ["/"] = "/", ["\\"] = "\\", ['"'] = '"' }

-- The character of "\uXXXX" at `at` (after the backslash), and where the text continues.
local function unescape(text, at)
  local unit = tonumber(text:match("^u(%x%x%x%x)", at) or "", 16)
  if not unit then
    return plain[text:sub(at, at)] or "?", at + 1
  end
  at = at + 5
  if unit >= 0xD800 and unit <= 0xDBFF then
    local low = tonumber(text:match("^\\u([dD][c-fC-F]%x%x)", at) or "", 16)
    if low then
      return utf8.char(0x10000 + (unit - 0xD800) * 0x400 + low - 0xDC00), at + 6
    end
  end
  if unit < 0x20 or unit == 0x7F or (unit >= 0xD800 and unit <= 0xDFFF) then
    return "?", at
  end
  return utf8.char(unit), at
end

-- The text of "msg": at most 200 bytes of complete characters, safe to print.
local function message_of(body)
  local at = select(2, body:find('"msg"%s*:%s*"'))
  if not at then
    return nil
  end
  local parts, size = {}, 0
  at = at + 1
  while at <= #body do
    local piece = body:match("^[^\0-\31\127-\255\\\"]+", at) or body:match("^[\xC2-\xF4][\x80-\xBF]+", at)
    if piece then
      at = at + #piece
    elseif body:sub(at, at) == "\\" then
      piece, at = unescape(body, at + 1)
    elseif body:sub(at, at) == '"' then
      break
    else
      piece, at = "?", at + 1
    end
    parts[#parts + 1] = piece
    size = size + #piece
    if size > MESSAGE_MAX then
      break
    end
  end
  local text = table.concat(parts)
  if #text <= MESSAGE_MAX then
    return text
  end
  local stop = MESSAGE_MAX
  while stop > 0 and text:byte(stop + 1) & 0xC0 == 0x80 do
    stop = stop - 1
  end
  return text:sub(1, stop)
end

-- The code word of a status without a vendor code.
local function by_status(status)
  if status == 404 or status == 410 then
    return "missing"
  elseif status == 401 or status == 403 then
    return "expired"
  elseif status >= 500 or status == 408 or status == 425 or status == 429 or status < 400 then
    return "network"
  end
  return "refused"
end

--- Decode the server's answer.
-- @tparam table answer status (integer), body, location (string or nil), retry_after (seconds or nil)
-- @treturn table {kind = "package"}; {kind = "redirect", url = string}; or {kind = "wait", seconds = as the
--   server says or 30, message = string, number = 43}. If there is no package: nil, message, code word, vendor's
--   number if any
function M.decode(answer)
  local status, body = answer.status, answer.body or ""
  if status == 200 or status == 206 then
    return { kind = "package" }
  end
  if status >= 300 and status < 400 and status ~= 304 then
    if answer.location and answer.location:find("^[hH][tT][tT][pP][sS]?://[^%s%c]+$") then
      return { kind = "redirect", url = answer.location }
    end
    return nil, ("the server answered %d without a usable Location"):format(status), "network"
  end

  local number = math.tointeger(tonumber(body:match('"code"%s*:%s*"?(%-?%d+)')))
  local known = M.codes[number]
  local text = message_of(body)
  if not text or text == "" then
    text = known and known.text or ("the server answered %d"):format(status)
  end
  if number == 43 then
    return { kind = "wait", seconds = answer.retry_after or M.WAIT, message = text, number = number }
  end
  if number then
    text = ("%s (code %d)"):format(text, number)
  end
  return nil, text, known and known.word or by_status(status), number
end

--- Whether this is the refusal of a Luat server: JSON with a vendor code.
-- @tparam table answer status (integer; not 200 or 206), body (its front, or nil)
-- @treturn boolean
function M.recognises(answer)
  local status, body = answer.status, answer.body or ""
  return status >= 400 and body:find("^%s*{") ~= nil and body:find('"code"%s*:%s*"?%-?%d') ~= nil
end

--- Luat has no reports: a device sends its version when it asks again.
-- @treturn nil
function M.encode()
  return nil
end

return M

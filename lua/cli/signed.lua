--- Signed files: their formats, and the signatures beside them.
--
-- @module cli.signed

local natives = require "update.natives"

local M = {}

-- A file that no device would accept is not signed.
local checkers = {
  ["moult-permit-1"] = function(text) return natives.permit.check(text) end,
  ["moult-keys-1"] = function(text) return natives.keys.check(text) end,
}

local LIMIT = 65536

-- The trusted comment names the format, so that a signature of one is never valid for another.
local comments = {
  ["moult-manifest-1"] = function(object)
    return math.type(object.sequence) == "integer" and ("moult manifest sequence %d"):format(object.sequence)
  end,
  ["moult-permit-1"] = function() return "moult permit" end,
  ["moult-keys-1"] = function(object)
    return math.type(object.serial) == "integer" and ("moult keys serial %d"):format(object.serial)
  end,
}

--- The start of a file.
-- @tparam string path
-- @tparam integer offset in bytes
-- @tparam integer len bytes at most
-- @treturn string|nil
-- @treturn string message
-- @treturn string code word
function M.read(path, offset, len)
  local file, why, number = io.open(path, "rb")
  if not file then return nil, why, number == 2 and "missing" or "write" end
  file:seek("set", offset)
  local text, cause = file:read(len)
  file:close()
  if not text and cause then return nil, ("%s: %s"):format(path, cause), "write" end
  return text or ""
end

--- A small file that may be signed by itself, and its comment.
-- @tparam string path
-- @treturn string text
-- @treturn string the trusted comment that belongs to it
-- @treturn table the decoded object
-- @treturn nil,string,string message, code word
function M.load(path)
  local text, message, code = M.read(path, 0, LIMIT + 1)
  if not text then return nil, message, code end
  if #text > LIMIT then return nil, ("%s: larger than %d bytes"):format(path, LIMIT), "usage" end
  local object, why = natives.json.decode(text)
  if type(object) ~= "table" then return nil, ("%s: not JSON: %s"):format(path, why or "no object"), "usage" end
  local comment = comments[object.format]
  if not comment then
    return nil, ("%s: unknown format; Moult signs manifest, permit and keys"):format(path), "usage"
  end
  comment = comment(object)
  if not comment then return nil, ("%s: its sequence or serial is missing"):format(path), "usage" end
  local ok, flaw
  local check = checkers[object.format]
  if check then ok, flaw, code = check(text) else ok = true end
  if not ok then return nil, ("%s: %s"):format(path, flaw), code end
  return text, comment, object
end

--- A file that is signed by itself. Its signature is verified if keys are given.
-- @tparam string path
-- @tparam[opt] string keys a public key file or a directory of them
-- @treturn table {object, comment, key = id of the key that signed it, or nil}
-- @treturn nil,string,string message, code word
function M.beside(path, keys)
  local text, expected, object = M.load(path)
  if not text then return nil, expected, object end
  local sig, message, code = M.read(path .. ".minisig", 0, 4096)
  if not sig and keys then return nil, message, code end
  local comment
  if keys then
    comment, message, code = natives.minisign.verify(keys, text, sig)
    if not comment then return nil, ("%s: %s"):format(path, message), code end
    if comment ~= expected then
      return nil, ("%s: its signature is for %q, but the file is not that"):format(path, comment), "untrusted"
    end
  end
  return { object = object, comment = expected, key = sig and M.key_id(sig) }
end

-- The size of a member, from its tar header.
local function member_size(header, name)
  if #header < 512 or header:sub(1, #name + 1) ~= name .. "\0" then return nil end
  return tonumber(header:sub(125, 135), 8)
end

--- Manifest and signature of a package, not verified: only for display.
-- @tparam string path
-- @treturn table {manifest = decoded JSON, key = id of the key that signed it,
--   digest = of the manifest, as in a permit}
-- @treturn nil,string,string message, code word
function M.peek(path)
  local text, message, code = M.read(path, 0, 512 + LIMIT + 512 + 1024)
  if not text then return nil, message, code end
  local size = member_size(text, "manifest.json")
  local at = size and size <= LIMIT and 512 + (size + 511) // 512 * 512
  local sig_size = at and member_size(text:sub(at + 1), "manifest.minisig")
  if not sig_size then return nil, ("%s: not a package of Moult"):format(path), "untrusted" end
  local manifest, why = natives.json.decode(text:sub(513, 512 + size))
  if type(manifest) ~= "table" then return nil, ("%s: manifest: %s"):format(path, why or "no object"), "untrusted" end
  local id = M.key_id(text:sub(at + 513, at + 512 + sig_size))
  return { manifest = manifest, key = id, digest = natives.digest.sha256(text:sub(513, 512 + size)) }
end

local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

--- The id of the key that made a signature file, as minisign shows it.
-- @tparam string text of the signature file
-- @treturn string|nil 16 hex digits
function M.key_id(text)
  local line = text:match("^[^\n]*\n(%S+)\n")
  if not line or #line < 16 then return nil end
  local bits, count, bytes = 0, 0, {}
  for i = 1, 16 do
    local value = alphabet:find(line:sub(i, i), 1, true)
    if not value then return nil end
    bits, count = bits << 6 | value - 1, count + 6
    if count >= 8 then
      count = count - 8
      bytes[#bytes + 1] = bits >> count & 255
    end
  end
  local hex = {}
  for i = 10, 3, -1 do hex[#hex + 1] = ("%02X"):format(bytes[i]) end
  return table.concat(hex)
end

return M

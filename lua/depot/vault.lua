--- Seals the secrets of a store with a key that is in a file of its own, so that whoever has the database, or a
-- backup, has none of them.
--
-- The file of `--secret-file` has one line of 64 hex digits, and nobody but its owner may read it. Sealed is: a nonce
-- of 12 bytes, then AES-256-GCM of the text with the secret's name.
--
-- @module depot.vault

local random = require "depot.random"

local M = {}

local NONCE = 12 -- bytes

local Vault = {}
Vault.__index = Vault

local function bytes_of(hex)
  return (hex:gsub("%x%x", function(x) return string.char(tonumber(x, 16)) end))
end

--- Read the key of a file, or make it.
-- @tparam table natives update.natives
-- @tparam string path
-- @tparam boolean may_make no secret was sealed yet, so a file that is not there is made
-- @treturn table|nil vault; nil, message, code
function M.open(natives, path, may_make)
  local text, message, code = natives.secret.read(path)
  if not text and code == "missing" and may_make then
    local done
    done, message, code = natives.storage.write(path, random.hex() .. "\n", tonumber("600", 8))
    if not done then return nil, message, code end
    text, message, code = natives.secret.read(path)
  end
  if not text then return nil, "--secret-file " .. message, code end
  if #text ~= 64 or text:find "%X" then
    return nil, ("--secret-file %s: expected one line of 64 hex digits"):format(path), "usage"
  end
  return setmetatable({ cipher = natives.cipher, key = bytes_of(text), path = path }, Vault)
end

--- @treturn string|nil nil, message, code
function Vault:seal(name, text)
  local nonce = bytes_of(random.hex()):sub(1, NONCE)
  local sealed, message, code = self.cipher.seal(self.key, nonce, name, text)
  return sealed and nonce .. sealed, message, code
end

--- @treturn string|nil nil, message, code ("untrusted": sealed with another key, or changed)
function Vault:unseal(name, sealed)
  local text, message, code = self.cipher.unseal(self.key, sealed:sub(1, NONCE) .. ("\0"):rep(NONCE - #sealed), name,
    sealed:sub(NONCE + 1))
  if text then return text end
  if code ~= "internal" then
    message = ("--secret-file %s: the store's secrets were sealed with another key"):format(self.path)
    code = "untrusted"
  end
  return nil, message, code
end

return M

--- The certificate of the admin server, read again when its files change.
--
-- A pair that cannot be used changes nothing, and that is said once.
--
-- @module depot.api.certificate

local files = require "depot.files"

local M = {}

local LOOK = 5 -- seconds between two looks

local Certificate = {}
Certificate.__index = Certificate

--- @tparam table parts natives; files {cert, key} (paths); tls {cert, key} (texts, as served now); note(text)
function M.new(parts)
  parts.next_look, parts.seen = parts.natives.loop.now() + LOOK, parts.tls
  return setmetatable(parts, Certificate)
end

--- Look at the next step.
function Certificate:look() self.next_look = 0 end

--- A pair that is to be served from now on; nil: the one of before.
-- @treturn table|nil {cert, key}
function Certificate:changed()
  local now = self.natives.loop.now()
  if now < self.next_look then return nil end
  self.next_look = now + LOOK
  local cert, key = files.read(self.files.cert), files.read(self.files.key)
  if not cert or not key or cert == self.seen.cert and key == self.seen.key then return nil end
  self.seen = { cert = cert, key = key }
  -- While one of both files is new and the other one is not yet, they do not fit.
  local probe, message = self.natives.httpd.open("127.0.0.1:0", self.seen)
  if not probe then
    self.note(("the new certificate cannot be used, the one of before stays: %s"):format(message))
    return nil
  end
  probe:close()
  return self.seen
end

return M

--- The terminal's mit.ini where it lies: one that is not there counts as empty, and one that is not text is left alone.
--
-- @module update.agent.mit_file

local mit_ini = require "update.cloud.mit_ini"

local M = {}

local LONGEST = 65536 -- bytes

local File = {}
File.__index = File

local function read(self)
  local text, message, code = self.storage.read(self.path, LONGEST)
  local document, wrong = mit_ini.parse(text or "")
  if not text and code ~= "missing" or not document then
    self.log(("%s: %s"):format(self.path, wrong or message))
  end
  return document
end

--- @tparam string key of [Update]
-- @treturn string "" when there is none
function File:get(key)
  local document = read(self)
  return document and mit_ini.get(document, "Update", key) or ""
end

--- Change values of [Update], whole and durable. A failure is logged.
-- @tparam table values {key = value}
function File:put(values)
  local document = read(self)
  if not document then return end -- it is not ours to throw away
  local changes = false
  for key, value in pairs(values) do changes = changes or mit_ini.get(document, "Update", key) ~= value end
  if not changes then return end
  local ok, message, code = self.storage.write(self.path, mit_ini.change(document, "Update", values))
  if not ok then self.log(("%s: %s (%s)"):format(self.path, message, code)) end
end

--- @tparam table storage update.native.storage
-- @tparam string path
-- @tparam function log
function M.new(storage, path, log)
  return setmetatable({ storage = storage, path = path, log = log }, File)
end

return M

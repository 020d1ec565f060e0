--- A dialect that the owner of a device adds: one Lua file, named in the configuration.
--
-- The file is text that returns the table that update.cloud.registry describes.
-- It sees strings, tables, numbers and the pure modules of update.cloud, and
-- nothing of the system: what it makes of messages is data, which the rest
-- checks as it checks what any cloud says.
--
-- @module update.config.dialect_file

local byte_order = require "update.config.byte_order"
local registry = require "update.cloud.registry"
local storage = require("update.natives").storage
local table_file = require "update.config.table_file"

local M = {}

local SIZE = 256 * 1024

-- Modules that help to write a dialect, or that it may build on.
local HELPERS = { ["update.cloud.message_fields"] = true, ["update.cloud.base64"] = true,
  ["update.cloud.luat"] = true, ["update.cloud.aliyun"] = true, ["update.cloud.tencent"] = true,
  ["update.version"] = true }

local PLAIN = { "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "rawequal", "rawget", "rawlen",
  "rawset", "select", "setmetatable", "tonumber", "tostring", "type", "xpcall" }

local function copy(library)
  local out = {}
  for name, value in pairs(library) do out[name] = value end
  return out
end

-- Copies: a dialect changes nothing for the rest of the program.
local function environment()
  local env = { string = copy(string), table = copy(table), math = copy(math), utf8 = copy(utf8) }
  env.string.dump = nil
  for _, name in ipairs(PLAIN) do env[name] = _G[name] end
  function env.require(name)
    if not HELPERS[name] then error(("a dialect cannot require %q"):format(tostring(name)), 2) end
    return copy(require(name))
  end
  env.getmetatable = function(value) return type(value) == "table" and getmetatable(value) or nil end
  return env
end

--- Read such a file and add what it returns.
-- @tparam string path
-- @treturn boolean true | nil, message that names the file, "usage"
function M.add(path)
  local text, why = storage.read(path, SIZE)
  if not text then return nil, why, "usage" end
  local wrong = byte_order.wrong(text)
  local chunk, dialect, ok
  if not wrong then chunk, wrong = load(text, "=" .. path, "t", environment()) end
  if chunk then dialect, wrong = table_file.run(chunk) end
  if not wrong then ok, wrong = registry.add(dialect) end
  if ok then return true end
  wrong = tostring(wrong)
  if not wrong:find(path, 1, true) then wrong = ("%s: %s"):format(path, wrong) end
  return nil, wrong, "usage"
end

return M

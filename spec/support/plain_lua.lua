-- The bindings as modules for a plain lua5.4: each loads, and handles of one
-- work in another. Run by ctest with the module folder and the names.

local folder = table.remove(arg, 1)
package.cpath = folder .. "/?.so;" .. package.cpath
assert(_VERSION == "Lua 5.4")

for _, name in ipairs(arg) do
  local module = require("update.native." .. name)
  assert(type(module) == "table", name)
end

local loop = assert(require("update.native.loop").new())
local source = require "update.native.source"

-- A loop of one module under the source of another.
local refused = assert(source.http(loop, "http://127.0.0.1:1/nothing.upd"))
local data, message, code
repeat
  data, message, code = refused:read(0, 10)
  if code == "again" then loop:poll(100) end
until code ~= "again"
assert(not data and code == "network", message)
refused:close()

-- A file's bytes through the source of one, hashed by another.
local path = arg[0]
local file = assert(source.file(path))
local text = ""
repeat
  local piece = assert(file:read(#text, 4096) or file:size() == #text and "")
  text = text .. piece
until piece == ""
file:close()
assert(require("update.native.digest").sha256(text) == assert(require("update.native.digest").file(path, "sha256")))
loop:close()
collectgarbage()
print(("%d modules work in plain %s"):format(#arg, _VERSION))

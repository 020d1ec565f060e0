--- What a files part does, for people and as JSON.
--
-- @module cli.files_list

local natives = require "update.natives"

local M = {}

--- A file name as text. It may have any encoding; bytes that are not printable UTF-8 are written \xNN.
-- @tparam string bytes
-- @treturn string
function M.text(bytes)
  local out, at = {}, 1
  while at <= #bytes do
    local size = utf8.len(bytes, at, at) and #utf8.char(utf8.codepoint(bytes, at)) or 1
    local piece = bytes:sub(at, at + size - 1)
    if not natives.printable.is(piece) then
      piece = piece:gsub(".", function(byte) return ("\\x%02X"):format(byte:byte()) end)
    end
    out[#out + 1], at = piece, at + size
  end
  return table.concat(out)
end

local WORDS = {
  put = function(entry) return ("%s: %s, %d bytes"):format(M.text(entry.path), entry.type, entry.size) end,
  delete = function(entry)
    return ("%s: %s"):format(M.text(entry.path), entry.type == "directory" and "directory with all that is in it"
      or entry.type)
  end,
  mkdir = function(entry) return M.text(entry.path) end,
}

--- The changes in the order in which they happen: stops, then changes, then starts.
-- @tparam {table,...} files of update.native.verify
-- @treturn {{string,string},...} word and sentence
function M.lines(files)
  local lines = {}
  local function each(wanted, word)
    for _, entry in ipairs(files) do
      if wanted(entry) then
        lines[#lines + 1] = { word or entry.operation, word and M.text(entry.path) or WORDS[entry.operation](entry) }
      end
    end
  end
  each(function(entry) return entry.stop end, "stop")
  each(function(entry) return entry.operation end)
  each(function(entry) return entry.start end, "start")
  return lines
end

--- The same for JSON, with names as text.
-- @tparam {table,...} files
-- @treturn table
function M.object(files)
  local list = {}
  for i, entry in ipairs(files) do
    list[i] = { operation = entry.operation, type = entry.type, path = M.text(entry.path), stop = entry.stop,
      start = entry.start, size = entry.size }
  end
  return natives.json.array(list)
end

return M

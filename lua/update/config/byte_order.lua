--- Marks of the byte order that editors put before a text.
--
-- Pure.
--
-- @module update.config.byte_order

local M = {}

local MARKS = {
  { "\xef\xbb\xbf", "begins with a byte order mark; save it as UTF-8 without one" },
  { "\xff\xfe", "is UTF-16 text; save it as UTF-8" },
  { "\xfe\xff", "is UTF-16 text; save it as UTF-8" },
}

--- What is wrong with the begin of a text.
-- @tparam string text
-- @treturn string|nil
function M.wrong(text)
  for _, row in ipairs(MARKS) do
    if text:sub(1, #row[1]) == row[1] then return row[2] end
  end
end

return M

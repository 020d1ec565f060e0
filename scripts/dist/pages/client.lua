--- moult(3): from the comments of runtime/client/moult.h.

local roff = require "roff"

-- The text of a comment without its frame.
local function bare(comment)
  local text = comment:gsub("^/%*+[ \t]*", ""):gsub("%s*%*/$", ""):gsub("\n[ \t]*%*[ \t]?", "\n")
  return (text:gsub("^\n+", ""):gsub("%s+$", ""))
end

-- Paragraphs; those that are indented are code.
local function put_prose(page, text)
  for paragraph in (text .. "\n\n"):gmatch("(.-)\n%s*\n") do
    if paragraph:find("^    ") then
      page:verbatim((("\n" .. paragraph):gsub("\n    ", "\n"):sub(2)))
    elseif paragraph ~= "" then
      page:text(paragraph)
    end
  end
end

-- What stands under a comment up to the next blank line, in the order of the header.
local function declarations(header)
  local list, body = {}, header:match("struct moult; /%* opaque.-\n(.*)#ifdef __cplusplus")
  for block in (body .. "\n"):gmatch("(.-)\n\n") do
    local comment, code = block:match("^%s*(/%*.-%*/)\n(.*)$")
    if comment then list[#list + 1] = { text = bare(comment), code = code } end
    if not comment and block:find "%S" then list[#list + 1] = { text = "", code = block } end
  end
  return list
end

return function(head)
  local header = head.client
  local first = bare(header:match("^(/%*.-%*/)"))
  local page = roff.page { name = "moult", section = 3, title = "talk to the agent of a device from C",
    date = head.date, source = head.source }
  page:section "SYNOPSIS"
  page:verbatim "#include <moult.h>\n\ncc program.c $(pkg-config --cflags --libs moult)"
  page:section "DESCRIPTION"
  put_prose(page, first:gsub("^[^\n]*\n%s*\n", ""))
  page:section "FUNCTIONS"
  for _, d in ipairs(declarations(header)) do
    page:verbatim((d.code:gsub("%s+$", "")))
    if d.text ~= "" then put_prose(page, d.text) end
  end
  page:section "VENDORS' CALLS"
  page:text [[
Programs that were written against Aliyun's C SDK include `moult/aliyun.h`, those that were written against the device
SDK of the Qinglian cloud `moult/qinglian.h`, and those that were written against the DM layer of a POS terminal
`moult/terminal.h`. They are linked with libmoult instead of the vendor's OTA object. Each header says
what its calls do here, and what they return.]]
  page:section "ERRORS"
  page:verbatim((header:match("(enum moult_code {.-};)")))
  page:see_also { { "moult", 1 }, { "moult-control", 7 } }
  return page
end

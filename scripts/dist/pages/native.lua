--- moult-native(7): from the comments of bindings/*.c.

local bindings = require "bindings"
local roff = require "roff"

-- What scripts use most comes first: download, writing flash, digests, archives.
local FIRST = { "fetch", "source", "flash", "digest", "archive" }

local function in_order(names)
  local list, listed = { table.unpack(FIRST) }, {}
  for _, name in ipairs(FIRST) do listed[name] = true end
  for _, name in ipairs(names) do
    if not listed[name] then list[#list + 1] = name end
  end
  return list
end

-- The head comment: its first sentence, its example, what else it says.
local function put_head(page, head)
  local title, rest = head:match("^(.-)\n%s*\n(.*)$")
  local said = (title or head):gsub("^[%w_]+%.c %-%- ", ""):gsub("^update%.native%.[%w_]+ %-%- ", "")
  page:text((said:gsub("^update%.native%.[%w_]+: ", ""):gsub("^%l", string.upper)))
  local example, prose = {}, {}
  for line in ((rest or "") .. "\n"):gmatch("(.-)\n") do
    if line:find("^  ") then example[#example + 1] = line else prose[#prose + 1] = line end
  end
  local indent = example[1] and example[1]:match("^ *")
  for i, line in ipairs(example) do example[i] = line:sub(#indent + 1) end
  if #example > 0 then page:verbatim(table.concat(example, "\n")) end
  page:text(table.concat(prose, "\n"))
end

return function(head)
  local page = roff.page { name = "moult-native", section = 7, title = "native modules of Moult for Lua scripts",
    date = head.date, source = head.source }
  page:section "DESCRIPTION"
  page:text [[
These modules are built into `moult`, and are also shared objects for a plain `lua5.4`; `require
"update.native.NAME"` loads one. Sizes and offsets are in bytes and times in seconds, unless stated otherwise.

A function that fails returns `nil, message, code`, with one of the code words that `moult doctor` explains. Wrong use
raises an error: a wrong type, a negative size, a closed handle. No function waits: if something is not there yet, it
returns `nil, message, "again"`; poll the loop and call it again.

What a script needs most comes first: download (`fetch`, and `source` where a package or a file is read at offsets),
`flash`, `digest`, `archive`. The rest is what Moult itself is made of.]]
  for _, binding in ipairs(bindings.all(head.bindings, in_order(bindings.names(head.bindings)))) do
    page:section("update.native." .. binding.name)
    put_head(page, binding.head)
    for _, entry in ipairs(binding.functions) do
      if entry.signature then page:item(roff.bold(entry.signature), (entry.text:gsub("^%l", string.upper))) end
    end
  end
  page:see_also { { "lua", 1 }, { "moult", 1 }, { "moult-script", 7 } }
  return page
end

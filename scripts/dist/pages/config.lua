--- moult-config(5): from update.config.fields.

local fields = require "fields"
local roff = require "roff"

return function(head)
  local page = roff.page { name = "moult-config", section = 5, title = "what a device is told about itself",
    date = head.date, source = head.source }
  page:section "DESCRIPTION"
  page:text [[
A configuration is a Lua file that returns one table. It is read as data: as text, with nothing to call, and with a
limit on the time it may take. Every field is checked; one that is unknown, missing or of the wrong kind is named,
and nothing starts. Relative paths count from the file's folder, so that a whole device can live in one directory.

The file may name a command to run and a policy to ask, so nobody but the device's owner should be able to write it.]]
  page:section "FIELDS"
  page:text "Of a field within a table the full name is given; `[]` stands for each element of an array."
  fields.put(page, (require "update.config.fields"))
  page:section "EXAMPLE"
  page:verbatim(head.example)
  page:section "FILES"
  page:item(roff.bold "/etc/moult/config.lua", "Where `moult` looks when it is not told otherwise.")
  page:see_also { { "moult", 1 }, { "moult-package", 5 }, { "moult-policy", 7 } }
  return page
end

--- moult-config(5): from update.config.fields.

local fields = require "fields"
local roff = require "roff"

return function(head)
  local page = roff.page { name = "moult-config", section = 5, title = "the configuration of a device",
    date = head.date, source = head.source }
  page:section "DESCRIPTION"
  page:text [[
A configuration is a Lua file that returns one table. It is read as data: as text, in an empty environment and with a
time limit. Every field is checked. If one is unknown, missing or of the wrong type, the message names it and nothing
starts. Paths are relative to the folder of the file, so that a whole device can be kept in one directory.

The file can name a command to run, a policy to ask and dialects of clouds, so only the owner of the device should be
able to write it, and the files that it names.]]
  page:section "FIELDS"
  page:text "Fields inside a table are listed by their full names; `[]` stands for each element of an array."
  fields.put(page, (require "update.config.fields"))
  page:section "EXAMPLE"
  page:verbatim(head.example)
  page:section "FILES"
  page:item(roff.bold "/etc/moult/config.lua", "The default configuration.")
  page:see_also { { "moult", 1 }, { "moult-package", 5 }, { "moult-policy", 7 } }
  return page
end

--- moult-config(5): from update.config.fields.

local fields = require "fields"
local roff = require "roff"

return function(head)
  local page = roff.page { name = "moult-config", section = 5, title = "the configuration of a device",
    date = head.date, source = head.source }
  page:section "DESCRIPTION"
  page:text [[
A configuration is a Lua file that returns one table. It is read as data: as text, in an empty environment and with a
time limit. Every field is checked. If one is unknown, missing or of the wrong type, the message names it. Paths are
relative to the folder of the file, so that a whole device can be kept in one directory.

The file can name a command to run, a policy to ask and dialects of clouds, so only the owner of the device should be
able to write it, and the files that it names.]]
  page:text [[
When the device comes up, `moult run` keeps a copy of the file beside it, `config.lua.good`, with the same mode. If the
device does not come up with the file the next time (it is lost or damaged, a field is wrong, the user of the script or
the state does not exist), `moult run` goes on with the copy. Its log and `moult status` say so. Once it is mended,
restart `moult run`. Where the folder cannot be written, no copy is kept. Other verbs read the file that they are given:
until it is mended, reach the device with `-c config.lua.good`.]]
  page:section "FIELDS"
  page:text "Fields inside a table are listed by their full names; `[]` stands for each element of an array."
  fields.put(page, (require "update.config.fields"))
  page:section "EXAMPLE"
  page:verbatim(head.example)
  page:section "FILES"
  page:item(roff.bold "/etc/moult/config.lua", "The default configuration.")
  page:item(roff.bold "/etc/moult/config.lua.good", "The one with which the device came up the last time.")
  page:see_also { { "moult", 1 }, { "moult-package", 5 }, { "moult-policy", 7 } }
  return page
end

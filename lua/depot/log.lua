--- The log of a depot that serves: lines on stdout and stderr, for people or as JSON.
--
-- Nobody has to read them: lines that cannot be written at once are dropped and
-- counted. Everything that clients sent is made printable. With --quiet only
-- errors remain: a package that no device gets, a broker or a database that
-- cannot be used.
--
-- @module depot.log

local M = {}

local TEXT = 1024 -- bytes of a stranger's text that are shown

-- Events of the broker and the database that are errors, or the end of one.
local ERRORS = { store = true, ["kept off the broker"] = true, ["given up"] = true, disconnected = true }

local function request_line(event)
  local parts = { event.client, event.method, event.path }
  if event.note then
    parts[#parts + 1] = event.note
  end
  parts[#parts + 1] = tostring(event.status)
  parts[#parts + 1] = event.bytes and ("%d bytes"):format(event.bytes) or "? bytes"
  parts[#parts + 1] = ("%d ms"):format(event.ms)
  if not event.complete then
    parts[#parts + 1] = "broken off"
  end
  return table.concat(parts, " ")
end

-- A message of a device, or a change of its job.
local function device_line(event)
  local parts = { event.cloud, event.product .. "/" .. event.device, event.kind, event.release }
  if event.code then parts[#parts + 1] = ("(%d)"):format(event.code) end
  parts[#parts + 1] = event.text
  return table.concat(parts, " ")
end

--- @tparam table natives update.natives
-- @tparam table env json, quiet
-- @treturn table out(text), note(text): lines on stdout, and on stderr unless quiet; request(event), change(change),
--   message(event): as depot.open takes them
function M.new(natives, env)
  local printable = natives.printable.text
  local self = {}

  function self.out(text) natives.log.out(printable(text)) end

  local function error_line(text) natives.log.err(printable(text)) end

  function self.note(text)
    if not env.quiet then error_line(text) end
  end

  local function encoded(event)
    local shown = {}
    for name, value in pairs(event) do
      shown[name] = type(value) == "string" and printable(value, TEXT) or value
    end
    natives.log.out(natives.json.encode(shown))
  end

  function self.request(event)
    if env.json then return encoded(event) end
    event.path = printable(event.path, TEXT)
    if not env.quiet then self.out(request_line(event)) end
  end

  function self.change(change)
    local whom = change.listed and (", for %d listed devices"):format(change.listed) or ""
    if change.listed == 1 then whom = ", for 1 listed device" end
    if change.orphaned then whom = ", for nobody: its list is gone (a list with the line * gives it to all)" end
    local say = (change.reason or change.orphaned) and error_line or self.note
    say(("%s: %s%s%s"):format(change.name, change.change, change.reason and ": " .. change.reason or "", whom))
    if change.warning then self.note(("%s: warning: %s"):format(change.name, change.warning)) end
  end

  function self.message(event)
    if env.json then
      encoded(event)
    elseif not event.device then
      local say = ERRORS[event.kind] and error_line or self.note
      say(("mqtt: %s%s"):format(event.kind, event.text and ": " .. event.text or ""))
    elseif not env.quiet then
      self.out(device_line(event))
    end
  end

  return self
end

return M

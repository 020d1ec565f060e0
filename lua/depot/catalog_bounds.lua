--- What bounds the packages of a folder, whatever comes and goes in it: the lists of devices that there ever were
-- (depot.limited), the releases that are withdrawn (depot.withdrawn) or switched off (depot.disabled), and the modes of
-- products (depot.modes).
--
-- Methods of the catalog.
--
-- @module depot.catalog_bounds

local disabled = require "depot.disabled"
local limited = require "depot.limited"
local modes = require "depot.modes"
local releases = require "depot.releases"
local withdrawn = require "depot.withdrawn"

local M = {}

-- A package whose list was removed goes to nobody; else it would reach the devices that the list excluded.
function M:_limit(entry, list)
  if entry.everybody then
    entry.devices = nil
    self.limited[entry.name] = nil
  elseif list or self.limited[entry.name] then
    self.limited[entry.name] = true
    if not list then
      entry.devices, entry.listed, entry.orphaned = {}, 0, true
    end
  end
end

-- The list of limited packages is read once, and written when it changes.
function M:_read_limits(changes)
  if self.limited then return end
  local names, message = limited.read(self.natives, self.dir)
  if not names then changes[#changes + 1] = { name = limited.NAME, change = "skipped", reason = message } end
  self.limited = names or {}
  self.written = limited.text(self.limited)
end

function M:_write_limits(changes)
  local text = self.hold and not self.reads_only and limited.text(self.limited)
  if not text or text == self.written then return end
  local ok, message = limited.write(self.natives, self.dir, text)
  if ok then
    self.written, self.unwritten = text, nil
  elseif self.unwritten ~= text then
    self.unwritten = text
    changes[#changes + 1] = { name = limited.NAME, change = "not written",
      reason = message .. "; after a restart, packages whose list was removed would go to every device" }
  end
end

-- What a file besides the packages says, and whether it cannot be told; why is told once.
function M:_bounds(file, consequence, changes)
  local set, message = file.read(self.natives, self.dir)
  if message and message ~= self.faults[file.NAME] then
    changes[#changes + 1] = { name = file.NAME, change = "skipped", reason = message .. "; " .. consequence }
  end
  self.faults[file.NAME] = message
  return set, message ~= nil
end

-- Mark what is withdrawn; what cannot be told counts as withdrawn.
function M:_mark_withdrawn(entries, changes)
  releases.mark(entries, self:_bounds(withdrawn, "no package is offered, as any may be withdrawn", changes))
end

-- Mark what is switched off; what cannot be told counts as off.
function M:_mark_disabled(entries, changes)
  disabled.mark(entries, self:_bounds(disabled, "no package is offered, as any may be switched off", changes))
end

-- Mark the mode of each product; where it cannot be told, all count as staged.
function M:_mark_modes(entries, changes)
  modes.mark(entries, self:_bounds(modes, "every product counts as staged", changes))
end

return M

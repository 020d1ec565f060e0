--- The MD5 of packages, which both vendors' offers carry.
--
-- A large package takes seconds to hash, and the depot has one loop, so a few
-- MiB are read in each step. Results are kept in the store by name and tag, so
-- a depot that starts hashes only what has changed.
--
-- @module depot.digests

local M = {}

local Digests = {}
Digests.__index = Digests

local STEP = 8 * 1024 * 1024
local PIECE = 256 * 1024

--- @tparam table natives update.natives
-- @tparam table store depot.store
function M.new(natives, store)
  return setmetatable({ natives = natives, store = store, known = {}, wanted = {} }, Digests)
end

--- The MD5 of a package. If it is not known yet, hashing begins.
-- @tparam table entry of the catalog: name, path, tag
-- @treturn string|nil hex; nil: not yet
function Digests:of(entry)
  local seen = self.known[entry.name]
  if seen and seen.tag == entry.tag then return seen.md5 end
  local md5 = self.store:md5(entry.name, entry.tag)
  if md5 then
    self.known[entry.name] = { tag = entry.tag, md5 = md5 }
    return md5
  end
  if not self.work then
    self:_begin(entry)
  elseif self.work.name ~= entry.name or self.work.tag ~= entry.tag then
    self.wanted[entry.name] = entry
  end
end

function Digests:_begin(entry)
  local file = io.open(entry.path, "rb")
  if not file then return end -- removed; the catalog will notice
  self.work = { name = entry.name, tag = entry.tag, file = file, md5 = self.natives.digest.new "md5" }
end

function Digests:_end()
  self.work.file:close()
  self.work.md5:close()
  self.work = nil
  local name, entry = next(self.wanted)
  if entry then
    self.wanted[name] = nil
    self:of(entry)
  end
end

--- Whether there is something to hash: call step() soon.
function Digests:busy()
  return self.work ~= nil
end

--- Hash a few MiB.
function Digests:step()
  local work = self.work
  if not work then return end
  for _ = 1, STEP // PIECE do
    local piece = work.file:read(PIECE)
    if not piece then
      local md5 = work.md5:final()
      self.known[work.name] = { tag = work.tag, md5 = md5 }
      if self.store:change() then self.store:put_md5(work.name, work.tag, md5) end
      return self:_end()
    end
    work.md5:update(piece)
  end
end

function Digests:close()
  self.wanted = {}
  if self.work then self:_end() end
end

return M

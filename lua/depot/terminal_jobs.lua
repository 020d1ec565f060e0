--- Terminals' questions in a depot that gives jobs: what grants say, in place of the newest package of the folder.
--
-- A question is a report of what the terminal runs, by its own words: the version of its files, or the release of a
-- package without files. The answer's link is signed, expires, and is for that terminal alone; a whole download by it
-- is recorded as that terminal's.
--
-- @module depot.terminal_jobs

local choice = require "depot.choice"
local links = require "depot.links"
local products = require "depot.products"
local terminal = require "depot.terminal"

local M = {}

local TerminalJobs = {}
TerminalJobs.__index = TerminalJobs

--- @tparam table parts fleet (function -> depot.fleet, or nil while there is none), packages (function -> array of the
--   catalog), sha256 (text -> hex), query (function(entry, place) -> query of a signed link, or nil while there is no
--   store)
function M.new(parts) return setmetatable(parts, TerminalJobs) end

-- The full package of the granted release. One of them is a delta against a core, which terminals do not tell.
local function full_of(list, digest)
  local granted
  for _, entry in ipairs(list) do
    if entry.manifest.digest == digest then granted = entry.manifest end
  end
  for _, entry in ipairs(granted and list or {}) do
    local m = entry.manifest
    if m.release == granted.release and m.sequence == granted.sequence and not choice.is_delta(m) then return entry end
  end
end

--- The package for a terminal.
-- @tparam table asked as from depot.terminal.parse()
-- @treturn table|false|nil entry; false: there is nothing for it; nil: it cannot be told now, since the store is in
--   trouble
-- @treturn string|nil project of the product's packages; nil: there is none
-- @treturn string|nil path of the link
function TerminalJobs:choose(asked)
  local hash = self.sha256(asked.product)
  local list = products.of(self.packages(), hash).list
  local project = list[1] and list[1].manifest.project
  if not project then return false end
  local fleet = self.fleet()
  if not fleet then return nil end
  local place = { cloud = "terminal", product = project, device = asked.id }
  local digest = fleet:query { cloud = place.cloud, product = project, device = asked.id, hash = hash, kind = "version",
    release = asked.version,
    order = function(manifest) return terminal.is_higher(manifest, asked) and "older" or "newer" end }
  if digest == nil then return nil end
  local entry = digest and full_of(list, digest)
  local query = entry and self.query(entry, place)
  if not query then return false, project end
  return entry, project, ("/%s?%s"):format(links.escape(entry.name), query)
end

return M

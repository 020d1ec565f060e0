--- The server's side of POS terminals: is there a package for one, and what does its update call need?
--
-- Pure. A terminal's application asks `GET /terminal/check?product=&id=&version=` and hands the answer to its update
-- call. `version` is that of its files (prover); a package without files is known by its release. `downfile` says who
-- fetches it, so that the download is recorded as that terminal's. A depot with jobs decides by depot.terminal_jobs.
--
-- @module depot.terminal

local choice = require "depot.choice"
local links = require "depot.links"
local products = require "depot.products"
local terminal = require "update.cloud.terminal"

local M = {}

--- The path that terminals ask at.
M.PATH = "/terminal/check"

local LONGEST = 64 -- bytes of an id or a version

local function is_text(text)
  return text ~= nil and text ~= "" and #text <= LONGEST and not text:find "%c"
end

--- The version that a terminal knows a package by.
-- @tparam table manifest
-- @treturn string
function M.prover(manifest)
  return manifest.files_version or manifest.release
end

--- Whether a package is higher than what a terminal has.
function M.is_higher(manifest, asked)
  return terminal.compare(M.prover(manifest), asked.version) > 0
end

--- What a query asks for: product, id, version. An id is one word without a slash: links name it.
-- @tparam table query name -> value, decoded
-- @treturn table|nil nil, message
function M.parse(query)
  for _, name in ipairs { "product", "id", "version" } do
    if not is_text(query[name]) then return nil, ("the query has no usable %s"):format(name) end
  end
  if query.id:find "[^\33-\126]" or query.id:find "/" then return nil, "the query has no usable id" end
  return { product = query.product, id = query.id, version = query.version }
end

--- The package for a terminal.
-- @tparam table asked as from parse()
-- @tparam {table,...} entries of the catalog; not changed afterwards
-- @tparam function sha256 text -> lower-case hex
-- @treturn table|nil entry: the newest that is higher than what it has and that it may have
-- @treturn string|nil project of the product's packages; nil: there is none
function M.choose(asked, entries, sha256)
  local list, project = products.of(entries, sha256(asked.product)).list, nil
  for _, entry in ipairs(list) do
    local m = entry.manifest
    project = project or m.project
    -- A delta is for one core, which terminals do not tell.
    if not choice.is_delta(m) and choice.is_for(entry, asked.id) and M.is_higher(m, asked)
        and choice.suits(entries, entry, { hash = m.product_key }) then
      return entry, m.project
    end
  end
  return nil, project
end

--- The path that the terminal's call names.
-- @tparam table entry
-- @tparam table asked
-- @treturn string
function M.downfile(entry, asked)
  return ("/%s?For=%s&Has=%s"):format(links.escape(entry.name), links.escape(asked.id), links.escape(asked.version))
end

--- Which terminal a signed link is for.
-- @tparam string|nil who of a link whose signature is right
-- @treturn table|nil {cloud, product, device}
function M.place(who)
  local cloud, product, device = links.place(who or "")
  return cloud == "terminal" and { cloud = cloud, product = product, device = device } or nil
end

--- Which terminal fetches, from the query of `downfile`.
-- @tparam table query
-- @tparam table entry that is fetched
-- @treturn table|nil question for depot.http_devices
function M.question(query, entry)
  if query.Signature or not is_text(query.For) or not is_text(query.Has) then return nil end
  return { product = entry.manifest.project, device = query.For, release = query.Has,
    target = M.prover(entry.manifest) }
end

return M

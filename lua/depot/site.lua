--- The paths of a depot, and the answers there.
--
-- Pure: a request and the catalog in, an answer out. An answer is {status,
-- headers, body}, or {path, headers} for a file. It may also have `note`, text
-- for the log besides method, path and status; `question`, what to record of the
-- device (depot.http_devices); `who`, the device that is sent all of its package;
-- and `offers`, true if a download begins, which the pace has to allow. A note never contains a project key.
--
-- @module depot.site

local links = require "depot.links"
local listings = require "depot.listing"
local luat = require "depot.luat"
local proxy = require "depot.proxy"
local ranges = require "depot.ranges"
local terminal = require "depot.terminal"

local M = {}

local BUSY = 30 -- seconds until a device asks again while the database is in trouble

local function json(status, text, headers)
  headers = headers or {}
  headers["Content-Type"] = "application/json"
  return { status = status, headers = headers, body = text .. "\n" }
end

local function quote(text)
  return '"' .. text:gsub('[%c"\\]', function(c) return ("\\u%04x"):format(c:byte()) end) .. '"'
end

local function failure(status, message, headers)
  return json(status, ('{"error":%s}'):format(quote(message)), headers)
end

--- The answer while the database, or the process that has it, is in trouble.
-- @tparam[opt] string note
-- @treturn table as from answer()
function M.busy(note)
  local answer = failure(503, "the database is in trouble; try again later", { ["Retry-After"] = tostring(BUSY) })
  answer.note = note
  return answer
end

local busy = M.busy

local function file(entry, note)
  return {
    path = entry.path,
    note = note,
    headers = {
      ["Content-Type"] = "application/octet-stream",
      ["Content-Disposition"] = ('attachment; filename="%s"'):format(entry.name:gsub('[%c"\\\127-\255]', "_")),
    },
  }
end

-- The base of links: as the operator says, else the address by which the client reached us, or the proxy before us.
local function base_of(site, request)
  if site.url then
    return (site.url:gsub("/+$", ""))
  end
  local said = proxy.said(site.proxies or {}, request)
  local host = said.host or request.headers.host
  return (said.scheme or site.scheme or "http") .. "://"
    .. (host and host:find("^[%w%.%-:%[%]]+$") and host or site.address)
end

-- For the log: the fields of a query that are not secret.
local function describe(query, outcome)
  local parts = {}
  for _, name in ipairs { "imei", "mac", "uid", "core_version", "version" } do
    if query[name] and query[name] ~= "" then
      parts[#parts + 1] = name .. "=" .. query[name]:sub(1, 64):gsub("[^\33-\126]", "?")
    end
  end
  parts[#parts + 1] = "-> " .. outcome
  return table.concat(parts, " ")
end

-- What to record of the device and its answer; nil if the query gives no id. Where no package has its product key it is
-- a stranger.
local function question_of(query, answer)
  local asked = luat.parse(query)
  if not asked then return nil end
  local entry = answer.entry
  local why = entry and (answer.why and ("%s (%s)"):format(entry.name, answer.why) or entry.name) or answer.why
  return { product = query.firmware_name:sub(1, 128), device = asked.id, release = luat.release(query, asked),
    target = entry and entry.manifest.release, key = asked.project_key, code = answer.code or 0, why = why,
    is_strange = answer.code == 25 or nil }
end

local function refuse(request, answer)
  return { question = question_of(request.query, answer), status = answer.status, body = luat.refusal_body(answer),
    headers = { ["Content-Type"] = "application/json", ["Cache-Control"] = "no-store",
      ["Retry-After"] = answer.wait and tostring(answer.wait) },
    note = describe(request.query, ("code %d (%s)"):format(answer.code, answer.why)) }
end

--- The answer to a device that would be given a package while the pace is used up.
-- @tparam table request
-- @tparam integer wait seconds after which to ask again
function M.later(request, wait)
  return refuse(request, luat.later(wait))
end

local function firmware_upgrade(site, request)
  local packages, who = site.packages(), nil
  if site.allow then packages, who = site.allow(request) end
  if not packages then
    if who then return refuse(request, who) end
    return busy()
  end
  local answer = luat.answer(request.query, packages, site.sha256, request.headers["if-range"],
    site.pending and site.pending())
  if answer.kind == "refusal" then return refuse(request, answer) end
  local question = question_of(request.query, answer)
  local note = describe(request.query, answer.entry.name .. (answer.why and (" (%s)"):format(answer.why) or ""))
  if answer.redirect then
    local location = base_of(site, request) .. "/" .. links.escape(answer.entry.name)
    if who and site.link then location = location .. "?" .. site.link(answer.entry, who) end
    return { status = 302, note = note, question = question, body = "", offers = ranges.begin(request, answer.entry),
      headers = { Location = location, ["Cache-Control"] = "no-store" } }
  end
  local given = file(answer.entry, note)
  given.headers["Cache-Control"], given.question = "no-store", question
  given.offers = ranges.begin(request, answer.entry)
  given.who = ranges.reach_end(request) and who or nil
  return given
end

-- Whether anybody may have a package: its product is automatic.
local function is_open(site, entry) return not site.mode or site.mode(entry) == "auto" end

-- Host and port of the links, for a client that knows no others than http:// ones; nil: they are others.
local function plain_address(site, request)
  local host, port = base_of(site, request):match "^[hH][tT][tT][pP]://([^/:%[%]]+):?(%d*)$"
  return host, port ~= "" and port or "80"
end

local function terminal_check(site, request)
  local asked, problem = terminal.parse(request.query)
  if not asked then return failure(400, problem) end
  local host, port = plain_address(site, request)
  if not host then return failure(501, "terminals fetch over plain HTTP, from the root of a host that has a name") end
  local entry, project, link
  if site.terminal then
    entry, project, link = site.terminal(asked)
    if entry == nil then
      return busy()
    end
  else
    entry, project = terminal.choose(asked, site.packages(), site.sha256)
    entry = entry and is_open(site, entry) and entry
  end
  local note = ("terminal id=%s version=%s -> %s"):format(asked.id, asked.version, entry and entry.name
    or project and "nothing for it" or "no package of this product"):gsub("[^\32-\126]", "?")
  local text = '{"update":false}'
  if entry then
    text = ('{"update":true,"ip":%s,"port":%s,"prover":%s,"downfile":%s}'):format(quote(host), quote(port),
      quote(terminal.prover(entry.manifest)), quote(link or terminal.downfile(entry, asked)))
  end
  local answer = json(200, text, { ["Cache-Control"] = "no-store" })
  answer.note = note
  answer.question = project and not site.terminal and { product = project, device = asked.id, release = asked.version,
    target = entry and terminal.prover(entry.manifest) } or nil
  return answer
end

local function listing(site)
  local open = {}
  for _, entry in ipairs(site.entries()) do
    if is_open(site, entry) then open[#open + 1] = entry end
  end
  return { status = 200, headers = { ["Content-Type"] = "text/plain; charset=utf-8", ["Cache-Control"] = "no-store" },
    body = listings.text(open) }
end

-- Whether a withdrawn package is still served. What has begun goes on. A signed link was asked about before, if that
-- was possible; the link of a terminal has a name and no signature.
local function may_go_on(site, request, entry)
  if request.query.Signature and site.can_check and site.can_check() then return true end
  return (request.query.Signature or request.query.For) and not ranges.begin(request, entry)
end

-- What is wrong with a request for a file: as links.check() says, or "busy": it cannot be told now; nil: nothing. And
-- whose link it was.
local function problem_of(site, request, name, entry)
  local problem, who
  if site.check then problem, who = site.check(name, request) end
  if problem then return problem, who end
  if entry.withdrawn and not may_go_on(site, request, entry) then return "expired" end
  if entry.disabled and ranges.begin(request, entry) and not may_go_on(site, request, entry) then return "expired" end
  if is_open(site, entry) then return nil end
  if not request.query.Signature then return "unsigned" end
  return ranges.begin(request, entry) and not (site.can_check and site.can_check()) and "busy" or nil
end

--- The answer to a request.
-- @tparam table site packages() and entries() of the catalog, file(name), sha256(text), url (base of links, or nil),
--   address ("HOST:PORT" listened on), scheme (or nil: "http"), proxies ({[address] = true},
--   or nil), check (function(name, request) -> what is wrong with a signed link, or nil; absent if the depot signs no
--   links), can_check (function -> whether check can tell now), mode (function(entry) -> of its product: auto, staged
--   or off; absent: all are auto), link (function(entry, who) -> query of a signed link; or nil), allow
--   (function(request) -> as depot.luat_jobs; absent: every package may answer a query), terminal (function(asked) ->
--   as depot.terminal_jobs; absent: terminals get the newest package of the folder), pending (function -> packages that
--   are being made, see depot.pending; or nil); asks and under_way as in depot.needs
-- @tparam table request method, path, query, headers, as update.native.httpd gives it
-- @treturn table see above
function M.answer(site, request)
  if not ranges.is_read(request) then
    return failure(405, "only GET and HEAD are supported", { Allow = "GET, HEAD" })
  elseif request.path == "/" then
    return listing(site)
  elseif request.path == luat.PATH then
    return firmware_upgrade(site, request)
  elseif request.path == terminal.PATH then
    return terminal_check(site, request)
  end
  local name = request.path:match("^/([^/]+)$")
  local entry = name and site.file(name)
  if not entry then
    return failure(404, "no package of this name; / lists the packages")
  end
  local problem, who = problem_of(site, request, name, entry)
  if not problem and request.refused then site.under_way:note(request.query, entry) end
  if problem == "busy" then return busy() end
  if problem then
    local refused = links.refusal(problem)
    refused.dead_link = who
    return refused
  end
  local given = file(entry)
  given.question = entry.manifest and request.method == "GET" and terminal.question(request.query, entry) or nil
  local place = terminal.place(request.query.Signature and request.query.For or nil)
  if place then
    given.note = ("terminal id=%s"):format(place.device:gsub("[^\32-\126]", "?"))
    given.who = ranges.reach_end(request) and place or nil
  end
  if given.question then given.note = ("terminal id=%s"):format(given.question.device:gsub("[^\32-\126]", "?")) end
  return given
end

return M

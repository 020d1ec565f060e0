--- The server's side of Luat: which package answers a firmware_upgrade query.
--
-- Pure: query and packages in, answer out. Three generations of clients use
-- three forms of the query, with different fields:
--
--     724U      project_key imei firmware_name=PROJECT_<core> core_version=17 dfota=1 version=1.0.0
--     older     project_key imei device_key firmware_name=PROJECT_<core with _V0017_> version=1.0.0
--     LuatOS    project_key imei|mac|uid firmware_name=PROJECT_<core> version=2012.001.000
--
-- LuatOS sends the core number and the first and last part of VERSION. The middle part is missing, so a release that
-- differs only there is not noticed.
--
-- As on the vendor's platform, a package is given only if its script or its core is newer and neither is older. Of two
-- builds of one version (1.0.1+1, 1.0.1+2) the one with the higher sequence is newer, if the folder has the device's
-- own. VERSION does not name files. Moult's devices that take files say which they have (files_version, 0: none), and a
-- package of files alone is for those that have others. A 724U that asks with dfota=1 is given the delta against its
-- core if there is one; all others get the full package. While a package for it is being made, a device is asked to
-- wait (code 43).
--
-- @module depot.luat

local choice = require "depot.choice"
local fitting = require "depot.luat_fitting"

local WAIT = 30 -- seconds until a device asks again for a package that is being made; the oldest clients know no other

local M = {}

--- The path that devices ask at.
M.PATH = "/api/site/firmware_upgrade"

-- Sent to devices: 29 characters at most, see refusal_body().
local MESSAGES = {
  [3] = "unknown device", [25] = "unknown project", [26] = "unknown firmware", [27] = "nothing newer",
  [43] = "soon, ask again in %d s",
}

local function refusal(status, code, why, wait)
  return { kind = "refusal", status = status, code = code, msg = MESSAGES[code]:format(wait), why = why, wait = wait }
end

--- The body of a refusal, in a form that every generation of the vendor's clients can read. The oldest garbles text
-- that is not written as \uXXXX and reads at most 200 bytes; a later one accepts JSON only if its last byte is "}".
-- @tparam table answer code, msg
-- @treturn string
function M.refusal_body(answer)
  local escaped = answer.msg:gsub(".", function(c) return ("\\u%04x"):format(c:byte()) end)
  return ('{"code":%d,"msg":"%s"}'):format(answer.code, escaped)
end

--- The answer to a device that would be given a package while the pace is used up.
-- @tparam integer wait seconds
-- @treturn table refusal, as from answer()
function M.later(wait)
  return refusal(404, 43, "over the pace", wait)
end

--- The answer to a device that no rollout or job gives a package, now or ever.
-- @treturn table refusal, as from answer()
function M.not_granted()
  return refusal(404, 27, "no rollout gives it anything now")
end

local function present(value)
  return value and value ~= "" and value or nil
end

--- What a query says about the device that sent it.
-- @tparam table query name -> value, decoded
-- @treturn table {id, project_key, firmware, core_version (integer or nil), deltas (boolean: asks for them), version =
--   VERSION, or major and minor: its first and last part}; or nil and a refusal as from answer()
function M.parse(query)
  local asked = {
    id = present(query.imei) or present(query.mac) or present(query.uid),
    project_key = present(query.project_key),
    firmware = present(query.firmware_name),
    redirect = query.need_oss_url == "1",
    files_version = present(query.files_version),
  }
  local text = present(query.version)
  if not asked.id or #asked.id > 64 or asked.id:find("%c") then
    return nil, refusal(403, 3, "the query has no usable imei, mac or uid")
  elseif not asked.project_key then
    return nil, refusal(404, 25, "the query has no project_key")
  elseif not asked.firmware then
    return nil, refusal(404, 26, "the query has no firmware_name")
  elseif not text or #text > 32 then
    return nil, refusal(400, 26, "the query has no usable version")
  end

  if query.core_version or query.dfota then
    asked.deltas = query.dfota == "1"
    asked.version = text
    asked.core_version = math.tointeger(tonumber((query.core_version or ""):match("^%d+$")))
    if present(query.core_version) and not asked.core_version then
      return nil, refusal(400, 26, "core_version is not a number")
    end
  elseif asked.firmware:find("_V%d+") then
    asked.version = text
    asked.core_version = math.tointeger(tonumber(asked.firmware:match("_V(%d+)")))
    asked.firmware = asked.firmware:gsub("_V%d+", "", 1)
  else
    local core
    core, asked.major, asked.minor = text:match("^(%d+)%.([^.]+)%.([^.]+)$")
    asked.core_version = math.tointeger(tonumber(core))
    if not asked.core_version then
      return nil, refusal(400, 26, "version is not of the form CORE.X.Z")
    end
  end
  return asked
end

--- The release that a device runs, as far as its query tells.
-- @tparam table query
-- @tparam table asked of parse()
function M.release(query, asked)
  return asked.version and asked.core_version and ("%s-V%d"):format(asked.version, asked.core_version)
    or query.version
end

-- Why the device gets this package of a release, which may have several.
local function reason(asked, entry, begun)
  local delta = fitting.delta_of(entry.manifest)
  if begun and entry.tag == begun then
    return "continues with it"
  elseif delta then
    return ("delta against core %d"):format(delta.source_version)
  elseif not entry.manifest.core_name then
    return nil
  elseif not asked.deltas then
    return "full, asks for no delta"
  end
  return asked.core_version and ("full, no smaller delta against core %d"):format(asked.core_version)
    or "full, its core is not known"
end

--- The answer to a query.
-- @tparam table query name -> value, decoded
-- @tparam {table,...} entries the catalog: {name, tag, manifest, devices = {id = true} or nil}; results are remembered
--   for each array, so do not change it afterwards
-- @tparam function sha256 text -> lower-case hex
-- @tparam[opt] string begun entity tag of a package that the device has a part of (If-Range). While that package fits,
--   the device gets it even if there is a newer one, so that a new release does not waste downloads
-- @tparam[opt] {table,...} pending entries of packages that are being made: see depot.pending
-- @treturn table {kind = "package", entry, redirect = boolean, why = string or nil}, or {kind = "refusal", status
--   (HTTP), code (vendor's), msg (for the device), why (for the log), wait = seconds (with code 43)}
function M.answer(query, entries, sha256, begun, pending)
  local asked, problem = M.parse(query)
  if not asked then
    return problem
  end
  local key = sha256(asked.project_key)
  local known, coming = fitting.of(entries, asked, key), pending and fitting.of(pending, asked, key) or fitting.NONE
  local best, unlisted = fitting.best(known, coming, asked.id, begun)
  if choice.lacks_hardware(entries, { hash = key }) and not (begun and best and best.tag == begun) then
    return refusal(404, 27, "its hardware is not known, and its product has releases for several")
  end

  if best and best.pending then
    return refusal(404, 43, best.manifest.release .. " is not ready yet", best.wait or WAIT)
  elseif best then
    return { kind = "package", entry = best, redirect = asked.redirect, why = reason(asked, best, begun) }
  elseif not (known.project or coming.project) then
    return refusal(404, 25, "no package has this project_key")
  elseif not (known.firmware or coming.firmware) then
    return refusal(404, 26, "no package is made for this firmware_name")
  end
  return refusal(404, 27, unlisted and "it is not on the list of the newer package"
    or "it runs the latest")
end

return M

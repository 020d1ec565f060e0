--- `moult explain PKG`.
--
-- @module cli.verbs.explain

local natives = require "update.natives"
local offers = require "update.engine.offer"
local package_check = require "cli.package_check"
local package_place = require "cli.package_place"
local scratch = require "cli.scratch"
local session = require "cli.session"
local verdicts = require "cli.verdict"
local warnings = require "cli.warnings"

local M = {}

M.verb = {
  name = "explain",
  usage = "explain PKG [-c CONFIG] [--permit FILE] [--default-policy] [--files-version VERSION] [--json]",
  summary = "show what this device would decide about a package, and why",
  text = "PKG is a file or a URL; of a URL only the head is read. What a part files does is listed if PKG is a file.\n"
    .. "Takes no lock and changes nothing. Exits 0 if it would be installed, else with the code of the reason.\n\n"
    .. package_place.ARCHIVES .. "\nAll of it is fetched, into a temporary directory.",
  options = package_place.options,
  positional = { 1, 1 },
  common = { "config", "json", "permit" },
  example = "moult explain METER_1.0.1.upd\nmoult explain METER_1.0.0.upd --permit back-to-1.0.0.json",
}

-- Judge it without a lock, with a warning if something looks like a mistake.
local function inspect(s, where)
  local device, message, code = s:device("read")
  if not device then return nil, message, code end
  local verdict
  verdict, message, code = s:engine(device):inspect(where)
  if not verdict then return nil, message, code end
  verdict.warning = warnings.of_sequence(verdict.offer.sequence, device:status().floor)
  return verdict
end

-- All of an archive is looked at, for it has no head.
local function inspect_archive(s, where)
  local dir <close>, message, code = scratch.new "spool"
  if not dir then return nil, message, code end
  where.bare.dir = dir.path
  local verdict
  verdict, message, code = inspect(s, where)
  if not verdict then return nil, message, code end
  if where.bare.hotfix then return verdict end
  verdict.files, message, code = natives.verify.files(dir.path .. "/spool/files.tar")
  if not verdict.files then return nil, message, code end
  return verdict
end

--- Judge a package on this device, without a lock.
-- @tparam table s session
-- @tparam table where update.engine.place
-- @treturn table|nil verdict, with `warning` if something looks like a mistake, and the `files` of its files part if
--   all of it is here | nil, message, code
function M.judge(s, where)
  if where.bare then return inspect_archive(s, where) end
  local verdict, message, code = inspect(s, where)
  if verdict and verdict.offer.files and not offers.is_url(where.location) then
    local whole
    whole, message, code = package_check.whole(where.location, s.config.keys, s.env.progress)
    if not whole then return nil, message, code end
    s.env.finish()
    verdict.files = whole.files
  end
  return verdict, message, code
end

--- Print a verdict. Returns its exit code.
function M.show(env, verdict)
  if verdict.warning then env.note("warning: " .. verdict.warning) end
  env.out(env.json and natives.json.encode(verdicts.object(verdict)) or verdicts.text(verdict))
  return verdict.code and natives.error.find(verdict.code).exit or 0
end

function M.run(parsed, env)
  local fine, why, word = require("cli.bare_delta").refuse(parsed.positional[1])
  if not fine then return nil, why, word end
  return session.run(parsed, env, function(s)
    local where, message, code = package_place.of(parsed, s.config)
    if not where then return nil, message, code end
    local verdict
    verdict, message, code = M.judge(s, where)
    if not verdict then return nil, message, code end
    return M.show(env, verdict)
  end)
end

return M

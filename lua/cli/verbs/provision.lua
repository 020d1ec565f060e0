--- `moult provision PKG`.
--
-- @module cli.verbs.provision

local heads = require "update.engine.head"
local natives = require "update.natives"
local session = require "cli.session"
local warnings = require "cli.warnings"

local M = {}

M.verb = {
  name = "provision",
  usage = "provision PKG [-c CONFIG] [--progress=FORM]",
  summary = "set up a new device from its first package, in the factory",
  text = "The state directory must be empty. The package becomes the first confirmed release: slot a, or the running\n"
    .. "slot, and generation 1. A slot that is running or mounted is never written; it must hold the package's core.\n"
    .. "If the power fails, run it again. The sequence must not be above 2^62, since a factory has no permits.",
  positional = { 1, 1 },
  common = { "config", "progress" },
  example = "moult provision METER_1.0.0.upd -c device/config.lua",
}

-- Copy the blocks into the slot and the spool of the script.
local function carry(s, env, device, head)
  local transfer, message, code = natives.transfer.open(device, head.package, head.source)
  if not transfer then return nil, message, code end
  local what
  repeat
    what, message, code = transfer:step()
    local done, total = transfer:progress()
    if what then env.progress(done, total, "writing " .. head.offer.release) end
    if code == "again" then s.tasks:idle() end
  until what == "done" or (not what and code ~= "again")
  transfer:close()
  return what, message, code
end

local function provision(s, env, where)
  local device, message, code = natives.device.provision(s.config)
  if not device then return s:failed(message, code) end
  s.opened = device
  local engine = s:engine(device)
  local spool, head, ok
  spool, message, code = device:spool()
  if spool then head, message, code = heads.read(engine, where, spool) end
  if not head then return nil, message, code end
  ok, message, code = device:begin(head.package)
  if ok then ok, message, code = carry(s, env, device, head) end
  if ok then
    repeat
      ok, message, code = device:finish(head.package)
    until ok or code ~= "again"
  end
  heads.close(engine, where, head)
  if not ok then return nil, message, code end
  return head.offer
end

function M.run(parsed, env)
  local fine, why, word = require("cli.bare_delta").refuse(parsed.positional[1])
  if not fine then return nil, why, word end
  return session.run(parsed, env, function(s)
    local offer, message, code = provision(s, env, { cloud = "file", location = parsed.positional[1] })
    if not offer then return nil, message, code end
    local warning = warnings.of_sequence(offer.sequence, { script = 0, core = 0 })
    if warning then env.note("warning: " .. warning) end
    env.note(("%s is provisioned; `moult run` starts it"):format(offer.release))
    return 0
  end)
end

return M

--- `moult provision PKG`.
--
-- @module cli.provision

local natives = require "update.natives"
local offers = require "update.offer"
local session = require "cli.session"

local M = {}

M.verb = {
  name = "provision",
  usage = "provision PKG [-c CONFIG] [--progress=FORM]",
  summary = "the factory: make the state of a new device from its first package",
  text = "The state directory must be empty. The package becomes the first confirmed pair: slot a, or the running\n"
    .. "slot, and generation 1. A slot that is running or mounted is compared and adopted, never written. Power may\n"
    .. "fail at any point: run it again.",
  positional = { 1, 1 },
  common = { "config", "progress" },
  example = "moult provision METER_1.0.0.upd -c device/config.lua",
}

-- Steps of a native until it says something else than "again".
local function until_done(tasks, step)
  while true do
    local result, message, code = step()
    if result or code ~= "again" then return result, message, code end
    tasks:idle(0.05)
  end
end

local function provision(s, env, source, package)
  local ok, message, code = until_done(s.tasks, function() return package:step() end)
  if not ok then return nil, message, code end
  local transfer
  transfer, message, code = natives.transfer.provision(s.config, package, source)
  if not transfer then return nil, message, code end
  local release = package:manifest().release
  repeat
    ok, message, code = until_done(s.tasks, function() return transfer:step() end)
    if ok then
      local done, total = transfer:progress()
      env.progress(done, total, "writing " .. release)
      s.tasks:turn()
    end
  until ok ~= "block"
  transfer:close()
  if not ok then return nil, message, code end
  env.note(("%s is provisioned; `moult run` starts it"):format(release))
  return 0
end

function M.run(parsed, env)
  local location = parsed.positional[1]
  return session.run(parsed, env, function(s)
    local source, package, message, code
    if offers.is_url(location) then
      source, message, code = natives.source.http(s.loop, location,
        { proxy = s.config.proxy, ca_file = s.config.ca_file, max_redirects = 5 })
    else
      source, message, code = natives.source.file(location)
    end
    if not source then return nil, message, code end
    package, message, code = natives.package.open(source, s.config.keys)
    if not package then return nil, message, code end
    local result
    result, message, code = provision(s, env, source, package)
    package:close()
    source:close()
    return result, message, code
  end)
end

return M

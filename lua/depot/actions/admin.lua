--- `moult depot admin DIR --admin HOST:PORT`: the admin server alone, whether a depot serves the folder or not.
--
-- @module depot.actions.admin

local log = require "depot.log"
local natives = require "update.natives"
local options = require "depot.api.options"
local signalled = require "depot.signalled"

local M = {}

--- @tparam table context dir, opts, env
function M.run(context)
  local opts, env = context.opts, context.env
  opts.admin = opts.admin or "127.0.0.1:8081"
  local set, message, code = options.check(opts)
  if not set then return nil, message, code end
  local lines = log.new(natives, env)
  env.err = natives.log.err
  local signals <close>, why, word = natives.signals.open(true)
  if not signals then return nil, why, word end
  if opts["with-depot"] then
    natives.signals.follow_parent()
    set.front = natives.channel.from_fd(0) -- says how the store process is
  end
  set.note = function(text) lines.note("admin: " .. text) end
  set.dir, set.on_request, set.watch = context.dir, lines.request, { { fd = signals:fd(), read = true } }
  local api
  api, message, code = require("depot.api").open(set)
  if not api then return nil, message, code end
  lines.out(("admin on %s://%s"):format(set.tls and "https" or "http", api:address()))
  if api:has_no_users() then
    lines.note("admin: there are no users yet; moult depot user add " .. context.dir .. " NAME --role admin")
  end
  local ok
  repeat
    ok, message, code = api:step(1000)
  until not ok or signalled.is_over(signals, function() api:reload() end)
  api:close()
  return ok and 0, message, code
end

return M

--- `moult depot audit --server URL`.
--
-- @module depot.remote.audit

local shown = require "depot.shown"

local M = {}

local LISTED = 100 -- rows

function M.run(remote, context)
  if context.opts.check then
    remote:fail("audit --check reads every row of the store: run it where the depot's folder is", "usage")
  end
  shown.audit(context.env, remote:need("GET", "/audit", { limit = LISTED }).items)
end

return M

--- What signals mean to a server: SIGTERM and SIGINT its end, SIGHUP that its files are read again.
--
-- @module depot.signalled

local M = {}

--- Whether it is to end.
-- @tparam table signals of update.native.signals
-- @tparam function reload called for SIGHUP
-- @treturn boolean
function M.is_over(signals, reload)
  local name = signals:next()
  while name == "HUP" do
    reload()
    name = signals:next()
  end
  return name ~= nil
end

return M

--- Times for people, in UTC.
--
-- @module cli.times

local M = {}

--- "2026-12-01 08:00:00 UTC".
-- @tparam integer seconds since 1970
function M.shown(seconds) return os.date("!%Y-%m-%d %H:%M:%S UTC", seconds) end

--- The same, for a record that was made while the clock was not known.
-- @tparam integer|nil seconds since 1970; 0 and nil: not known
function M.when(seconds) return seconds and seconds > 0 and M.shown(seconds) or "at an unknown time" end

return M

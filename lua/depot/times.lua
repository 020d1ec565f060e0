--- Times as texts, in UTC.
--
-- Pure.
--
-- @module depot.times

local M = {}

--- For programs: "2026-12-01T08:00:00Z".
-- @tparam integer seconds since 1970
function M.stamp(seconds) return os.date("!%Y-%m-%dT%H:%M:%SZ", seconds) end

--- For people: "2026-12-01 08:00:00 UTC".
-- @tparam integer seconds since 1970
function M.shown(seconds) return os.date("!%Y-%m-%d %H:%M:%S UTC", seconds) end

return M

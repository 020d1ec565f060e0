--- Whether standard error is a terminal, and how wide it is.
--
-- Asks the shell once, because Lua's standard library cannot tell.
--
-- @module cli.terminal

local M = {}

local cached

--- @treturn boolean,integer whether standard error is a terminal, and its columns
function M.stderr()
  if cached == nil then
    cached = os.execute("test -t 2") == true
    M.columns = 80
    if cached then
      local pipe = io.popen("stty size <&2 2>/dev/null")
      local columns = pipe and tonumber((pipe:read("a") or ""):match("^%d+ (%d+)"))
      if pipe then pipe:close() end
      columns = columns or tonumber(os.getenv("COLUMNS") or "")
      if columns and columns >= 20 then M.columns = columns end
    end
  end
  return cached, M.columns
end

return M

--- `moult run`, as far as Lua knows it: the host does the work itself.
--
-- @module cli.verbs.run

local M = {}

M.verb = {
  name = "run",
  usage = "run [-c CONFIG] [-q|-v] | run SCRIPT [ARGUMENT...]",
  summary = "supervise agent and script, or try one script without a state",
  text = "Three processes: the supervisor, the agent (clouds, fetching, installing) and the script (main.lua of the\n"
    .. "running generation). Ends on SIGTERM or SIGINT with 0 (a terminal that goes away does not end it), or with 4\n"
    .. "when a restart is due and the configuration says restart = \"exit\". With boot = \"file\" each start counts\n"
    .. "as one boot of the device. Whatever of the state cannot be read or written does not end it: the confirmed\n"
    .. "script runs, without updates, until it can; "
    .. "the log, `moult status` and `moult doctor` say why.",
  common = { "config" },
  example = "moult run -c device/config.lua\nmoult run main.lua",
}

-- Only mistakes come here: the host takes what it understands.
function M.run()
  return nil, "usage: moult run [-c CONFIG], or moult run SCRIPT [ARGUMENT...]", "usage"
end

return M

--- `moult run`: only its help. The host does the work in C.
--
-- @module cli.verbs.run

local M = {}

M.verb = {
  name = "run",
  usage = "run [-c CONFIG] [-q|-v] | run SCRIPT [ARGUMENT...]",
  summary = "run the agent and the script, or try one script without a state",
  text = "Runs three processes: the supervisor, the agent (clouds, fetching, installing) and the script (main.lua of\n"
    .. "the running generation). SIGTERM or SIGINT ends it with 0; a closed terminal does not end it. It exits 4 if a\n"
    .. "restart is due and the configuration says restart = \"exit\". With boot = \"file\" each start counts as one\n"
    .. "boot of the device. If part of the state cannot be read or written, the confirmed script runs without\n"
    .. "updates until that is mended; the log, `moult status` and `moult doctor` say why.",
  common = { "config" },
  example = "moult run -c device/config.lua\nmoult run main.lua",
}

-- The host handles every valid command line, so only mistakes arrive here.
function M.run()
  return nil, "usage: moult run [-c CONFIG], or moult run SCRIPT [ARGUMENT...]", "usage"
end

return M

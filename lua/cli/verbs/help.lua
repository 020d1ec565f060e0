--- `moult help [VERB]`.
--
-- @module cli.verbs.help

local args = require "cli.args"

local M = {}

M.verb = {
  name = "help",
  usage = "help [VERB]",
  summary = "show the verbs, or one of them with its options and an example",
  positional = { 0, 1 },
  example = "moult help install",
}

--- All verbs, one on each line.
function M.overview()
  local cli = require "cli"
  local lines = {
    "moult -- update runtime for embedded Linux",
    "",
    "usage: moult VERB [arguments and options, in any order]",
    "       moult SCRIPT.lua [arguments]     run a Lua script as plain lua does",
  }
  for _, group in ipairs(cli.groups) do
    local rows = {}
    for _, name in ipairs(group[2]) do
      if cli.is_there(name) then
        rows[#rows + 1] = ("  %-10s %s"):format(name, require("cli.verbs." .. name).verb.summary)
      end
    end
    if #rows > 0 then
      table.move({ "", group[1] .. ":", table.unpack(rows) }, 1, #rows + 2, #lines + 1, lines)
    end
  end
  table.insert(lines, "")
  table.insert(lines, "`moult help VERB` shows a verb with an example; `moult doctor CODE` explains a code word.")
  return table.concat(lines, "\n") .. "\n"
end

local function option_line(option)
  local spelled = (option.short and ("-%s, "):format(option.short) or "    ") .. "--" .. option.name
  if option.value then spelled = spelled .. " " .. option.value end
  local gap = #spelled < 24 and (" "):rep(24 - #spelled) or "  "
  return "  " .. spelled .. gap .. option.help
end

--- One verb: usage, what it does, options, example.
-- @tparam table verb
function M.of(verb)
  local lines = { "usage: moult " .. verb.usage, "", verb.summary:sub(1, 1):upper() .. verb.summary:sub(2) .. "." }
  if verb.text then table.move({ "", verb.text }, 1, 2, #lines + 1, lines) end
  local used = { quiet = true, verbose = true, help = true }
  for _, name in ipairs(verb.common or {}) do used[name] = true end
  lines[#lines + 1] = ""
  lines[#lines + 1] = "options:"
  for _, option in ipairs(verb.options or {}) do lines[#lines + 1] = option_line(option) end
  for _, option in ipairs(args.common) do
    if used[option.name] then lines[#lines + 1] = option_line(option) end
  end
  if verb.example then
    lines[#lines + 1] = ""
    lines[#lines + 1] = "example:"
    for line in verb.example:gmatch("[^\n]+") do lines[#lines + 1] = "  " .. line end
  end
  return table.concat(lines, "\n") .. "\n"
end

function M.run(parsed, env)
  local name = parsed.positional[1]
  if not name then
    env.out(M.overview())
    return 0
  end
  local module, message, code = require("cli").find(name)
  if not module then return nil, message, code end
  env.out(M.of(module.verb))
  return 0
end

return M

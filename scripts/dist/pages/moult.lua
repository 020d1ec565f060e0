--- moult(1): from the verbs' own tables, the common options and the code words.

local aliyun, tencent = require "update.cloud.aliyun", require "update.cloud.tencent"
local roff = require "roff"

local function option_term(option)
  local term = option.short and roff.bold("-" .. option.short) .. ", " or ""
  term = term .. roff.bold("--" .. option.name)
  if option.value then term = term .. " " .. "\\fI" .. option.value:gsub("-", "\\-") .. "\\fR" end
  return term
end

local function option_text(option)
  local text = option.help:sub(1, 1):upper() .. option.help:sub(2)
  return text .. (text:find("%.$") and "" or ".")
end

local function put_verb(page, verb, common)
  page:subsection("moult " .. verb.usage)
  page:text(verb.summary:sub(1, 1):upper() .. verb.summary:sub(2) .. ".")
  if verb.text then page:text(verb.text) end
  for _, option in ipairs(verb.options or {}) do page:item(option_term(option), option_text(option)) end
  local used = {}
  for _, option in ipairs(common) do
    for _, name in ipairs(verb.common or {}) do
      if name == option.name then used[#used + 1] = ("`--%s`"):format(name) end
    end
  end
  if #used > 0 then page:text("Common options: " .. table.concat(used, ", ") .. ".") end
  if verb.example then page:verbatim(verb.example) end
end

local function vendor(number)
  return number and tostring(number) or "none"
end

local function put_codes(page)
  page:section "EXIT STATUS"
  page:text "Every failure has a code word, at the end of its message, and an exit code. `moult doctor` explains each."
  for _, row in ipairs(require("update.native.error").codes()) do
    page:item(("%s (%d)"):format(roff.bold(row.word), row.exit), row.meaning .. " " .. row.advice)
  end
end

local function put_vendors(page)
  page:section "CODES TOLD TO CLOUDS"
  page:text "These code words are reported to clouds, by the number that each cloud has for them:"
  for _, row in ipairs(require("update.native.error").codes()) do
    local of_tencent, of_aliyun = tencent.numbers[row.word], aliyun.numbers[row.word]
    if of_tencent or of_aliyun then
      page:item(roff.bold(row.word), ("Tencent %s, Aliyun %s."):format(vendor(of_tencent), vendor(of_aliyun)))
    end
  end
end

return function(head)
  local cli, common = require "cli", require("cli.args").common
  local page = roff.page { name = "moult", section = 1, title = "update runtime for embedded Linux",
    date = head.date, source = head.source }
  page:section "SYNOPSIS"
  page:put "\\fBmoult\\fR \\fIVERB\\fR [\\fIARGUMENT\\fR | \\fIOPTION\\fR]..."
  page:put ".br"
  page:put "\\fBmoult\\fR \\fISCRIPT\\fR.lua [\\fIARGUMENT\\fR]..."
  page:section "DESCRIPTION"
  page:text [[
Moult is an update runtime for embedded Linux. A signed package carries a core (the system image in one of two
slots), a script (the device's Lua tree), or both. It is fetched, verified block by block and written beside what runs.
One write arms it. After a restart it runs on trial, and then it is confirmed or, core and script together, rolled
back. Power may fail at any time. A release that failed its trial is quarantined: it is not installed again.

If a trial failed only because no cloud answered, the old release finds out why. If a cloud answers it within a
minute, or within the deadline if that is shorter, the new release was at fault. If none does, the new release is
tried once more.

What to update, and when, is policy: a Lua file, see `moult-policy`(7). The configuration is described in
`moult-config`(5), packages and recipes in `moult-package`(5).

With the name of a Lua file, `moult` behaves like plain `lua` with its native modules built in, see
`moult-native`(7).]]
  for _, group in ipairs(cli.groups) do
    page:section(group[1]:upper())
    for _, name in ipairs(group[2]) do
      if package.searchpath("cli.verbs." .. name, package.path) then
        put_verb(page, require("cli.verbs." .. name).verb, common)
      end
    end
  end
  page:section "COMMON OPTIONS"
  page:text [[
Options may be anywhere after the verb; `--` ends them. A verb takes the options that it lists, and `--quiet`,
`--verbose` and `--help`.]]
  for _, option in ipairs(common) do page:item(option_term(option), option_text(option)) end
  put_codes(page)
  page:section "ENVIRONMENT"
  page:item(roff.bold "MOULT_CONFIG", "The configuration if `-c` is not given.")
  page:item(roff.bold "SOURCE_DATE_EPOCH", "Seconds since 1970 UTC; `moult pack` writes them as `issued` if the "
    .. "recipe has none.")
  page:item(roff.bold "NOTIFY_SOCKET" .. ", " .. roff.bold "WATCHDOG_USEC", "Set by `systemd`(1). `moult run` "
    .. "reports that it is ready once its agent answers, and feeds the watchdog as long as its agent is alive.")
  page:section "FILES"
  page:item(roff.bold "/etc/moult/config.lua", "The configuration if neither `-c` nor `MOULT_CONFIG` is given.")
  page:item(roff.bold "/etc/moult/keys/", "The trusted public keys in the example configuration.")
  page:item(roff.bold "/var/lib/moult/", "The state directory in the example configuration: journal, scripts, "
    .. "downloads. It must be outside both slots.")
  page:item(roff.bold "/usr/share/doc/moult/examples/config.lua", "An example configuration.")
  put_vendors(page)
  page:see_also { { "moult-config", 5 }, { "moult-package", 5 }, { "moult-native", 7 }, { "moult-policy", 7 },
    { "moult-script", 7 }, { "minisign", 1 } }
  return page
end

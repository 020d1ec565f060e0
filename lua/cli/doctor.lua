--- `moult doctor [CODE]`.
--
-- @module cli.doctor

local natives = require "update.natives"
local nearest = require "update.nearest"

local M = {}

M.verb = {
  name = "doctor",
  usage = "doctor [CODE] [-c CONFIG]",
  summary = "check the set-up of this device, or explain a code word",
  text = "Takes no lock and repairs nothing. Each line is ok, warn or fail, and says what to do. "
    .. "Exits 0 when the\ndevice is usable, else with the code of the first failure. CODE is a word such as "
    .. "`untrusted`, or an exit code.",
  positional = { 0, 1 },
  common = { "config", "json" },
  example = "moult doctor untrusted",
}

local function vendor(number)
  return number and tostring(number) or "not reported"
end

local function explain(word, env)
  local words, found = {}, nil
  for _, row in ipairs(natives.error.codes()) do
    words[#words + 1] = row.word
    if row.word == word or tostring(row.exit) == word then found = row end
  end
  if not found then
    local near = nearest.of(word, words)
    return nil, ("no code word %q%s; the words are %s"):format(word,
      near and (" (did you mean %s?)"):format(near) or "", table.concat(words, ", ")), "usage"
  end
  if env.json then
    env.out(natives.json.encode(found))
  else
    env.out(("%s (exit code %d)"):format(found.word, found.exit))
    env.out("  what happened:  " .. found.meaning)
    env.out("  what to do:     " .. found.advice)
    env.out(("  told to clouds: Tencent %s, Aliyun %s"):format(vendor(found.tencent), vendor(found.aliyun)))
  end
  return 0
end

function M.run(parsed, env)
  if parsed.positional[1] then return explain(parsed.positional[1], env) end
  return require("cli.checks").run(parsed, env)
end

return M

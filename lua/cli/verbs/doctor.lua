--- `moult doctor [CODE]`.
--
-- @module cli.verbs.doctor

local natives = require "update.natives"
local nearest = require "update.config.nearest"
local registry = require "update.cloud.registry"
local session = require "cli.session"

local M = {}

M.verb = {
  name = "doctor",
  usage = "doctor [CODE] [-c CONFIG]",
  summary = "check the set-up of this device, or explain a code word",
  text = "Takes no lock and repairs nothing. Each line is ok, warn or fail, and says what to do. "
    .. "Exits 0 if the\ndevice is usable, else with the code of the first failure. CODE is a word such as "
    .. "`untrusted`, or an exit code.",
  positional = { 0, 1 },
  common = { "config", "json" },
  example = "moult doctor untrusted",
}

local function vendor(number)
  return number and tostring(number) or "not reported"
end

-- Only scripts meet this word; no verb ends with it.
local AGAIN = { word = "again", meaning = "Not a failure: the call would have to wait.",
  advice = "Poll the loop (update.native.loop) and call the same function again." }

local function explain(word, env)
  local words, found = {}, word == "again" and AGAIN or nil
  for _, row in ipairs(natives.error.codes()) do
    words[#words + 1] = row.word
    if row.word == word or tostring(row.exit) == word then found = row end
  end
  if not found then
    local near = nearest.of(word, words)
    return nil, ("no code word %q%s; the words are %s"):format(word,
      near and (" (did you mean %s?)"):format(near) or "", table.concat(words, ", ")), "usage"
  end
  for _, kind in ipairs { "tencent", "aliyun" } do found[kind] = registry.of(kind).numbers[found.word] end
  if env.json then
    env.out(natives.json.encode(found))
  else
    env.out(found.exit and ("%s (exit code %d)"):format(found.word, found.exit) or found.word)
    env.out("  what happened:  " .. found.meaning)
    env.out("  what to do:     " .. found.advice)
    if found.exit then
      env.out(("  told to clouds: Tencent %s, Aliyun %s"):format(vendor(found.tencent), vendor(found.aliyun)))
    end
  end
  return 0
end

local function print_row(env, row)
  env.out(("%-4s  %-10s %s"):format(row.level, row.what, row.text))
  if row.advice and row.level ~= "ok" then env.out(("      %-10s -> %s"):format("", row.advice)) end
end

local function check(parsed, env)
  return session.run(parsed, env, function(s)
    local rows, exit = {}, 0
    require("cli.checks").all(s, function(level, what, text, advice, code)
      local row = { level = level, what = what, text = text, advice = advice, code = code }
      rows[#rows + 1] = row
      if level == "fail" and exit == 0 then exit = natives.error.find(code or "usage").exit end
      if not env.json then print_row(env, row) end
    end)
    if env.json then env.out(natives.json.encode(natives.json.array(rows))) end
    if exit == 0 then env.note("this device is usable") end
    return exit
  end)
end

function M.run(parsed, env)
  if parsed.positional[1] then return explain(parsed.positional[1], env) end
  return check(parsed, env)
end

return M

--- Parses the words of a command line into positionals and options.
--
-- Pure. Options may stand anywhere after the verb: `--name VALUE`,
-- `--name=VALUE`, `-n VALUE`, `-nVALUE`, combined flags (`-qv`); `--` ends
-- them. An option is a row {name = long, short = letter|nil, value =
-- placeholder|nil (nil: a flag), help = text, choices = array|nil,
-- list = true if it may be repeated}.
--
-- @module cli.args

local nearest = require "update.config.nearest"

local M = {}

--- Options that every verb understands.
M.common = {
  { name = "config", short = "c", value = "CONFIG",
    help = "configuration (else MOULT_CONFIG, else /etc/moult/config.lua)" },
  { name = "key", short = "k", value = "KEY", help = "private key to sign with, or public key to check with" },
  { name = "out", short = "o", value = "OUT", help = "file to write; it is replaced completely or not at all" },
  { name = "json", help = "print the result as JSON" },
  { name = "progress", value = "FORM", help = "how to show progress: auto, bar, plain, json or none",
    choices = { "auto", "bar", "plain", "json", "none" } },
  { name = "quiet", short = "q", help = "print errors only" },
  { name = "verbose", short = "v", help = "print more" },
  { name = "dry-run", help = "print what would be done; change nothing" },
  { name = "permit", value = "FILE", help = "signed permit for a package that is not above the floor" },
  { name = "help", short = "h", help = "print this text" },
}

local function index_of(options)
  local long, short, names = {}, {}, {}
  for _, list in ipairs { options or {}, M.common } do
    for _, option in ipairs(list) do
      if not long[option.name] then
        long[option.name] = option
        names[#names + 1] = "--" .. option.name
      end
      if option.short and not short[option.short] then short[option.short] = option end
    end
  end
  return long, short, names
end

local function unknown(word, names)
  local near = nearest.of(word, names)
  return nil, ("unknown option %s%s"):format(word, near and ("; did you mean %s?"):format(near) or ""), "usage"
end

local function store(opts, option, value)
  if option.choices and value ~= true then
    local known = false
    for _, choice in ipairs(option.choices) do known = known or choice == value end
    if not known then
      return nil, ("--%s must be one of %s, not %q"):format(option.name, table.concat(option.choices, ", "), value),
        "usage"
    end
  end
  if option.list then
    opts[option.name] = opts[option.name] or {}
    table.insert(opts[option.name], value)
  elseif opts[option.name] ~= nil and option.value then
    return nil, ("--%s is given twice"):format(option.name), "usage"
  else
    opts[option.name] = value
  end
  return true
end

--- Parse the words after the verb.
-- @tparam {string,...} words
-- @tparam[opt] {table,...} options rows of the verb, besides M.common
-- @treturn table {positional = {string,...}, opts = {[long] = string|true|{string,...}}}
-- @treturn nil,string,string message, "usage"
function M.parse(words, options)
  local long, short, names = index_of(options)
  local out = { positional = {}, opts = {} }
  local i = 1

  local function value_of(option, spelled)
    i = i + 1
    if words[i] == nil then
      return nil, ("%s needs a value: %s %s"):format(spelled, spelled, option.value), "usage"
    end
    return words[i]
  end

  local function long_option(word)
    local name, value = word:match("^%-%-([^=]+)=(.*)$")
    name = name or word:sub(3)
    local option = long[name]
    if not option then return unknown("--" .. name, names) end
    if not option.value then
      if value then return nil, ("--%s takes no value"):format(name), "usage" end
      return store(out.opts, option, true)
    end
    if not value then
      local message, code
      value, message, code = value_of(option, "--" .. name)
      if not value then return nil, message, code end
    end
    return store(out.opts, option, value)
  end

  local function short_options(word)
    for at = 2, #word do
      local option = short[word:sub(at, at)]
      if not option then return unknown("-" .. word:sub(at, at), names) end
      if option.value then
        if at < #word then return store(out.opts, option, word:sub(at + 1)) end
        local value, message, code = value_of(option, "-" .. option.short)
        if not value then return nil, message, code end
        return store(out.opts, option, value)
      end
      store(out.opts, option, true)
    end
    return true
  end

  while i <= #words do
    local word = words[i]
    local ok, message, code = true, nil, nil
    if word == "--" then
      table.move(words, i + 1, #words, #out.positional + 1, out.positional)
      break
    elseif word:sub(1, 2) == "--" then
      ok, message, code = long_option(word)
    elseif word:sub(1, 1) == "-" and word ~= "-" then
      ok, message, code = short_options(word)
    else
      table.insert(out.positional, word)
    end
    if not ok then return nil, message, code end
    i = i + 1
  end
  return out
end

return M

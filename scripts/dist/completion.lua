--- Completion for bash, from the verbs' own tables.
--
-- @module completion

local M = {}

-- What a placeholder of a usage line stands for; any other one is a file.
local kinds = {
  VERB = "verbs", CODE = "codes", DIR = "folders", KEYS = "files", NAME = "none", REASON = "none", BASE = "none",
  ["HOST:PORT"] = "none", N = "none", SECONDS = "none", PRODUCT = "none", RELEASE = "none",
  PKG = "packages", RECIPE = "recipes", SCRIPT = "scripts", CONFIG = "scripts",
}

local HEAD = [=[
# bash completion for moult; made from the tables of its verbs.

_moult_paths() { # -d: folders; else the endings of the names that are wanted, if any
  local path
  compopt -o filenames 2>/dev/null
  while IFS= read -r path; do COMPREPLY+=("$path"); done < <(compgen -d -- "$cur")
  [ "${1-}" = -d ] && return
  while IFS= read -r path; do
    if [ $# -gt 0 ]; then
      local ending fits=''
      for ending; do [[ $path == *"$ending" ]] && fits=yes; done
      [ -n "$fits" ] || continue
    fi
    [ -d "$path" ] || COMPREPLY+=("$path")
  done < <(compgen -f -- "$cur")
}

_moult_words() { # what to choose from
  local word
  while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -W "$1" -- "$cur")
}

_moult() {
  local cur=${COMP_WORDS[COMP_CWORD]} before='' verb=${COMP_WORDS[1]-}
  COMPREPLY=()
  [ "$COMP_CWORD" -gt 0 ] && before=${COMP_WORDS[COMP_CWORD - 1]}
  # Readline takes `=` for a word of its own.
  if [ "$cur" = = ]; then
    cur=''
  elif [ "$before" = = ] && [ "$COMP_CWORD" -gt 1 ]; then
    before=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  if [ "$COMP_CWORD" -eq 1 ]; then
]=]

local TAIL = [=[
}

complete -F _moult moult
]=]

-- By kind, the command that completes it; `verbs` and `codes` are lists of words.
local function completer(kind)
  local codes = {}
  for _, row in ipairs(require("update.native.error").codes()) do codes[#codes + 1] = row.word end
  return ({
    verbs = ("_moult_words %q"):format(table.concat(require("cli").names(), " ")),
    codes = ("_moult_words %q"):format(table.concat(codes, " ")),
    folders = "_moult_paths -d", files = "_moult_paths", packages = "_moult_paths .upd",
    recipes = "_moult_paths .lua", scripts = "_moult_paths .lua", none = ":",
  })[kind]
end

-- The kind of what a verb takes without an option: that of the first placeholder of its usage.
local function positional_kind(verb)
  if not verb.positional or verb.positional[2] == 0 then return verb.positional and "none" or "files" end
  local word = verb.usage:match("^%S+%s+%[?([%u:]+)")
  return word and (kinds[word] or "files") or "files"
end

-- The options that a verb takes: its own, the common ones it names, and those of every verb.
local function options_of(verb, common)
  local list, used = {}, { quiet = true, verbose = true, help = true }
  for _, name in ipairs(verb.common or {}) do used[name] = true end
  for _, option in ipairs(verb.options or {}) do list[#list + 1] = option end
  for _, option in ipairs(common) do
    if used[option.name] then list[#list + 1] = option end
  end
  return list
end

local function words_of(options)
  local words = {}
  for _, option in ipairs(options) do
    words[#words + 1] = "--" .. option.name
    if option.short then words[#words + 1] = "-" .. option.short end
  end
  return table.concat(words, " ")
end

local function pattern_of(option)
  return (option.short and ("-%s | "):format(option.short) or "") .. "--" .. option.name
end

local function value_of(option)
  if option.choices then return ("_moult_words %q"):format(table.concat(option.choices, " ")) end
  return completer(kinds[option.value] or "files")
end

-- What follows an option that takes a value.
local function put_values(put, options)
  put "      case $before in"
  for _, option in ipairs(options) do
    if option.value then put(("        %s) %s; return ;;"):format(pattern_of(option), value_of(option))) end
  end
  put "      esac"
end

--- The completion as a bash file.
-- @treturn string
function M.bash()
  local cli, common = require "cli", require("cli.args").common
  local out = {}
  local function put(line) out[#out + 1] = line end
  put(("    _moult_words \"%s --help --version\""):format(table.concat(cli.names(), " ")))
  put "    _moult_paths .lua"
  put "    return"
  put "  fi"
  put "  case $verb in"
  for _, name in ipairs(cli.names()) do
    local verb = cli.find(name).verb
    local options = options_of(verb, common)
    put(("    %s)"):format(name))
    put_values(put, options)
    put(("      if [[ $cur == -* ]]; then _moult_words %q; else %s; fi"):format(words_of(options),
      completer(positional_kind(verb))))
    put "      ;;"
  end
  put "    *) _moult_paths ;;"
  put "  esac"
  return HEAD .. table.concat(out, "\n") .. "\n" .. TAIL
end

return M

--- Verbs of the command line, run in this process.
--
-- @module spec.support.verb

local M = {}

--- Run one.
-- @tparam string name
-- @tparam {string,...} words after it
-- @tparam[opt] table options
-- @tparam[opt] table flags of the environment: json, dry_run; progress: a function of the spec's own
-- @return exit, message, code, output, notes, progress: an array of {done, total, label}
function M.run(name, words, options, flags)
  local out, notes, progress = {}, {}, {}
  local env = { out = function(text) out[#out + 1] = text end, note = function(text) notes[#notes + 1] = text end,
    err = function(text) notes[#notes + 1] = text end, finish = function() end,
    progress = function(done, total, label) progress[#progress + 1] = { done, total, label } end }
  for flag, value in pairs(flags or {}) do env[flag] = value end
  local exit, message, code = require("cli.verbs." .. name).run({ positional = words, opts = options or {} }, env)
  return exit, message, code, table.concat(out, "\n"), table.concat(notes, "\n"), progress
end

--- Run one that ends well.
-- @return output, notes, progress
function M.good(...)
  local exit, message, code, out, notes, progress = M.run(...)
  assert(exit == 0, message and ("%s (%s)"):format(message, code))
  return out, notes, progress
end

--- Run one that fails with a code, and a message that holds a fragment.
function M.bad(fragment, word, ...)
  local exit, message, code = M.run(...)
  assert(exit == nil, "it does not fail")
  assert(message:find(fragment, 1, true), message)
  assert(code == word, code)
end

return M

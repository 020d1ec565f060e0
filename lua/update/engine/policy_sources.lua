--- The policies that may answer a question: which there are, and what replaces a broken one.
--
-- A policy is broken if it cannot be read or loaded, fails, takes too long or
-- gives an invalid answer. Then its last good version is asked: the text that
-- last loaded and answered, kept in <state>/policy/good. If there is none, a
-- broken policy of the owner means that nothing is installed. A broken policy of
-- the generation is left out, because a release must not be able to block the
-- release that repairs it.
--
-- @module update.engine.policy_sources

local byte_order = require "update.config.byte_order"

local M = {}

local TEXT_MAX = 256 << 10 -- bytes of a policy

-- The text of a policy; nil, message, code.
local function text_of(path, read)
  local text, message, code = read(path)
  if not text then return nil, message, code end
  local wrong = byte_order.wrong(text)
  if wrong then return nil, ("%s: %s"):format(path, wrong) end
  if #text > TEXT_MAX or not utf8.len(text) then
    return nil, path .. ": not a text of at most 256 KiB in UTF-8"
  end
  return text
end

--- Read the policies anew, so that an edit counts from the next question on.
-- @tparam table asker read, owner, generation: see update.engine.policy_client
-- @tparam string|nil left_out why the generation's policy is not to be asked; `tree` says so if it has one
-- @tparam {table,...} tree the reason tree
-- @treturn {table,...} {name = "owner"|"generation", text, or trouble (why there is no text)}
function M.list(asker, left_out, tree)
  local list = {}
  if asker.owner then
    local text, message = text_of(asker.owner, asker.read)
    list[1] = { name = "owner", text = text, trouble = message }
  end
  local path = asker.generation()
  if not path then return list end
  local text, message, code = text_of(path, asker.read)
  if code == "missing" then return list end -- a generation need not bring a policy
  if left_out then
    tree[#tree + 1] = { rule = "policy", result = "skip", text = left_out }
  else
    list[#list + 1] = { name = "generation", text = text, trouble = message }
  end
  return list
end

local function remove(list, source)
  for i, other in ipairs(list) do
    if other == source then return table.remove(list, i) end
  end
end

--- Replace a broken policy by its last good version, or leave it out.
-- @tparam table asker native, state, log
-- @tparam {table,...} list of list(); changed in place
-- @tparam table source the broken one in it
-- @tparam string trouble why it is broken
-- @tparam {table,...} tree the reason tree, which says what was done
-- @treturn boolean false: nothing can replace it, so nobody is asked
function M.replace(asker, list, source, trouble, tree)
  local kept = not source.kept and asker.native.kept(asker.state, source.name) or nil
  local instead
  if kept and kept ~= source.text and utf8.len(kept) then
    source.text, source.trouble, source.kept = kept, nil, true
    instead = "the last good one is asked"
  elseif source.name == "generation" then
    remove(list, source)
    instead = "it is left out"
  end
  local text = ("the %s's policy is broken: %s"):format(source.name, trouble)
  if instead then text = ("%s; %s"):format(text, instead) end
  tree[#tree + 1] = { rule = "policy", result = instead and "skip" or "stop", text = text }
  asker.log(text)
  return instead ~= nil
end

--- The policies that a reply calls broken. If it names none, the generation's counts as broken, because it can be left
-- out; without one, all of them.
-- @tparam {table,...} list
-- @tparam table|nil reply of the policy process
-- @treturn {table,...}
function M.broken(list, reply)
  local found = {}
  for _, name in ipairs(reply and type(reply.broken) == "table" and reply.broken or {}) do
    for _, source in ipairs(list) do
      if source.name == name then found[#found + 1] = source end
    end
  end
  local last = list[#list]
  if not found[1] and last and last.name == "generation" then return { last } end
  return found[1] and found or table.move(list, 1, #list, 1, {})
end

--- Keep the text of the policy that answered as its last good version.
-- @tparam table asker native, state, keep, good, log
-- @tparam {table,...} list
-- @tparam string by the name of the one that answered
function M.keep(asker, list, by)
  for _, source in ipairs(list) do
    if asker.keep and source.name == by and not source.kept then
      asker.good[by] = asker.good[by] or asker.native.kept(asker.state, by)
      if asker.good[by] ~= source.text then
        local ok, message = asker.native.keep(asker.state, by, source.text)
        asker.good[by] = ok and source.text or nil
        if not ok then asker.log(message) end
      end
    end
  end
end

return M

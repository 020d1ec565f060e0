--- One question to one policy process.
--
-- @module update.engine.policy_process

local M = {}

--- Start a policy process, ask it one question and wait through `watch` for the answer.
-- @tparam table native update.native.policy
-- @tparam table json update.native.json
-- @tparam function watch (watches, seconds): wait for descriptors
-- @tparam table question {ask, sources, offer, device, limits, hotfixes, facts}
-- @tparam[opt] string user to run as, if this process is root
-- @treturn table {ok = true, answer, tree, by} or {ok = false, message, broken
--   = {name, ...}} | nil, message, code
function M.run(native, json, watch, question, user)
  local fine, text = pcall(json.encode, question)
  if not fine then
    return nil, "policy question: " .. tostring(text), "internal"
  end
  local p <close>, message, code = native.start(text, user)
  if not p then
    return nil, message, code
  end
  local answer
  repeat
    answer, message, code = p:step()
    if not answer and code == "again" then
      local watches = { { fd = p:fd(), read = true } }
      if p:wants_write() then
        watches[2] = { fd = p:wants_write(), write = true }
      end
      watch(watches, p:remaining() / 1000)
    end
  until answer or code ~= "again"
  if not answer then
    return nil, message, code
  end
  -- Texts of a policy enter only here. They are made printable, because logs, status and clouds will show them.
  local reply = json.decode(answer, { printable = true })
  if type(reply) ~= "table" or type(reply.ok) ~= "boolean" then
    return nil, "policy process: its answer is not what was asked for", "refused"
  end
  return reply
end

return M

--- What a program asks the agent by the calls of the Qinglian device SDK: the verb `qinglian` of the control socket.
--
-- Answers are those of the SDK: 0, or -1 for a call that is refused.
--
-- @module update.agent.qinglian_calls

local qinglian = require "update.cloud.qinglian"
local ledgers = require "update.engine.ledger"

local M = {}

local calls = {}

function calls.time(self)
  return { time = self:time() }
end

function calls.wait(self, request)
  return self.news:wait(request.after, { copy = request.copy == true, refused = request.refused == true })
end

local function named(request)
  return qinglian.named { n = request.name, v = request.version }
end

-- Ask for a patch of the current list. One that policy chose is under way or waits already.
function calls.patch_req(self, request)
  local wanted, state = named(request), self.state
  if not wanted or state.link ~= "authed" then return { value = -1 } end
  if ledgers.is_same(state.patch and state.patch.item, wanted) then return { value = 0 } end
  for _, item in ipairs(state.wanted or {}) do
    if ledgers.is_same(item, wanted) then return { value = 0 } end
  end
  if state.patch or state.firmware then return { value = -1 } end
  for _, item in ipairs(self.items or {}) do
    if ledgers.is_same(item, wanted) then
      self:drive { type = "want", items = { item } }
      return { value = 0 }
    end
  end
  return { value = -1 }
end

-- How a patch did. Of one that the agent itself takes, or took, the agent tells the cloud, and failed counts: test,
-- handler and this agree, or it is undone.
function calls.patch_end(self, request)
  local ended, state = named(request), self.state
  if not ended or type(request.ok) ~= "boolean" then return { value = -1 } end
  local is_under_way = ledgers.is_same(state.patch and state.patch.item, ended)
  if not is_under_way and not self:knows(ended) then
    self:drive { type = "patch_result", name = ended.name, version = ended.version, ok = request.ok }
  elseif not request.ok then
    self.agent.hotfixes:called_failed(ended)
  end
  return { value = 0 }
end

--- Answer a request.
-- @tparam table agent
-- @tparam table request what ("wait", with after, copy, refused; "time"; "patch_req", with name, version; "patch_end",
--   with name, version, ok)
function M.call(agent, request)
  local self = agent:qinglian()
  if not self then return nil, "no cloud of kind qinglian is in the configuration", "nothing" end
  local call = calls[request.what]
  if not call then return nil, "no such call of the Qinglian cloud", "usage" end
  return call(self, request)
end

return M

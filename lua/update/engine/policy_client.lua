--- Asks policy, and decides what happens if policy is broken.
--
-- The questions are those of lua/update/policy.lua: decide, choose, healthy.
-- Each goes to a fresh policy process together with the texts of the policies
-- that may answer it, in this order: the owner's file, named in the
-- configuration; `policy.lua` of the generation that runs; the default.
-- update.engine.policy_sources says what replaces a broken one. The reason tree
-- tells what happened.
--
-- A policy of the release can also be valid and install nothing. If it kept
-- packages out on too many days (update.engine.verdict counts them), `overruled`
-- says so, and neither that policy nor its last good version is asked what to
-- install until something was installed. The owner's policy is never ignored.
--
-- The answer of the process is checked once more here, because the author of the
-- policy may control the process.
--
--     local asker = require("update.engine.policy_client").new {
--       native = natives.policy, json = natives.json,
--       watch = function(watches, seconds) tasks:watch(watches, seconds) end,
--       read = read_file,            -- function(path) -> text | nil, message, code
--       state = config.state, keep = true,
--       owner = config.policy,       -- path or nil
--       generation = function() return path_of_policy_lua end,
--       user = config.user, limits = config.limits,
--       confirm = config.confirm, confirm_after = config.confirm_after,
--       overruled = function() return why_the_generations_is_left_out or nil end,
--     }
--     local decision, tree, by = asker:decide(offer, device)
--
-- @module update.engine.policy_client

local policy_process = require "update.engine.policy_process"
local sources = require "update.engine.policy_sources"

local M = {}

local Asker = {}
Asker.__index = Asker

local RETRY = 3600         -- seconds until the next try, if policy is broken
local WAIT_MOST = 86400    -- seconds until it is asked again, whatever it says
local ACTIONS = { install = true, defer = true, refuse = true }
local RESULTS = { ok = true, skip = true, stop = true }

--- @tparam table o see above; `keep`: whether the last good version may be
--   written (false for verbs that change nothing); `log`: function(line)
function M.new(o)
  local limits = {}
  for name, value in pairs(o.limits or {}) do
    limits[name] = value
  end
  limits.confirm, limits.confirm_after = o.confirm, o.confirm_after
  return setmetatable({
    native = o.native, json = o.json, watch = o.watch, read = o.read, state = o.state, keep = o.keep,
    owner = o.owner, generation = o.generation or function() end, user = o.user, limits = limits,
    log = o.log or function() end, overruled = o.overruled or function() end, good = {},
  }, Asker)
end

-- Ask until a policy gives an answer that check() accepts: answer, tree, by; or nil, tree. Each further turn replaces
-- or drops a broken policy, so this ends.
function Asker:ask(question, check, left_out)
  local tree = {}
  local list = sources.list(self, left_out, tree)
  for _, source in ipairs(table.move(list, 1, #list, 1, {})) do
    if source.trouble and not sources.replace(self, list, source, source.trouble, tree) then
      return nil, tree
    end
  end
  while true do
    question.sources = self.json.array {}
    for i, source in ipairs(list) do
      question.sources[i] = { name = source.name, text = source.text }
    end
    local reply, message = policy_process.run(self.native, self.json, self.watch, question, self.user)
    if reply and reply.ok and type(reply.answer) == "table" and check(reply.answer) then
      sources.keep(self, list, reply.by)
      for _, line in ipairs(type(reply.tree) == "table" and reply.tree or {}) do
        if type(line) == "table" and RESULTS[line.result] then
          tree[#tree + 1] = { rule = tostring(line.rule), result = line.result, text = tostring(line.text) }
        end
      end
      return reply.answer, tree, tostring(reply.by)
    end
    message = tostring(reply and (reply.message or "its answer is malformed") or message)
    if #list == 0 then
      tree[#tree + 1] = { rule = "policy", result = "stop", text = "policy cannot be asked: " .. message }
      return nil, tree
    end
    for _, source in ipairs(sources.broken(list, reply)) do
      if not sources.replace(self, list, source, message, tree) then
        return nil, tree
      end
    end
  end
end

local function is_wait(seconds)
  return seconds == nil or math.type(seconds) == "integer" and seconds >= 0
end

--- Decide about an offer. Fields of both tables: lua/update/policy.lua.
-- @tparam table offer
-- @tparam table device
-- @tparam[opt] string left_out why not to ask the generation's policy
-- @treturn table decision {action, reason, retry_after (seconds), prefer}; this function does not fail
-- @treturn {table,...} the reason tree: {rule, result = "ok"|"skip"|"stop", text}
-- @treturn string|nil whose policy answered: "owner", "generation" or "default"
function Asker:decide(offer, device, left_out)
  local answer, tree, by = self:ask({ ask = "decide", offer = offer, device = device, limits = self.limits },
    function(a)
      return ACTIONS[a.action] and type(a.reason) == "string" and is_wait(a.retry_after)
    end, left_out or self.overruled())
  if not answer then
    return { action = "defer", reason = "policy", retry_after = RETRY }, tree, nil
  end
  answer.retry_after = answer.retry_after and math.min(answer.retry_after, WAIT_MOST)
  return answer, tree, by
end

--- Choose hotfixes.
-- @tparam {table,...} hotfixes
-- @tparam table device
-- @treturn {string,...} names, in order; none if policy is broken
-- @treturn {table,...} the reason tree
function Asker:choose(hotfixes, device)
  local offered = {}
  for _, fix in ipairs(hotfixes) do
    offered[fix.name] = true
  end
  local list = self.json.array(table.move(hotfixes, 1, #hotfixes, 1, {}))
  local answer, tree = self:ask({ ask = "choose", hotfixes = list, device = device }, function(a)
    for _, name in ipairs(type(a.names) == "table" and a.names or {}) do
      if not offered[name] then
        return false
      end
    end
    return type(a.names) == "table"
  end, self.overruled())
  return answer and table.move(answer.names, 1, #answer.names, 1, {}) or {}, tree
end

--- Whether the release on trial works.
-- @tparam table facts
-- @treturn boolean|nil true confirms, false rolls back, nil: not yet (also if policy is broken)
-- @treturn string why
function Asker:healthy(facts)
  local answer, tree = self:ask({ ask = "healthy", facts = facts, limits = self.limits }, function(a)
    return type(a.healthy) == "boolean" or a.healthy == self.json.null
  end)
  if not answer then
    return nil, tree[#tree].text
  end
  local why = type(answer.reason) == "string" and answer.reason or ""
  if answer.healthy == self.json.null then
    return nil, why
  end
  return answer.healthy, why
end

return M

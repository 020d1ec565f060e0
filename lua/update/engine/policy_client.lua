--- Ask policy, and decide what to do when policy is broken.
--
-- The questions are those of lua/update/policy.lua: decide, choose, healthy.
-- Each goes to a fresh policy process together with the texts of the policies
-- that may answer it, in this order: the owner's file, named in the
-- configuration; `policy.lua` of the generation that runs; the default. Files
-- are read anew for every question, so an edit counts from the next one on.
--
-- A policy is broken if it cannot be read or loaded, fails, takes too long or gives
-- an invalid answer. Then its last good version is used: the one that last
-- loaded and answered, kept in <state>/policy/good. If there is none, a broken
-- policy of the owner means that nothing is installed ("defer", reason
-- "policy"); a broken policy of the generation is ignored, because a release
-- must not be able to keep out the one that repairs it. The reason tree says so.
--
-- The same holds for a valid policy that installs nothing: if the release's policy
-- kept packages out on too many days (update.engine.verdict counts them), `overruled`
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

local byte_order = require "update.config.byte_order"
local policy_process = require "update.engine.policy_process"

local M = {}

local Asker = {}
Asker.__index = Asker

local TEXT_MAX = 256 << 10 -- bytes of a policy
local RETRY = 3600         -- seconds, when policy is broken
local WAIT_MOST = 86400    -- seconds until it is asked again, whatever it says
local ACTIONS = { install = true, defer = true, refuse = true }
local RESULTS = { ok = true, skip = true, stop = true }

--- @tparam table o see above; `keep`: whether the last good text may be
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

-- The policies that are to be asked: {name, text | trouble}. `left_out`: why the
-- generation's is not; a line of the tree says so when there is one.
function Asker:sources(left_out, tree)
  local list = {}
  for _, source in ipairs { { "owner", self.owner }, { "generation", self.generation() or nil } } do
    local name, path = table.unpack(source)
    local text, message, code
    if path then
      text, message, code = self.read(path)
    end
    local wrong = text and byte_order.wrong(text)
    if wrong then
      text, message = nil, ("%s: %s"):format(path, wrong)
    elseif text and (#text > TEXT_MAX or not utf8.len(text)) then
      text, message = nil, path .. ": not a text of at most 256 KiB in UTF-8"
    end
    -- A generation need not bring one; the owner's is named, so it is missed.
    if name == "generation" and left_out then
      if text or path and code ~= "missing" then
        tree[#tree + 1] = { rule = "policy", result = "skip", text = left_out }
      end
    elseif path and not (name == "generation" and code == "missing") then
      list[#list + 1] = { name = name, text = text, trouble = message }
    end
  end
  return list
end

-- Something else in the place of a broken source; false when there is nothing.
function Asker:replace(list, source, trouble, tree)
  local kept = not source.kept and self.native.kept(self.state, source.name) or nil
  local instead
  if kept and kept ~= source.text and utf8.len(kept) then
    source.text, source.trouble, source.kept = kept, nil, true
    instead = "the last good one is asked"
  elseif source.name == "generation" then
    for i, other in ipairs(list) do
      if other == source then
        table.remove(list, i)
        break
      end
    end
    instead = "it is left out"
  end
  local text = ("the %s's policy is broken: %s"):format(source.name, trouble)
  if instead then
    text = ("%s; %s"):format(text, instead)
  end
  tree[#tree + 1] = { rule = "policy", result = instead and "skip" or "stop", text = text }
  self.log(text)
  return instead ~= nil
end

-- The sources that a reply calls broken. When it does not say: the generation's, which
-- is left out if need be and must not bring down the owner's; else all of them.
local function broken_ones(list, reply)
  local found = {}
  for _, name in ipairs(reply and type(reply.broken) == "table" and reply.broken or {}) do
    for _, source in ipairs(list) do
      if source.name == name then
        found[#found + 1] = source
      end
    end
  end
  local last = list[#list]
  if not found[1] and last and last.name == "generation" then
    return { last }
  end
  return found[1] and found or table.move(list, 1, #list, 1, {})
end

function Asker:remember(list, by)
  for _, source in ipairs(list) do
    if self.keep and source.name == by and not source.kept then
      self.good[by] = self.good[by] or self.native.kept(self.state, by)
      if self.good[by] ~= source.text then
        local ok, message = self.native.keep(self.state, by, source.text)
        self.good[by] = ok and source.text or nil
        if not ok then
          self.log(message)
        end
      end
    end
  end
end

-- Ask until somebody answers: answer, tree, by; or nil, tree. `check(answer)` is
-- the last look at it. Every turn but the last replaces or drops a source.
function Asker:ask(question, check, left_out)
  local tree = {}
  local list = self:sources(left_out, tree)
  for _, source in ipairs(table.move(list, 1, #list, 1, {})) do
    if source.trouble and not self:replace(list, source, source.trouble, tree) then
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
      self:remember(list, reply.by)
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
    for _, source in ipairs(broken_ones(list, reply)) do
      if not self:replace(list, source, message, tree) then
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
-- @tparam[opt] string left_out why the generation's policy is not to be asked
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
-- @treturn {string,...} names, in order; none when policy is broken
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

--- Whether the release on trial is well.
-- @tparam table facts
-- @treturn boolean|nil true confirms, false rolls back, nil: not yet (also when policy is broken)
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

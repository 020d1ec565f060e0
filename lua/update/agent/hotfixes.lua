--- Hotfixes, between the supervisor, which puts them in force, and the script, which may take them as it runs.
--
-- @module update.agent.hotfixes

local engine_hotfix = require "update.engine.hotfix"
local ledgers = require "update.engine.ledger"

local M = {}

local ANSWER_MORE = 60 -- seconds over hotfix_time, after which the supervisor is given up
local EVERY = 1 -- seconds between two questions to policy
local UNDO_WITHIN = 30 -- seconds that an order to undo one may take

local Hotfixes = {}
Hotfixes.__index = Hotfixes

--- @tparam table agent
function M.new(agent)
  return setmetatable({ agent = agent, asked = {}, asked_id = 0 }, Hotfixes)
end

-- "live" if the script has a handler.
local function how(self)
  return self.agent.server:hotfix_peer() and "live" or "plain"
end

local function row_of(self, id)
  return ledgers.of_id(self.agent.device:hotfixes() or {}, id)
end

-- Until that test is over, policy is asked how the script does, as on trial, and what it calls ill fails the test.
-- A task of the script that fails ends the test by itself; what failed before it does not count.
local function watch_health(self, test)
  local agent = self.agent
  while self.testing == test do
    local facts = agent.trial:facts()
    facts.starts, facts.errors, facts.cloud_reached = 1, 0, nil
    local healthy, why = agent.asker:healthy(facts)
    if healthy == false and self.testing == test then agent.supervisor:send("hotfix ill " .. why) end
    agent.tasks:wait(EVERY)
  end
end

-- What only a handler of the script can take waits until the script has one, for a while: it may have just started.
local function await_handler(self)
  local tasks = self.agent.tasks
  local till = tasks.now() + self.agent.config.hotfix_time
  while how(self) ~= "live" and tasks.now() < till do tasks:wait(EVERY) end
end

--- Have one put in force and tested; waits for the result.
-- @tparam string id of its folder
-- @tparam[opt] boolean opaque only a handler of the script can take it
-- @treturn string state in the ledger | nil, message, code
function Hotfixes:apply(id, opaque)
  if opaque then await_handler(self) end
  local test = { id = id }
  self.testing = test
  self.agent.tasks:spawn("health", watch_health, self, test)
  local state, message, code = self.agent.supervisor:order("hotfix", ("apply %s %s"):format(id, how(self)),
    self.agent.config.hotfix_time + ANSWER_MORE)
  self.testing = nil
  return state, message, code
end

--- Have the test of one that is in force run once more; nothing else changes.
-- @tparam string id of its folder
-- @treturn boolean whether it passed | nil, message, code
function Hotfixes:test_again(id)
  local said, message, code = self.agent.supervisor:order("hotfix", "again " .. id,
    self.agent.config.hotfix_time + ANSWER_MORE)
  if not said then return nil, message, code end
  return said == "passed"
end

--- A task of the script failed: a hotfix on test fails with it.
function Hotfixes:erred(message)
  if self.testing then self.agent.supervisor:send("hotfix erred " .. message:match "^[^\n]*") end
end

--- A program that takes its patches itself, too, says that this one failed: its test fails, and what leads its name
-- already is undone. Nothing is changed for one that has ended, or that a higher version has taken the place of.
-- @tparam table item name, version
function Hotfixes:called_failed(item)
  local agent = self.agent
  local rows = agent.device:hotfixes() or {}
  local row, tested = ledgers.find(rows, item), self.testing and ledgers.of_id(rows, self.testing.id)
  if self.testing and (not tested or ledgers.is_same(tested, item)) then
    agent.supervisor:send "hotfix bad a program called it failed"
  elseif row and ledgers.leading(rows, row.name) == row then
    agent.tasks:spawn("hotfix " .. row.name, function()
      local ok, message, code = self:undo(row.name)
      agent.log(("hotfix %s %s: a program called it failed: %s"):format(row.name, row.version,
        ok and "undone" or ("it stays: %s (%s)"):format(message, code)))
    end)
  end
end

--- What came before a cut is tried once more, without asking the cloud; `resumed` is its id after that.
function Hotfixes:resume()
  local agent = self.agent
  agent.device:hotfix_bare_end() -- what a cut left
  local id = agent.device:hotfix_waiting()
  if not id then return end
  local row = row_of(self, id)
  local opaque = row ~= nil and row.opaque ~= nil
  local state, message, code = agent.engine:alone(function() return self:apply(id, opaque) end)
  self.resumed = id
  agent.log(state and ("hotfix %s: %s, tried once more after a restart"):format(id, state)
    or ("hotfix %s: %s (%s)"):format(id, message, code))
  if state then agent:tell { event = "done", hotfix = row_of(self, id), state = state } end
end

-- The folder of the lower version that comes back when this one goes.
local function below(self, row)
  local lower = ledgers.leading(self.agent.device:hotfixes() or {}, row.name, row.id)
  return lower and lower.dir
end

-- Ask the handler: true if it did.
local function ask(self, action, id)
  local agent, peer, row = self.agent, self.agent.server:hotfix_peer(), row_of(self, id)
  if not peer or not row then return false end
  local asked = { peer = peer }
  self.asked_id = self.asked_id + 1
  self.asked[self.asked_id] = asked
  peer:send { event = "hotfix", id = self.asked_id, name = row.name, version = row.version, action = action,
    dir = row.dir, path = row.opaque, below = action == "undo" and below(self, row) or nil }
  agent.tasks:await(asked, agent.config.hotfix_time)
  self.asked[self.asked_id] = nil
  return asked.ok == true
end

--- The supervisor wants the script to take one, or to leave it.
-- @tparam string action "apply" or "undo"
-- @tparam string id
function Hotfixes:hand_over(action, id)
  self.agent.tasks:spawn("hotfix", function()
    self.agent.supervisor:send("hotfix handled " .. (ask(self, action, id) and "yes" or "no"))
  end)
end

--- The answer to {"event":"hotfix","id":n}.
function Hotfixes:told(peer, id, ok)
  local asked = self.asked[id]
  if not asked or asked.peer ~= peer then return end
  asked.ok = ok == true
  self.agent.tasks:set(asked)
end

--- Undo one by order.
-- @tparam string name
-- @tparam[opt] boolean all_above first those that lie on it
-- @treturn boolean true | nil, message, code
function Hotfixes:undo(name, all_above)
  return self.agent.supervisor:order("hotfix", ("undo %s %s %s"):format(all_above and "all" or "one", how(self), name),
    UNDO_WITHIN)
end

--- Which of a cloud's list to apply, as policy chooses.
-- @tparam {table,...} list name, version, size, cloud, security
-- @treturn {table,...} rows of update.engine.hotfix, in order | nil, message, code
function Hotfixes:choose(list)
  local ledger, message, code = self.agent.device:hotfixes()
  if not ledger then return nil, message, code end
  local rows, by_name, chosen = engine_hotfix.rows(list, ledger), {}, {}
  if #rows == 0 then return {} end
  for _, row in ipairs(rows) do by_name[row.name] = row end
  for i, name in ipairs((self.agent.asker:choose(rows, self.agent.device:facts()))) do chosen[i] = by_name[name] end
  return chosen
end

return M

--- Retries, by kind of failure.
--
-- network: after a pause that doubles, with jitter so that a fleet does not come
-- back all at once; or when the server says (Retry-After). expired: with a fresh
-- link, three times. corrupt: once, because the object may have changed on the
-- server. Progress resets the counts. Any other failure is final.
--
-- @module update.engine.retry

local M = {}

local RENEWALS = 3
local PAUSE_LEAST, PAUSE_MOST = 1, 300 -- seconds
local SERVER_SAYS_MOST = 86400         -- seconds, even if a server asks for more

--- Redirects that are followed in a row, so that two servers that point at each other do not keep the device busy.
M.REDIRECTS = 5

--- Seconds to wait before try number n.
-- @tparam integer n from 1
-- @tparam number random 0 to 1
function M.pause(n, random)
  return math.min(PAUSE_MOST, PAUSE_LEAST * 2 ^ (n - 1)) * (0.5 + random / 2)
end

--- Seconds to wait after a connection that broke but brought some bytes.
function M.short_pause(random)
  return M.pause(1, random) / 4
end

-- Wait, unless engine:cancel() ends it.
local function rest(engine, seconds)
  engine.tasks:rest(seconds, engine.resting)
end

-- What the cloud's dialect makes of an answer that is not a package: advice, or nil, message, code, seconds. The answer
-- of a proxy is not the cloud's, so the failure stands.
local function advise(where, answer, message, code)
  if not answer or not where.answered then return nil, message, code end
  local advice, said, why, seconds = where.answered(answer, where.location)
  if advice then return advice end
  return nil, said or message, why or code, seconds
end

local function follow(engine, where, spent, advice)
  if spent.redirects == M.REDIRECTS then
    return nil, ("%s: redirected %d times"):format(engine.natives.url.shown(where.location), M.REDIRECTS), "network"
  end
  if advice.location then
    spent.redirects = spent.redirects + 1
    where:move(advice.location)
  end
  if advice.message then engine.log(advice.message) end
  if advice.wait then rest(engine, advice.wait) end
  return true
end

-- What to do about a failure: true to try again, or nil, message, code, seconds.
local remedies = {}

-- Seconds until the next try: never sooner than the server said, with jitter so that a fleet does not come at once.
local function pause_before(spent, said, random)
  if said then return math.min(SERVER_SAYS_MOST, said + said * random / 10) end
  return spent.moved and spent.tries == 1 and M.short_pause(random) or M.pause(spent.tries, random)
end

function remedies.network(engine, where, spent, message, how)
  local now = engine.tasks.now()
  local said = how.answer and how.answer.retry_after
  local over = not where.patience or where.patience:failed(now)
  if spent.tries + 1 >= spent.limit and over then
    return nil, message, "network", said and math.min(SERVER_SAYS_MOST, said)
  end
  spent.tries = spent.tries + 1
  local pause = pause_before(spent, said, engine.random())
  engine.on { event = "retry", message = message, code = "network", seconds = pause, try = spent.tries }
  engine.log(("%s (network); try %d in %.0f s"):format(message, spent.tries + 1, pause))
  rest(engine, pause)
  if engine.aside then return nil, "another update goes first: " .. message, "busy" end
  if where.latest then where:move(where.latest() or where.location) end
  return true
end

function remedies.expired(engine, where, spent, message)
  if not where.renew or spent.renewals == RENEWALS then return nil, message, "expired" end
  spent.renewals = spent.renewals + 1
  engine.log(("%s (expired); asking for link %d of %d"):format(message, spent.renewals, RENEWALS))
  local location, failed, code = where.renew()
  if not location then return nil, failed, code end
  where:move(location)
  return true
end

function remedies.corrupt(engine, _, spent, message, how)
  if spent.repeated or how.final then return nil, message, "corrupt" end
  spent.repeated = true
  engine.log(("%s (corrupt); fetching it again"):format(message))
  return true
end

--- Call attempt() until it succeeds or fails for good, or until patience is over.
-- @tparam table engine update.engine: natives, tasks, log, on, random, cancelled
-- @tparam table where update.engine.place. where.answered(answer, location) may return {wait =
--   seconds, location = URL, message}: try again; or nil, message, code, seconds, the final failure
-- @tparam integer limit network failures in a row, after which to give up; with where.patience, also not before that
--   is over
-- @tparam function attempt -> result | nil, message, code, {moved = further than
--   ever before, final = trying again is useless, answer = the server's answer instead of a package}
-- @return result | nil, message, code, seconds after which to ask the server again, if it said so
function M.run(engine, where, limit, attempt)
  local spent = { limit = limit, tries = 0, renewals = 0, redirects = 0 }
  while true do
    if engine.cancelled then return nil, engine.cancelled, "refused" end
    local result, message, code, how = attempt()
    if result then return result end
    how = how or {}
    if how.moved and where.patience then where.patience:moved() end
    if how.moved then spent = { limit = limit, tries = 0, renewals = 0, redirects = 0, moved = true } end
    local advice, again, seconds
    advice, message, code, seconds = advise(where, how.answer, message, code)
    if advice then
      again, message, code = follow(engine, where, spent, advice)
    elseif remedies[code] then
      again, message, code, seconds = remedies[code](engine, where, spent, message, how)
    end
    if not again then return nil, message, code, seconds end
  end
end

return M

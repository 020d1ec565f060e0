--- The update module of POS terminals: a call of the application starts an update, and mit.ini says how far it is.
--
-- Pure. Such a cloud is never asked by itself. What the vendor's text leaves
-- open is decided here: a version equal to the one that runs is not upgraded;
-- one between the running and the pending one starts anew.
--
-- @module update.cloud.terminal

local unsigned = require "update.cloud.unsigned"
local version = require "update.version"

local M = {}

M.name, M.over = "terminal", "call"

local function words(name, meaning)
  return { name = name, type = "command", required = true, meaning = meaning }
end

M.fields = {
  { name = "mit_ini", type = "path", required = true, meaning = "the module's mit.ini; what it does not know in it "
    .. "stays" },
  { name = "carrier", type = "table", meaning = "commands (arrays of words) for a link that is up only during an "
    .. "update. One that others brought up is not used: the call ends with 4",
    fields = { words("up", "brings the link up"), words("down", "brings it down"),
      words("is_up", "exits with 0 while it is up") } },
}

--- States that the application is told, and types of an upgrade.
M.OK, M.FAILED, M.NOT_UPGRADED = 0x01, 0x02, 0x04
M.TRIGGERS = { [1] = "auto", [2] = "manual", [4] = "sms" }

local TEXTS = { "apn", "userid", "passwd", "ip", "port", "prover", "downfile" }
local LONGEST = 1024 -- bytes of one of them

--- Which of two versions of mit.ini is higher. Of digits alone the longer number is, whatever the zeros before it.
-- @treturn integer -1, 0 or 1
function M.compare(a, b)
  if a:find "^%d+$" and b:find "^%d+$" then
    a, b = a:gsub("^0+", ""), b:gsub("^0+", "")
    if #a ~= #b then return #a < #b and -1 or 1 end
    return a == b and 0 or a < b and -1 or 1
  end
  return version.compare(a, b)
end

-- What is wrong with a call, or nil.
local function wrong_call(call)
  for _, name in ipairs(TEXTS) do
    local text = call[name]
    if type(text) ~= "string" or text == "" then return name .. " is not a text" end
    if #text > LONGEST then return ("%s has more than %d bytes"):format(name, LONGEST) end
    if text:find "[%c]" then return "a control character in " .. name end
  end
  if math.type(call.type) ~= "integer" then return "the type is no number" end
end

-- Whether it could be an address: four numbers, or a name.
local function is_host(ip)
  if ip:find "^[%d.]+$" then
    local parts = { ip:match "^(%d+)%.(%d+)%.(%d+)%.(%d+)$" }
    for _, part in ipairs(parts) do
      if #part > 3 or tonumber(part) > 255 then return false end
    end
    return #parts == 4
  end
  return #ip <= 253 and ip:find "^[%w][%w.-]*$" ~= nil
end

local function is_port(port)
  local number = port:find "^%d+$" and #port <= 5 and tonumber(port)
  return number and number >= 1 and number <= 65535
end

--- Where the package lies.
-- @tparam table call a sound one
-- @treturn string URL
function M.url(call)
  local path = call.downfile:gsub("^/+", ""):gsub("[^%w%-._~!$&'()*+,;=:@/%%?]", function(byte)
    return ("%%%02X"):format(byte:byte())
  end)
  return ("http://%s:%d/%s"):format(call.ip, tonumber(call.port), path)
end

--- What a call leads to.
-- @tparam table call apn, userid, passwd, ip, port, prover, downfile (texts), type (1, 2 or 4)
-- @tparam table now running (version), pending (downprover, "" when none is), partial (whether some of it is there),
--   link_up (whether the carrier is up already), trusted (whether the owner trusts bare archives from there)
-- @treturn table action ("none", "fresh" or "resume"), row (its name in the decision table), reason, drop (true: what
--   is there of another one goes first)
function M.decide(call, now)
  local wrong = wrong_call(call)
  if wrong then return { action = "none", row = "arguments", reason = wrong } end
  if not is_host(call.ip) or not is_port(call.port) then
    return { action = "none", row = "address", reason = ("%s:%s is no address"):format(call.ip, call.port) }
  end
  if not M.TRIGGERS[call.type] then
    return { action = "none", row = "type", reason = ("%d is no type of an upgrade; 1, 2 and 4 are"):format(call.type) }
  elseif not now.trusted and unsigned.is_archive(call.downfile) then
    return { action = "none", row = "unsigned",
      reason = ("%s is an archive that nobody signed, and trust.unsigned has no entry for it"):format(call.downfile) }
  end
  local order = M.compare(call.prover, now.running)
  if order < 0 then
    return { action = "none", row = "lower",
      reason = ("%s is lower than %s, which runs"):format(call.prover, now.running) }
  elseif order == 0 then
    return { action = "none", row = "same", reason = call.prover .. " runs already" }
  elseif now.link_up then
    return { action = "none", row = "carrier", reason = "others have brought the carrier up; it has to be down" }
  elseif now.pending == "" then
    return { action = "fresh", row = "idle", reason = "nothing is pending", drop = now.partial }
  end
  local pending = M.compare(call.prover, now.pending)
  if pending == 0 and now.partial then
    return { action = "resume", row = "resume", reason = "the rest of " .. call.prover }
  elseif pending == 0 then
    return { action = "fresh", row = "lost", reason = "nothing is there of " .. call.prover }
  end
  return { action = "fresh", row = pending > 0 and "higher" or "between", drop = now.partial,
    reason = ("%s instead of %s"):format(call.prover, now.pending) }
end

-- Ends without anything that a server said, or that policy wanted otherwise.
local NOT_BEGUN = { refused = true, deferred = true, busy = true, nothing = true }

--- The state that the end of a transfer means.
-- @tparam string code word
-- @tparam boolean begun whether the server gave anything of the package
-- @treturn integer
function M.state_of(code, begun)
  if NOT_BEGUN[code] or code == "network" and not begun then return M.NOT_UPGRADED end
  return M.FAILED
end

return M

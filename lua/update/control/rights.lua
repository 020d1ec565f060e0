--- Who may ask the agent for what.
--
-- Pure: who is at the other end comes in, as the kernel told it when they
-- connected (update.native.channel).
--
-- @module update.control.rights

local M = {}

local function set(words)
  local result = {}
  for word in words:gmatch "%S+" do result[word] = true end
  return result
end

-- What `require "update"` gives to a script; and what a member of the group may.
local VERBS = {
  script = set("hello status history watch check apply request fota device ota terminal qinglian " ..
    "confirm rollback globals error facts hotfix hotfixes undo"),
  group = set "hello status watch facts check confirm",
}

--- Whose rights somebody has.
-- @tparam table who own (root, or the agent's user), named (the script's user), member
--   (of the control group)
-- @tparam boolean inside whether they are the script that runs, or were started by it
-- @treturn string|nil "owner", "script", "group"; nil: none
function M.class(who, inside)
  if who.own then return "owner" end
  if who.named and inside then return "script" end
  return who.member and "group" or nil
end

-- What more the configuration gives to the group.
local function is_given(verb, given)
  for _, word in ipairs(given or {}) do
    if word == verb then return true end
  end
  return false
end

-- What a request would have installed.
local function source_of(request)
  local offer = request.offer
  return request.verb == "install" and request.source or type(offer) == "table" and offer.source
end

--- What forbids a request.
-- @tparam string|nil class
-- @tparam table request verb and fields
-- @tparam[opt] {string,...} given `control_verbs` of the configuration
-- @treturn string|nil why not, as the rest of a sentence
function M.forbids(class, request, given)
  if class == "owner" then return nil end
  local may = VERBS[class] and VERBS[class][request.verb] or class == "group" and is_given(request.verb, given)
  if not may then return "may not ask for " .. request.verb end
  if class == "script" and request.force then return "may confirm, but not by force" end
  local source = source_of(request)
  -- A path would be opened with the agent's rights.
  if type(source) == "string" and not source:find("^[Hh][Tt][Tt][Pp][Ss]?://") then
    return "may install from a URL, but not from a path"
  end
  return nil
end

--- Who may, for somebody who may not.
-- @tparam[opt] string group the configured control group
function M.who_may(group)
  if not group then return "only root and the user that runs the agent may" end
  return ("only root, the user that runs the agent and, for some, members of the group %s may"):format(group)
end

return M

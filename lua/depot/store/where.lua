--- A filter (depot.filter) as the condition of a statement, with values as parameters only.
--
-- Pure. It means the same as filter.means(), and spec/depot/where_spec.lua compares the two.
--
-- @module depot.store.where

local filters = require "depot.filter"
local version = require "update.version"

local M = {}

local Where = {}
Where.__index = Where

--- A condition that is put together.
function M.new() return setmetatable({ parts = {}, values = {} }, Where) end

--- Add a condition with its values.
function Where:add(sql, ...)
  self.parts[#self.parts + 1] = sql
  for i = 1, select("#", ...) do self.values[#self.values + 1] = (select(i, ...)) end
end

--- Add `column IN (values)`.
function Where:any_of(column, list)
  self:add(("%s IN (%s)"):format(column, ("?, "):rep(#list - 1) .. (#list > 0 and "?" or "")), table.unpack(list))
end

--- @treturn string the text after WHERE
-- @treturn {value,...}
function Where:text()
  return #self.parts > 0 and table.concat(self.parts, " AND ") or "1", self.values
end

local function text_is(column)
  return function(where, wanted)
    if wanted == "" then return where:add(("coalesce(%s, '') = ''"):format(column)) end
    where:add(column .. " = ? COLLATE NOCASE", wanted)
  end
end

-- States and clouds are lower case in the table, and looked up by an index.
local function word_is(column)
  return function(where, wanted)
    if wanted == "" then return where:add(column .. " IS NULL") end
    where:add(column .. " = ?", wanted:lower())
  end
end

local function number_is(column)
  return function(where, wanted)
    if wanted == "" then return where:add(column .. " IS NULL") end
    local number = math.tointeger(tonumber(wanted))
    -- Only the usual spelling of a number is equal to it.
    if not number or tostring(number) ~= wanted then return where:add "0" end
    where:add(column .. " = ?", number)
  end
end

local function name_is(where, wanted)
  if wanted == "" then return where:add "device = ''" end
  local start = wanted:match "^(.*)%*$"
  if not start then return where:any_of("device COLLATE NOCASE", filters.spellings(wanted)) end
  where:add("device >= ? COLLATE NOCASE AND device < ? COLLATE NOCASE", start, start .. "\xFF")
end

local PLACE = "(cloud, product, device)"

local function tag_is(where, wanted)
  if wanted == "" then return where:add("NOT " .. PLACE .. " IN (SELECT cloud, product, device FROM tag)") end
  where:add(PLACE .. " IN (SELECT cloud, product, device FROM tag WHERE tag = ?)", wanted:lower())
end

-- A device is in a group by its list, or by its filter.
local function in_group(group, now, facts)
  if not group.means then
    return "EXISTS (SELECT 1 FROM group_member WHERE fleet_group = ? AND name = device.device "
      .. "AND group_member.cloud IN ('', device.cloud)) AND hash = ?", { group.id, group.hash }
  end
  local sql, values = M.of(group.means, now, facts):text()
  values[#values + 1] = group.hash
  return sql .. " AND +hash = ?", values
end

local function group_is(where, wanted, now, facts)
  local parts, values = {}, {}
  for _, group in ipairs(facts.groups()) do
    if wanted == "" or group.name == wanted:lower() then
      local sql, more = in_group(group, now, facts)
      parts[#parts + 1] = "(" .. sql .. ")"
      table.move(more, 1, #more, #values + 1, values)
    end
  end
  local any = #parts > 0 and "(" .. table.concat(parts, " OR ") .. ")" or "0"
  where:add(wanted == "" and "NOT " .. any or any, table.unpack(values))
end

local function admitted_is(where, wanted)
  where:add(wanted == "" and "admitted IS NULL" or wanted == "yes" and "admitted = 1" or "0")
end

local function listening_is(where, wanted)
  where:add(wanted == "" and "not_listening IS NULL" or wanted == "no" and "not_listening IS NOT NULL" or "0")
end

-- By the name of the field in a row.
local IS = {
  not_listening = listening_is,
  product = text_is "product", release = text_is "release", target = text_is "target", hardware = text_is "hardware",
  cloud = word_is "cloud", state = word_is "state",
  reason = word_is "reason", code = number_is "code", rollout = number_is "rollout",
  admitted = admitted_is, core = number_is "core", device = name_is, tags = tag_is, groups = group_is,
}

local LESS = {
  core = function(where, wanted) where:add("core < ?", wanted) end,
  code = function(where, wanted) where:add("code < ?", wanted) end,
  heard = function(where, wanted, now) where:add("heard < ?", now - wanted) end,
  -- The order of versions is not that of texts, but a fleet runs few releases.
  release = function(where, wanted, _, facts)
    local list = {}
    for _, release in ipairs(facts.releases()) do
      if version.compare(release, wanted) < 0 then list[#list + 1] = release end
    end
    where:any_of("release", list)
  end,
}

--- The condition of a filter on the table of devices.
-- @tparam table filter of depot.filter
-- @tparam integer|nil now ms
-- @tparam table facts releases (function() -> array: all that devices run), groups (function() -> array of
--   depot.store.groups)
-- @treturn table with text() and add()
function M.of(filter, now, facts)
  local where = M.new()
  for _, term in ipairs(filter.terms) do
    local one = M.new()
    local write = (term.relation == ":" and IS or LESS)[term.of]
    write(one, term.wanted, now, facts)
    local sql, values = one:text()
    where:add((term.negated and "NOT coalesce((%s), 0)" or "(%s)"):format(sql), table.unpack(values, 1, #values))
  end
  return where
end

return M

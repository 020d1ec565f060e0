--- The directories that packages may put files into.
--
-- Pure: by their names alone. Which are the same directory by another name is known to the
-- device, which asks before it changes anything.
--
-- @module update.config.file_roots

local table_file = require "update.config.table_file"

local M = {}

-- Paths of an update.ini are compared with it as text.
local function plain(path)
  path = path:gsub("/+$", "")
  for component in (path .. "/"):gmatch "/([^/]*)" do
    if component == "." or component == ".." then return nil, "must be without . and .." end
  end
  if path:find("//", 1, true) then return nil, "must be without //" end
  return path ~= "" and path or "/"
end

--- Check the value of the field.
-- @tparam any value array of paths and of tables
-- @tparam table field row of update.config.fields
-- @tparam function check (table, prefix) -> what its fields are | nil, what is wrong
-- @treturn {table,...} path (absolute), weak | nil, what is wrong, whether that names the field
function M.check(value, field, check)
  local count = type(value) == "table" and table_file.length(value)
  if not count or count == 0 then return nil, "must be an array of paths" end
  if count > field.max then return nil, ("has more than %d directories"):format(field.max) end
  local out = {}
  for i, given in ipairs(value) do
    if type(given) ~= "table" then given = { path = given } end
    local prefix = ("files.roots[%d]."):format(i)
    local root, wrong = check(given, prefix)
    if not root then return nil, wrong, true end
    root.path, wrong = plain(root.path)
    if not root.path then return nil, ("field %spath %s"):format(prefix, wrong), true end
    out[i] = root
  end
  return out
end

-- Whether a path is a directory, or lies in it.
local function within(path, directory)
  if directory == "/" then return true end
  path, directory = path:gsub("/+$", "") .. "/", directory .. "/"
  return path:sub(1, #directory) == directory
end

local function wrong_place(root, what, path)
  if within(path, root) then
    return ("files.roots: %s, %s, is in the root %s; put it elsewhere"):format(what, path, root)
  elseif within(root, path) then
    return ("files.roots: the root %s is in %s, %s; put it elsewhere"):format(root, what, path)
  end
end

--- What does not fit together.
-- @tparam table config each field checked, with all defaults
-- @treturn string|nil
function M.wrong(config)
  local core, roots = config.core or {}, config.files and config.files.roots or {}
  local slots = core.slots or {}
  local others = { { "the state directory", config.state }, { "the directory of keys", config.keys },
    { "the directory of the journal", config.journal_dir }, { "slot a", slots.a }, { "slot b", slots.b },
    { "the file of core.fw_env", core.fw_env }, { "the policy", config.policy } }
  for i, root in ipairs(roots) do
    for j = 1, #others do
      local what, path = table.unpack(others[j], 1, 2)
      local wrong = path and wrong_place(root.path, what, path)
      if wrong then return wrong end
    end
    for j = i + 1, #roots do
      local a, b = root.path, roots[j].path
      if within(a, b) or within(b, a) then
        return ("files.roots: %s and %s are one in the other; name the outer one only"):format(a, b)
      end
    end
  end
end

return M

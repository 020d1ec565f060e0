--- Single values of a depot: where the database belongs, and what people set.
--
-- `methods` are those of depot.store.
--
-- @module depot.store.settings

local M = { methods = {} }

M.statements = {
  setting = "SELECT value FROM setting WHERE name = ?",
  set = "INSERT OR IGNORE INTO setting VALUES (?, ?)",
  unset = "DELETE FROM setting WHERE name = ?",
}

local Methods = M.methods

--- A setting of the depot.
-- @treturn string|false|nil false: it is not set; nil, message, code
function Methods:setting(name)
  local row, message, code = self.statements.setting:first(name)
  if row == nil then return nil, message, code end
  return row and row.value
end

--- Set a setting, or change it.
-- @treturn integer|nil nil, message, code
function Methods:set_setting(name, value)
  local ok, message, code = self.statements.unset:run(name)
  if ok then ok, message, code = self.statements.set:run(name, value) end
  return ok, message, code
end

-- Whether a folder is the one that was noted: earlier versions noted the inode only.
local function is_same_folder(folder, noted)
  return folder == noted or not noted:find(":", 1, true) and folder:match "^[^:]+" == noted
end

--- Whether this database is in the folder and on the machine where it was made; else it was restored or copied.
-- @tparam string folder tells the folder from a copy, as folder.identity() does
-- @tparam string machine tells the machine from others; "": it has no name
-- @tparam boolean adopt from now on it belongs here; the caller commits
-- @treturn boolean|string|nil "adopted": it was restored or copied, and belongs here now; nil, message, code
function Methods:belongs(folder, machine, adopt)
  local known, message, code = self:setting "place"
  if known == nil then return nil, message, code end
  local noted, noted_machine = (known or ""):match "^(%S*)%s*(.-)%s*$"
  local is_ours = not known or is_same_folder(folder, noted) and (noted_machine == "" or machine == ""
    or machine == noted_machine)
  if not is_ours and not adopt then return false end
  -- A machine without a name is told by the folder alone, and takes the place of no name that is known.
  local place = ("%s %s"):format(folder, is_ours and machine == "" and noted_machine or machine)
  if known == place then return true end
  local ok
  ok, message, code = self:set_setting("place", place)
  if not ok then return nil, message, code end
  return is_ours or "adopted"
end

--- The database will belong to the folder in which a depot opens it next.
function Methods:forget_place()
  return self.statements.unset:run "place"
end

--- What tells this store from the one that it was copied from; "" if it never was.
-- @treturn string|nil nil, message, code
function Methods:fleet()
  local name, message, code = self:setting "fleet"
  if name == nil then return nil, message, code end
  return name or ""
end

--- Record whether a depot runs. A depot that starts and finds the mark knows that the last one was killed.
-- @treturn boolean|nil whether this changed anything; nil, message, code
function Methods:set_running(running)
  local changed, message, code
  if running then
    changed, message, code = self.statements.set:run("running", "1")
  else
    changed, message, code = self.statements.unset:run "running"
  end
  if not changed then return nil, message, code end
  return changed > 0
end

return M

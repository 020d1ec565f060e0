--- What people write about devices: tags, which filters can ask for, and a note.
--
-- `methods` are those of depot.store. Both stand apart from the device's row,
-- which a running depot writes as a whole.
--
-- @module depot.tags

local M = { methods = {} }

--- For depot.store_tables.
M.schema = [[
  CREATE TABLE tag (
    cloud TEXT NOT NULL, product TEXT NOT NULL, device TEXT NOT NULL, tag TEXT NOT NULL,
    PRIMARY KEY (cloud, product, device, tag)) WITHOUT ROWID;
  CREATE TABLE note (
    cloud TEXT NOT NULL, product TEXT NOT NULL, device TEXT NOT NULL, text TEXT NOT NULL,
    PRIMARY KEY (cloud, product, device)) WITHOUT ROWID;
]]

--- Since form 12: to find the devices of a tag.
M.index = "CREATE INDEX tag_name ON tag (tag, cloud, product, device);"

M.statements = {
  tags = "SELECT tag FROM tag WHERE cloud = ? AND product = ? AND device = ? ORDER BY tag",
  tag = "INSERT OR IGNORE INTO tag VALUES (?, ?, ?, ?)",
  untag = "DELETE FROM tag WHERE cloud = ? AND product = ? AND device = ? AND tag = ?",
  note = "SELECT text FROM note WHERE cloud = ? AND product = ? AND device = ?",
  put_note = "INSERT OR REPLACE INTO note VALUES (?, ?, ?, ?)",
  drop_note = "DELETE FROM note WHERE cloud = ? AND product = ? AND device = ?",
}

--- A tag as it is kept: lower case.
-- @treturn string|nil nil, message, "usage"
function M.read(text)
  if text:find "^[%w._-]+$" and #text <= 32 then return text:lower() end
  return nil, ("tag %q: expected up to 32 letters, digits, '.', '_' or '-'"):format(text), "usage"
end

--- Tags to give, and to take away.
-- @tparam[opt] {string,...} given
-- @tparam[opt] {string,...} taken
-- @treturn {[tag]=boolean}|nil whether each is wanted; nil, message, "usage", "tag" or "untag"
function M.wishes(given, taken)
  local wanted = {}
  for i, list in ipairs { given or {}, taken or {} } do
    local is_wanted, field = i == 1, i == 1 and "tag" or "untag"
    for _, text in ipairs(list) do
      local tag, message, code = M.read(text)
      if not tag then return nil, message, code, field end
      if wanted[tag] == not is_wanted then
        return nil, ("tag %s is both given and taken away"):format(tag), "usage", field
      end
      wanted[tag] = is_wanted
    end
  end
  return wanted
end

local Methods = M.methods

--- The tags of a device, sorted.
-- @treturn {string,...}
function Methods:tags_of(row)
  local list = {}
  for i, line in ipairs(self.statements.tags:all(row.cloud, row.product, row.device) or {}) do list[i] = line.tag end
  return list
end

--- Set `tags` of rows.
-- @treturn {table,...} rows
function Methods:with_tags(rows)
  for _, row in ipairs(rows) do row.tags = self:tags_of(row) end
  return rows
end

--- Give a device a tag, or take it away.
-- @treturn boolean|nil whether that changed anything; nil, message, code
function Methods:set_tag(row, tag, wanted)
  local statement = self.statements[wanted and "tag" or "untag"]
  local changed, message, code = statement:run(row.cloud, row.product, row.device, tag)
  if not changed then return nil, message, code end
  return changed > 0
end

--- The note about a device.
-- @treturn string|false|nil false: there is none; nil, message, code
function Methods:note(row)
  local found, message, code = self.statements.note:first(row.cloud, row.product, row.device)
  if found == nil then return nil, message, code end
  return found and found.text
end

--- Write the note about a device; an empty one removes it.
-- @treturn integer|nil nil, message, code
function Methods:put_note(row, text)
  if text == "" then return self.statements.drop_note:run(row.cloud, row.product, row.device) end
  return self.statements.put_note:run(row.cloud, row.product, row.device, text)
end

return M

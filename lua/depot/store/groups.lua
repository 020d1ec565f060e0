--- Groups of devices: by a list of names, or by a filter; and which devices a filter selects.
--
-- A group belongs to a product. A list may name devices that were never heard of. `methods` are those of depot.store.
--
-- @module depot.store.groups

local filters = require "depot.filter"
local wheres = require "depot.store.where"

local M = { methods = {} }

--- For depot.store_tables.
M.schema = [[
  CREATE TABLE fleet_group (
    id INTEGER PRIMARY KEY AUTOINCREMENT, hash TEXT NOT NULL, name TEXT NOT NULL, filter TEXT, UNIQUE (hash, name));
  CREATE TABLE group_member (
    fleet_group INTEGER NOT NULL, cloud TEXT NOT NULL, name TEXT NOT NULL,
    PRIMARY KEY (fleet_group, name, cloud)) WITHOUT ROWID;
  CREATE INDEX group_member_name ON group_member (name);
  ALTER TABLE device ADD COLUMN core INTEGER;
  ALTER TABLE device ADD COLUMN hardware TEXT;
  CREATE INDEX device_name ON device (device COLLATE NOCASE);
  CREATE INDEX device_release ON device (hash, release);
]]

--- Since form 12: to count devices that are alike.
M.index = "DROP INDEX device_release; CREATE INDEX device_alike ON device (hash, release, other, state);"
--- The same, until form 15.
M.old_index = "DROP INDEX device_release; CREATE INDEX device_alike ON device (hash, release, other, state, deaf);"

M.statements = {
  groups = [[SELECT *, (SELECT count(*) FROM group_member WHERE fleet_group = id) AS names FROM fleet_group
    ORDER BY name, hash]],
  add_group = "INSERT INTO fleet_group (hash, name, filter) VALUES (?, ?, ?) RETURNING id",
  group_filter = "UPDATE fleet_group SET filter = ?2 WHERE id = ?1",
  drop_group = "DELETE FROM fleet_group WHERE id = ?",
  drop_members = "DELETE FROM group_member WHERE fleet_group = ?",
  add_to_group = "INSERT OR IGNORE INTO group_member VALUES (?, ?, ?)",
  take_from_group = "DELETE FROM group_member WHERE fleet_group = ? AND cloud = ? AND name = ?",
  is_in_group = "SELECT 1 AS yes FROM group_member WHERE fleet_group = ? AND name = ? AND cloud IN ('', ?) LIMIT 1",
  is_listed = [[SELECT 1 AS yes FROM group_member JOIN fleet_group ON id = fleet_group
    WHERE group_member.name = ?2 AND cloud IN ('', ?3) AND hash = ?1 LIMIT 1]],
  group_names = "SELECT cloud, name FROM group_member WHERE fleet_group = ? ORDER BY name, cloud",
  group_page = [[SELECT cloud, name FROM group_member WHERE fleet_group = ?1 AND (name, cloud) > (?2, ?3)
    ORDER BY name, cloud LIMIT ?4]],
  touch = [[UPDATE device SET due = ?1 WHERE cloud = ?2 AND product = ?3 AND device = ?4 AND due IS NULL
    AND cloud <> 'luat' AND (state IS NULL OR state NOT IN ('pending', 'upgrading'))]],
  touch_product = [[UPDATE device SET due = ?1 WHERE hash = ?2 AND due IS NULL AND cloud <> 'luat'
    AND (state IS NULL OR state NOT IN ('pending', 'upgrading'))]],
}

local Methods = M.methods

--- Every group: id, hash (of its product), name, filter and means (as parsed), or names (how many its list has).
-- @treturn {table,...}|nil nil, message, code
function Methods:groups()
  local rows, message, code = self.statements.groups:all()
  for _, row in ipairs(rows or {}) do row.means = row.filter and filters.parse(row.filter) end
  return rows, message, code
end

--- @treturn integer|nil its number; nil, message, code
function Methods:add_group(hash, name, filter)
  local row, message, code = self.statements.add_group:first(hash, name, filter)
  return row and row.id, message, code
end

--- Give a group another filter.
function Methods:set_group_filter(group, filter) return self.statements.group_filter:run(group.id, filter) end

function Methods:drop_group(group)
  local done, message, code = self.statements.drop_members:run(group.id)
  if done then done, message, code = self.statements.drop_group:run(group.id) end
  return done, message, code
end

--- Put a name on the list of a group, or take it off.
-- @tparam string cloud "" for any
-- @treturn integer|nil 1, or 0 if nothing changed; nil, message, code
function Methods:set_in_group(group, cloud, name, wanted)
  return self.statements[wanted and "add_to_group" or "take_from_group"]:run(group.id, cloud, name)
end

--- The names on the list of a group: {cloud ("": any), name}.
function Methods:group_names(group) return self.statements.group_names:all(group.id) end

--- Some of them, after one.
-- @tparam table after cloud, name
function Methods:group_page(group, after, limit)
  return self.statements.group_page:all(group.id, after.name, after.cloud, limit)
end

--- Whether the list of a group names a device.
-- @treturn table|false|nil nil, message, code
function Methods:is_listed(hash, cloud, name) return self.statements.is_listed:first(hash, name, cloud) end

--- The names of the groups that a device is in.
-- @treturn {string,...}
function Methods:groups_of(row)
  local about, names = { tags = function(one) return self:tags_of(one) end }, {}
  for _, group in ipairs(self:groups() or {}) do
    local is_in = group.hash == row.hash
    if is_in and group.means then
      is_in = filters.means(group.means, row, nil, about)
    elseif is_in then
      is_in = self.statements.is_in_group:first(group.id, row.device, row.cloud) and true
    end
    if is_in then names[#names + 1] = group.name end
  end
  return names
end

--- For filter.means(): tags and groups of a row that does not have them.
function Methods:about()
  return { tags = function(row) return self:tags_of(row) end, groups = function(row) return self:groups_of(row) end }
end

--- Let the depot see again what a device without an open job may have.
function Methods:touch(row, now) return self.statements.touch:run(now, row.cloud, row.product, row.device) end

--- The same for every device of a product.
function Methods:touch_product(hash, now) return self.statements.touch_product:run(now, hash) end

--- A condition for select() and count(), which a filter is part of.
-- @tparam[opt] table filter of depot.filter
-- @tparam[opt] integer now ms, for a filter
-- @treturn table of depot.store.where
function Methods:where(filter, now)
  if not filter then return wheres.new() end
  return wheres.of(filter, now, {
    groups = function() return self:groups() or {} end,
    releases = function()
      local list = {}
      for i, row in ipairs(self.statements.releases_run:all() or {}) do list[i] = row.release end
      return list
    end })
end

local function ask(store, sql, values)
  local statement, message, code = store.db:prepare(sql)
  if not statement then return nil, message, code end
  local rows
  rows, message, code = statement:all(table.unpack(values))
  statement:close()
  return rows, message, code
end

--- The devices that a condition selects, sorted by cloud, product and name.
-- @tparam table where of where()
-- @tparam[opt] integer limit
-- @tparam[opt] table after cloud, product, device: those behind it
-- @treturn {table,...}|nil nil, message, code
function Methods:select(where, limit, after)
  if after then where:add("(cloud, product, device) > (?, ?, ?)", after.cloud, after.product, after.device) end
  local text, values = where:text()
  values = table.move(values, 1, #values, 1, {})
  if limit then values[#values + 1] = limit end
  return ask(self, ("SELECT * FROM device WHERE %s ORDER BY cloud, product, device%s"):format(text,
    limit and " LIMIT ?" or ""), values)
end

--- How many devices a condition selects, by what they have in common.
-- @tparam table where of where()
-- @tparam {string,...} columns no text from outside
-- @tparam[opt] string more another count beside n
-- @treturn {table,...}|nil the columns and n; nil, message, code
function Methods:count(where, columns, more)
  local text, values = where:text()
  local order = {}
  for i = 1, #columns do order[i] = i end
  return ask(self, ("SELECT %s, count(*) AS n%s FROM device WHERE %s GROUP BY %s"):format(table.concat(columns, ", "),
    more and ", " .. more or "", text, table.concat(order, ", ")), values)
end

return M

--- The forms that the depot's database had: what makes one of an earlier version out of today's.
--
-- @module spec.support.store_steps

local M = {}

-- What each version added, taken away again: {[version] = statements}.
local ADDED = {
  [1] = "",
  [2] = "ALTER TABLE device DROP COLUMN offers; ",
  [3] = "ALTER TABLE device DROP COLUMN ends; ALTER TABLE device DROP COLUMN dead; "
    .. "ALTER TABLE device DROP COLUMN deaf; ",
  [4] = "ALTER TABLE rollout DROP COLUMN filter; ",
  [5] = "DROP TABLE patch; DROP TABLE patch_device; ",
  [7] = "ALTER TABLE device DROP COLUMN reason; ",
  [8] = "DROP TABLE tag; DROP TABLE note; ",
  [9] = "DROP TABLE audit; DROP TABLE once; DROP TABLE token; DROP TABLE session; DROP TABLE role; "
    .. "DROP TABLE account; ",
  [10] = "DROP TRIGGER event_first; DROP TRIGGER event_change; DROP TABLE event; ",
  [11] = "DROP TABLE group_member; DROP TABLE fleet_group; DROP INDEX device_name; DROP INDEX device_release; "
    .. "ALTER TABLE device DROP COLUMN core; ALTER TABLE device DROP COLUMN hardware; ",
  [12] = "DROP INDEX tag_name; DROP INDEX device_alike; CREATE INDEX device_release ON device (hash, release); ",
  [13] = "DROP TABLE upload; ",
  [14] = "DROP TABLE product; DROP TABLE product_name; ",
  [25] = "DROP TABLE webhook; ",
  [24] = "DROP TABLE daily; ",
  [23] = "DROP TABLE undo; DROP TABLE task_device; DROP TABLE task; ",
  [22] = "DROP TABLE disabled; ",
  [21] = "ALTER TABLE rollout DROP COLUMN judged; ",
  [20] = "DROP INDEX device_zone; ALTER TABLE device DROP COLUMN zone; ",
  [19] = "ALTER TABLE product DROP COLUMN admit; ALTER TABLE device DROP COLUMN admitted; ",
  [18] = "ALTER TABLE product DROP COLUMN unsigned; ALTER TABLE patch DROP COLUMN unsigned; "
    .. "ALTER TABLE upload DROP COLUMN product; ",
  [17] = "DROP TABLE release_note; ",
  [16] = "DROP TABLE secret; ",
  [15] = "DROP INDEX device_state; DROP TRIGGER standing_new; DROP TRIGGER standing_gone; DROP TRIGGER standing_leave; "
    .. "DROP TRIGGER standing_enter; DROP TABLE standing; ALTER TABLE product DROP COLUMN zone; "
    .. "ALTER TABLE device DROP COLUMN source; ALTER TABLE device RENAME COLUMN not_listening TO deaf; ",
}

local function rollouts()
  local parts = { "DROP TABLE rollout_member; DROP TABLE tally; DROP TABLE withdrawn; DROP INDEX device_rollout" }
  for _, name in ipairs { "leave", "enter", "new", "gone" } do
    table.insert(parts, 1, "DROP TRIGGER tally_" .. name)
  end
  for table_name, columns in pairs { device = "rollout wave failures again",
    rollout = "kind state before reason priority plan wave wave_at soak_at starts_at limits_from verdicts failed "
      .. "ended" } do
    for column in columns:gmatch "%S+" do
      parts[#parts + 1] = ("ALTER TABLE %s DROP COLUMN %s"):format(table_name, column)
    end
  end
  return table.concat(parts, "; ") .. "; "
end
ADDED[6] = rollouts()

--- Today's version.
M.latest = #ADDED

--- Statements that make a database of today one of an earlier version.
function M.back_to(version)
  local parts = {}
  for step = M.latest, version + 1, -1 do parts[#parts + 1] = ADDED[step] end
  return table.concat(parts) .. ("PRAGMA user_version = %d"):format(version)
end

return M

--- Wrong lines that nothing can notice, or that nothing has to, each with the
-- reason: "MODULE:FUNCTION: LINE => WRONG LINE" as `scripts/mutants` prints it.
local listed = {}

local function list(where, from, to, reason)
  listed[("%s: %s => %s"):format(where, from, to)] = reason
end

list("supervisor_lines:hear",
  "for (int i = 0; i < LINES_AT_ONCE && (line = up_child_hear(child, up_supervisor_now(s))) != NULL; i++) {",
  "for (int i = 0; i < (LINES_AT_ONCE + 1) && (line = up_child_hear(child, up_supervisor_now(s))) != NULL; i++) {",
  "how many lines are heard in a turn is a choice")
list("keyset:decode", "memcpy(set->pending[i].name, at, UP_KEY_NAME_SIZE);",
  "after memcpy(set->pending[i].raw, at + UP_KEY_NAME_SIZE, UP_KEY_RAW_SIZE);", "two copies that do not meet")
list("provision:make_room",
  'up_storage_make_dir(d->storage, up_device_path(d, "script", path, sizeof path), 0755, err) < 0 ||',
  "false ||", "the extraction that follows makes the folder, too")

return listed

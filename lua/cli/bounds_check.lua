--- Whether the kernel keeps the script from using up the space, memory and
-- processes that updates need, for `moult doctor`. Nothing else can.
--
-- @module cli.bounds_check

local M = {}

local CGROUPS = "/sys/fs/cgroup"

--- The mount point of the file system that holds a path.
-- @tparam string path absolute
-- @tparam string mountinfo text of /proc/self/mountinfo
-- @treturn string
function M.mount_of(path, mountinfo)
  local best = "/"
  for line in mountinfo:gmatch "[^\n]+" do
    local point = line:match "^%S+ %S+ %S+ %S+ (%S+)"
    point = point and point:gsub("\\(%d%d%d)", function(octal) return string.char(tonumber(octal, 8)) end)
    if point and #point > #best and (path == point or path:sub(1, #point + 1) == point .. "/") then best = point end
  end
  return best
end

--- The limits of a process, set for its cgroup or one above it.
-- @tparam string cgroup text of /proc/PID/cgroup
-- @tparam function read path -> text | nil
-- @treturn table set of the names of the limits: "memory", "pids"
function M.limits_of(cgroup, read)
  local result, path = {}, cgroup:match "0::(/[^\n]*)"
  while path and path ~= "" and path ~= "/" do
    for _, name in ipairs { "memory", "pids" } do
      local text = read(("%s%s/%s.max"):format(CGROUPS, path, name))
      if text and text:find "^%d" then result[name] = true end
    end
    path = path:match "^(.*)/[^/]*$"
  end
  return result
end

--- @tparam table facts user (the script has one of its own), mount (of the state), limits (M.limits_of)
-- @treturn string level
-- @treturn string text
function M.judge(facts)
  local missing = {}
  if not facts.user then missing[#missing + 1] = "a user of its own (script.user)" end
  if facts.mount == "/" then missing[#missing + 1] = "a quota (or the state a separate file system)" end
  if not facts.limits.memory then missing[#missing + 1] = "a memory limit (MemoryMax= of the unit)" end
  if not facts.limits.pids then missing[#missing + 1] = "a limit of processes (TasksMax=)" end
  if #missing == 0 then
    return "ok", ("hard limits: the kernel limits user, file system %s, memory and processes"):format(facts.mount)
  end
  return "ok", ("best effort: the script could use up what its updates need; to prevent that, give it %s"):format(
    table.concat(missing, ", "))
end

return M

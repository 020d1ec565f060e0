--- What `moult doctor` says about the records, each of which has two files.
--
-- Pure: takes the results of update.native.records and the text of /proc/self/mountinfo, returns lines.
--
-- @module cli.record_check

local M = {}

local SPREAD = 65536 -- bytes of a file, UP_RECORD_SPREAD

-- File systems that write to a new place each time, or that lie on flash that does.
local ELSEWHERE = { f2fs = true, nilfs2 = true, btrfs = true, bcachefs = true, zfs = true, ubifs = true, jffs2 = true,
  yaffs = true, yaffs2 = true, logfs = true }
local IN_MEMORY = { tmpfs = true, ramfs = true }

--- One file of a record.
-- @tparam table file {path, state, size}
-- @treturn table|nil line; nil: nothing to report
function M.judge_file(file)
  if file.state ~= "whole" then
    return { level = "warn", text = ("%s: %s; the other file of the record is enough"):format(file.path, file.state),
      advice = "`moult run` writes it again at its next start while no update is under way; if this repeats, check "
        .. "the medium" }
  elseif file.size < SPREAD then
    return { level = "warn",
      text = ("%s: only %d bytes, so it may share a sector with the other file"):format(file.path, file.size),
      advice = "free some space; `moult run` makes it 64 KiB long at its next start while no update is under way" }
  end
end

--- The files of each record.
-- @tparam table records from update.native.records.inspect()
-- @treturn table lines {level = "ok"|"warn", text, advice (nil if ok)}
function M.judge(records)
  local lines, names = {}, {}
  for _, record in ipairs(records) do
    names[#names + 1] = record.name
    for _, file in ipairs(record.files) do lines[#lines + 1] = M.judge_file(file) end
  end
  if #lines > 0 then return lines end
  return { { level = "ok", text = table.concat(names, ", ") .. ": both files of each are intact, 64 KiB long" } }
end

local function unescape(text)
  return (text:gsub("\\(%d%d%d)", function(octal) return string.char(tonumber(octal, 8)) end))
end

--- The file system that holds a path.
-- @tparam string mountinfo text of /proc/self/mountinfo
-- @tparam string path absolute, without links
-- @treturn table|nil {kind, source, device = "major:minor"}
function M.find_mount(mountinfo, path)
  local best, length = nil, -1
  for line in mountinfo:gmatch "[^\n]+" do
    local device, point, kind, source = line:match "^%d+ %d+ (%S+) %S+ (%S+) .- %- (%S+) (%S+)"
    point = point and unescape(point)
    if point and #point >= length and (point == "/" or (path .. "/"):sub(1, #point + 1) == point .. "/") then
      best, length = { kind = kind, source = unescape(source), device = device }, #point
    end
  end
  return best
end

--- Whether the device of a mount is a rotating disk, as the kernel sees it.
-- @tparam table mount
-- @tparam function read path -> text | nil
-- @treturn boolean|nil nil: unknown
function M.rotational(mount, read)
  local device = "/sys/dev/block/" .. mount.device
  local text = read(device .. "/queue/rotational") or read(device .. "/../queue/rotational") -- of a partition's disk
  if not text then return nil end
  return text:find "1" ~= nil
end

--- Whether the distance between the two files protects them on this medium.
-- @tparam table|nil mount of M.find_mount
-- @tparam boolean|nil rotational nil: unknown
-- @treturn string level
-- @treturn string text
-- @treturn string|nil advice
function M.medium(mount, rotational)
  if not mount then return "ok", "the medium of the state cannot be determined, so the distance between the files "
    .. "proves nothing" end
  local where = ("%s on %s"):format(mount.kind, mount.source)
  if IN_MEMORY[mount.kind] then
    return "warn", where .. ": the state is gone after a power cut", "put `state` on a medium that keeps its data"
  end
  if ELSEWHERE[mount.kind] then
    return "ok", where .. ": each write goes to another place, so the distance between the files proves nothing; "
      .. "rely on the file system, or put the second file on another medium with `journal_dir`"
  end
  if rotational then return "ok", where .. ": a disk, with 64 KiB between the two files of a record" end
  return "ok", where .. ": its controller may move data, so the distance between the files proves "
    .. "nothing; `journal_dir` puts one of them on another medium"
end

--- Whether journal_dir is of any use.
-- @tparam table|nil state mount of the state
-- @tparam table|nil second mount of journal_dir
function M.second(state, second)
  if state and second and state.device == second.device then
    return "warn", "journal_dir is in the same file system as the state", "name a directory on another medium"
  end
  return "ok", ("journal_dir is on %s"):format(second and second.source or "an unknown medium")
end

--- The media that hold the files.
-- @tparam table config state, journal_dir
-- @tparam function read path -> text | nil
-- @treturn table lines {level, text, advice}
function M.media(config, read)
  local mounts = read "/proc/self/mountinfo" or ""
  local mount = M.find_mount(mounts, config.state)
  local level, text, advice = M.medium(mount, mount and M.rotational(mount, read))
  local lines = { { level = level, text = text, advice = advice } }
  if config.journal_dir then
    level, text, advice = M.second(mount, M.find_mount(mounts, config.journal_dir))
    lines[2] = { level = level, text = text, advice = advice }
  end
  return lines
end

return M

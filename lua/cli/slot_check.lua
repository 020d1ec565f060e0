--- What `moult doctor` says about a slot.
--
-- Pure: takes the results of update.native.slot and returns a line.
--
-- @module cli.slot_check

local progress = require "cli.progress"

local M = {}

-- Makers of NAND specify that at most about one in fifty blocks goes bad in the life of a chip.
local BAD_SHARE = 50

-- How the medium was read back. Some have a cache.
local READ_BACK = { direct = ", read back past the cache", dropped = ", read back after its cache is dropped",
  cached = ", read back perhaps partly from the cache" }

local function geometry(view)
  if view.cached then return READ_BACK[view.read_back] or "" end
  if view.atomic then return (", logical blocks of %s"):format(progress.size(view.erase_size)) end
  if not view.erasable then return "" end
  local text = (", erase blocks of %s"):format(progress.size(view.erase_size))
  if view.bad_blocks then
    text = text .. (", pages of %s, %d of %d blocks bad, %s usable"):format(progress.size(view.write_size), view.bad,
      view.blocks, progress.size(view.capacity))
  end
  return text
end

--- The target of a slot's name that is a link.
-- @tparam string path
-- @tparam table view from update.native.slot.inspect()
-- @treturn string " -> NODE" or ""
function M.leads_to(path, view)
  return view.node and view.node ~= path and " -> " .. view.node or ""
end

--- @tparam string path
-- @tparam table view from update.native.slot.inspect()
-- @tparam boolean running whether the device runs from this slot, as far as is known
-- @treturn string "ok", "warn" or "fail"
-- @treturn string text
-- @treturn string|nil advice
-- @treturn string|nil code word of a failure
function M.judge(path, view, running)
  if not view.there then
    return "fail", path .. ": no such file or directory",
      "make the image file or the device node, writable for this user", "write"
  end
  local text = ("%s%s%s, %s of %s%s"):format(path, M.leads_to(path, view), view.identity and view.identity ~= ""
    and (" (%s)"):format(view.identity) or "", view.title, progress.size(view.size), geometry(view))
  if view.mounted and not running then
    return "fail", text .. ": is mounted; a mounted slot is never written",
      "unmount it; only the running slot may be mounted", "busy"
  end
  if not view.writable then
    local advice = view.erasable
      and "remove `read-only` or `ro` of this partition in the device tree or in mtdparts, and unlock the flash"
      or "give it to the user that `moult run` runs as"
    return "fail", ("%s: cannot be written: %s"):format(text, view.why), advice, "write"
  end
  if view.bad * BAD_SHARE > view.blocks then
    return "warn", text, "the flash is worn out: it has more bad blocks than makers of NAND allow"
  end
  if view.read_back == "cached" then
    return "warn", text, "data that is kept in memory, or mapped by a program, cannot be read back from the medium"
  end
  return "ok", text
end

--- What a trial write to the state directory has shown.
-- @tparam string dir
-- @tparam string how from update.native.slot.try()
-- @tparam integer took milliseconds that the sync took
-- @tparam integer heartbeat seconds
-- @treturn string "ok" or "warn"
-- @treturn string text
-- @treturn string|nil advice
function M.state(dir, how, took, heartbeat)
  local text = ("%s, a sync takes %d ms%s"):format(dir, took, READ_BACK[how])
  if took > heartbeat * 1000 then
    return "warn", text, ("a sync takes longer than the heartbeat, %d s, and no process is watched in that time: use a "
      .. "faster medium, or raise it"):format(heartbeat)
  elseif how == "cached" then
    return "warn", text, "a state in memory is lost when the power fails: put it on a real file system"
  end
  return "ok", text
end

--- Whether a delta can be applied to the running core.
-- @tparam table|nil source from device:source(): slot, mounted
-- @tparam string|nil message why that is unknown
-- @treturn string "ok" or "warn"
-- @treturn string text
-- @treturn string|nil advice
function M.source(source, message)
  if not source then
    return "warn", ("%s: no delta can be applied"):format(message), "mount /proc; full packages still work"
  elseif source.mounted == "read-write" then
    return "warn", ("the running slot %s is mounted read-write: it cannot be the base of a delta"):format(source.slot),
      "mount the root file system read-only (`ro`), with an overlay for changes; until then full packages are used"
  end
  return "ok", ("the running slot %s is %s: deltas can be applied"):format(source.slot,
    source.mounted == "no" and "not mounted" or "mounted read-only")
end

--- Whether one slot is smaller than the other.
-- @tparam table|nil a view of slot a
-- @tparam table|nil b view of slot b
-- @treturn string|nil text
-- @treturn string|nil advice
function M.compare(a, b)
  if not a or not b or a.made or b.made or a.size == b.size then return nil end
  return ("they differ in size: %s and %s"):format(progress.size(math.min(a.size, b.size)),
    progress.size(math.max(a.size, b.size))), "make both partitions as large as the largest image will be"
end

return M

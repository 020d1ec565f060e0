--- What `moult doctor` says of the directories that packages may put files into.
--
-- @module cli.files_check

local files_list = require "cli.files_list"
local natives = require "update.natives"
local progress = require "cli.progress"

local M = {}

-- Number in the kernel, and what fails without it.
local CAPABILITIES = {
  { "CAP_CHOWN", 0, "give a file its owner" },
  { "CAP_DAC_OVERRIDE", 1, "write where another user owns the directory" },
  { "CAP_FOWNER", 3, "set the mode of another user's file" },
  { "CAP_FSETID", 4, "keep setuid bits" },
  { "CAP_SYS_PTRACE", 19, "see which processes run a file" },
  { "CAP_SETFCAP", 31, "keep the capabilities of a file" },
}

--- What a process may not do that an update of files needs.
-- @tparam string status text of /proc/PID/status
-- @tparam table files the field `files` of the configuration
-- @treturn string|nil names, with what fails without each; nil when nothing is missing
function M.missing(status, files)
  local bits = tonumber(status:match "CapBnd:%s*(%x+)" or "", 16)
  local missing = {}
  for _, row in ipairs(CAPABILITIES) do
    local needless = row[1] == "CAP_SYS_PTRACE" and files.stop and files.start
    if bits and not needless and bits >> row[2] & 1 == 0 then
      missing[#missing + 1] = ("%s (%s)"):format(row[1], row[3])
    end
  end
  return #missing > 0 and table.concat(missing, ", ") or nil
end

local function report_roots(config, report)
  local fine, message, code = natives.device.check_roots(config)
  if not fine then
    return report("fail", "files", message, "give packages directories of their own, apart from all that this device "
      .. "needs to update itself", code)
  end
  local all = true
  for _, root in ipairs(config.files.roots) do
    local there, why = natives.folder.identity(root.path)
    all = all and there
    if there then
      report("ok", "files", root.path .. (root.weak and ", without hard links" or ""))
    else
      report("warn", "files", why, "make it, or mount it before `moult run`; until then no files are installed")
    end
  end
  return all
end

local function report_foreign(config, report)
  local dir, size = config.state .. "/files/foreign", 0
  local list = natives.folder.list(dir) or {}
  for _, entry in ipairs(list) do size = size + entry.size end
  if #list == 0 then return end
  report("warn", "foreign", ("files of others in %s: %d, %s; they stood where an update put something back"):format(dir,
    #list, progress.size(size)), "keep what is of use and remove the rest; what exceeds 64, or 16 MiB, stays in "
    .. "its directory as .moult-*.foreign")
end

-- While an update is open its names are not told from others. `mounted`: something is, at each root.
local function report_strays(config, mounted, report)
  local count, first, code = natives.device.clean_files(config)
  if not count and code == "missing" and mounted then
    report("fail", "files", first, "an update is open that began on another file system at this root; nothing is "
      .. "decided before that is back", "missing")
  end
  if not count or count == 0 then return end
  report("warn", "strays", ("temporary files of ours that no update knows: %d, among them %s"):format(count,
    files_list.text(first)), "`moult settle --clean` removes them")
end

local function report_mixed(status, report)
  if not status or type(status.mixed) ~= "string" then return end
  report("fail", "files", "neither the old nor the new ones, first at " .. status.mixed, "nothing of them starts: see "
    .. "that its file system is mounted and can be written; then Moult puts back the rest, or `moult settle`. If that "
    .. "is impossible, install a package that names every path of that update, or mend the files by hand and order "
    .. "`moult settle --accept`", "write")
end

--- Look at all of it.
-- @tparam table s cli.session
-- @tparam function report as in cli.checks
function M.look(s, report)
  if not s.config.files then return end
  local mounted = report_roots(s.config, report)
  report_mixed(s.told or s.status, report)
  report_foreign(s.config, report)
  report_strays(s.config, mounted, report)
  local agent = s:agent()
  local who = agent and agent.channel:peer()
  local file = io.open(("/proc/%s/status"):format(who and who.pid or "self"))
  local missing = file and M.missing(file:read "a", s.config.files)
  if file then file:close() end
  if missing then
    report("warn", "rights", ("%s lacks %s"):format(who and "the agent" or "this process", missing),
      "allow it in the unit, as CapabilityBoundingSet= does, or run it as root")
  end
end

return M

--- `moult settle`.
--
-- @module cli.verbs.settle

local natives = require "update.natives"
local session = require "cli.session"

local M = {}

local WITHIN = 60      -- seconds that another process may hold the state
local LOOK_AGAIN = 0.2 -- seconds

M.verb = {
  name = "settle",
  usage = "settle [--accept] [--clean] [-c CONFIG]",
  summary = "make the files of an update whole, before their programs start",
  text = "For init scripts, before anything starts that an update of files may have changed. What a power cut left\n"
    .. "half done is done or undone. On trial it counts one start for each boot, and goes back itself when three are\n"
    .. "spent. It stops and starts nothing, and prints one line. Exits 0: the files are whole, or there is nothing to\n"
    .. "do; 17: do not start their programs; 5: another process has held the state for 60 s; 2: the device is not\n"
    .. "provisioned yet, or the configuration is wrong.",
  positional = { 0, 0 },
  common = { "config" },
  options = {
    { name = "accept", help = "take files that can be made neither old nor new as they are, because you have seen that "
      .. "they are right; or go on without the file system on which an update began, because it was made anew. What "
      .. "was open of updates of files is dropped, and the next release with files is installed whole" },
    { name = "clean", help = "also remove temporary files of ours that no update knows; only while none is open" },
  },
  example = "moult settle || exit 1",
}

local SAID = {
  whole = "files: whole, nothing was to be done",
  waits = "files: whole, an update waits to be tried",
  new = "files: whole, those of the new release",
  old = "files: whole, those of the old release",
  trial = "files: whole, those of the release on trial",
  accepted = "files: taken as they are",
}

-- One that is busy now may be `moult run`, which is starting.
local function patiently(s, fn, ...)
  local till = natives.loop.now() + WITHIN
  while true do
    local result, message, code = fn(s.config, ...)
    if result or code ~= "busy" or natives.loop.now() >= till then return result, message, code end
    s.tasks:wait(LOOK_AGAIN)
  end
end

-- The codes that mean something to an init script stay; all else is 17.
local function failed(message, code)
  if code ~= "busy" and code ~= "usage" then code = "write" end
  return nil, message, code
end

function M.run(parsed, env)
  return session.run(parsed, env, function(s)
    local what, message, code = patiently(s, natives.device.settle, parsed.opts.accept)
    if not what then return failed(message, code) end
    if parsed.opts.clean then
      local removed
      removed, message, code = natives.device.clean_files(s.config, true)
      if not removed then return nil, message, code end
      env.note(("temporary names removed: %d"):format(removed))
    end
    env.out(SAID[what])
    return 0
  end, true)
end

return M

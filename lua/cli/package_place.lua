--- The package that `install` and `explain` name: the place where it is.
--
-- @module cli.package_place

local natives = require "update.natives"
local offers = require "update.engine.offer"
local places = require "update.engine.place"
local unsigned = require "update.cloud.unsigned"

local M = {}

--- Options of both verbs.
M.options = {
  { name = "default-policy", help = "ignore the policy that came with the release" },
  { name = "files-version", value = "VERSION", help = "version of a bare archive; else what follows the last _ of "
    .. "its name" },
}

-- Of the help of both verbs.
M.ARCHIVES = "PKG may also be a bare archive of files (NAME_VERSION.tar.gz), as a terminal gets it, or a bare hotfix\n"
  .. "(NAME_VERSION.zip or .bin). Nobody signed it, so it is taken only if an entry of `trust.unsigned` in the\n"
  .. "configuration covers its address: \"file:///dir/\" for files of a directory, or the beginning of a URL. The\n"
  .. "release that an archive makes is the running VERSION-FVERSION."

--- @tparam string location URL or path
-- @treturn string the same for a process with another working directory
function M.absolute(location)
  if offers.is_url(location) or location:sub(1, 1) == "/" then return location end
  return natives.host.cwd .. "/" .. location:gsub("^%./+", "")
end

--- @tparam table parsed command line
-- @tparam table config
-- @treturn table|nil update.engine.place | nil, message, code
function M.of(parsed, config)
  local location = parsed.positional[1]
  local more, message, code = unsigned.place(config, M.absolute(location), parsed.opts["files-version"])
  if not more then return nil, message, code end
  return places.new({ cloud = "file", location = location, permit = parsed.opts.permit,
    left_out = parsed.opts["default-policy"] and require("update.engine.device_policy").BY_HAND or nil }, more)
end

return M

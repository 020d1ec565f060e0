--- Prints warnings of update.engine.plausible on the command line.
--
-- @module cli.warnings

local plausible = require "update.engine.plausible"
local times = require "cli.times"

local M = {}

--- Warn about a recipe before it is signed.
-- @tparam table recipe of cli.recipe
-- @tparam table env of the dispatcher
function M.of_recipe(recipe, env)
  for _, text in ipairs(plausible.recipe(recipe, os.time(), times.shown)) do env.note("warning: " .. text) end
end

--- Warn about an object that is signed by itself.
-- @tparam table object decoded
-- @tparam table env
function M.of_signed(object, env)
  local text = object.format == "moult-permit-1" and plausible.permit(object, os.time(), times.shown)
  if text then env.note("warning: " .. text) end
end

--- The warning about a package on this device.
-- @tparam integer sequence
-- @tparam table floor of the device: by part
-- @treturn string|nil
function M.of_sequence(sequence, floor)
  return plausible.far(sequence, math.max(floor.script, floor.core), "the floor of this device")
end

return M

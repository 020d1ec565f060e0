--- Finds values in a package that are probably mistakes and would be hard to undo.
--
-- Pure. A device refuses packages that would block its updates for good. This
-- module warns whoever makes, serves or inspects one, before any harm is done.
--
-- @module update.engine.plausible

local version = require "update.version"

local M = {}

local DAY = 86400
local FREE = 1 << 62     -- sequences above this need a permit; as in runtime/package/manifest.h
local FAR = 1 << 40      -- a suspicious distance between two sequences
local PERMIT = 366 * DAY -- a permit rarely has to be valid for longer

--- A warning about a sequence, compared with those that are known.
-- @tparam integer sequence
-- @tparam integer newest the highest known: of a depot, or the floor of a device
-- @tparam string what it is, "the floor of this device"
-- @treturn string|nil a warning
function M.far(sequence, newest, what)
  if sequence <= newest or sequence - newest <= FAR then return nil end
  return ("sequence %d is more than 2^40 above %s, %d: once confirmed, nothing below it installs without a permit")
    :format(sequence, what, newest)
end

--- Warnings about a recipe, before it is signed.
-- @tparam table recipe sequence, version, issued, not_after
-- @tparam integer now seconds since 1970, by the clock of this machine
-- @tparam function date (seconds since 1970) -> text
-- @treturn {string,...} warnings
function M.recipe(recipe, now, date)
  local list = {}
  if recipe.sequence > FREE then
    list[#list + 1] = ("sequence %d is above 2^62: devices accept it only with a signed permit"):format(
      recipe.sequence)
  end
  if recipe.version and not version.is(recipe.version) then
    list[#list + 1] = ("version %s is not of the form 1.2.3, 1.2.3-rc1 or 1.2.3+b7: such versions are compared "
      .. "letter by letter"):format(recipe.version)
  end
  if recipe.issued and recipe.issued > now + DAY then
    list[#list + 1] = ("issued, %s, is more than a day ahead of this machine's clock"):format(date(recipe.issued))
  end
  if recipe.not_after and recipe.not_after < now then
    list[#list + 1] = ("not_after, %s, is in the past by this machine's clock: no device will install it"):format(
      date(recipe.not_after))
  end
  return list
end

--- A warning about a permit, before it is signed.
-- @tparam table permit not_after
-- @tparam integer now, @tparam function date as above
-- @treturn string|nil a warning
function M.permit(permit, now, date)
  if permit.not_after <= now + PERMIT then return nil end
  return ("not_after, %s, is more than a year ahead: a device remembers a used permit until then, and at most 64")
    :format(date(permit.not_after))
end

return M

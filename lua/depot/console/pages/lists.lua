--- Which devices a release is for: a list of IMEIs that is typed, pasted or uploaded; and a trial on some.
--
-- @module depot.console.pages.lists

local html = require "depot.console.html"
local inputs = require "depot.console.inputs"

local M = {}

local h = html.h

--- The sections of a release.
function M.show(page, release)
  if release.stage == "withdrawn" then return false end
  local base, limited = "/releases/" .. release.id, false
  for _, file in ipairs(release.files) do limited = limited or file.limited end
  local function form(key, method, route)
    return inputs.form(page, { route = base .. route, method = method, etag = release.etag, label = page.t(key),
      file = true, fields = inputs.names(page, { key = key, label = page.t "list_names",
        hint = page.t(key .. "_hint") }) })
  end
  return { h.section { h.h2 { page.t "for_whom" }, h.p { page.t(limited and "for_list" or "for_all") },
      h.details { h.summary { page.t "list_set" }, form("list_set", "PUT", "/list") },
      limited and h.details { h.summary { page.t "list_add" }, form("list_add", "POST", "/list") },
      limited and inputs.form(page, { route = base .. "/list", method = "PUT", etag = release.etag,
        label = page.t "list_all", fields = h.input { type = "hidden", name = "everybody", value = "1" } }) },
    release.stage ~= "uploaded" and h.section { h.h2 { page.t "trial" }, form("release_trial", "POST", "/trial") } }
end

return M

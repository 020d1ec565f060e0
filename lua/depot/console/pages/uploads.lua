--- The form that sends a package: by itself, or by the script, which shows how far it is.
--
-- @module depot.console.pages.uploads

local html = require "depot.console.html"
local inputs = require "depot.console.inputs"

local M = {}

local h = html.h

--- @tparam table page
-- @tparam table o label, hint, back (may have {hotfix}), about (boolean: whether to ask for a description),
-- product (that may have a bare patch; or nil)
function M.form(page, o)
  if not page:may("POST", "/uploads") then return false end
  return h.section { h.h2 { o.label },
    h.form { method = "post", action = "/api/v1/uploads/form", enctype = "multipart/form-data", class = "act",
      ["data-upload"] = true, ["data-checking"] = page.t "checking",
      h.input { type = "hidden", name = "csrf", value = page.actor.csrf },
      h.input { type = "hidden", name = "back", value = o.back or page.path },
      o.product and h.input { type = "hidden", name = "product", value = o.product },
      o.about and inputs.field { name = "about", label = page.t "about", maxlength = 200 },
      inputs.field { name = "file", label = page.t "package", type = "file", required = true,
        accept = ".upd,.tar,.bin,.zip", hint = o.hint },
      h.progress { hidden = true, max = 1, value = 0, ["aria-label"] = o.label }, h.p { role = "status" },
      h.button { type = "submit", o.label } } }
end

return M

--- The form that sends a package: by itself, or by the script, which shows how far it is; and the page of the uploads
-- that have begun.
--
-- @module depot.console.pages.uploads

local frame = require "depot.console.frame"
local html = require "depot.console.html"
local inputs = require "depot.console.inputs"

local M = {}

local h = html.h

-- @tparam table o as for form(), and upload: one that has begun, which goes on
local function form(page, o)
  local id = o.upload and o.upload.id
  return h.form { method = "post", action = "/api/v1/uploads/form", enctype = "multipart/form-data", class = "act",
    ["data-upload"] = id or "", ["data-size"] = id and tostring(o.upload.size), ["data-checking"] = page.t "checking",
    ["data-other"] = id and page.t "other_file",
    h.input { type = "hidden", name = "csrf", value = page.actor.csrf },
    h.input { type = "hidden", name = "back", value = o.back or page.path },
    id and h.input { type = "hidden", name = "upload", value = id },
    o.product and h.input { type = "hidden", name = "product", value = o.product },
    o.about and inputs.field { name = "about", label = page.t "about", maxlength = 200 },
    inputs.field { name = "file", id = id and "file-" .. id, label = page.t "package", type = "file", required = true,
      accept = ".upd,.tar,.bin,.zip", hint = o.hint },
    h.p { class = "drop", hidden = true, page.t "drop_here" },
    h.progress { hidden = true, max = 1, value = 0, ["aria-label"] = o.label }, h.p { role = "status" },
    h.button { type = "submit", o.label } }
end

--- @tparam table page
-- @tparam table o label, hint, back (may have {hotfix}), about (boolean: whether to ask for a description),
-- product (that may have a bare patch; or nil)
function M.form(page, o)
  if not page:may("POST", "/uploads") then return false end
  return h.section { h.h2 { o.label }, form(page, o), h.p { h.a { href = "/uploads", page.t "uploads" } } }
end

-- What can be done with one that is not whole.
local function acts(page, upload)
  local is_open = upload.state == "open"
  return { is_open and h.details { h.summary { page.t "go_on_upload" }, form(page, { upload = upload, back = "/uploads",
      label = page.t "go_on_upload", hint = page.t "same_file" }) },
    upload.state ~= "checking" and inputs.form(page, { route = "/uploads/" .. upload.id, method = "DELETE",
      label = page.t(is_open and "give_up_upload" or "remove"), class = "act inline" }) }
end

local function progress(upload)
  local percent = upload.offset * 100 // upload.size
  return { h.progress { max = upload.size, value = upload.offset, ["aria-label"] = upload.name }, " ",
    ("%d %% · %s / %s"):format(percent, frame.size(upload.offset), frame.size(upload.size)) }
end

--- The page of one's own uploads.
function M.list(page)
  local rows, polls = {}, false
  for i, upload in ipairs(page:need("/uploads").items) do
    polls = polls or upload.state == "open" or upload.state == "checking"
    local reason, file = page.text(upload.reason), page.text(upload.file)
    rows[i] = { frame.outside(upload.name), progress(upload), { page.t("u_" .. upload.state),
        (reason or file) and { ": ", frame.outside(reason or file) } }, frame.time(page, upload.ends),
      acts(page, upload) }
  end
  page.title = page.t "uploads"
  page.body = { h.p { page.t "uploads_hint" }, frame.part("uploads", #rows == 0 and h.p { page.t "no_uploads" }
    or frame.table({ page.t "name", page.t "progress", page.t "state", page.t "removed_at", "" }, rows,
      page.t "uploads"), polls) }
end

return M

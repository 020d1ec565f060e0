--- Pages of releases.
--
-- @module depot.console.pages.releases

local frame = require "depot.console.frame"
local html = require "depot.console.html"

local M = {}

local h = html.h

local MANY = 100 -- devices above which the name of a release has to be typed

-- A form that sends a package: by itself, or by the script, which shows how far it is.
local function upload(page)
  return h.section { h.h2 { page.t "upload" },
    h.form { method = "post", action = "/api/v1/uploads/form", enctype = "multipart/form-data", class = "act",
      ["data-upload"] = true, ["data-checking"] = page.t "checking",
      h.input { type = "hidden", name = "csrf", value = page.actor.csrf },
      h.input { type = "hidden", name = "back", value = page.path },
      frame.field { name = "file", label = page.t "package", type = "file", required = true,
        accept = ".upd,.tar,.bin,.zip", hint = page.t "upload_hint" },
      h.progress { hidden = true, max = 1, value = 0, ["aria-label"] = page.t "upload" }, h.p { role = "status" },
      h.button { type = "submit", page.t "upload" } } }
end

function M.list(page)
  local rows = {}
  for i, release in ipairs(page:need(("/products/%s/releases"):format(page.product.product_key)).items) do
    rows[i] = { h.a { href = "/releases/" .. release.id, frame.outside(release.release) }, tostring(release.sequence),
      page.t("g_" .. release.stage), tostring(release.runs), frame.outside(table.concat(release.packages, " ")) }
  end
  page.title = page.t "releases"
  page.body = { frame.part("releases", #rows == 0 and h.p { page.t "no_releases" } or frame.table({ page.t "release",
    page.t "sequence", page.t "stage", page.t "count", page.t "files" }, rows, page.t "releases")), upload(page) }
end

local STAGES = { "uploaded", "verified", "released" }

-- The life of a release as a row of stages.
local function stages(page, release)
  local items = {}
  if release.stage == "withdrawn" then return h.p { class = "bad", page.t "g_withdrawn" } end
  for i, stage in ipairs(STAGES) do
    items[i] = h.li { ["aria-current"] = stage == release.stage and "step" or false, page.t("g_" .. stage) }
  end
  return h.ol { class = "stages", items }
end

local function acts(page, release)
  if release.stage == "withdrawn" then return false end
  local list = {}
  list[1] = frame.form(page, { route = ("/releases/%s/verify"):format(release.id), label = page.t "verify", fields = {
    frame.field { name = "name", label = page.t "device_id", hint = page.t "verify_hint", required = true } } })
  list[2] = release.stage ~= "uploaded" and h.p { h.a { class = "button",
    href = ("/p/%s/rollouts/new?release=%s"):format(release.product_key, release.id), page.t "roll_out" } }
  list[3] = frame.ask(page, { route = ("/releases/%s/withdraw"):format(release.id), kind = "stop",
    label = page.t "withdraw", says = page.t("withdraw_hint", release.runs),
    expect = release.runs > MANY and release.release or nil,
    fields = release.runs > MANY and frame.field { name = "confirm", label = page.t "type_name", required = true } })
  return list
end

function M.one(page)
  local release = page:need("/releases/" .. page.params.id)
  page:of_product(release.product_key)
  local rows = {}
  for i, file in ipairs(release.files) do
    rows[i] = { frame.outside(file.name), frame.size(file.size), page.number(file.source_core)
      and tostring(file.source_core) or page.t "full" }
  end
  page.title = page.t "release"
  page.body = { h.p { class = "big", frame.outside(release.release) }, stages(page, release),
    frame.list { { page.t "sequence", tostring(release.sequence) }, { page.t "count", h.a { href =
      ("/p/%s/devices"):format(release.product_key) .. page.query { filter = ('release:"%s"'):format(release.release) },
      tostring(release.runs) } } },
    h.section { h.h2 { page.t "files" }, frame.table({ page.t "name", page.t "size", page.t "source_core" }, rows,
      page.t "files") }, acts(page, release) }
end

return M

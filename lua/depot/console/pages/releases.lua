--- Pages of releases.
--
-- @module depot.console.pages.releases

local chart = require "depot.console.chart"
local filters = require "depot.filter"
local frame = require "depot.console.frame"
local html = require "depot.console.html"
local inputs = require "depot.console.inputs"
local jobs = require "depot.console.pages.jobs"
local lists = require "depot.console.pages.lists"
local steps = require "depot.console.pages.steps"
local uploads = require "depot.console.pages.uploads"

local M = {}

local h = html.h

local DAYS = "90" -- of the picture
local MANY = 100 -- devices above which the name of a release has to be typed

-- Cores in the field for which the newest release has no delta, and the command that makes them.
local function missing(page)
  local found = page:ask(("/products/%s/deltas"):format(page.product.product_key))
  local rows = {}
  for _, item in ipairs(found and found.items or {}) do
    if not page.text(item.file) then rows[#rows + 1] = { tostring(item.core), frame.number(item.devices) } end
  end
  if #rows == 0 then return false end
  return h.section { h.h2 { page.t("no_delta", found.release) },
    frame.table({ page.t "source_core", page.t "count" }, rows, page.t "files"), h.pre { found.command } }
end

local function stage_of(page, release)
  return { page.t("g_" .. release.stage), not release.enabled and { ", ", h.strong { page.t "disabled" } } }
end

function M.list(page)
  local rows = {}
  for i, release in ipairs(page:need(("/products/%s/releases"):format(page.product.product_key)).items) do
    rows[i] = { h.a { href = "/releases/" .. release.id, frame.outside(release.release) }, tostring(release.sequence),
      stage_of(page, release), tostring(release.runs), frame.outside(table.concat(release.packages, " ")) }
  end
  local summary = page:need(("/products/%s/summary"):format(page.product.product_key), { days = DAYS })
  local picture = chart.releases(page, summary.daily)
  page.title = page.t "releases"
  page.body = { missing(page),
    frame.part("releases", #rows == 0 and h.p { page.t "no_releases" } or frame.table({ page.t "release",
    page.t "sequence", page.t "stage", page.t "count", page.t "files" }, rows, page.t "releases")), uploads.form(page, {
      label = page.t "upload", hint = page.t "upload_hint" }),
    picture and h.section { h.h2 { page.t "over_time" }, picture } }
end

local STAGES = { "uploaded", "verified", "released" }

-- The life of a release as a row of stages.
local function stages(page, release)
  if release.stage == "withdrawn" then return h.p { class = "bad", page.t "g_withdrawn" } end
  return { steps.life(page, STAGES, release.stage), not release.enabled and h.p { class = "bad",
    page.t "release_disabled" } }
end

-- The device that a form on this page let try the release.
local function verifying(page)
  local id = page.args.device
  local job = id and id:find "^[%w_-]+$" and page:ask("/jobs/" .. id)
  if not job then return false end
  local at = steps.of_job(page, job)
  return frame.part("verifying", steps.show(page, job.device, at, { percent = job.step, text = job.text,
    state = job.state }), steps.is_open(at))
end

local function withdraw(page, release)
  if release.stage == "withdrawn" then return false end
  return h.section { h.h2 { page.t "withdraw" }, inputs.ask(page, { kind = "stop", label = page.t "withdraw",
    route = ("/releases/%s/withdraw"):format(release.id), says = page.t("withdraw_hint", release.runs),
    expect = release.runs > MANY and release.release or nil,
    fields = release.runs > MANY and inputs.field { name = "confirm", label = page.t "type_name", required = true } }) }
end

-- What people say of the release.
local function describe(page, release)
  local secure = release.security and "true" or "false"
  return inputs.ask(page, { label = page.t "describe", method = "PATCH", etag = release.etag,
    route = "/releases/" .. release.id, says = page.t "describe_hint", fields = {
      inputs.field { name = "text", label = page.t "about", rows = 3, value = page.text(release.text) },
      inputs.field { name = "security", label = page.t "security", value = secure, options = { { "false", page.t "no" },
        { "true", page.t "yes" } } },
      inputs.field { name = "support_until", label = page.t "support_until", hint = page.t "day_hint", maxlength = 10,
        value = page.text(release.support_until) } } })
end

-- A switch: off, it is offered to nobody.
local function switch(page, release)
  if release.stage == "withdrawn" then return false end
  local label = page.t(release.enabled and "disable" or "enable")
  return inputs.ask(page, { kind = release.enabled and "stop" or nil, label = label, method = "PATCH",
    etag = release.etag, route = "/releases/" .. release.id, says = page.t "switch_hint",
    fields = h.input { type = "hidden", name = "enabled", value = release.enabled and "false" or "true" } })
end

local function acts(page, release)
  if release.stage == "withdrawn" then return false end
  local list = {}
  list[1] = h.section { h.h2 { page.t(release.stage == "uploaded" and "verify" or "verify_again") }, verifying(page),
    inputs.form(page, { route = ("/releases/%s/verify"):format(release.id), label = page.t "verify_now",
      back = page.path .. "?device={id}", fields = { inputs.field { name = "name", label = page.t "device_id",
        hint = page.t "verify_hint", required = true } } }) }
  list[2] = h.section { h.h2 { page.t "roll_out" }, release.stage == "uploaded"
    and h.p { h.button { type = "button", disabled = true, page.t "roll_out" }, " ", page.t "verify_first" }
    or h.p { h.a { class = "button", href = ("/p/%s/rollouts/new?release=%s"):format(release.product_key, release.id),
      page.t "roll_out" } } }
  return list
end

function M.one(page)
  local release, etag = page:need("/releases/" .. page.params.id)
  release.etag = etag
  page:of_product(release.product_key)
  local rows = {}
  for i, file in ipairs(release.files) do
    rows[i] = { frame.outside(file.name), frame.size(file.size), page.number(file.source_core)
      and tostring(file.source_core) or page.t "full" }
  end
  local devices = ("/p/%s/devices"):format(release.product_key)
    .. page.query { filter = filters.term("release", release.release) }
  page.title = page.t "release"
  page.body = { h.p { class = "big", frame.outside(release.release), release.security
    and { " ", h.strong { page.t "security" } } }, frame.part("stages", stages(page, release)),
    page.text(release.text) and h.p { frame.outside(release.text) },
    frame.list { { page.t "sequence", tostring(release.sequence) },
      { page.t "count", h.a { href = devices, tostring(release.runs) } },
      { page.t "support_until", page.text(release.support_until) or "–" } },
    h.section { h.h2 { page.t "files" }, frame.table({ page.t "name", page.t "size", page.t "source_core" }, rows,
      page.t "files") }, describe(page, release), acts(page, release), jobs.of_release(page, release),
    lists.show(page, release), switch(page, release), withdraw(page, release) }
end

return M

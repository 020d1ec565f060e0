--- Pages of hotfixes: the table of the vendor's console, and the life of one.
--
-- @module depot.console.pages.hotfixes

local frame = require "depot.console.frame"
local html = require "depot.console.html"
local inputs = require "depot.console.inputs"
local steps = require "depot.console.pages.steps"
local uploads = require "depot.console.pages.uploads"

local M = {}

local h = html.h

local STAGES = { "uploaded", "verified", "trial", "released" }
local TIMEOUTS = { 60, 120, 300, 600, 1800 } -- seconds

local function on_trial(hotfix)
  local macs = {}
  for _, device in ipairs(hotfix.devices) do
    if device.trial then macs[#macs + 1] = device.device end
  end
  return macs
end

function M.list(page)
  local rows = {}
  for i, fix in ipairs(page:need(("/products/%s/hotfixes"):format(page.product.product_key)).items) do
    rows[i] = { page.t("g_" .. (fix.stage == "deleted" and "none" or fix.stage)),
      fix.stage == "deleted" and page.t "g_deleted" or "–",
      { h.a { href = ("/hotfixes/%d"):format(fix.id), frame.outside(fix.name) },
        fix.unsigned and { " (", page.t "unsigned", ")" } }, frame.outside(fix.version),
      frame.time(page, fix.made), frame.outside(page.text(fix.about)),
      frame.outside(table.concat(on_trial(fix), " ")), page.t("done_failed", fix.done, fix.failed) }
  end
  page.title = page.t "hotfixes"
  local heads = { page.t "stage", page.t "deleted_state", page.t "name", page.t "version", page.t "uploaded_at",
    page.t "about", page.t "trial_devices", page.t "count" }
  page.body = { frame.part("hotfixes", #rows == 0 and h.p { page.t "no_hotfixes" }
      or frame.table(heads, rows, page.t "hotfixes")),
    uploads.form(page, { label = page.t "add_hotfix",
      product = page.product.unsigned and page.product.product_key or nil,
      hint = page.t(page.product.unsigned and "bare_hint" or "hotfix_hint"), back = "/hotfixes/{hotfix}",
      about = true }) }
end

local function stages(page, fix)
  if fix.stage == "deleted" then return h.p { class = "bad", page.t "g_deleted" } end
  return steps.life(page, STAGES, fix.stage)
end

-- Those that try it now, each with its four stages; and who has tried it.
local function verifying(page, fix)
  local list, polls = {}, false
  for _, device in ipairs(fix.devices) do
    if device.verifies then
      local at = steps.of_hotfix(device)
      polls = polls or steps.is_open(at)
      list[#list + 1] = steps.show(page, device.device, at, device)
    end
  end
  return list, polls
end

local function devices(page, fix)
  local rows = {}
  for i, device in ipairs(fix.devices) do
    rows[i] = { frame.outside(device.device), page.t(device.verifies and "verifies" or device.trial and "on_trial"
      or "of_release"), page.t("s_" .. (page.text(device.state) or "none")),
      page.number(device.percent) and ("%d %%"):format(device.percent), frame.outside(page.text(device.text)),
      frame.time(page, page.number(device.changed)) }
  end
  if #rows == 0 then return h.p { page.t "no_devices_yet" } end
  return frame.table({ page.t "mac", page.t "why_it", page.t "state", "%", page.t "text", page.t "time" }, rows,
    page.t "devices")
end

local function verify(page, fix, base)
  local choices = {}
  for i, seconds in ipairs(TIMEOUTS) do choices[i] = { tostring(seconds), page.t("minutes", seconds // 60) } end
  return h.section { h.h2 { page.t(fix.stage == "uploaded" and "verify" or "verify_again") },
    inputs.form(page, { route = base .. "/verify", label = page.t "verify_now", fields = {
      inputs.field { name = "device", label = page.t "mac", required = true, hint = page.t "mac_hint",
        autocomplete = "off" },
      inputs.field { name = "timeout", label = page.t "timeout", options = choices, value = "60",
        hint = page.t "timeout_hint" } } }) }
end

-- What comes next, the other buttons grey with the reason.
local function acts(page, fix)
  if fix.stage == "deleted" then return false end
  local base = ("/hotfixes/%d"):format(fix.id)
  local early = fix.stage == "uploaded"
  local function grey(label) return h.p { h.button { type = "button", disabled = true, label }, " ",
    page.t "verify_first" } end
  local released = fix.stage == "released"
  return { verify(page, fix, base),
    not released and h.section { h.h2 { page.t "trial" }, early and grey(page.t "trial") or inputs.form(page, {
      route = base .. "/trial", label = page.t "trial", file = true, fields = inputs.names(page, {
        label = page.t "trial_list", hint = page.t "trial_hint" }) }) },
    not released and h.section { h.h2 { page.t "release_it" }, early and grey(page.t "release_it")
      or inputs.ask(page, { route = base .. "/release", label = page.t "release_it", says = page.t(
        fix.stage == "trial" and "release_hint" or "release_advice") }) },
    h.section { h.h2 { page.t "remove" }, inputs.ask(page, { route = base, method = "DELETE", etag = fix.etag,
      kind = "stop", label = page.t "remove", says = page.t("remove_hint", fix.version) }) } }
end

function M.one(page)
  local fix, etag = page:need("/hotfixes/" .. page.params.id)
  fix.etag = etag
  page:of_product(fix.product_key)
  local list, polls = verifying(page, fix)
  page.title = page.t "hotfix"
  page.body = { h.p { class = "big", frame.outside(fix.name), " ", frame.outside(fix.version),
      fix.unsigned and { " (", page.t "unsigned", ")" } },
    h.p { frame.outside(page.text(fix.about)) },
    frame.part("stages", { stages(page, fix), list }, polls), acts(page, fix),
    h.section { h.h2 { page.t "devices" }, frame.part("devices", devices(page, fix)) } }
end

return M

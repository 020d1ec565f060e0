--- Pages of rollouts.
--
-- @module depot.console.pages.rollouts

local frame = require "depot.console.frame"
local html = require "depot.console.html"
local inputs = require "depot.console.inputs"
local jobs = require "depot.jobs"
local life = require "depot.rollout.life"
local windows = require "depot.rollout.window"

local M = {}

local h = html.h

-- The acts that its state allows; pause and resume stand at the same place.
local function acts(page, rollout)
  local base = ("/rollouts/%d/"):format(rollout.id)
  local function button(verb, label, class)
    return inputs.form(page, { route = base .. verb, label = label, class = class or "act inline" })
  end
  local waiting, busy = rollout.jobs.pending or 0, rollout.jobs.upgrading or 0
  local is_offering = life.is_offering(rollout)
  local open = is_offering or rollout.state == "paused" or rollout.state == "scheduled"
  return h.div { class = "acts",
    (is_offering or rollout.state == "scheduled") and inputs.ask(page, { route = base .. "pause",
      label = page.t "pause", kind = "stop", says = page.t("pause_hint", waiting, busy) }),
    rollout.state == "paused" and button("resume", page.t("resume_n", rollout.failed)),
    rollout.state == "draft" and button("start", page.t "start"),
    rollout.state == "waiting" and button("advance", page.t "advance"),
    open and (rollout.jobs.failed or rollout.jobs.reverted) and button("retry", page.t "retry"),
    (open or rollout.state == "draft") and rollout.kind ~= "auto" and inputs.ask(page, {
      route = base .. "cancel", label = page.t "cancel", says = page.t("cancel_hint", waiting, busy) }) }
end

local function state_of(page, rollout)
  local reason = page.text(rollout.reason)
  return { page.t("r_" .. rollout.state), reason and { ": ", page.t("w_" .. reason) } }
end

--- Rollouts as a table, or what is said if there is none.
function M.table(page, list, none)
  if #list == 0 then return h.p { none } end
  local rows = {}
  for i, rollout in ipairs(list) do
    rows[i] = { h.a { href = "/rollouts/" .. rollout.id, ("%d: "):format(rollout.id), frame.outside(rollout.release) },
      state_of(page, rollout), frame.waves(page, rollout), frame.meter(page, rollout.failed, rollout.verdicts,
        rollout.limit), acts(page, rollout) }
  end
  return frame.table({ page.t "rollout", page.t "state", page.t "wave", page.t "failed_share", "" }, rows,
    page.t "rollouts")
end

function M.list(page)
  page.title = page.t "rollouts"
  local list = page:need(("/products/%s/rollouts"):format(page.product.product_key)).items
  page.body = { frame.part("rollouts", M.table(page, list, page.t "no_rollouts")),
    h.p { h.a { class = "button", href = ("/p/%s/rollouts/new"):format(page.product.product_key),
      page.t "new_rollout" } } }
end

-- Name and default; and which there are, if it is chosen.
local FIELDS = { { "waves", "1,10,50,100" }, { "soak", "24h" }, { "limit", "5%" }, { "in_flight", "100" }, { "from" },
  { "filter" }, { "window" } }
local RARE = { { "members", "open", { "open", "fixed" } }, { "advance", "time", { "time", "hand" } }, { "at" },
  { "retries", "0" }, { "priority", "0" } }
local HINTS = { filter = "filter_hint", window = "window_hint", at = "at_hint" }

local function preview(page, wish)
  local path = ("/products/%s/rollouts"):format(page.product.product_key)
  local found, message = page:ask(path, { dry_run = "1" }, wish)
  if not found then return h.p { class = "bad", role = "alert", message } end
  local waves, others = {}, {}
  for i, wave in ipairs(found.waves) do
    waves[i] = h.li { page.t("wave_n", i, ("%g"):format(wave.percent), wave.devices) }
  end
  for why, count in pairs(found.others) do
    others[#others + 1] = h.li { page.t("not_reached", count, page.t("b_" .. why)) }
  end
  for _, id in ipairs(found.overtakes) do others[#others + 1] = h.li { page.t("overtakes", id) } end
  return h.section { role = "status", h.h2 { page.t "preview" },
    h.p { class = "big", page.t("reaches", found.reaches) }, h.ul { waves, others } }
end

-- Fields of the form by a list as FIELDS; what they hold is added to `wish`.
local function fields_of(page, list, wish)
  local fields = {}
  for i, field in ipairs(list) do
    local name, choices = field[1], nil
    local value = page.args[name] or field[2]
    for k, choice in ipairs(field[3] or {}) do
      choices = choices or {}
      choices[k] = { choice, page.t(name .. "_" .. choice) }
    end
    fields[i] = inputs.field { name = name, label = page.t(name), value = value, options = choices,
      hint = HINTS[name] and page.t(HINTS[name]) or nil }
    if value and value ~= "" then wish[name] = value end
  end
  return fields
end

--- One page: the form, and when it was sent what it would reach.
function M.new(page)
  local base = ("/products/%s"):format(page.product.product_key)
  local options = {}
  for _, release in ipairs(page:need(base .. "/releases").items) do
    if release.stage ~= "withdrawn" then
      options[#options + 1] = { release.id, ("%s (%s)"):format(release.release, page.t("g_" .. release.stage)) }
    end
  end
  local wish = { release = page.args.release }
  local fields = { inputs.field { name = "release", label = page.t "release", options = options,
    value = page.args.release }, fields_of(page, FIELDS, wish) }
  fields[#fields + 1] = inputs.field { name = "devices", label = page.t "only_devices", rows = 3,
    value = page.args.devices }
  if page.args.devices and page.args.devices ~= "" then wish.devices = page.args.devices end
  fields[#fields + 1] = h.details { open = page.args.members ~= nil, h.summary { page.t "more" },
    fields_of(page, RARE, wish) }
  fields[#fields + 1] = h.button { type = "submit", formmethod = "get", formaction = page.path, page.t "preview" }
  page.title = page.t "new_rollout"
  page.body = { page.args.release and preview(page, wish), inputs.form(page, { route = base .. "/rollouts",
    previews = true, label = page.t "start", fields = fields,
    back = ("/p/%s/rollouts"):format(page.product.product_key) }) }
end

-- A limit as people write it.
local function limit_of(limit)
  if limit.count then return tostring(limit.count) end
  return limit.percent and ("%g%%"):format(limit.percent) or "none"
end

-- What can be changed while it runs; what is left empty stays.
local function change(page, rollout, etag)
  if life.has_ended(rollout) then return false end
  local window = rollout.window
  return inputs.ask(page, { route = ("/rollouts/%d"):format(rollout.id), method = "PATCH", etag = etag,
    label = page.t "change", says = page.t "change_hint", fields = {
      inputs.field { name = "limit", label = page.t "limit", value = limit_of(rollout.limit) },
      inputs.field { name = "in_flight", label = page.t "in_flight", value = page.number(rollout.in_flight)
        and tostring(rollout.in_flight) },
      inputs.field { name = "window", label = page.t "window", hint = page.t "window_hint",
        value = type(window) == "table" and windows.text(window) or nil } } })
end

function M.one(page)
  local rollout, etag = page:need("/rollouts/" .. page.params.id)
  page:of_product(rollout.product_key)
  local state = page.args.state
  local found = page:need(("/rollouts/%d/jobs"):format(rollout.id), { state = state, cursor = page.args.cursor })
  local rows = {}
  for i, job in ipairs(found.items) do
    local reason = page.text(job.reason)
    rows[i] = { h.a { href = "/devices/" .. job.id, frame.outside(job.device) }, page.t("s_" .. job.state),
      page.number(job.step) and ("%d %%"):format(job.step), page.number(job.wave) and tostring(job.wave),
      { reason and page.t("w_" .. reason) or "", " ", frame.outside(page.text(job.text)) } }
  end
  page.title = page.t "rollout"
  page.body = { h.p { class = "big", ("%d: "):format(rollout.id), frame.outside(rollout.release) },
    frame.part("state", { h.p { state_of(page, rollout) }, frame.waves(page, rollout),
      h.p { frame.meter(page, rollout.failed, rollout.verdicts, rollout.limit) } }), acts(page, rollout),
    change(page, rollout, etag),
    h.section { id = "devices", h.h2 { page.t "devices" }, frame.part("jobs", {
      frame.tabs(page, jobs.STATES, state, rollout.jobs),
      frame.table({ page.t "name", page.t "state", "%", page.t "wave", page.t "why" }, rows, page.t "jobs"),
      frame.next_page(page, page.text(found.next), { state = state }) }, (rollout.jobs.upgrading or 0) > 0) } }
end

return M

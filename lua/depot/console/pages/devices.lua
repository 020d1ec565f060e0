--- Pages of devices.
--
-- @module depot.console.pages.devices

local frame = require "depot.console.frame"
local html = require "depot.console.html"
local inputs = require "depot.console.inputs"
local queries = require "depot.console.pages.queries"

local M = {}

local h = html.h

--- The state of a device's job in words.
function M.state(page, device)
  local state = page.text(device.state)
  return h.span { class = "state s-" .. (state or "none"):gsub("%W", ""), page.t("s_" .. (state or "none")) }
end

--- Devices as a table.
function M.table(page, items)
  local rows = {}
  for i, device in ipairs(items) do
    rows[i] = { h.a { href = "/devices/" .. device.id, frame.outside(device.device) }, device.cloud,
      frame.outside(page.text(device.release)), frame.outside(page.text(device.target)), M.state(page, device),
      frame.outside(table.concat(device.tags, " ")), frame.time(page, page.number(device.heard)) }
  end
  return frame.table({ page.t "name", page.t "cloud", page.t "runs_now", page.t "wanted", page.t "state", page.t "tags",
    page.t "heard" }, rows, page.t "devices")
end

-- What a vendor's number of a failure means, and what the depot or the device said.
local function why(page, device)
  local code, reason, text = page.number(device.code), page.text(device.reason), page.text(device.text)
  local known = code and code >= -4 and code < 0 and device.cloud == "aliyun"
  local parts = {}
  local function add(part) parts[#parts + 1] = #parts > 0 and { ": ", part } or part end
  if code then add { tostring(code), known and { " ", page.t("c_" .. -code) } } end
  if reason then add(page.t("w_" .. reason)) end
  if text then add(frame.outside(text)) end
  return #parts > 0 and parts or "–"
end

--- Jobs of devices as a table; those that failed can be tried again.
function M.jobs(page, items)
  local rows = {}
  for i, device in ipairs(items) do
    local step = page.number(device.step)
    rows[i] = { h.a { href = "/devices/" .. device.id, frame.outside(device.device) }, device.cloud,
      frame.outside(page.text(device.release)), M.state(page, device), step and { h.progress { max = 100, value = step,
        ["aria-label"] = page.t "progress" }, (" %d %%"):format(step) }, why(page, device),
      (device.state == "failed" or device.state == "reverted") and inputs.form(page, { class = "act inline",
        route = ("/jobs/%s/retry"):format(device.id), label = page.t "retry" }) }
  end
  return frame.table({ page.t "name", page.t "cloud", page.t "runs_now", page.t "state", "%", page.t "why", "" }, rows,
    page.t "jobs")
end

-- The way to the groups, and to one of what is filtered.
local function groups(page, filter)
  local path = ("/p/%s/groups"):format(page.product.product_key)
  local makes = filter and filter ~= "" and page:may("POST", ("/products/%s/groups"):format(page.product.product_key))
  return h.p { h.a { href = path, page.t "groups" }, makes and { " · ", h.a { href = path .. page.query {
    filter = filter }, page.t "group_of_these" } } }
end

function M.list(page)
  local filter = page.args.filter
  local found, message, code = page:ask(("/products/%s/devices"):format(page.product.product_key),
    { filter = filter, cursor = page.args.cursor })
  if not found and code ~= "usage" then return page:fail(message, code) end
  page.title = page.t "devices"
  page.body = {
    h.form { method = "get", action = page.path, class = "act", inputs.field { name = "filter", value = filter,
      label = page.t "filter", hint = page.t "filter_hint", type = "search" },
      h.button { type = "submit", page.t "apply" } }, groups(page, found and filter),
    not found and h.p { class = "bad", role = "alert", message },
    found and frame.part("devices", #found.items > 0 and M.table(page, found.items) or h.p { page.t "no_devices" }),
    found and frame.next_page(page, page.text(found.next), { filter = filter }) }
end


local function job(page, device)
  if not page.text(device.state) then return h.p { page.t "no_job" } end
  local step = page.number(device.step)
  return { frame.list { { page.t "state", { M.state(page, device),
      step and { " ", h.progress { max = 100, value = step, ("%d %%"):format(step) } } } },
    { page.t "wanted", frame.outside(page.text(device.target)) },
    { page.t "why", why(page, device) },
    { page.t "rollout", page.number(device.rollout) and h.a { href = "/rollouts/" .. device.rollout,
      tostring(device.rollout) } } },
    (device.state == "failed" or device.state == "reverted") and inputs.form(page, {
      route = ("/jobs/%s/retry"):format(device.id), label = page.t "retry" }),
    (device.state == "pending" or device.state == "upgrading") and inputs.form(page, {
      route = ("/jobs/%s/cancel"):format(device.id), label = page.t "cancel" }) }
end

function M.one(page)
  local device, etag = page:need("/devices/" .. page.params.id)
  page:of_product(device.product_key)
  local rows = {}
  for i, event in ipairs(page:need(("/devices/%s/events"):format(device.id)).items) do
    rows[i] = { frame.time(page, event.at), page.t("s_" .. event.what), frame.outside(page.text(event.release)),
      frame.outside(page.text(event.text) or page.text(event.code)) }
  end
  local note = page.text(device.note)
  page.title = page.t "device"
  page.body = { h.p { class = "big", frame.outside(device.device) },
    frame.list { { page.t "cloud", device.cloud }, { page.t "product", frame.outside(device.product) },
      { page.t "runs_now", frame.outside(page.text(device.release)) },
      { page.t "heard", frame.time(page, page.number(device.heard)) },
      note ~= nil and { page.t "note", frame.outside(note) },
      #device.tags > 0 and { page.t "tags", frame.outside(table.concat(device.tags, " ")) } },
    h.section { h.h2 { page.t "job" }, frame.part("job", job(page, device), device.state == "upgrading") },
    device.cloud == "luat" and queries.section(page, device.device, device.product_key),
    page.product.admit == "listed" and not device.admitted and h.section { h.h2 { page.t "n_admission" },
      inputs.form(page, { route = "/devices/" .. device.id, method = "PATCH", etag = etag, label = page.t "admit",
        fields = h.input { type = "hidden", name = "admitted", value = "1" } }) },
    h.section { h.h2 { page.t "history" }, frame.part("history", frame.table({ page.t "time", page.t "what",
      page.t "release", page.t "details" }, rows, page.t "history")) },
    h.section { h.h2 { page.t "note" }, inputs.form(page, { route = "/devices/" .. device.id, method = "PATCH",
      etag = etag, label = page.t "save", fields = {
        inputs.field { name = "tags", label = page.t "tags", hint = page.t "tags_hint", rows = 3,
          value = table.concat(device.tags, "\n") },
        inputs.field { name = "note", label = page.t "note", rows = 3, value = page.text(device.note) },
        inputs.field { name = "hardware", label = page.t "hardware", hint = page.t "hardware_hint", maxlength = 64,
          value = page.text(device.hardware), autocomplete = "off" },
        inputs.field { name = "zone", label = page.t "product_zone", hint = page.t "device_zone_hint", maxlength = 64,
          value = page.text(device.zone), autocomplete = "off" } } }) } }
end

return M

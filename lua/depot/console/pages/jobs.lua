--- The devices that are to get a release, in tabs by the state of their job, as the vendor's console has them.
--
-- @module depot.console.pages.jobs

local devices = require "depot.console.pages.devices"
local filters = require "depot.filter"
local frame = require "depot.console.frame"
local html = require "depot.console.html"
local inputs = require "depot.console.inputs"

local M = {}

local h = html.h

local TABS = { "pending", "upgrading", "succeeded", "failed", "reverted" }
local AGAIN = { failed = true, reverted = true }

-- The devices whose job is for a release, in one state.
local function filter_of(release, state) return filters.term("target", release.release) .. " state:" .. state end

-- Those that failed try again, all of them; the others cannot.
local function retry(page, release, state)
  local filter = filter_of(release, state)
  local path = ("/products/%s/jobs/bulk"):format(release.product_key)
  local found = page:ask(path, { dry_run = "1" }, { act = "retry", filter = filter })
  if not found or found.total == 0 then return false end
  return inputs.ask(page, { route = path, label = page.t "retry_all", says = page.t("retry_hint", found.total),
    back = page.path .. page.query { state = state, task = "{id}" }:gsub("%%7B", "{"):gsub("%%7D", "}"), fields = {
      h.input { type = "hidden", name = "act", value = "retry" },
      h.input { type = "hidden", name = "filter", value = filter } } })
end

-- How far a task is that was begun here.
local function task(page)
  local id = page.args.task
  local found = id and id:find "^%x+$" and page:ask("/tasks/" .. id)
  if not found then return false end
  return frame.part("task", h.p { role = "status", class = "news", page.t("task_" .. found.state, found.done,
    found.total), " ", frame.outside(page.text(found.message)) }, found.state == "running")
end

--- The section of a release.
function M.of_release(page, release)
  local state = page.args.state or "pending"
  local found, message = page:ask(("/products/%s/devices"):format(release.product_key), {
    filter = filter_of(release, (state:gsub("%W", ""))), cursor = page.args.cursor })
  return h.section { id = "devices", h.h2 { page.t "devices" }, task(page), frame.part("jobs", {
    frame.tabs(page, TABS, state),
    not found and h.p { class = "bad", message } or #found.items == 0 and h.p { page.t "no_devices" }
      or devices.jobs(page, found.items),
    found and frame.next_page(page, page.text(found.next), { state = state }) }, state == "upgrading"),
    AGAIN[state] and retry(page, release, state) }
end

return M

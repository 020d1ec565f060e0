--- Pages of webhooks: where events of a product are sent, how that fares, and what to do where it does not.
--
-- @module depot.console.pages.webhooks

local frame = require "depot.console.frame"
local html = require "depot.console.html"
local inputs = require "depot.console.inputs"
local webhooks = require "depot.acts.webhooks"

local M = {}

local h = html.h

-- Its address as all may see it who look at a screen: a query may be a secret.
local function address(page, hook)
  return frame.outside(page.console.answers.natives.url.shown(hook.url))
end

local function events(page, hook)
  local list = {}
  for i, event in ipairs(hook.events) do list[i] = page.t("s_" .. event) end
  return table.concat(list, ", ")
end

-- Whether it is sent anything, and if not, why and what to do.
local function state(page, hook)
  local reason, failing = page.text(hook.reason), page.number(hook.failing)
  local problem = frame.outside(page.text(hook.problem))
  if hook.enabled and not failing then return page.t "hook_on" end
  if hook.enabled then
    return h.span { class = "bad", page.t "hook_failing", " ", frame.time(page, failing), ": ", problem }
  end
  if not reason then return page.t "hook_off" end
  if reason == "restored" then
    return { h.span { class = "bad", page.t "hook_restored" }, h.small { page.t "hook_other" } }
  end
  return { h.span { class = "bad", page.t "hook_gave_up", " ", problem }, h.small { page.t "hook_mend" } }
end

local function set(page, hook, etag, value, label)
  return inputs.form(page, { route = ("/webhooks/%d"):format(hook.id), method = "PATCH", etag = etag,
    class = "act inline", label = page.t(label), fields = h.input { type = "hidden", name = "enabled",
      value = value } })
end

-- On, off; and off for good, where the depot switched it off.
local function switches(page, hook, etag)
  if hook.enabled then return set(page, hook, etag, "0", "switch_off") end
  return h.div { class = "acts", set(page, hook, etag, "1", "switch_on"),
    page.text(hook.reason) and set(page, hook, etag, "0", "leave_off") }
end

local function next_try(page, hook) return frame.time(page, hook.enabled and page.number(hook.again)) end

-- What a person chooses of it; the hints say what is left out.
local function fields(page, chosen, o)
  local options, is_chosen = {}, {}
  for i, event in ipairs(webhooks.EVENTS) do options[i] = { event, page.t("s_" .. event) } end
  for _, event in ipairs(chosen) do is_chosen[event] = true end
  return { inputs.field { name = "url", label = page.t "hook_url", type = "url", required = o.required,
    autocomplete = "off", maxlength = 1000, hint = page.t(o.url_hint) },
    inputs.checks { name = "events", label = page.t "events", options = options, chosen = is_chosen,
      hint = page.t(o.events_hint) } }
end

function M.list(page)
  local route, rows, polls = ("/products/%s/webhooks"):format(page.product.product_key), {}, false
  for i, hook in ipairs(page:need(route).items) do
    local path = ("/webhooks/%d"):format(hook.id)
    local _, etag = page:need(path)
    polls = polls or hook.enabled and page.number(hook.failing) ~= nil
    rows[i] = { h.a { href = path, address(page, hook) }, events(page, hook), state(page, hook),
      frame.time(page, page.number(hook.delivered)), next_try(page, hook), switches(page, hook, etag) }
  end
  page.title = page.t "webhooks"
  page.body = { h.p { page.t "webhooks_hint" }, frame.part("webhooks", #rows == 0 and h.p { page.t "no_webhooks" }
      or frame.table({ page.t "hook_url", page.t "events", page.t "state", page.t "hook_delivered",
        page.t "hook_again", "" }, rows, page.t "webhooks"), polls),
    h.section { h.h2 { page.t "add_webhook" }, inputs.form(page, { route = route, label = page.t "add_webhook",
      fields = fields(page, webhooks.USUAL, { required = true, url_hint = "hook_url_hint",
        events_hint = "hook_events_hint" }) }) } }
end

function M.one(page)
  local route = "/webhooks/" .. page.params.id
  local hook, etag = page:need(route)
  page:of_product(hook.product_key)
  local list = ("/p/%s/webhooks"):format(hook.product_key)
  page.title = page.t "webhook"
  page.body = { h.p { class = "big", address(page, hook) },
    frame.part("webhook", { frame.list { { page.t "events", events(page, hook) },
      { page.t "state", state(page, hook) },
      { page.t "hook_delivered", frame.time(page, page.number(hook.delivered)) },
      { page.t "hook_again", next_try(page, hook) } }, switches(page, hook, etag) },
      hook.enabled and page.number(hook.failing) ~= nil),
    h.section { h.h2 { page.t "change_webhook" }, inputs.form(page, { route = route, method = "PATCH", etag = etag,
      label = page.t "save", fields = fields(page, hook.events, { url_hint = "hook_url_same",
        events_hint = "hook_events_same" }) }) },
    inputs.ask(page, { route = route, method = "DELETE", etag = etag, kind = "stop", label = page.t "remove_webhook",
      says = page.t "remove_webhook_hint", back = list }), h.p { h.a { href = list, page.t "webhooks" } } }
end

return M

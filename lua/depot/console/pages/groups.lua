--- Pages of groups: by a list of names, which may not have been heard of yet, or by a filter.
--
-- @module depot.console.pages.groups

local filters = require "depot.filter"
local frame = require "depot.console.frame"
local html = require "depot.console.html"
local inputs = require "depot.console.inputs"
local products = require "depot.acts.products"

local M = {}

local h = html.h

local SHOWN = 50 -- names on a page; each has a form of its own

-- The known devices of a group, as a link to their list.
local function known(page, group)
  return h.a { href = ("/p/%s/devices"):format(group.product_key)
    .. page.query { filter = filters.term("group", group.name) }, frame.number(group.devices) }
end

-- How its devices are chosen.
local function choice(page, group)
  local filter = page.text(group.filter)
  return filter and { page.t "filter", ": ", frame.outside(filter) } or page.t("group_list_of", group.names)
end

local function filter_field(page, value, is_needed)
  return inputs.field { name = "filter", label = page.t "filter", hint = page.t "filter_hint", value = value,
    autocomplete = "off", required = is_needed }
end

local function make(page, base)
  return inputs.form(page, { route = ("/products/%s/groups"):format(page.product.product_key), label =
    page.t "make_group", back = "/groups/{id}", file = true, fields = {
      inputs.field { name = "name", label = page.t "name", hint = page.t "group_name_hint", required = true,
        maxlength = 32, autocomplete = "off", value = page.args.name },
      filter_field(page, page.args.filter), h.p { page.t "group_filter_or", " ",
        h.a { href = base .. "/devices", page.t "group_try" } },
      inputs.names(page, { name = "names", label = page.t "list_names", hint = page.t "group_names_hint" }) } })
end

function M.list(page)
  local base, rows = "/p/" .. page.product.product_key, {}
  for i, group in ipairs(page:need(("/products/%s/groups"):format(page.product.product_key)).items) do
    rows[i] = { h.a { href = ("/groups/%d"):format(group.id), frame.outside(group.name) }, choice(page, group),
      known(page, group) }
  end
  local form = make(page, base)
  page.title = page.t "groups"
  page.body = { frame.part("groups", #rows == 0 and h.p { page.t "no_groups" }
      or frame.table({ page.t "name", page.t "group_who", page.t "group_known" }, rows, page.t "groups")),
    form and h.section { h.h2 { page.t "make_group" }, form } }
end

local function clouds(page)
  local list = { { "", page.t "any_cloud" } }
  for _, cloud in ipairs(products.CLOUDS) do list[#list + 1] = { cloud, cloud } end
  return list
end

-- One form that puts names on the list or takes them off.
local function change(page, group, key, argument)
  return inputs.form(page, { route = ("/groups/%d/names"):format(group.id), label = page.t(key), file = true,
    back = page.path, fields = {
      inputs.field { name = "cloud", id = key .. "-cloud", label = page.t "cloud", options = clouds(page),
        hint = page.t "group_cloud_hint" },
      inputs.names(page, { name = argument, key = key, label = page.t "list_names",
        hint = page.t(key .. "_hint") }) } })
end

local function members(page, group)
  local found = page:need(("/groups/%d/names"):format(group.id), { cursor = page.args.cursor,
    limit = tostring(SHOWN) })
  local rows = {}
  for i, member in ipairs(found.items) do
    local cloud = page.text(member.cloud)
    rows[i] = { h.a { href = "/search" .. page.query { q = member.name }, frame.outside(member.name) },
      cloud or page.t "any_cloud", inputs.form(page, { route = ("/groups/%d/names"):format(group.id),
        class = "act inline", label = page.t "take_off", fields = {
          h.input { type = "hidden", name = "remove", value = member.name },
          cloud and h.input { type = "hidden", name = "cloud", value = cloud } } }) }
  end
  return { frame.part("members", { #rows == 0 and h.p { page.t "group_empty" }
      or frame.table({ page.t "name", page.t "cloud", "" }, rows, page.t "group_members"),
    frame.next_page(page, page.text(found.next)) }),
    page:may("POST", ("/groups/%d/names"):format(group.id)) and {
      h.details { h.summary { page.t "group_add" }, change(page, group, "group_add", "add") },
      h.details { h.summary { page.t "group_take" }, change(page, group, "group_take", "remove") } } }
end

local function by_filter(page, group, etag)
  return inputs.form(page, { route = ("/groups/%d"):format(group.id), method = "PUT", etag = etag,
    label = page.t "save", fields = filter_field(page, group.filter, true) })
end

function M.one(page)
  local group, etag = page:need("/groups/" .. page.params.id)
  page:of_product(group.product_key)
  local base = "/p/" .. group.product_key
  page.title = page.t "group"
  page.body = { h.p { class = "big", frame.outside(group.name) },
    frame.list { { page.t "group_who", choice(page, group) }, { page.t "group_known", known(page, group) } },
    page:may("POST", ("/products/%s/rollouts"):format(group.product_key)) and h.p { h.a { class = "button",
      href = base .. "/rollouts/new" .. page.query { filter = filters.term("group", group.name) },
      page.t "roll_out" } },
    h.section { h.h2 { page.t "group_members" },
      page.text(group.filter) and by_filter(page, group, etag) or members(page, group) },
    inputs.ask(page, { route = ("/groups/%d"):format(group.id), method = "DELETE", etag = etag, kind = "stop",
      label = page.t "drop_group", says = page.t("drop_group_hint", group.devices), back = base .. "/groups" }),
    h.p { h.a { href = base .. "/groups", page.t "groups" } } }
end

return M

--- The page of the depot itself: its products, how long it keeps what happened, backups, and whom it trusts.
--
-- @module depot.console.pages.depot

local frame = require "depot.console.frame"
local html = require "depot.console.html"
local inputs = require "depot.console.inputs"
local modes = require "depot.acts.products"

local M = {}

local h = html.h

local function options(words)
  local list = { { "", "–" } }
  for _, word in ipairs(words) do list[#list + 1] = { word, word } end
  return list
end

-- A button that changes one setting of a product.
local function set(page, product, etag, name, value, label)
  return inputs.form(page, { route = "/products/" .. product.product_key, method = "PATCH", etag = etag,
    class = "act inline", label = page.t(label), fields = h.input { type = "hidden", name = name,
      value = value } })
end

-- The same, to what it is not.
local function switch(page, product, etag, name, label)
  return set(page, product, etag, name, product[name] and "0" or "1", label)
end

-- The zone of its devices, for the windows of rollouts.
local function zone(page, product, etag)
  return inputs.ask(page, { route = "/products/" .. product.product_key, method = "PATCH", etag = etag,
    label = page.text(product.zone) or "UTC", says = page.t "product_zone_hint", fields = inputs.field { name = "zone",
      id = "zone-" .. product.product_key:sub(1, 8), label = page.t "product_zone", value = page.text(product.zone),
      autocomplete = "off", maxlength = 64 } })
end

local function products(page)
  local rows = {}
  for i, product in ipairs(page.products) do
    local _, etag = page:need("/products/" .. product.product_key)
    rows[i] = { frame.outside(product.name), page.text(product.mode) or "–",
      page.t(product.enabled and "yes" or "no"),
      switch(page, product, etag, "enabled", product.enabled and "switch_off" or "switch_on"),
      page.t(product.unsigned and "yes" or "no"),
      switch(page, product, etag, "unsigned", product.unsigned and "forbid" or "allow"),
      page.t("admit_" .. product.admit),
      product.mode == "staged" and set(page, product, etag, "admit", product.admit == "open" and "listed" or "open",
        product.admit == "open" and "admit_some" or "admit_all"), zone(page, product, etag) }
  end
  return h.section { h.h2 { page.t "products" },
    frame.table({ page.t "name", page.t "mode", page.t "switched_on", "", page.t "unsigned_patches", "",
      page.t "rollouts_for", "", page.t "product_zone" }, rows,
      page.t "products"),
    inputs.form(page, { route = "/products", label = page.t "add_product", fields = {
      inputs.field { name = "name", label = page.t "name", required = true, autocomplete = "off", maxlength = 64 },
      inputs.field { name = "mode", label = page.t "mode", value = "staged", options = options(modes.MODES) },
      inputs.field { name = "cloud", label = page.t "cloud", options = options(modes.CLOUDS) },
      inputs.field { name = "key", label = page.t "product_key", hint = page.t "product_key_hint", autocomplete = "off",
        maxlength = 64 } } }) }
end

local function keeping(page)
  local settings = page:ask "/settings"
  if not settings then return false end
  local function days(name)
    return inputs.field { name = name, label = page.t(name), type = "number", value = tostring(settings[name]),
      required = true }
  end
  return h.section { h.h2 { page.t "kept" },
    inputs.form(page, { route = "/settings", method = "PATCH", label = page.t "save", fields = { days "events_days",
      days "audit_days" } }),
    h.h2 { page.t "backup" }, h.p { page.t "backup_hint" },
    inputs.form(page, { route = "/backup", label = page.t "backup_now" }) }
end

-- The keys are those of the folder, whatever the product.
local function keys(page)
  local product = page.products[1]
  local found = product and page:ask(("/products/%s/keys"):format(product.product_key))
  if not found then return false end
  local rows = {}
  for i, key in ipairs(found.items) do rows[i] = { frame.outside(key.file), page.text(key.id) or "–" } end
  return h.section { h.h2 { page.t "trusted_keys" }, frame.table({ page.t "name", "ID" }, rows, page.t "trusted_keys") }
end

function M.depot(page)
  page.title = page.t "the_depot"
  page.body = { products(page), keeping(page), keys(page) }
end

return M

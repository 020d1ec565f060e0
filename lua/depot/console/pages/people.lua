--- Pages of log-in and settings.
--
-- @module depot.console.pages.people

local frame = require "depot.console.frame"
local html = require "depot.console.html"
local inputs = require "depot.console.inputs"

local M = {}

local h = html.h

local function password(page, name, key, autocomplete)
  return inputs.field { name = name, label = page.t(key), type = "password", required = true,
    autocomplete = autocomplete }
end

local function again(page)
  local route, text = page.args.route, page.args.again
  return route and { h.input { type = "hidden", name = "again_route", value = route },
    h.input { type = "hidden", name = "again", value = text } }
end

function M.log_in(page)
  page.title = page.t "log_in"
  page.body = { page.message and h.p { class = "bad", role = "alert", page.message },
    inputs.form(page, { route = "/session", back = page.args.back or "/", label = page.t "log_in", fields = {
      again(page), inputs.field { name = "name", label = page.t "name", required = true, autocomplete = "username" },
      password(page, "password", "password", "current-password") } }) }
end

--- What was entered when the session ended, to be sent now.
-- @tparam table page
-- @tparam string csrf of the new session
-- @tparam string route
-- @tparam {[name]=text} fields of the form
function M.again(page, csrf, route, fields)
  local rows, hidden = {}, {}
  for name, value in pairs(fields) do
    hidden[#hidden + 1] = h.input { type = "hidden", name = name, value = value }
    if name ~= "back" and name ~= "etag" and name ~= "method" then rows[#rows + 1] = { name, frame.outside(value) } end
  end
  table.sort(rows, function(a, b) return a[1] < b[1] end)
  page.title = page.t "go_on"
  page.body = { h.p { page.t "go_on_hint" }, frame.list(rows), h.form { method = "post", action = "/do" .. route,
    hidden, h.input { type = "hidden", name = "csrf", value = csrf }, h.button { type = "submit", page.t "send" } } }
end

function M.once(page)
  page.title = page.t "set_password"
  page.body = { page.message and h.p { class = "bad", role = "alert", page.message }, h.p { page.t "once_hint" },
    inputs.form(page, { route = "/session/once", back = "/", label = page.t "set_password", fields = {
      h.input { type = "hidden", name = "token", value = page.args.token or "" },
      password(page, "password", "new_password", "new-password") } }) }
end

--- What a form has made that is shown once: the link of a user, a token, the key of a product,
-- the secret of a webhook; or where a backup is.
-- @treturn boolean whether there is something
function M.shown(page, route, result)
  local key = page.text(result.key)
  local made = result.link or result.token or result.secret or key or route == "/backup" and result.file
  if not made then return false end
  page.title = page.t "settings"
  page.body = { h.p { result.link and page.t("link_for", result.name) or result.token and page.t "token_made"
    or result.secret and page.t "secret_made" or key and page.t "key_made" or page.t "backup_made" }, h.pre { made },
    h.p { h.a { href = page.path, page.t "back" } } }
  return true
end

local function roles_of(page, roles)
  local items = {}
  for product, role in pairs(roles) do
    local text = product == "" and page.t("role_all", role) or page.t("role_one", role, product:sub(1, 8))
    items[#items + 1] = text
  end
  table.sort(items)
  return table.concat(items, ", ")
end

local function users(page)
  local list = page:ask "/users"
  if not list then return false end
  local rows = {}
  for i, user in ipairs(list.items) do
    local _, etag = page:need("/users/" .. user.name)
    local state = user.disabled and "disabled" or user.password and "active" or "invited"
    rows[i] = { frame.outside(user.name), page.t(state), roles_of(page, user.roles), h.div { class = "acts",
      inputs.form(page, { route = ("/users/%s/once"):format(user.name), label = page.t "new_link",
        class = "act inline" }),
      inputs.form(page, { route = "/users/" .. user.name, method = "PATCH", etag = etag, class = "act inline",
        label = page.t(user.disabled and "enable" or "disable"), fields = h.input { type = "hidden",
          name = "disabled", value = user.disabled and "0" or "1" } }) } }
  end
  local choices = {}
  for _, role in ipairs { "viewer", "operator", "admin" } do
    choices[#choices + 1] = { "=" .. role, page.t("role_all", role) }
    for _, product in ipairs(page.products) do
      choices[#choices + 1] = { product.product_key .. "=" .. role, page.t("role_one", role, product.name) }
    end
  end
  return h.section { h.h2 { page.t "users" },
    frame.table({ page.t "name", page.t "state", page.t "roles", "" }, rows, page.t "users"),
    h.h3 { page.t "add_user" }, inputs.form(page, { route = "/users", label = page.t "add_user", fields = {
      inputs.field { name = "name", label = page.t "name", required = true, autocomplete = "off" },
      inputs.field { name = "roles", label = page.t "roles", options = choices } } }) }
end

local function tokens(page)
  local rows = {}
  for i, token in ipairs(page:need("/me/tokens").items) do
    rows[i] = { frame.outside(token.name), frame.time(page, token.ends), inputs.form(page, {
      route = ("/me/tokens/%d"):format(token.id), method = "DELETE", label = page.t "remove", class = "act inline" }) }
  end
  return h.section { h.h2 { page.t "tokens" },
    frame.table({ page.t "for_what", page.t "ends", "" }, rows, page.t "tokens"),
    inputs.form(page, { route = "/me/tokens", label = page.t "new_token", fields =
      inputs.field { name = "name", label = page.t "for_what", required = true } }) }
end

-- The way to the webhooks of those products whose admin the user is.
local function webhooks(page)
  local links = {}
  for _, product in ipairs(page.products) do
    if page:may("GET", ("/products/%s/webhooks"):format(product.product_key)) then
      links[#links + 1] = h.li { h.a { href = ("/p/%s/webhooks"):format(product.product_key),
        frame.outside(product.name) } }
    end
  end
  return #links > 0 and h.section { h.h2 { page.t "webhooks" }, h.ul { links } }
end

function M.settings(page)
  page.title = page.t "settings"
  page.body = { h.section { h.h2 { page.t "me" },
    frame.list { { page.t "name", frame.outside(page.actor.name) },
      { page.t "roles", roles_of(page, page.actor.roles) } },
    inputs.form(page, { route = "/me", method = "PATCH", label = page.t "save", fields = {
      inputs.field { name = "lang", label = page.t "language", value = page.lang, options = { { "en", "English" },
        { "zh", "中文" } } },
      inputs.field { name = "tz", label = page.t "zone", value = page.actor.tz, hint = page.t "zone_hint",
        autocomplete = "off" } } }),
    inputs.form(page, { route = "/me", method = "PATCH", label = page.t "change_password", fields = {
      password(page, "old", "old_password", "current-password"),
      password(page, "password", "new_password", "new-password") } }) },
    tokens(page), users(page), webhooks(page), h.p { h.a { href = "/depot", page.t "the_depot" } },
    h.p { h.a { href = "/audit", page.t "audit" } } }
end

return M

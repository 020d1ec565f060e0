--- What all pages of the console share: the frame, and the pieces that they are made of.
--
-- Pure. `page` is a depot.console.page, with what the page itself puts there: title, body.
--
-- @module depot.console.frame

local form = require "depot.console.form"
local html = require "depot.console.html"
local inputs = require "depot.console.inputs"

local M = {}

local h = html.h

local LONGEST = 256 -- bytes of a text from outside

--- Text from outside, apart from what stands around it.
function M.outside(text)
  if text == nil or text == "" then return "–" end
  return h.bdi { tostring(text):sub(1, LONGEST) }
end

--- A time in the user's zone; without one in UTC, and the script shows it in the reader's.
function M.time(page, seconds)
  if not seconds then return "–" end
  return h.time { datetime = page.stamp(seconds), page:time(seconds) }
end

--- A number as people write it.
function M.number(value)
  local text = ("%d"):format(value)
  local count
  repeat text, count = text:gsub("^(%-?%d+)(%d%d%d)", "%1,%2") until count == 0
  return text
end

--- Bytes as people read them.
function M.size(bytes)
  for _, unit in ipairs { { 1 << 30, "GiB" }, { 1 << 20, "MiB" }, { 1 << 10, "KiB" } } do
    if bytes >= unit[1] then return ("%.1f %s"):format(bytes / unit[1], unit[2]) end
  end
  return ("%d B"):format(bytes)
end

--- A part of a page that is renewed when something changes.
-- @tparam string name unique in the page
-- @tparam[opt] boolean polls whether it changes without an event
function M.part(name, children, polls)
  return h.div { ["data-part"] = name, h.div { ["data-poll"] = polls or false, children } }
end

--- A table with heads; each row is a list of cells.
function M.table(heads, rows, caption)
  local head, body = {}, {}
  for i, text in ipairs(heads) do head[i] = h.th { scope = "col", text } end
  for i, row in ipairs(rows) do
    local cells = {}
    for k = 1, #heads do cells[k] = h.td { ["data-of"] = heads[k], row[k] or "–" } end
    body[i] = h.tr { cells }
  end
  return h.div { class = "scroll", tabindex = "0", role = "region", ["aria-label"] = caption,
    h.table { h.thead { h.tr { head } }, h.tbody { body } } }
end

--- Names and values under each other; a pair that is false is left out.
function M.list(pairs_of)
  local items = {}
  for _, pair in ipairs(pairs_of) do
    if pair then
      items[#items + 1] = h.dt { pair[1] }
      items[#items + 1] = h.dd { pair[2] or "–" }
    end
  end
  return h.dl { items }
end

--- How many failures there are beside a limit.
function M.meter(page, failed, verdicts, limit)
  local text, most = page.t("of_verdicts", failed, verdicts), limit and (limit.count or limit.percent) or 100
  local value = limit and limit.count and failed or verdicts > 0 and failed * 100 // verdicts or 0
  local max = math.max(1, math.ceil(most * 2))
  return { h.meter { min = 0, max = max, high = math.max(1, math.floor(most)), value = math.min(value, max),
    ["aria-label"] = text, text }, " ", text }
end

--- Waves as one bar, drawn here.
function M.waves(page, rollout)
  local bars, from = {}, 0
  for i, wave in ipairs(rollout.waves) do
    local width = (wave.percent - from) * 3
    bars[i] = h.rect { x = ("%.1f"):format(from * 3), y = 0, width = ("%.1f"):format(math.max(width - 0.6, 0.4)),
      height = 10, class = i <= rollout.wave and "open" or "shut" }
    from = wave.percent
  end
  local text = ("%s %d/%d"):format(page.t "wave", rollout.wave, #rollout.waves)
  return h.svg { viewbox = "0 0 300 10", preserveaspectratio = "none",
    class = "waves", role = "img", ["aria-label"] = text, bars }
end

--- Tabs by the state of jobs.
-- @tparam table page
-- @tparam {string,...} states
-- @tparam string|nil current
-- @tparam[opt] table counts {[state] = n}, shown behind each
function M.tabs(page, states, current, counts)
  local tabs = {}
  for i, state in ipairs(states) do
    tabs[i] = h.li { h.a { href = page.path .. form.query { state = state } .. "#devices",
      ["aria-current"] = state == current and "page" or false, page.t("s_" .. state),
      counts and (" (%d)"):format(counts[state] or 0) } }
  end
  return h.nav { ["aria-label"] = page.t "jobs", h.ul { class = "tabs", tabs } }
end

--- A page of a list has a next one.
function M.next_page(page, cursor, fields)
  if not cursor then return false end
  local with = { cursor = cursor }
  for name, value in pairs(fields or {}) do with[name] = value end
  return h.p { h.a { href = page.path .. form.query(with), rel = "next", page.t "next_page" } }
end

local MENU = { { "", "now" }, { "/devices", "devices" }, { "/releases", "releases" },
  { "/hotfixes", "hotfixes" }, { "/rollouts", "rollouts" }, { "/events", "events" } }

local function menu(page)
  local items = {}
  -- The only product is meant on pages that are of none, too.
  local product = page.product or #page.products == 1 and page.products[1]
  for _, entry in ipairs(product and MENU or {}) do
    local path = ("/p/%s%s"):format(product.product_key, entry[1])
    items[#items + 1] = h.li { h.a { href = path, ["aria-current"] = path == page.path and "page" or false,
      page.t(entry[2]) } }
  end
  items[#items + 1] = h.li { h.a { href = "/settings", ["aria-current"] = page.path == "/settings" and "page" or false,
    page.t "settings" } }
  return h.nav { ["aria-label"] = page.t "menu", h.ul { items } }
end

local function switcher(page)
  if #page.products < 2 then return false end
  local items = {}
  for i, product in ipairs(page.products) do
    items[i] = h.li { h.a { href = "/p/" .. product.product_key, M.outside(product.name) } }
  end
  return h.details { h.summary { page.t "product", ": ", page.product and M.outside(page.product.name) or "–" },
    h.ul { items } }
end

local function head(page)
  if not page.actor then return h.header { h.p { class = "brand", page.t "title" } } end
  return h.header { h.p { class = "brand", h.a { href = "/", page.t "title" } }, switcher(page),
    h.form { method = "get", action = "/search", role = "search", class = "search",
      h.label { ["for"] = "q", class = "hidden", page.t "search" },
      h.input { id = "q", name = "q", type = "search", placeholder = page.t "search", value = page.q or false,
        maxlength = 256 },
      h.button { type = "submit", page.t "find" } }, menu(page),
    h.div { class = "who", M.outside(page.actor.name), " ",
      inputs.form(page, { route = "/session", method = "DELETE", back = "/login", label = page.t "log_out" }) } }
end

-- The other language; of a user who has set one, where he did.
local function language(page)
  local other = page.lang == "zh" and "en" or "zh"
  local query = { lang = other }
  for name, value in pairs(page.args) do query[name] = query[name] or value end
  return h.a { href = page.actor and page.actor.lang and "/settings" or page.path .. form.query(query), lang = other,
    page.t "other_language" }
end

-- The change that led here, and the way back.
local function undo(page)
  local id = page.actor and page.args.undo
  if not id or not id:find "^%d+$" then return false end
  return h.div { class = "news", role = "status", page.t "done", " ",
    inputs.form(page, { route = "/undo/" .. id, label = page.t "undo", class = "inline" }) }
end

--- A whole page.
-- @tparam table page with title and body
-- @treturn string
function M.page(page)
  return "<!DOCTYPE html>\n" .. html.text(h.html { lang = page.lang == "zh" and "zh-CN" or "en", h.head {
      h.meta { charset = "utf-8" }, h.meta { name = "viewport", content = "width=device-width, initial-scale=1" },
      h.title { page.title, " – ", page.t "title" },
      h.link { rel = "stylesheet", href = "/static/console.css" },
      h.link { rel = "icon", href = "/static/icon.svg" },
      h.script { src = "/static/console.js", defer = true } },
    h.body { ["data-live"] = page.actor and true or false, ["data-zone"] = page.zone or false,
      h.a { class = "skip", href = "#main", page.t "skip" }, head(page),
      h.main { id = "main", h.h1 { page.title },
        h.p { id = "news", role = "status", class = "news", hidden = true,
          h.a { href = page.here, page.t "changed_meanwhile" } }, undo(page),
        page.body },
      h.footer { language(page), page.zone and { " · ", page.t "times_in", " ", page.zone } } } })
end

return M

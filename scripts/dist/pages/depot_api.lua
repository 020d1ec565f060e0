--- moult-depot-api(7): the routes of a depot's admin server, from its table.

local fields = require "depot.api.fields"
local roff = require "roff"

local BEGIN = [[
curl -H "Authorization: Bearer $TOKEN" https://depot.example/api/v1/products
moult depot api /products --server https://depot.example --token-file token]]

local FAILURE = [[
{"error":{"code":"missing","message":"there is no such rollout",
  "request":"1f"}}]]

local WHO = { none = "anybody", self = "whoever is logged in", viewer = "a viewer", operator = "an operator",
  admin = "an admin" }

-- What a rule takes, in a few words.
local function type_of(rule)
  if rule.one_of then
    local words = {}
    for _, word in ipairs(rule.one_of) do
      if word ~= "" then words[#words + 1] = word end
    end
    return table.concat(words, ", ")
  end
  if rule.type == "integer" then return rule.most and ("%d to %d"):format(rule.least or 0, rule.most) or "number" end
  return ({ strings = "list of texts", map = "object of texts", boolean = "true or false", string = "text" })[rule.type]
end

local function put_rules(page, rules, where)
  for _, name in ipairs(fields.names(rules)) do
    local rule = rules[name]
    page:item(roff.bold(name), ("%s: %s (%s%s)"):format(rule.about, type_of(rule), where,
      rule.need and ", needed" or ""))
  end
end

local function put_route(page, row)
  page:subsection(("%s %s"):format(row.method, row.path))
  local who = WHO[row.role]
  if row.scope == "any" then who = who .. " of any product" end
  page:text(("%s. For %s; of a token, the verb `%s`%s."):format(row.about, who, row.verb,
    row.session_only and ", but only in a session" or ""))
  if next(row.query or {}) or next(row.body or {}) then
    page:enter()
    put_rules(page, row.query, "query")
    put_rules(page, row.body, "body")
    page:leave()
  end
end

-- "`A` number of a change, `D` ..."
local function ids(meanings)
  local parts = {}
  for i, name in ipairs(fields.names(meanings)) do parts[i] = ("`%s` %s"):format(name, meanings[name]) end
  return table.concat(parts, ", ")
end

return function(head)
  local page = roff.page { name = "moult-depot-api", section = 7, title = "the routes of a depot's admin server",
    date = head.date, source = head.source }
  local errors, routes = require "depot.api.errors", require "depot.api.route_table"
  page:section "DESCRIPTION"
  page:text(([[
An admin server, `moult depot DIR --admin HOST:PORT`, answers below `%s` in JSON. `GET /openapi.json` describes the
same routes as OpenAPI 3.1.]]):format(routes.PREFIX))
  page:verbatim(BEGIN)
  page:text(([[
Arguments of the query stand behind the path, those of the body in a JSON object. A list has `items` and `next`, the
`cursor` of the next page or null. PATCH, PUT and DELETE of what has an ETag want `If-Match`. What a session changes
wants its token in `X-CSRF-Token` and an `Origin` of the server; a request with a token wants neither. `X-Undo` of an
answer is the number for `POST /undo/{A}`.

A name in braces stands for a part of the path: %s. What belongs to a product that somebody may not see is not there for
him.]]):format(ids(routes.IDS)))
  page:section "FAILURES"
  page:verbatim(FAILURE)
  for _, code in ipairs(fields.names(errors.STATUS)) do
    page:item(roff.bold(code), ("status %d%s"):format(errors.STATUS[code], errors.HINTS[code] and "; "
      .. errors.HINTS[code] or ""))
  end
  page:section "ROUTES"
  for _, row in ipairs(routes.all()) do put_route(page, row) end
  page:see_also { { "moult", 1 } }
  return page
end

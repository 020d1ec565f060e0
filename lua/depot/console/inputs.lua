--- Fields and forms.
--
-- Pure. `page` is a depot.console.page.
--
-- @module depot.console.inputs

local html = require "depot.console.html"

local M = {}

local h = html.h

--- A field with its label.
-- @tparam table field name, label; id (the name), type, value, hint, options ({value, text}), rows, and attributes of
--   the input
function M.field(field)
  local id = field.id or field.name
  local attributes = { id = "f-" .. id, name = field.name, required = field.required, autocomplete =
    field.autocomplete, ["aria-describedby"] = field.hint and "h-" .. id or false }
  local input
  if field.options then
    local list = {}
    for i, option in ipairs(field.options) do
      list[i] = h.option { value = option[1], selected = option[1] == field.value, option[2] }
    end
    attributes[1] = list
    input = h.select(attributes)
  elseif field.rows then
    attributes.rows, attributes[1] = field.rows, field.value or ""
    input = h.textarea(attributes)
  else
    attributes.type, attributes.value = field.type or "text", field.value or false
    attributes.accept, attributes.maxlength = field.accept, field.maxlength
    input = h.input(attributes)
  end
  return h.p { class = "field", h.label { ["for"] = "f-" .. id, field.label }, input,
    field.hint and h.small { id = "h-" .. id, field.hint } }
end

--- Boxes to tick, of which each is sent by the same name.
-- @tparam table o name, label, options ({value, text}), chosen ({[value] = true}), hint
function M.checks(o)
  local boxes = {}
  for i, option in ipairs(o.options) do
    boxes[i] = h.label { h.input { type = "checkbox", name = o.name, value = option[1],
      checked = o.chosen[option[1]] or false }, " ", option[2] }
  end
  return h.fieldset { ["aria-describedby"] = "h-" .. o.name, h.legend { o.label }, boxes,
    h.small { id = "h-" .. o.name, o.hint } }
end

--- A form that does what a route does; false if the user may not.
-- @tparam table page
-- @tparam table act route (path below the prefix), method, etag, back, label, fields, class, expect, file (whether one
--   of the fields is a file: the last), previews (whether another button sends the fields in an address, where the
--   session's token must not stand: the button of the act has it then)
function M.form(page, act)
  if not page:may(act.method or "POST", act.route) then return false end
  local function hidden(name, value)
    return value and h.input { type = "hidden", name = name, value = value }
  end
  local csrf = page.actor and page.actor.csrf
  return h.form { method = "post", action = "/do" .. act.route, class = act.class or "act",
    hidden("csrf", not act.previews and csrf), hidden("form", page.form), hidden("method", act.method),
    hidden("etag", act.etag), hidden("back", act.back or page.here), hidden("expect", act.expect),
    enctype = act.file and "multipart/form-data" or false,
    act.fields or false, h.button { type = "submit", disabled = act.disabled, name = act.previews and "csrf" or false,
      value = act.previews and csrf or false, act.label } }
end

--- The same for an act that has effects: it says which, and asks once.
-- @tparam table page
-- @tparam table act as form(), with says: what will happen
function M.ask(page, act)
  act.fields = { h.p { act.says }, act.fields or false }
  local form = M.form(page, act)
  return form and h.details { class = "ask " .. (act.kind or ""), h.summary { act.label, "…" }, form }
end

--- Names of devices: typed, pasted, or in a file; the last fields of a form with a file.
-- @tparam table page
-- @tparam table o label, hint, name (of the argument: devices), key (apart from other such forms of the page)
function M.names(page, o)
  local name = o.name or "devices"
  local key = o.key or name
  return { M.field { name = name, id = key, label = o.label, rows = 4, hint = o.hint },
    M.field { name = name, id = key .. "-list", label = page.t "list_file", type = "file", accept = ".txt,.csv" } }
end

return M

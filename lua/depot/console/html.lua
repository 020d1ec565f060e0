--- HTML that is escaped by construction.
--
-- Pure. A page is a tree of elements: `h.p { class = "hint", "5 < 6" }`. Texts
-- and attributes are escaped when the tree is written, each for its place.
-- There is no way to write text as it is, no inline style and no event
-- handler, and a link leads to a path of ours or to http(s).
--
-- @module depot.console.html

local M = {}

local Element = {}

local VOID = { input = true, meta = true, link = true, br = true, hr = true }
local LINKS = { href = true, action = true, src = true, formaction = true }
local ESCAPES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

local function escape(text) return (text:gsub("[&<>\"']", ESCAPES)) end

-- Whether a link may stand in a page: a path here, not "//host"; or another site by http(s).
local function is_link(text)
  return text:find "^/[^/\\]" ~= nil or text == "/" or text:find "^%?" ~= nil or text:find "^#" ~= nil
    or text:find "^https?://[^%s\"'<>\\]+$" ~= nil
end

local function attribute(name, value)
  assert(name:find "^[a-z][a-z%-]*$" and not name:find "^on" and name ~= "style", "no such attribute: " .. name)
  if value == false then return "" end
  if value == true then return " " .. name end
  value = tostring(value)
  if LINKS[name] and not is_link(value) then return "" end
  return (' %s="%s"'):format(name, escape(value))
end

local write

-- A child that is nil or false is left out.
local function write_all(out, children)
  local last = 0
  for key in pairs(children) do
    if math.type(key) == "integer" then last = math.max(last, key) end
  end
  for i = 1, last do write(out, children[i]) end
end

function write(out, node)
  if getmetatable(node) ~= Element then
    if type(node) == "table" then return write_all(out, node) end
    if node then out[#out + 1] = escape(tostring(node)) end
    return
  end
  local names = {}
  for name in pairs(node.fields) do
    if type(name) == "string" then names[#names + 1] = name end
  end
  table.sort(names)
  out[#out + 1] = "<" .. node.tag
  for _, name in ipairs(names) do out[#out + 1] = attribute(name, node.fields[name]) end
  out[#out + 1] = ">"
  if VOID[node.tag] then return end
  write_all(out, node.fields)
  out[#out + 1] = "</" .. node.tag .. ">"
end

--- The text of a tree.
function M.text(node)
  local out = {}
  write(out, node)
  return table.concat(out)
end

--- `h.tag { name = value, child, ... }`; a child is an element, a text, a list of them, or false.
M.h = setmetatable({}, { __index = function(self, tag)
  local function make(fields)
    return setmetatable({ tag = tag, fields = type(fields) == "table" and getmetatable(fields) ~= Element and fields
      or { fields } }, Element)
  end
  self[tag] = make
  return make
end })

M.escape, M.is_link = escape, is_link

return M

--- Manual pages in man(7): a page is built section by section, then rendered.
--
-- Text is plain but for `words`, which are set bold. Nothing in it can be taken
-- for a request or an escape of roff.
--
-- @module roff

local M = {}

local Page = {}
Page.__index = Page

-- One run of text: escapes, and hyphens that can be copied when it is code.
local function escape(text, code)
  text = text:gsub("\\", "\\e")
  if code then text = text:gsub("-", "\\-"):gsub("['^`~]", { ["'"] = "\\(aq", ["^"] = "\\(ha", ["`"] = "\\(ga",
    ["~"] = "\\(ti" }) end
  return code and text or (text:gsub("%->", "\\(->"))
end

-- A line must not begin with what roff takes for a request.
local function guard(line)
  return (line:gsub("^([.'])", "\\&%1"))
end

-- Words in backquotes become bold; what is left are plain runs.
local function inline(text)
  local out, at = {}, 1
  for before, code, after in text:gmatch("([^`]*)`([^`]*)`()") do
    out[#out + 1] = escape(before) .. "\\fB" .. escape(code, true) .. "\\fR"
    at = after
  end
  out[#out + 1] = escape(text:sub(at))
  return table.concat(out)
end

--- Bold, for the term of an item.
function M.bold(text)
  return "\\fB" .. escape(text, true) .. "\\fR"
end

--- Text that stands by itself, with `words` bold.
function M.inline(text)
  return inline(text)
end

--- Begin a page.
-- @tparam table head name, section, title (a line), date, source
-- @treturn table page
function M.page(head)
  local page = setmetatable({ lines = {} }, Page)
  page:put((".TH %s %d \"%s\" \"%s\" \"Moult\""):format(head.name:upper(), head.section, head.date, head.source))
  page:section "NAME"
  page:put(guard(("%s \\- %s"):format(escape(head.name, true), inline(head.title))))
  return page
end

function Page:put(line)
  self.lines[#self.lines + 1] = line
end

function Page:section(title)
  self:put(".SH \"" .. escape(title) .. "\"")
  self.fresh = true
end

function Page:subsection(title)
  self:put(".SS \"" .. escape(title) .. "\"")
  self.fresh = true
end

-- Sentences each begin a line, as roff's fillers want it.
local function sentences(text)
  text = text:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", "")
  return (inline(text):gsub("([%l%d%)][.:?]) (%u)", "%1\n%2"))
end

-- Lines of at most 78 bytes, broken at spaces.
local function fold(line, put)
  while #line > 78 do
    local at = line:sub(1, 79):match("^.*() ") or line:find(" ", 1, true)
    if not at then break end
    put(line:sub(1, at - 1))
    line = line:sub(at + 1)
  end
  put(line)
end

--- Text that is filled, without a paragraph's space before it.
function Page:flow(text)
  for line in sentences(text):gmatch("[^\n]+") do
    fold(line, function(piece) self:put(guard(piece)) end)
  end
end

-- Whether every line is indented: such a paragraph is code or a list, not to be filled.
local function is_indented(paragraph)
  if not paragraph:find "%S" then return false end
  for line in paragraph:gmatch("[^\n]+") do
    if not line:find "^  " then return false end
  end
  return true
end

--- Paragraphs, an empty line between two of them; those that are indented as they stand.
function Page:text(text)
  for paragraph in (text .. "\n\n"):gmatch("(.-)\n%s*\n") do
    if is_indented(paragraph) then
      local indent = paragraph:match "^ +"
      self:verbatim((("\n" .. paragraph):gsub("\n" .. indent, "\n"):sub(2)))
    elseif paragraph:find("%S") then
      if not self.fresh then self:put ".PP" end
      self.fresh = false
      self:flow(paragraph)
    end
  end
end

--- A term (roff, see bold) and what it means.
function Page:item(term, text)
  self:put ".TP"
  self:put(term)
  if text:find "%S" then self:flow(text) else self:put "\\&" end
  self.fresh = false
end

--- Lines as they stand.
function Page:verbatim(text)
  if not self.fresh then self:put ".PP" end
  self:put ".RS 4"
  self:put ".nf"
  for line in (text:gsub("\n*$", "") .. "\n"):gmatch("(.-)\n") do self:put(guard(escape(line, true))) end
  self:put ".fi"
  self:put ".RE"
  self.fresh = false
end

--- What follows is indented, until leave().
function Page:enter()
  self:put ".RS"
end

function Page:leave()
  self:put ".RE"
end

--- The pages to read on, {name, section} each.
function Page:see_also(list)
  self:section "SEE ALSO"
  for i, entry in ipairs(list) do
    self:put((".BR %s (%d)%s"):format(escape(entry[1], true), entry[2], i < #list and "," or ""))
  end
end

--- The whole page as text.
function Page:render()
  return table.concat(self.lines, "\n") .. "\n"
end

return M

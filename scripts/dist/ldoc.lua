--- The documented functions of a Lua module, from its LDoc comments.
--
-- @module ldoc

local M = {}

-- "@tparam[opt] string url what it is" -> what it says for people.
local function tag(line)
  local kind, rest = line:match("^@([%w]+)%S*%s+(.*)$")
  if kind == "tparam" then
    local word, name, text = rest:match("^(%S+)%s+(%S+)%s*(.*)$")
    if not word then return nil end
    return ("`%s` (%s)%s"):format(name, word, text ~= "" and ": " .. text or "")
  elseif kind == "param" then
    local name, text = rest:match("^(%S+)%s*(.*)$")
    return ("`%s`%s"):format(name, text ~= "" and ": " .. text or "")
  elseif kind == "treturn" then
    return "returns " .. rest:gsub("^(%S+)%s+", "%1 ", 1)
  elseif kind == "return" then
    return "returns " .. rest
  end
end

-- A comment's lines as {text, tags}; a tag goes on in the lines below it.
local function split(lines)
  local text, tags = {}, {}
  for _, line in ipairs(lines) do
    if line:find("^%s*@") then
      tags[#tags + 1] = line:match("^%s*(.*)$")
    elseif #tags > 0 then
      tags[#tags] = tags[#tags] .. " " .. line:match("^%s*(.-)%s*$")
    else
      text[#text + 1] = line
    end
  end
  local said = {}
  for _, line in ipairs(tags) do said[#said + 1] = tag(line) end
  return table.concat(text, "\n"), said
end

--- The functions `prefix`.x that the text documents.
-- @tparam string text of a Lua file
-- @tparam string prefix "sys" for `function sys.wait(ms)`
-- @treturn {table,...} {name, signature, text, tags = {string,...}}
function M.functions(text, prefix)
  local list, comment = {}, {}
  for line in (text .. "\n"):gmatch("(.-)\n") do
    local first, more = line:match("^%s*%-%-%-%s?(.*)$"), line:match("^%s*%-%-%s?(.*)$")
    local name, arguments = line:match("^%s*function " .. prefix .. "%.([%w_]+)(%b())")
    if first then
      comment = { first }
    elseif more and #comment > 0 then
      comment[#comment + 1] = more
    else
      if name then
        local said, tags = split(comment)
        local signature = ("%s.%s%s"):format(prefix, name, arguments)
        list[#list + 1] = { name = name, signature = signature, text = said, tags = tags }
      end
      comment = {}
    end
  end
  return list
end

return M

--- The words of the console, in English and Chinese.
--
-- Pure. What devices and vendors say, releases and code words themselves are never translated. Each code word of a
-- state, and each reason, has a sentence here.
--
-- @module depot.console.words

local acts = require "depot.console.words.acts"
local chart = require "depot.console.words.chart"
local depot = require "depot.console.words.depot"
local groups = require "depot.console.words.groups"
local pages = require "depot.console.words.pages"
local queries = require "depot.console.words.queries"
local rollouts = require "depot.console.words.rollouts"
local states = require "depot.console.words.states"
local uploads = require "depot.console.words.uploads"
local webhooks = require "depot.console.words.webhooks"

local M = {}

--- {[key] = {English, Chinese}}. %s and %d are filled in.
M.words = {}
for _, list in ipairs { acts, chart, depot, groups, pages, queries, rollouts, states, uploads, webhooks } do
  for key, pair in pairs(list) do
    assert(not M.words[key], key)
    M.words[key] = pair
  end
end

--- The word for a key; %s and %d are filled in. A key that is not known is shown as it is.
-- @tparam string lang en or zh
-- @tparam string key
function M.of(lang, key, ...)
  local pair = M.words[key]
  if not pair then return key:match "^%l_(.*)$" or key end
  local text = pair[lang == "zh" and 2 or 1]
  return select("#", ...) > 0 and text:format(...) or text
end

--- The language of a request: the user's, else of the link on each page, else what the browser asks for first.
function M.language(set, chosen, accepted)
  for _, lang in ipairs { set or "", chosen or "" } do
    if lang == "en" or lang == "zh" then return lang end
  end
  local first = (accepted or ""):lower():match "^%s*(%a%a)"
  return first == "zh" and "zh" or "en"
end

return M

--- The front's questions to the store process, and the answers.
--
-- Queries that come together are one transaction. They are answered after its
-- commit, or "try again later" if that fails; a query that fails alone takes
-- nothing of the others away (depot.http_queries).
--
-- @module depot.questions

local site = require "depot.site"

local M = {}

local Questions = {}
Questions.__index = Questions

--- @tparam table parts lines (depot.store_lines to the front), site (facts of depot.site), fleet (function ->
--   depot.fleet, or nil while there is none)
function M.new(parts)
  parts.asked = {}
  return setmetatable(parts, Questions)
end

--- The front asks something. It is answered by settle().
-- @tparam table said id; and answer, refuses or ping as from depot.store_link
function Questions:add(said)
  self.asked[#self.asked + 1] = { id = said.id, refuses = said.refuses, digest = said.digest,
    answer = said.answer and site.answer(self.site, said.answer) }
end

-- The answer to what changes nothing.
function Questions:_look_up(question)
  local fleet = self.fleet()
  if not question.refuses or not fleet then return {} end
  local refused, anew = fleet.board:refuses(question.refuses, question.digest)
  return { refused = refused, anew = anew }
end

--- Commit what the answers depend on, and send them.
-- @tparam boolean busy more questions wait
function Questions:settle(busy)
  local fleet, asked = self.fleet(), self.asked
  self.asked = {}
  local settled = not fleet or fleet:settle_queries(busy)
  for _, question in ipairs(asked) do
    local answer = question.answer and (settled and question.answer or site.busy()) or self:_look_up(question)
    local sent = self.lines:send { id = question.id, answer = answer }
    if not sent then self.lines:send { id = question.id } end -- too long for a line: there is no answer
  end
end

return M

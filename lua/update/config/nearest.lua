--- The word that was probably meant, for messages.
--
-- Pure. Strings may have no methods where this is asked (update.config.table_file), so none is called.
--
-- @module update.config.nearest

local M = {}

--- How many single-letter edits make one word of another.
-- @treturn integer 0 for equal words
function M.distance(a, b)
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local corner = row[0]
    row[0] = i
    for j = 1, #b do
      local above = row[j]
      local same = string.byte(a, i) == string.byte(b, j)
      row[j] = math.min(above + 1, row[j - 1] + 1, corner + (same and 0 or 1))
      corner = above
    end
  end
  return row[#b]
end

--- The candidate that was probably meant.
-- @tparam string word
-- @tparam {string,...} candidates
-- @treturn string|nil nil when none is near
function M.of(word, candidates)
  local best, best_distance
  for _, candidate in ipairs(candidates) do
    local d = M.distance(word, candidate)
    if #word >= 3 and string.sub(candidate, 1, #word) == word then d = 0 end
    if not best_distance or d < best_distance then best, best_distance = candidate, d end
  end
  if best and best_distance <= math.max(1, #word // 3) then return best end
end

--- What to say after an unknown word: "; did you mean X?", or the known ones.
-- @tparam string word
-- @tparam {string,...} candidates
-- @treturn string
function M.hint(word, candidates)
  local near = M.of(word, candidates)
  return near and string.format("; did you mean %s?", near) or "; known are " .. table.concat(candidates, ", ")
end

return M

--- A policy process from its start to its answer.

local loop = assert(require("update.native.loop").new())

local M = {}

--- Poll and step until it has answered, then close it.
-- @tparam userdata p of update.native.policy
-- @treturn string|nil answer; nil, message, code
function M.finish(p)
  local text, message, code = p:step()
  while not text and code == "again" do
    local watches = { { fd = p:fd(), read = true } }
    if p:wants_write() then
      watches[2] = { fd = p:wants_write(), write = true }
    end
    assert(loop:poll(p:remaining(), watches))
    text, message, code = p:step()
  end
  p:close()
  return text, message, code
end

return M

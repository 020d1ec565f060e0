--- Tells devices of the Qinglian cloud where the broker is.
--
-- @module depot.qinglian_dispatcher

local frame = require "update.cloud.qinglian_frame"
local qinglian = require "update.cloud.qinglian"

local M = {}

local Dispatcher = {}
Dispatcher.__index = Dispatcher

--- @tparam table natives exchange
-- @tparam string listen "HOST:PORT"
-- @tparam string broker "IP:PORT", as devices reach it
-- @tparam[opt] table tls cert and key, PEM texts: devices may use TLS, and are known by their first byte
-- @treturn table|nil nil, message, code
function M.open(natives, listen, broker, tls)
  tls = tls or {}
  local server, message, code = natives.exchange.open(listen, tls.cert, tls.key)
  if not server then return nil, message, code end
  return setmetatable({ server = server, broker = broker }, Dispatcher)
end

--- The descriptor to poll for reading.
function Dispatcher:fd() return self.server:fd() end

--- The "HOST:PORT" that it listens on.
function Dispatcher:address() return self.server:address() end

--- The answer to a question. "": none, and the connection is closed; nil: the question is not complete.
-- @tparam string question all bytes received so far
-- @tparam string broker
-- @tparam integer salt
function M.answer(question, broker, salt)
  local mac, magic = frame.read_dispatch(question)
  if not mac then return #question > 64 and "" or nil end
  if not qinglian.is_mac(mac) then return "" end
  return frame.dispatch(broker, magic, salt)
end

--- Answer the questions that have come; call after each poll.
function Dispatcher:step()
  for id, question in self.server.next, self.server do
    local answer = M.answer(question, self.broker, math.random(0, 0x7FFF))
    if answer then self.server:answer(id, answer) end
  end
end

function Dispatcher:close()
  self.server:close()
end

return M

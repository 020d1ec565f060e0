--- What the fleet does with the events of the broker's client.
--
-- Methods of depot.fleet.
--
-- @module depot.broker_events

local M = {}

-- Record that the broker was reached, or lost.
function M:_note_connection(event, now)
  if self.connected == (event.kind == "connected") then return true end
  local ok, message, code = self.store:change()
  if ok then
    ok, message, code = self.store:note_event { at = now, what = "connection", code = event.kind, text = event.message }
  end
  return ok, message, code
end

function M:_handle(event, now)
  if event.kind == "message" then
    return self.hearing:message(event, now)
  elseif event.kind == "published" then
    return self.offers:taken(event, now)
  elseif event.kind == "fetched" then
    return self.hearing:fetched(event, now)
  elseif event.kind == "dead link" then
    return self.hearing:dead_link(event, now)
  elseif event.kind == "lost" then
    self.on_event { kind = "given up", text = ("a packet of %d bytes to %s: %s"):format(event.size, event.topic,
      event.message) }
    return self.offers:lost(event, now)
  end
  if event.kind == "connected" or event.kind == "disconnected" then
    local ok, message, code = self:_note_connection(event, now)
    if not ok then return nil, message, code end
    self.connected, self.granted = event.kind == "connected", 0
    self.silence:connected(self.connected, now)
    event.message = self.remarks:connected(self.connected, event.message, now)
  elseif event.kind == "subscribed" then
    self.granted = self.granted + 1
    if self.granted == self.filters then self.on_event { kind = "listening" } end
  end
  if event.message then self.on_event { kind = event.kind, text = event.message } end
  if event.kind ~= "connected" or event.session then return true end
  -- The broker has lost our session, and perhaps reports of devices.
  local ok, message, code = self.store:change()
  if ok then
    ok, message, code = self.store:offer_anew(now)
  end
  return ok and true, message, code
end

return M

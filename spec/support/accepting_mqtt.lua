-- Stands in for update.native.mqtt where there are many devices: events are put in, and each publication is accepted.

return function()
  local mqtt = { events = {}, last = 0 }
  local at = 1 -- the next event
  function mqtt.subscribe() end
  function mqtt:step()
    local event = self.events[at]
    at = at + 1
    if not event then self.events, at = {}, 1 end
    return event
  end
  function mqtt:publish()
    self.last = self.last + 1
    self.events[#self.events + 1] = { kind = "published", id = self.last }
    return self.last
  end
  -- Devices of Aliyun's product "pk", d1 and on, publish the same.
  function mqtt:say(count, kind, payload)
    for i = 1, count do
      self.events[#self.events + 1] = { kind = "message", topic = ("/ota/device/%s/pk/d%d"):format(kind, i), qos = 1,
        retain = false, payload = payload }
    end
  end
  -- Whether all were taken.
  function mqtt:is_idle() return at > #self.events end
  function mqtt.fd() return 1 end
  function mqtt.wants_write() return false end
  function mqtt.remaining() return 60000 end
  function mqtt.close() end
  return mqtt
end

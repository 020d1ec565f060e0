-- Stands in for update.native.mqtt: events are put in, publications taken out.

local json = require "update.native.json"

return function()
  local mqtt = { events = {}, sent = {}, topics = {}, last = 0, room = math.huge }
  function mqtt:subscribe(topic) self.topics[#self.topics + 1] = topic end
  function mqtt:step() return table.remove(self.events, 1) end
  function mqtt:publish(topic, payload, qos, _, life)
    if self.room <= 0 then return nil, "the queue is full", "network" end
    self.room, self.last = self.room - 1, self.last + 1
    self.sent[#self.sent + 1] = { topic = topic, object = json.decode(payload), qos = qos, life = life,
      id = self.last }
    return self.last
  end
  function mqtt.fd() return 1 end
  function mqtt.wants_write() return false end
  function mqtt.remaining() return 60000 end
  function mqtt:close() self.closed = true end
  return mqtt
end

--- Simulated devices of Aliyun's and Tencent's clouds, for a depot and a broker that die again and again.
--
-- A device reports what it runs whenever it is connected, fetches what it is offered and tells its progress. By chance
-- a download fails its check, or a release falls back after it was installed. `release` is what a device runs: the
-- truth that the depot's records are compared with.
--
-- @module spec.whole.depot_fleet

local aliyun = require "update.cloud.aliyun"
local http = require "socket.http"
local ltn12 = require "ltn12"
local natives = require "update.natives"
local tencent = require "update.cloud.tencent"
local version = require "update.version"

local json = natives.json

local M = {}

local Device = {}
Device.__index = Device

-- Seconds.
local STEP = 0.3    -- at most, between two steps of an update
local AGAIN = 1     -- until a download is tried again
local GIVE_UP = 60  -- after which a download that cannot be had has failed

local clouds = { aliyun = { topics = aliyun.topics, offers = "upgrade" }, tencent = { topics = tencent.topics,
  offers = "update" } }

--- @tparam table parts cloud, product, name, port (of the broker), chance (function(n) -> 1 to n), faults (table: what
--   went wrong is added), seen (table: what happened is counted), base (release that it runs)
function M.new(parts)
  local self = setmetatable(parts, Device)
  self.topics = clouds[self.cloud].topics(self.product, self.name)
  self.release, self.floor, self.next_at = self.base, self.base, math.huge
  self.mqtt = assert(natives.mqtt.open { host = "127.0.0.1", port = self.port, client_id = self.name, clean = false,
    keepalive = 30, back_off_min = 0.2, back_off_max = 0.5 })
  self.mqtt:subscribe(self.topics[clouds[self.cloud].offers], 1)
  return self
end

function Device:_say(topic, object) self.mqtt:publish(self.topics[topic], json.encode(object), 1) end

--- Report what it runs.
function Device:report()
  if self.cloud == "aliyun" then
    self:_say("inform", { id = "1", params = { version = self.release } })
  else
    self:_say("report", { type = "report_version", report = { version = self.release } })
  end
end

-- Tell how far it is: a percentage, or the vendor's number of a failure.
function Device:_progress(percent)
  if self.cloud == "aliyun" then
    self:_say("progress", { id = "2", params = { step = tostring(percent), desc = "" } })
  elseif percent < 0 then
    self:_say("report", { type = "report_progress", report = { progress = { state = "failed",
      result_code = tostring(percent), result_msg = "x" }, version = self.offer.version } })
  elseif percent < 100 then
    self:_say("report", { type = "report_progress", report = { progress = { state = "downloading",
      percent = tostring(percent), result_code = "0", result_msg = "" }, version = self.offer.version } })
  else
    self:_say("report", { type = "report_progress", report = { progress = { state = "burning", result_code = "0",
      result_msg = "" }, version = self.offer.version } })
  end
end

local function count(self, what) self.seen[what] = (self.seen[what] or 0) + 1 end

-- What must not be.
function Device:_fault(format, ...)
  self.faults[#self.faults + 1] = ("%s: "):format(self.name) .. format:format(...)
end

function Device:_hear(payload, now)
  local object = json.decode(payload)
  local offer = object and (self.cloud == "aliyun" and object.data or object.type == "update_firmware" and {
    version = object.version, url = object.url, size = object.file_size, md5 = object.md5sum })
  if not offer or not offer.version then return end
  count(self, "offers")
  if version.compare(offer.version, self.release) < 0 then
    count(self, "old offers") -- a broker that was killed says again what it had said
    return
  elseif offer.version == self.release then
    return self:report()
  end
  if self.offer then return end -- it is at work
  self.offer, self.stage, self.begun = offer, "begin", now
  self.next_at = now + self.chance(100) / 100 * STEP
end

-- Everything of the package, as its offer says; false: not now; nil: the link is refused, or it is something else.
function Device:_fetch()
  local parts = {}
  http.TIMEOUT = 5
  local ok, status = http.request { url = self.offer.url, sink = ltn12.sink.table(parts) }
  local body = table.concat(parts)
  if ok and status == 200 and #body == self.offer.size then
    if natives.digest.md5(body) == self.offer.md5 then return true end
    self:_fault("%s is not what its offer says", self.offer.version)
    return nil
  end
  if ok and status ~= 200 and status ~= 503 then
    count(self, ("status %d"):format(status))
    return nil
  end
  return false
end

local stages = {}

function stages.begin(self)
  self:_progress(1)
  self.stage = "fetch"
end

function stages.fetch(self, now)
  local fetched = self:_fetch()
  if fetched == false and now - self.begun < GIVE_UP then
    self.next_at = now + AGAIN
    return
  elseif not fetched or self.chance(40) == 1 then
    count(self, fetched and "bad check" or "no download")
    self:_progress(self.cloud == "tencent" and fetched and -4 or fetched and -3 or -2)
    self.offer, self.next_at = nil, math.huge
    return
  end
  self:_progress(100)
  self.stage = "restart"
end

-- The new release runs; or falls back, before it has reported or later.
function stages.restart(self)
  local before = self.release
  if self.chance(30) == 1 then
    count(self, "fell back at once")
  else
    self.release = self.offer.version
    self.old = self.chance(30) == 1 and before or nil
  end
  self.offer, self.next_at = nil, math.huge
  self:report()
  if self.old then
    self.stage, self.next_at = "fall back", self.now + 6 + self.chance(20) / 10
  end
end

stages["fall back"] = function(self)
  count(self, "fell back later")
  self.release, self.old, self.next_at = self.old, nil, math.huge
  self:report()
end

--- Do what is due.
-- @tparam number now seconds
function Device:step(now)
  self.now = now
  for event in self.mqtt.step, self.mqtt do
    if event.kind == "subscribed" then
      self:report()
    elseif event.kind == "message" then
      self:_hear(event.payload, now)
    end
  end
  if now < self.next_at then return end
  self.next_at = now + self.chance(100) / 100 * STEP
  stages[self.stage](self, now)
end

--- Whether nothing is left to do.
function Device:is_idle() return self.offer == nil and self.old == nil end

function Device:close() self.mqtt:close() end

return M

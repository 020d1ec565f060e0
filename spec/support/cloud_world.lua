--- A device of Aliyun, Tencent or both, for specs that run the real program: a
-- real broker, a server of signed links, and a cloud that says what the spec
-- tells it. Without the host there is nothing to run: M.new is nil then.
--
--     local c = require("spec.support.cloud_world").new()
--     c:device { aliyun = true }
--     c.world:run()
--     c:wait_line("inform 1.0.0", clouds.aliyun_line)
--
-- @module spec.support.cloud_world

local M = {}

if not pcall(require, "update.native.host") then return M end

local brokers = require "spec.support.broker"
local digest = require "update.native.digest"
local fake_cloud = require "spec.support.fake_cloud"
local links = require "spec.support.servers.links"
local world = require "spec.support.world"

local World = {}
World.__index = World

World.aliyun = { product = "a1PK", device = "dev1", secret = "aliyun-secret-01" }
World.tencent = { product = "T1PROD", device = "dev1", secret = "aGVsbG8gd29ybGQga2V5IQ==" }

M.topic = {
  upgrade = "/ota/device/upgrade/a1PK/dev1",
  request = "/ota/device/request/a1PK/dev1",
  update = "$ota/update/T1PROD/dev1",
}

--- What a device of Aliyun said, in a few words; nil: something else.
function M.aliyun_line(message)
  local kind = message.topic:match("^/ota/device/(%l+)/a1PK/dev1$") or message.topic:match("firmware/(%l+)$")
  local params = message.object and message.object.params
  if not params then return nil end
  return ("%s %s"):format(kind, params.version or params.step or ""):gsub(" $", "")
end

--- What a device of Tencent said.
function M.tencent_line(message)
  if not message.topic:find("^%$ota/report/") then return nil end
  local report = message.object.report
  if message.object.type == "report_version" then return "version " .. report.version end
  local p = report.progress
  return table.concat({ p.state, report.version, p.state == "downloading" and p.percent or p.result_code }, " ")
end

--- Lines without the progress between beginning and end, which comes as the clock will.
function M.without_middle(lines)
  local out = {}
  for _, line in ipairs(lines) do
    local percent = line:match("^progress (%d+)$") or line:match("^downloading %S+ (%d+)$")
    if not percent or percent == "0" or percent == "100" then out[#out + 1] = line end
  end
  return out
end

--- @treturn table world, broker, server (of servers.links, of the folder `depot`),
--   cloud
--   (spec.support.fake_cloud)
function M.new()
  local w = world.new()
  local broker = brokers.start { persistence = true }
  local server = links.start(w:path "depot")
  local cloud = fake_cloud.new(broker, { answers = true,
    filters = { "/ota/#", "/sys/+/+/thing/ota/firmware/get", "$ota/report/#" } })
  -- The cloud answers while the spec waits for anything.
  local wait = w.wait
  function w:wait(what, fn, seconds)
    return wait(self, what, function()
      cloud:step()
      return fn()
    end, seconds)
  end
  return setmetatable({ world = w, broker = broker, server = server, cloud = cloud }, World)
end

function World:close()
  self.world:close()
  self.cloud:close()
  self.server:stop()
  self.broker:close()
end

local function cloud_rows(self, kinds)
  local rows = {}
  for _, kind in ipairs { "aliyun", "tencent" } do
    if kinds[kind] then
      self.world:write(kind .. ".secret", self[kind].secret .. "\n")
      self.world:shell("chmod 600 " .. kind .. ".secret")
      rows[#rows + 1] = ('{ kind = %q, product = %q, device = %q, secret_file = %q, host = %q, port = %d },'):format(
        kind, self[kind].product, self[kind].device, kind .. ".secret", self.broker.host, self.broker.port)
    end
  end
  if kinds.luat then
    rows[#rows + 1] = ('{ kind = "luat", url = "%s/api/site/firmware_upgrade", period = 1 },'):format(self.world.url)
  end
  return table.concat(rows)
end

--- A provisioned device, release 1.0.0.
-- @tparam table kinds {aliyun, tencent, luat = true}
-- @tparam[opt] table o body, files (as World:pack), config (Lua text of further fields), numbers (as World:configure)
function World:device(kinds, o)
  o = o or {}
  local w = self.world
  for _, name in ipairs { "a", "b" } do w:write(("slot-%s.img"):format(name), ("\0"):rep(4 << 20)) end
  w:configure(([[core = { slots = { a = "slot-a.img", b = "slot-b.img" }, boot = "file" },
    clouds = { %s }, %s]]):format(cloud_rows(self, kinds), o.config or ""), o.numbers)
  w:pack { sequence = 1, version = "1.0.0", core = world.core(17), body = o.body, files = o.files }
  local code, _, err = w:moult "provision p1.upd -q"
  assert(code == 0, err)
end

-- What the clouds need to know of the package that World:publish() made.
local function offer_of(self, query, release)
  local object = self.world:read "depot/p2.upd"
  return { version = release or "1.0.1", size = #object, md5 = digest.md5(object),
    url = ("%s/p2.upd?%s"):format(self.server.url, query) }
end

--- Offer it as Aliyun does.
-- @tparam string query of the link: see spec.support.servers.links
-- @tparam[opt="1.0.1"] string release
-- @tparam[opt] boolean retain
function World:push_aliyun(query, release, retain)
  local o = offer_of(self, query, release)
  self.cloud:push(M.topic.upgrade, ('{"code":"1000","data":{"size":%d,"version":%q,"url":%q,"md5":%q},"id":1507707025,'
    .. '"message":"success"}'):format(o.size, o.version, o.url, o.md5), retain)
end

--- Offer it as Tencent does.
function World:push_tencent(query, release, retain)
  local o = offer_of(self, query, release)
  self.cloud:push(M.topic.update, ('{"file_size":%d,"md5sum":%q,"type":"update_firmware","url":%q,"version":%q}')
    :format(o.size, o.md5, o.url, o.version), retain)
end

--- Wait until the device said a line, `count` times.
-- @tparam string line
-- @tparam function of M.aliyun_line or M.tencent_line
-- @tparam[opt=1] integer count
function World:wait_line(line, of, count)
  self.world:wait(("%q from the device"):format(line), function()
    local found = 0
    for _, said in ipairs(self.cloud:lines(of)) do
      if said == line then found = found + 1 end
    end
    return found >= (count or 1)
  end, 40)
end

function World:no_secrets_in_the_log()
  local log = self.world:read "device.log"
  for _, kind in ipairs { "aliyun", "tencent" } do assert(not log:find(self[kind].secret, 1, true)) end
  assert(not log:find("token=", 1, true))
end

return M

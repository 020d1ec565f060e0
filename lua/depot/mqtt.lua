--- Opens everything that a depot needs to be a cloud on a broker.
--
-- The lock of the folder comes first, so that two depots do not fight for one
-- session; then the store and the secret in it; then the client. The client's
-- name is made from the secret, so a depot finds its session again. The copy of
-- a folder has the same secret, so it stays off the broker.
--
-- @module depot.mqtt

local copies = require "depot.acts.copies"
local digests = require "depot.digests"
local disabled = require "depot.disabled"
local fleet = require "depot.fleet"
local holding = require "depot.lock"
local links = require "depot.links"
local modes = require "depot.modes"
local patch_store = require "depot.patch_store"
local qinglian = require "depot.qinglian"
local random = require "depot.random"
local store = require "depot.store"
local vaults = require "depot.vault"

local M = {}

--- Seconds for which links are valid by default.
M.EXPIRY = 1800

-- Milliseconds to wait for a database that another process has locked. Longer than what people do takes, and shorter
-- than the time after which the front finds the store process silent (depot.store_link); it is tried again later.
local PATIENCE = 1000

-- Milliseconds that the system's clock may be behind ours before the cloud is opened anew.
local BEHIND = 5000

local Cloud = {}
Cloud.__index = Cloud

--- Milliseconds since 1970 that never go back, even if the system's clock is set back.
-- If that is set forward, this clock follows, because other processes make jobs due by the system's clock. If it is set
-- back, the keeper opens the cloud anew, with a new clock.
-- @tparam function monotonic -> seconds
-- @tparam function wall -> whole seconds since 1970
-- @treturn function -> ms, and the base that it counts from, which changes only when the clock is set forward
function M.clock(monotonic, wall)
  local base = wall() - monotonic()
  return function()
    base = math.max(base, wall() - monotonic())
    return math.floor((base + monotonic()) * 1000), math.floor(base * 1000)
  end
end

-- Close everything that was opened before a step failed.
local function undo(opened, message, code, hopeless)
  for i = #opened, 1, -1 do
    opened[i]:close()
  end
  return nil, message, code, hopeless
end

local function open_client(natives, options, secret, fleet_id)
  local client = { client_id = "moult-depot-" .. natives.digest.sha256(secret .. fleet_id):sub(1, 12), clean = false,
    keepalive = 30, five = true }
  for _, name in ipairs { "host", "port", "user", "password", "tls" } do
    client[name] = options[name]
  end
  return natives.mqtt.open(client)
end

-- The system's name for this machine; empty where it has none, or none yet.
local function machine_id()
  local file <close> = io.open "/etc/machine-id"
  return file and (file:read(64) or ""):match "^(%x+)%s*$" or ""
end

-- Pause what a restored or copied database would go on with: time has passed it by, and the other one may still run.
local function pause_rollouts(kept, options, now)
  local count, message, code = copies.settle { store = kept, now = now }
  if not count or count == 0 then return count, message, code end
  options.on_event { kind = "rollout", text = ("the database was restored or copied: %d %s paused; `moult depot "
    .. "rollout list %s` shows them, and `moult depot rollout resume %s NUMBER` lets one go on"):format(count,
    count == 1 and "rollout is" or "rollouts are", options.dir, options.dir) }
  return count
end

local function tell_modes(options, message)
  options.on_event { kind = "store", text = ("%s/%s: %s"):format(options.dir, modes.NAME, message) }
end

-- Write the file of depot.modes. Without it the modes are known while the database is.
local function keep_modes(natives, options, known)
  local ok, message = modes.write(natives, options.dir, known)
  if not ok then tell_modes(options, message) end
end

-- Whether the database belongs to this folder and machine, in one transaction with what follows from that; false,
-- message: a copy.
local function check_place(natives, kept, options, now)
  local folder, ok, here, message, code
  folder, message, code = natives.folder.identity(options.dir)
  if not folder then return nil, message, code end
  ok, message, code = kept:change()
  if ok then here, message, code = kept:belongs(folder, (options.machine or machine_id)(), options.adopt) end
  if here == "adopted" or here and options.replaced then
    ok, message, code = pause_rollouts(kept, options, now)
    if not ok then here = nil end
  end
  if here then
    ok, message = kept:settle_withdrawn(options.dir, now)
    if not ok then
      options.on_event { kind = "store", text = ("%s/.withdrawn: %s"):format(options.dir, message) }
    end
    ok, message = kept:settle_disabled(options.dir, now)
    if not ok then
      options.on_event { kind = "store", text = ("%s/%s: %s"):format(options.dir, disabled.NAME, message) }
    end
    ok, message = kept:settle_products(options.dir, options.staged and "staged" or "auto", now)
    if not ok then tell_modes(options, message) end
    ok, message, code = kept:commit()
  else
    kept:abandon() -- a store that is closed amid a transaction keeps its lock until it is collected
  end
  if here == false then
    return false, ("%s is a copy of another depot's folder, or was moved to another disk or machine. Two depots of "
      .. "one name would disconnect each other; give --adopt if the other is gone"):format(options.dir)
  end
  return here and ok and true or nil, message, code
end

-- The secret that links are signed with.
-- @treturn string|nil nil, message, code, whether waiting will not help
local function secret_of(natives, options, kept)
  local vault
  if options.secret_file then
    local sealed, message, code = kept:has_sealed()
    if sealed == nil then return nil, message, code end
    vault, message, code = vaults.open(natives, options.secret_file, not sealed)
    if not vault then return nil, message, code, true end
  end
  local secret, message, code = kept:secret(random.hex, vault)
  return secret, message, code, code == "usage" or code == "untrusted"
end

--- @tparam table natives update.natives
-- @tparam table options dir; adopt: use the folder although it was copied; replaced: another database was put
--   in the place of the open one; mqtt: host, port, user, password, tls
--   as update.native.mqtt takes them; secret_file: of depot.vault, or nil; qinglian: products ({[number] = key}), or
--   nil; expiry (seconds), pace (depot.pace), settle (ms), auto (boolean: new products are), staged (boolean: products
--   of an older database are), on_event;
--   base: function() -> where devices reach us, "http://host:port"; packages: function() -> array of the catalog;
--   wall: function() -> seconds since 1970 by the system's clock, os.time when absent; machine: function() -> what
--   tells this machine from others, the system's when absent
-- @treturn table|false|nil fleet, store, secret (of links), query (function(entry, row) -> of a link), is_ahead
--   (whether our clock is ahead of the system's, which was set back), close(); false, message: a copied folder, which
--   must stay off the broker; nil, message, code
-- @treturn boolean after the code: true: not the database is at fault, so waiting will not help
function M.open(natives, options)
  local opened = {}
  local function keep(part, message, code)
    opened[#opened + 1] = part
    return part, message, code
  end
  local lock, kept, secret, client, message, code
  lock, message, code = keep(holding.hold(natives, options.dir))
  if not lock then return undo(opened, message, code, code == "busy") end
  kept, message, code = keep(store.open(natives, options.dir, PATIENCE))
  if not kept then return undo(opened, message, code) end
  local here
  here, message, code = check_place(natives, kept, options, (options.wall or os.time)() * 1000)
  if not here then
    undo(opened)
    return here, message, code
  end
  local hopeless
  secret, message, code, hopeless = secret_of(natives, options, kept)
  if not secret then return undo(opened, message, code, hopeless) end
  local fleet_id
  fleet_id, message, code = kept:fleet()
  if not fleet_id then return undo(opened, message, code) end
  client, message, code = keep(open_client(natives, options.mqtt, secret, fleet_id))
  if not client then return undo(opened, message, code, true) end

  local wall = options.wall or os.time
  local hmac, now = natives.digest.hmac, M.clock(natives.loop.now, wall)
  kept:limit_times(now(), now() + 60000)
  local began
  began, message, code = kept:set_running(true)
  if began == false then
    began, message, code = kept:offer_anew(now())
  end
  if not began then return undo(opened, message, code) end
  local patches
  if options.qinglian then
    patches, message = patch_store.new(kept)
    if not patches then -- the other clouds go on
      options.on_event { kind = "store", text = ("no patches are served: %s; move depot.db away to begin anew")
        :format(message) }
    end
  end
  local life = options.expiry or M.EXPIRY
  local function link_query(entry, row)
    return links.query(hmac, secret, entry.name, wall() + life, links.who(row))
  end
  local self = setmetatable({ lock = lock, store = kept, query = link_query, secret = secret }, Cloud)
  self.fleet = fleet.new({
    mqtt = client, store = kept, digests = digests.new(natives, kept), json = natives.json,
    sha256 = natives.digest.sha256, packages = options.packages, now = now, on_event = options.on_event,
    pace = options.pace, clock = function() return natives.loop.now() * 1000 end,
    keep_modes = function(known) keep_modes(natives, options, known) end,
    qinglian = options.qinglian and function(remarks, say)
      return qinglian.new { json = natives.json, aes = natives.cipher, md5 = natives.digest.md5, hmac = hmac,
        secret = secret, products = options.qinglian.products, say = say, remarks = remarks, dir = options.dir,
        patches = patches, sha256 = natives.digest.sha256 }
    end,
    link = function(entry, row)
      return options.base() .. "/" .. links.escape(entry.name) .. "?" .. link_query(entry, row), life
    end,
  }, { settle = options.settle, auto = options.auto })
  self.is_ahead = function() return now() - wall() * 1000 > BEHIND end
  return self
end

function Cloud:close()
  self.fleet:close()
  self.store:close()
  self.lock:close()
end

return M

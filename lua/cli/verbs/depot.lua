--- `moult depot DIR`, `moult depot ACTION DIR`.
--
-- @module cli.verbs.depot

local natives = require "update.natives"
local serve = require "depot.serve"

local M = {}

-- Actions: module depot.actions.<name>, with run(context).
local ACTIONS = { add = true, status = true, verify = true, batch = true, retry = true, cancel = true }

M.verb = {
  name = "depot",
  usage = "depot DIR [OPTIONS] | depot add|pack|verify|batch|retry|cancel|status DIR [PACKAGE] [OPTIONS]",
  summary = "serve the packages in DIR to devices that ask for updates",
  text = [[
Answers Luat's query at /api/site/firmware_upgrade and serves each package at /NAME; / lists them. Prints `listening
on http://HOST:PORT` when ready, then a line a request, until it is told to stop. Packages may be copied in and
taken away meanwhile, as NAME.upd or NAME.tar; what no key verifies is not offered. A file NAME.upd.devices beside a
package limits it to the device ids in it, one a line; a list that cannot be read, or that is gone, leaves the
package to nobody, now and after a restart, until a list says "*": every device. A package that comes without a list
while the depot runs is held back for three seconds, for a list that is copied after it; `depot add` needs no such
wait: it puts the list first, or one that says "*".

With --mqtt it is also the cloud of devices that speak Aliyun's or Tencent's dialect on that broker. A package
belongs to the product whose key hashes to its product_key. A device that reports an older release is offered the
newest package, and so is one that listens when a package comes; with --staged only devices with a job are, as on
the vendors' consoles. Either way it has succeeded when it reports the package's release, and one that failed is
left alone until `retry`, or a newer package. One that falls back later is `reverted`, a failure. A release is
offered ten times to a device that listens, and never to one that runs a newer one: by sequence when DIR has what it
runs, else by version; where neither tells, only a `batch` with --from offers. A newer package takes the place of an
open job. What is known of devices is in DIR/depot.db, of those that ask over HTTP in DIR/luat.db. A folder that was
copied, or moved to another disk, is served, but keeps off the broker until --adopt.

  depot add DIR FILE [--devices LIST]        copy a package in, or give one that is there another list
  depot pack DIR -k KEY                      make what is missing of the packages of DIR/recipe.lua
  depot verify DIR [PACKAGE] --device NAME   try a package on one device, and wait for what becomes of it
  depot batch DIR [PACKAGE]                  give a package that a device has verified to all, also to those heard
                                             of later; or to those on --from RELEASE, or to each --device
  depot retry DIR [PACKAGE]                  once more for devices that failed
  depot cancel DIR [PACKAGE]                 end open jobs; no device is given the package any more
  depot status DIR                           what the devices run, and how their jobs are

PACKAGE is a file's name in DIR, or absent for the newest of --product; FILE is a path. The actions work with and
without a running depot, which sees their jobs within a second, and whose --keys they use.

`depot pack` makes the full package, and a delta against each older core in the folder. Cores are found by name:
beside the recipe's core22.img, version 22, core17.img is core 17. A higher one is the new core, and raises core
version and sequence by as much. A package is there when its sequence, release, core and source are the recipe's.
Meanwhile a depot on this machine asks devices that are to be given one of them to wait (Luat's code 43).]],
  positional = { 1, 3 },
  options = {
    { name = "listen", value = "HOST:PORT", help = "where to listen (127.0.0.1:8080); port 0 picks a free one" },
    { name = "url", value = "BASE", help = "base of the links that devices get (where it listens)" },
    { name = "proxy", value = "ADDRESS", list = true,
      help = "believe the X-Forwarded headers of this proxy, as those of this machine; may be repeated" },
    { name = "keys", value = "KEYS", help = "folder of public keys, or one (DIR when it holds *.pub, else DIR/keys)" },
    { name = "tls-cert", value = "FILE", help = "serve HTTPS with this certificate (PEM), and those above it" },
    { name = "tls-key", value = "FILE", help = "its key (PEM, not encrypted)" },
    { name = "connections", value = "N", help = "clients at once, at most (1000); who comes too many is told to wait" },
    { name = "mqtt", value = "HOST:PORT", help = "be the cloud of the devices on this broker" },
    { name = "mqtt-user", value = "NAME", help = "user to log in to the broker as" },
    { name = "mqtt-password", value = "FILE", help = "file with the user's password; its first line counts" },
    { name = "mqtt-ca", value = "FILE", help = "speak TLS to the broker, and trust these certificates" },
    { name = "expiry", value = "SECONDS", help = "how long the links in offers work (1800)" },
    { name = "pace", value = "N", help = "offers a second, at most, to those who ask by MQTT or HTTP too (100)" },
    { name = "settle", value = "SECONDS",
      help = "silence after a report before an offer, since vendors' clients report twice (2)" },
    { name = "adopt", help = "go to the broker though DIR was copied or moved: the other depot is gone" },
    { name = "staged", help = "offer packages by jobs only: verify on one device, then batch" },
    { name = "device", value = "NAME", list = true, help = "with an action: only this device; may be repeated" },
    { name = "product", value = "PRODUCT", help = "with an action: only devices of this product" },
    { name = "cloud", value = "NAME", help = "with an action: only devices of this cloud",
      choices = { "aliyun", "tencent" } },
    { name = "from", value = "RELEASE", help = "with batch: only devices that report this release" },
    { name = "devices", value = "LIST", help = "with add: file of the device ids that the package is for" },
    { name = "timeout", value = "SECONDS", help = "with verify: how long to wait (3600)" },
  },
  common = { "json", "quiet", "key", "progress", "dry-run" },
  example = "moult depot packages --listen 0.0.0.0:8080 --url http://updates.example:8080 --mqtt broker.example:1883\n"
    .. "moult depot verify packages METER_1.0.1.upd --device meter-0001\n"
    .. "moult depot batch packages METER_1.0.1.upd --from 1.0.0\n"
    .. "moult depot pack packages -k release.key",
}

--- Serve until SIGTERM or SIGINT, or do an action. A folder whose name is an action's is written ./NAME.
-- @tparam table args positional {[ACTION,] DIR [, PACKAGE]}, opts
-- @tparam table env out, note, json, quiet
-- @treturn integer 0; or nil, message, code
function M.run(args, env)
  local action = args.positional[1]
  if not ACTIONS[action] and action ~= "pack" then
    if #args.positional > 1 then
      return nil, ("%s is no action, and only one folder is served; `moult help depot`"):format(action), "usage"
    end
    return serve.run(action, args.opts, env)
  end
  if not args.positional[2] then
    return nil, ("usage: moult depot %s DIR (a folder of that name is ./%s)"):format(action, action), "usage"
  end
  if action == "pack" then
    if args.positional[3] then return nil, "usage: moult depot pack DIR; the recipe names the packages", "usage" end
    return require("cli.depot_pack").run(args.positional[2], args.opts, env)
  end
  local ok, message, code = serve.number_of(args.opts, "timeout", 1)
  if not ok then return nil, message, code end
  return require("depot.actions." .. action).run {
    dir = args.positional[2], name = args.positional[3], opts = args.opts, env = env, natives = natives,
  }
end

return M

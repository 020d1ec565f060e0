--- `moult depot DIR`, `moult depot ACTION DIR`.
--
-- @module cli.verbs.depot

local actions = require "cli.depot_actions"
local admin = require "cli.depot_admin"
local api = require "cli.depot_api"
local configured = require "cli.depot_config"
local product = require "cli.depot_product"
local rollout = require "cli.depot_rollout"

local M = {}

local function with_more(list)
  for _, module in ipairs { admin, api, configured, product, rollout } do
    table.move(module.options, 1, #module.options, #list + 1, list)
  end
  return list
end

M.verb = {
  name = "depot",
  usage = "depot DIR [OPTIONS] | depot add|pack|verify|batch|retry|cancel|status DIR [PACKAGE] [OPTIONS] | "
    .. "depot rollout VERB DIR [PACKAGE|NUMBER] [OPTIONS] | depot patch ACTION DIR [VERSION] [OPTIONS]",
  summary = "serve the packages in DIR to devices that ask for updates",
  text = [[
Answers Luat's query at /api/site/firmware_upgrade, serves each package at /NAME and lists them at /. It prints
`listening on http://HOST:PORT` when it is ready, then one line for each request, until it is stopped. Packages can
be copied in and removed at any time, as NAME.upd or NAME.tar; a package that no key verifies is not offered. A file
NAME.upd.devices beside a package limits it to the device ids in it, one on each line. If that list is removed or
cannot be read, no device gets the package, even after a restart, until a list says "*" for every device. A package
that comes without a list while the depot runs is held back for three seconds, in case a list follows. `depot add`
does not wait: it writes the list first, or one that says "*".

With --mqtt it is also the cloud of devices that speak Aliyun's or Tencent's dialect on that broker. A package
belongs to the product whose key hashes to its product_key. A device that reports an older release is offered the
newest package, and a device that listens is offered a package when it comes. Of a staged product only devices with
a job get offers, Luat's too, as on the vendors' consoles. A job has succeeded when the device reports the package's
release. A device that failed gets no offer until `retry` or a newer package; one that falls back later is
`reverted`, a failure. A device that listens is offered a release ten times, and never one that is older than what
it runs: by sequence if DIR has what it runs, else by version. If neither tells, only `batch` with --from makes an
offer. A newer package replaces an open job. DIR/depot.db keeps what is known of devices, DIR/luat.db of those that
ask over HTTP. A folder that was copied, or moved to another disk or machine, is served but stays off the broker
until it is started with --adopt; then its rollouts are paused until `rollout resume`.

With --qinglian it is the Qinglian cloud as well, and sends the packages itself, a piece at a time. FILE is JSON:
{"listen": "0.0.0.0:8990", "broker": "192.0.2.1:1883", "products": {"1001": "0123456789abcdef"}}. `listen` is where
devices ask for the broker, `broker` its numeric address as devices reach it, and each product id has its key of 16
bytes. The product id is the product_key of the packages, and their releases have the form 01.02. Devices that use TLS
are served there, too, with the certificate of --tls-cert.

  depot add DIR FILE [--devices LIST]
      copy a package in, or change the list of one in DIR
  depot pack DIR -k KEY
      make the missing packages of DIR/recipe.lua
  depot verify DIR [PACKAGE] --device NAME
      try a package on one device, and wait for the result
  depot batch DIR [PACKAGE]
      give a verified package to all devices, new ones too;
      or to those on --from RELEASE, or to each --device
  depot retry DIR [PACKAGE]
      try again on devices that failed
  depot cancel DIR [PACKAGE]
      end open jobs; the package is no longer offered
  depot release list|enable|disable|withdraw DIR [PACKAGE]
      show the releases, switch one off or on again, or offer one no more: there is no way back
  depot device list|show|add|set|tag|note|forget DIR [NAME]
      show the devices, or one; register those that have not reported yet, of a
      --product and a --cloud; give them --tag or take --untag, by name, --device,
      --filter or the file --devices; write a --note about one; set its --hardware or --zone;
      admit them, or not, with set --admitted;
      remove all that is known of it
  depot status DIR
      show what the devices run, and the state of their jobs
  depot group create|add|remove DIR NAME
      make a group of devices of --product: by a --filter, or a list of names by
      --device or the file --devices; put names on the list, or take them off
  depot group list|show|delete DIR [NAME]
      show the groups, or one; remove one
  depot backup|restore DIR FILE
      copy DIR/depot.db while the depot may run; put it back while none runs: all
      rollouts are paused then, and nobody is logged in
  depot events DIR
      show what happened to devices and rollouts, and who did what: --format csv or
      jsonl exports it, --since 7d and --device choose
]] .. product.text .. "\n" .. rollout.text .. "\n" .. admin.text .. "\n" .. api.text .. [[


Hotfixes are patches to that cloud. Each version of a product is one patch, which goes from stage to stage:

  depot patch add DIR FILE [--about TEXT]
      take in a signed package with a hotfix; or, where `product set --unsigned yes`
      allows it, a bare NAME_VERSION.zip or .bin, with --product
  depot patch verify DIR VERSION --device MAC
      try it on one device, and wait for the result
  depot patch trial DIR VERSION --device MAC
      offer it to some devices; --device may be repeated
  depot patch release DIR VERSION
      offer it to every device that has not had it
  depot patch delete DIR VERSION
      offer it no more
  depot patch list DIR
      show all, and how many devices have them

A filter is a list of terms that must all hold. `field:value` and `-field:value` (not) compare product, cloud, name,
release, core, hardware, admitted, listening, target, state, code, rollout, tag or group; `name:meter-*` compares the
beginning, a MAC is found in any spelling, and `state:""` means that there is none. `release<1.0.2` compares versions,
`code<0` and `core<20` numbers, and `heard<7d` means not heard of for seven days. The filter of a batch, a rollout or
a group may use only what does not change with jobs and time; it also applies to new devices, and to those that get a
tag later. `cancel` with the same filter ends the batch.

PACKAGE is the name of a file in DIR; without it, the newest of --product. FILE is a path. The actions work with and
without a running depot. A running depot sees their jobs within a second, and they use its --keys.

`depot pack` makes the full package, and a delta against each older core in the folder. Cores are found by name: if
the recipe has core22.img as version 22, then core17.img is core 17. A higher one is the new core; it raises core
version and sequence by the difference. A package is kept if its sequence, release, core and base are the recipe's.
Until all are made, a depot on this machine asks devices that would get one of them to wait (Luat's code 43).]],
  positional = { 0, 200 },
  options = with_more {
    { name = "listen", value = "HOST:PORT", help = "where to listen (127.0.0.1:8080); port 0 picks a free one" },
    { name = "url", value = "BASE", help = "base of the links that devices get (default: the address it listens on)" },
    { name = "proxy", value = "ADDRESS", list = true,
      help = "trust the X-Forwarded headers of this proxy, besides those of this machine; may be repeated" },
    { name = "keys", value = "KEYS", help = "folder of public keys, or one key (DIR if it has *.pub, else DIR/keys)" },
    { name = "tls-cert", value = "FILE", help = "serve HTTPS with this certificate and its chain (PEM)" },
    { name = "tls-key", value = "FILE", help = "private key of that certificate (PEM, not encrypted)" },
    { name = "connections", value = "N", help = "clients served at once (1000); others are told to wait" },
    { name = "mqtt", value = "HOST:PORT", help = "be the cloud of the devices on this broker" },
    { name = "mqtt-user", value = "NAME", help = "user to log in to the broker as" },
    { name = "mqtt-password", value = "FILE", help = "file with the password in its first line" },
    { name = "mqtt-ca", value = "FILE", help = "use TLS to the broker, and trust these certificates" },
    { name = "qinglian", value = "FILE", help = "be the Qinglian cloud on that broker, too: products and dispatcher" },
    { name = "expiry", value = "SECONDS", help = "how long the links in offers are valid (1800)" },
    { name = "pace", value = "N", help = "offers a second at most, over MQTT and HTTP together (100)" },
    { name = "settle", value = "SECONDS",
      help = "pause between a report and an offer, since vendors' clients report twice (2)" },
    { name = "secret-file", value = "FILE",
      help = "with --mqtt: seal the secrets of depot.db with the key in FILE, which is made if it is missing (0600)" },
    { name = "adopt", help = "use the broker although DIR was copied or moved: the other depot is gone" },
    { name = "machine", value = "NAME", help = "what tells this machine from others (/etc/machine-id)" },
    { name = "staged", help = "new products get packages only by jobs: verify on one device, then batch" },
    { name = "device", value = "NAME", list = true, help = "with an action: only this device; may be repeated" },
    { name = "product", value = "PRODUCT",
      help = "with an action: only devices of this product; with product add: its key; with patch add: of a bare one" },
    { name = "cloud", value = "NAME", help = "with an action: only devices of this cloud",
      choices = { "aliyun", "tencent", "qinglian", "luat", "terminal" } },
    { name = "filter", value = "FILTER",
      help = "with status, batch, retry, cancel, device, rollout create: only matching devices, as 'state:failed "
        .. "heard<7d'" },
    { name = "from", value = "RELEASE", help = "with batch: only devices that report this release" },
    { name = "devices", value = "LIST", help = "with add: file of the device ids that the package is for; with device: "
      .. "of those that are meant" },
    { name = "tag", value = "TAG", list = true, help = "with device tag: give this tag; may be repeated" },
    { name = "untag", value = "TAG", list = true, help = "with device tag: take this tag away; may be repeated" },
    { name = "note", value = "TEXT", help = "with device note: what to remember of it; \"\" removes it" },
    { name = "format", value = "FORM", help = "with events: how they are printed (table)",
      choices = { "table", "csv", "jsonl" } },
    { name = "since", value = "SPAN", help = "with events: only those of the last 30m, 24h or 7d" },
    { name = "first", value = "N", help = "with status and device list: how many devices are shown (1000)" },
    { name = "hardware", value = "NAME", help = "with device set: what the device is; \"\" removes it" },
    { name = "admitted", value = "WHICH", choices = { "yes", "no" },
      help = "with device set: whether rollouts of a product that admits only listed devices are for it" },
    { name = "about", value = "TEXT", help = "with patch add: what the patch does" },
    { name = "timeout", value = "SECONDS",
      help = "with verify: how long to wait (3600); with patch verify: for the result of the test (60)" },
  },
  common = { "json", "quiet", "key", "progress", "out", "dry-run" },
  example = "moult depot packages --listen 0.0.0.0:8080 --url http://updates.example:8080 --mqtt broker.example:1883\n"
    .. "moult depot product set packages METER --mode staged\n"
    .. "moult depot verify packages METER_1.0.1.upd --device meter-0001\n"
    .. "moult depot batch packages METER_1.0.1.upd --from 1.0.0\n"
    .. "moult depot rollout create packages METER_1.0.1.upd --waves 5,25,100 --soak 12h --dry-run\n"
    .. "moult depot rollout show packages 1\n"
    .. "moult depot status packages --filter 'state:failed -release:1.0.1'\n"
    .. "moult depot events packages --since 30d --format csv >events.csv\n"
    .. "moult depot pack packages -k release.key",
}

--- Serve, or run an action.
-- @tparam table args positional {[ACTION,] DIR [, PACKAGE]}, opts
-- @tparam table env out, note, json, quiet
-- @treturn integer 0; or nil, message, code
function M.run(args, env) return actions.run(args, env, M.verb.options) end

return M

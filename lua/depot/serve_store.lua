--- `moult depot DIR --store-of HOST:PORT`: the store process of the depot that listens there and started it.
--
-- @module depot.serve_store

local log = require "depot.log"
local natives = require "update.natives"
local serve = require "depot.serve"
local signalled = require "depot.signalled"

local M = {}

local SOCKET = 0 -- the socket to the front: standard input

local function options_of(dir, opts, set, lines)
  return {
    dir = dir,
    address = opts["store-of"],
    scheme = set.tls and "https" or "http",
    url = opts.url,
    keys = opts.keys and serve.absolute(opts.keys),
    mqtt = set.mqtt,
    qinglian = set.qinglian,
    expiry = opts.expiry,
    pace = opts.pace,
    settle = opts.settle and opts.settle * 1000,
    auto = not opts.staged and not opts.admin,
    staged = opts.staged,
    adopt = opts.adopt,
    machine = opts.machine,
    secret_file = opts["secret-file"] and serve.absolute(opts["secret-file"]),
    proxies = opts.proxy,
    on_message = lines.message,
    on_warning = lines.note,
  }
end

--- Serve the front until it ends, or says so; or until SIGTERM or SIGINT.
-- @tparam string dir
-- @tparam table opts of the verb, as the front got them
-- @tparam table env json, quiet
-- @treturn integer 0; or nil, message, code
function M.run(dir, opts, env)
  local set, message, code = serve.settings(opts)
  if not set then return nil, message, code end
  local lines = log.new(natives, env)
  env.err = natives.log.err
  natives.signals.follow_parent(true)
  local channel
  channel, message, code = natives.channel.from_fd(SOCKET)
  if not channel then return nil, message, code end
  local signals <close>, why, word = natives.signals.open(true)
  if not signals then return nil, why, word end
  local options = options_of(dir, opts, set, lines)
  options.channel, options.watch = channel, { { fd = signals:fd(), read = true } }
  local process = require("depot.store_process").open(options)
  if not process then return 1 end -- the front says why
  local there = true
  while there and not signalled.is_over(signals, function() end) do
    there, message, code = process:step(60000)
  end
  process:close()
  if there == nil then return nil, message, code end
  return 0
end

return M

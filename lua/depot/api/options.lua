--- What the command line says about the admin server.
--
-- @module depot.api.options

local address = require "depot.api.address"
local natives = require "update.natives"

local M = {}

--- Check the options.
-- @tparam table opts of the verb: admin, admin-url, admin-cert, admin-key, trusted-proxy
-- @treturn table|nil {listen, urls, tls, tls_files, proxies, keys, secret_file, webhooks}; nil, message, code
function M.check(opts)
  local serve = require "depot.serve"
  local tls, message, code = serve.tls_of(opts, "admin-cert", "admin-key")
  if tls == nil then return nil, message, code end
  for _, url in ipairs(opts["admin-url"] or {}) do
    local scheme, fault = address.read(url)
    if not scheme then return nil, ("--admin-url %s: %s"):format(natives.url.shown(url), fault), "usage" end
  end
  local proxies = opts["trusted-proxy"]
  for _, proxy in ipairs(proxies or {}) do
    if not proxy:find "^[%x.:]+$" then
      return nil, ("--trusted-proxy %s: expected a numeric address"):format(proxy), "usage"
    end
  end
  if not opts.admin:find "^%S*:%d+$" then
    return nil, ("--admin %s: expected HOST:PORT, for example 127.0.0.1:8081"):format(opts.admin), "usage"
  end
  if not address.is_local(opts.admin) and not tls and not proxies then
    return nil, ("--admin %s can be reached from elsewhere: give --admin-cert and --admin-key, or name the proxy that "
      .. "speaks TLS by --trusted-proxy"):format(opts.admin), "refused"
  end
  return { listen = opts.admin, urls = opts["admin-url"], tls = tls or nil,
    tls_files = tls and { cert = opts["admin-cert"], key = opts["admin-key"] } or nil, proxies = proxies,
    keys = opts.keys, secret_file = opts["secret-file"], webhooks = { private = opts["webhook-private"],
      ca = opts["webhook-ca"] } }
end

return M

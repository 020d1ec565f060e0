--- The options and the help of what belongs to the admin server of a depot.
--
-- @module cli.depot_admin

local M = {}

M.options = {
  { name = "admin", value = "HOST:PORT", help = "serve an API for people and programs there, with users and roles" },
  { name = "admin-url", value = "URL", list = true,
    help = "by which the admin server is reached (default: its address and localhost); may be repeated" },
  { name = "admin-cert", value = "FILE", help = "with --admin: serve HTTPS with this certificate and its chain (PEM)" },
  { name = "admin-key", value = "FILE", help = "with --admin: private key of that certificate (PEM, not encrypted)" },
  { name = "trusted-proxy", value = "ADDRESS", list = true,
    help = "with --admin: a proxy that speaks TLS with people, and whose X-Forwarded-For is trusted" },
  { name = "webhook-private",
    help = "with --admin: webhooks may be at addresses that are not public, as of this machine or network" },
  { name = "webhook-ca", value = "FILE",
    help = "with --admin: trust these certificates of webhooks (default: those of the system)" },
  { name = "event", value = "WHAT", list = true, help = "with webhook add: an event to send; may be repeated "
    .. "(failed, reverted, rollout)" },
  { name = "store-of", value = "HOST:PORT",
    help = "be the store process of the depot that listens there; it starts one by itself" },
  { name = "with-depot", help = "with admin: end when the process that started it ends" },
  { name = "role", value = "ROLE", help = "with user add, user role: what the user may, with --product only there",
    choices = { "viewer", "operator", "admin" } },
  { name = "check", help = "with audit: check that no row was changed" },
}

--- For the help of the verb.
M.text = [[
  depot admin DIR [--admin HOST:PORT]
      serve the API for people and programs alone, with or without a depot
  depot user add|link DIR NAME
      make a user with a --role, and print the link with which he sets a password; print another one
  depot user list|role|disable|enable|drop DIR [NAME]
      show the users; give one another --role, disable or enable one, remove one
  depot webhook list|add|enable|disable|drop DIR [URL|NUMBER]
      send each --event of a --product to an https:// URL, signed by a secret that is shown once;
      the admin server sends them, switches a webhook off that fails for a day, and
      asks public addresses only, unless --webhook-private allows others
  depot audit DIR
      show what people have changed; --check: that nothing was changed in that record]]

return M

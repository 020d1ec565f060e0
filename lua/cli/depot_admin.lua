--- The options and the help of what belongs to the admin server of a depot.
--
-- @module cli.depot_admin

local M = {}

M.options = {
  { name = "role", value = "ROLE", help = "with user add, user role: what the user may, with --product only there",
    choices = { "viewer", "operator", "admin" } },
  { name = "admin-url", value = "URL", list = true,
    help = "with user add, user link: where the admin server is (http://127.0.0.1:8081)" },
  { name = "check", help = "with audit: check that no row was changed" },
}

--- For the help of the verb.
M.text = [[
  depot user add|link DIR NAME
      make a user with a --role, and print the link with which he sets a password; print another one
  depot user list|role|disable|enable|drop DIR [NAME]
      show the users; give one another --role, let one in no more or again, remove one
  depot audit DIR
      show what people have changed; --check: that nothing was changed in that record]]

return M

--- Every route of the API, one row each.
--
-- A row: method, path, role, run(call); verb (what tokens can be limited to), about, query and body (rules of
-- depot.api.fields). `role` is viewer, operator or admin, asked for the product of the object that the path names, or
-- for the whole depot; "self": whoever is logged in; "none": anybody. `scope` "any": a role in any product is enough,
-- and run() shows only what the actor may see. `session_only`: a token cannot do it. `read_when`: with this argument of
-- the query the route changes nothing, and takes no more than to read.
--
-- Router, checks of arguments, rights and the OpenAPI document come from it.
--
-- @module depot.api.route_table

local M = {}

local MODULES = { "people", "users", "products", "devices", "releases", "rollouts", "hotfixes", "groups", "bulk",
  "records", "queries", "keeping", "uploads", "webhooks", "meta" }

M.PREFIX = "/api/v1"

--- The methods that want If-Match where the object has an ETag.
M.MATCHED = { PATCH = true, PUT = true, DELETE = true }

--- What the names in braces stand for.
M.IDS = { A = "number of a change that can be taken back", D = "id of a device", F = "digest of a package",
  G = "number of a group", H = "number of a hotfix", N = "name of a user", P = "hash of a product's key",
  R = "id of a release", T = "id of a task", U = "id of an upload", W = "number of a webhook",
  X = "number of a rollout",
  session = "id of a session", token = "number of a token" }

--- @treturn {table,...}
function M.all()
  local list = {}
  for _, name in ipairs(MODULES) do
    for _, row in ipairs(require("depot.api.routes." .. name).routes) do
      row.method, row.path, row.role, row.run = row[1], row[2], row[3], row[4]
      list[#list + 1] = row
    end
  end
  return list
end

return M

--- Routes about the API itself.
--
-- @module depot.api.routes.meta

local openapi = require "depot.api.openapi"

local M = {}

local function document(call) return openapi.document(call.json, call.routes, call.base .. call.prefix) end

M.routes = {
  { "GET", "/openapi.json", "viewer", document, verb = "read", scope = "any", about = "This API as OpenAPI 3.1" },
}

return M

-- Prints the OpenAPI document of a depot's API: moult spec/support/openapi_document.lua

local json = require "update.native.json"
local routes = require "depot.api.route_table"

print(json.encode(require("depot.api.openapi").document(json, routes.all(), "https://depot.example" .. routes.PREFIX)))

--- The style, the script and the icon of the console.
--
-- Pure. The script is not needed: it shows times in the reader's zone, and says when something has changed.
--
-- @module depot.console.static

local script = require "depot.console.script"
local style = require "depot.console.style"

local M = {}

local ICON = [[<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="#0550ae"
d="M8 1l6 6h-4v4H6V7H2zM2 13h12v2H2z"/></svg>]]

--- {[path] = {type, text}}
M.files = {
  ["/static/console.css"] = { "text/css; charset=utf-8", style },
  ["/static/console.js"] = { "text/javascript; charset=utf-8", script },
  ["/static/icon.svg"] = { "image/svg+xml", ICON },
}

return M

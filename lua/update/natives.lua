--- The one place where natives are required; stages are handed what they use.
--
-- `natives.fetch` is update.native.fetch, and so on; each is loaded when it is
-- first asked for, so that a verb pays for what it needs.
--
-- @module update.natives

return setmetatable({}, {
  __index = function(self, name)
    local module = require("update.native." .. name)
    rawset(self, name, module)
    return module
  end,
})

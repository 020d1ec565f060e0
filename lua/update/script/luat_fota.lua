--- LuatOS's libfota and libfota2: one question to the server, and its result as a number.
--
-- 0: a release is armed, and rtos.reboot() starts it. 1: no connection. 3: the connection
-- broke during the download. 4: the server has no update for this device. 5: PRODUCT_KEY or
-- VERSION is missing or malformed. 2 does not occur, as with Luat. The callback runs in a
-- task and may wait.
--
-- @module update.script.luat_fota

local M = {}

local RESULTS = { armed = 0, connect = 1, transfer = 3, answer = 4 }
local NO_NAME = 5

-- The configuration has the identity of the device, certificates and proxy.
local IGNORED = { "version", "project_key", "imei", "firmware_name", "timeout", "server_cert", "client_cert",
  "client_key", "client_password", "method", "headers", "body" }

local function check(callback, url, name)
  if callback ~= nil and type(callback) ~= "function" then
    error(("%s: the callback is a %s, not a function"):format(name, type(callback)), 3)
  end
  if url ~= nil and type(url) ~= "string" then
    error(("%s: the URL is a %s, not a string"):format(name, type(url)), 3)
  end
end

--- Make both.
-- @tparam table o sys (taskInit), ask (the agent), log (update.script.luat_log), globals (function -> table)
-- @treturn table {libfota, libfota2}
function M.new(o)
  local libfota, libfota2 = {}, {}

  local function is_named()
    local globals = o.globals()
    if globals.PRODUCT_KEY == nil then return nil, "main.lua sets no PRODUCT_KEY" end
    if not tostring(globals.VERSION):find("%d+%.%d+%.%d+") then return nil, "VERSION is not like 1.2.3" end
    return true
  end

  local function ask(callback, url)
    local ok, why = true, nil
    if not url or url:sub(1, 3) ~= "###" then ok, why = is_named() end
    local number = NO_NAME
    if ok then
      local outcome
      outcome, why = o.ask("fota", { url = url })
      if outcome then why = outcome.message end
      number = RESULTS[outcome and outcome.stage or "connect"]
    end
    if number ~= 0 then o.log.warn("fota", number, why) end
    if callback then callback(number) end
  end

  --- Ask once.
  -- @tparam function callback called with the result
  -- @tparam[opt] string url used unchanged; default: the configured cloud's, with Luat's parameters
  function libfota.request(callback, url)
    check(callback, url, "libfota.request")
    o.sys.taskInit(ask, callback, url and "###" .. url)
  end

  --- Ask once.
  -- @tparam function callback called with the result
  -- @tparam[opt] table options `url`: Luat's parameters are added, unless it begins with "###"; all
  --   others are ignored
  function libfota2.request(callback, options)
    options = options or {}
    if type(options) ~= "table" then error("libfota2.request: a table of options is needed", 2) end
    check(callback, options.url, "libfota2.request")
    for _, name in ipairs(IGNORED) do
      if options[name] ~= nil then o.log.warn("fota", name .. " is ignored; it is in the configuration") end
    end
    o.sys.taskInit(ask, callback, options.url)
  end

  return libfota, libfota2
end

return M

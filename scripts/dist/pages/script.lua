--- moult-script(7): what a device's script has, from the LDoc comments of update.script.api, sys and update.script.sys.

local ldoc = require "ldoc"
local roff = require "roff"

local EXAMPLE = [[
PROJECT, VERSION, PRODUCT_KEY = "METER", "1.0.0", "k-123"
local sys, update = require "sys", require "update"

update.request(nil, nil, 4 * 3600 * 1000)

sys.taskInit(function()
  while true do
    print("working, version " .. VERSION)
    sys.wait(1000)
  end
end)
sys.run()]]

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

local function put_functions(page, list)
  for _, entry in ipairs(list) do
    local items = {}
    local text = entry.text
    -- A list of cases, each in a line of its own.
    text = text:gsub("\n%s*%- ([^\n]+)", function(item)
      items[#items + 1] = item
      return ""
    end)
    page:item(roff.bold(entry.signature), text:gsub("\n%s*\n", "\n"))
    table.move(entry.tags, 1, #entry.tags, #items + 1, items)
    if #items > 0 then page:enter() end
    for _, line in ipairs(items) do page:text(line:sub(1, 1):upper() .. line:sub(2) .. ".") end
    if #items > 0 then page:leave() end
  end
end

return function(head)
  local page = roff.page { name = "moult-script", section = 7, title = "the modules update and sys of a device's "
    .. "script",
    date = head.date, source = head.source }
  local lua = require("update.native.host").lua_dir
  page:section "DESCRIPTION"
  page:text [[
`moult run` starts `main.lua` of the running generation in a process of its own. It is plain Lua 5.4 and can
require its own modules, the native ones (`moult-native`(7)) and these two.]]
  page:verbatim(EXAMPLE)
  page:text [[
A script that ends or fails is started again. On trial that is a failed start, and three of them roll the release
back. `sys.run()` and every function that waits tell the supervisor that the script is alive. A script that is busy for
longer than `heartbeat` of the configuration is killed. Time spent waiting for a command (`os.execute()`, a pipe of
`io.popen()`) does not count, up to half an hour. `moult status` and `moult history` show how often the script ended
and why.
Its Lua memory is limited by `script_memory`.

Everything that the script has started ends with it, daemons included: it is killed before the script is started again
and before its release is changed. A program that is to stay belongs to the service manager.

The globals `PROJECT`, `VERSION` and `PRODUCT_KEY` must equal those of the package.]]
  page:section "UPDATE"
  page:text [[
Functions that fail return `nil, message, code`; without an agent the code is "nothing". While a function waits, other
tasks run.]]
  put_functions(page, ldoc.functions(read(lua .. "/update/script/api.lua"), "update"))
  page:section "ALIYUN"
  page:text [[
`require "update.aliyun"` offers the calls of the vendor's C SDK, for a script that drives updates from its Aliyun cloud
as a program of the SDK does. Without it the agent does everything by itself. Each call is also a method of the
handle.]]
  put_functions(page, ldoc.functions(read(lua .. "/update/script/aliyun_calls.lua"), "ota"))
  page:section "TERMINAL"
  page:text [[
`require "update.terminal"` offers the calls of a POS terminal's update module, for a cloud of kind "terminal".
X is `app` or `mdma`, the vendor's two threads. `X_SendUpdateModuleUpdatedMsg_HB(apn, userid, passwd, ip, port,
prover, downfile, type)` returns when the transfer is over: 0 if the call was accepted, else -1.
`X_RegisterUpdateStateHandle(fn)` sets a function that is called with 1 (updated), 2 (failed) or 4 (not upgraded);
without one, the state is kept for a later start. `X_RegisterDownLoadStepHandle(fn)` sets one that is called each
second with file name, total and step in bytes. `X_UnRegisterUpdateStateHandle()` and
`X_UnRegisterDownLoadStepHandle()` remove them.]]
  page:section "QINGLIAN"
  page:text [[
`require "update.qinglian"` gives a table for the calls and callbacks of the vendor's device SDK, for a cloud of kind
"qinglian". The script defines those that it wants in it: `iot_status_cb(state, ts)` is called with 0 (connected), 1
(disconnected), 11 (no licence left) or 12 (the MAC belongs to another product) and the cloud's time;
`iot_ota_info_cb(name, version, total, crc16)` when firmware is announced; `iot_ota_upgrade_cb()` when the cloud has
ordered the upgrade and it is armed. With `restart_when = "now"` the new release is started when that function has
returned, or after 5 s. `iot_patches_list_cb(count, list)`, or `iot_patchs_list_cb` as the SDK spells it, is called with
the patches that the cloud offers: `name`, `version` and `total_len` of each. What policy chooses of them is taken and
tested without a call; `iot_patch_req(name, version)` asks for another. `iot_patch_end(name, version, state)` tells the
cloud of one that the script itself took, with `DEV_STA_PATCH_SUCCESS` or `DEV_STA_PATCH_FAILED`. Of one that the agent
takes the agent tells the cloud: `DEV_STA_PATCH_FAILED` fails its test, and undoes it if it is in force already and no
higher version leads.
`iot_chunk_cb(stat, offset, size, data)` gets the bytes of a package in order, for a script that keeps a copy, and the
last when every digest is right; if it returns anything but `ACK_OK` the copy ends, and the update goes on.
`IOT_CHUNK_TYPE(stat)` is `IOT_CHUNK_OTA` for firmware and `IOT_CHUNK_PATCH` for a patch, and `IOT_CHUNK_IS_LAST(stat)`
tells whether these are the last bytes. The other constants have the SDK's names, too.
`iot_config_info()`, `iot_start()` and `iot_ota_option_set()` check their arguments; the configuration decides.
`iot_get_onlinetime()` gives the cloud's time in seconds since 1970, 0 before the
first log-in. The agent does the rest by itself.]]
  page:section "SYS"
  page:text "Tasks, messages and timers with Luat's names. Times are in milliseconds."
  local functions, seen = ldoc.functions(read(lua .. "/sys.lua"), "sys"), {}
  for _, entry in ipairs(functions) do seen[entry.name] = true end
  for _, name in ipairs { "sys", "luat_mail" } do
    for _, entry in ipairs(ldoc.functions(read(("%s/update/script/%s.lua"):format(lua, name)), "sys")) do
      if not seen[entry.name] then functions[#functions + 1] = entry end
    end
  end
  put_functions(page, functions)
  page:section "SCRIPTS WRITTEN FOR LUAT"
  page:text [[
Such scripts have the globals `log` (levels `trace` to `fatal`), `rtos` and `mobile`, and can require `log`, `misc`,
`sysplus`, `libfota` and `libfota2`. Any other part of Luat raises an error that names it.]]
  local device = read(lua .. "/update/script/luat_device.lua")
  for _, prefix in ipairs { "rtos", "misc" } do put_functions(page, ldoc.functions(device, prefix)) end
  page:text [[
The results of libfota and libfota2 are: 0, a release is armed and `rtos.reboot()` starts it; 1, no connection; 3, the
connection broke during the download; 4, no update is available; 5, PRODUCT_KEY or VERSION is missing or malformed.]]
  for _, prefix in ipairs { "libfota", "libfota2" } do
    put_functions(page, ldoc.functions(read(lua .. "/update/script/luat_fota.lua"), prefix))
  end
  page:see_also { { "moult", 1 }, { "moult-config", 5 }, { "moult-native", 7 }, { "moult-policy", 7 } }
  return page
end

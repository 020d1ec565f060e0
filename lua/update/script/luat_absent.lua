--- Errors for modules and functions of Luat that a Linux device does not have.
--
-- A missing module stays nil as a global, because scripts test for it
-- (`if wlan then`). If a script uses it, Lua raises its own error, and explain()
-- adds the reason.
--
-- @module update.script.luat_absent

local M = {}

local TABLE = 'the table "Scripts written for Luat" in lua/README.md says what is, what differs and what is not'

local MODULES = [[
  adc aLiYun agps airlbs aliyun aprs audio ble bluetooth bt camera can cc clib common console crypto db dbg dtu eink
  errDump excloud exnetif fastlz fatfs fota fs fskv ftp gnss gps gpsv2 gpio hmeta http httpsrv httpv2 i2c i2s iconv
  iotauth ioqueue io_queue ir json keypad lbsLoc lbsLoc2 lcd led libcoap libfota3 libftp libgnss libnet link lora lvgl
  mcu miniz mqtt mqtt2 mqttcore net netLed netdrv nmea ntp nvm onewire otp pac pb pcf8563t pin pins pio pm pmd powerKey
  protobuf pwm record ril rtc scanCode sdio sim sms socket softkb spi statem sys_cw tts u8g2 uart ui uiWin usbapp
  utils vtool w5500 wdt wifiScan wlan xxtea ymodem zbuff]]

--- Missing functions of the modules that exist.
M.FUNCTIONS = {
  sys = "powerOn coresume safeRun on regapp deregapp timer_start timer_loop_start timer_stop opntrace setworkmode " ..
    "dispatch init_sys",
  update = "setperiod run settimezone setProgress getProgress",
  log = "dump style",
  rtos = "buildDate close_soft_dog fota_end fota_process fota_start get_env init_module memdebug nvm nvm_read on " ..
    "open_soft_dog owtd poweroff poweron poweron_reason receive set_alarm set_script_version set_time set_trace " ..
    "setPaths sleep standby tick timer_start timer_stop toint64",
  misc = "closePwm getCalib getMuid getTemperature getVbatt openPwm setClock setImei setSn",
  mobile = "apn attachStatus band cellInfo config csq flymode getCellInfo iccid imsi ipv6 muid number reqCellInfo " ..
    "reset rrcAutoRelease rsrp rsrq rssi scell setAuto simid simPin snr status syncTime vsimInit",
}

local absent = {}
for name in MODULES:gmatch "%S+" do absent[name] = true end

--- Let missing functions raise an error that explains this.
-- @tparam table module changed
-- @tparam string name "sys", ...
-- @treturn table module
function M.complete(module, name)
  for missing in M.FUNCTIONS[name]:gmatch "%S+" do
    if module[missing] == nil then
      module[missing] = function()
        error(("Luat's %s.%s is not here: %s"):format(name, missing, TABLE), 2)
      end
    end
  end
  return module
end

--- Add the reason to an error about a module of Luat's.
-- @tparam string message
-- @treturn string
function M.explain(message)
  local name = message:match("nil value %(global '([%w_]+)'%)")
  if not absent[name] then return message end
  return (message:gsub("nil value %(global '[%w_]+'%)", ("%%0; Luat's %s is not here: %s"):format(name, TABLE), 1))
end

--- The last of package.searchers: explains `require` of a missing module of Luat's.
-- @tparam string name
-- @treturn string|nil a line for the error
function M.searcher(name)
  if absent[name] then return ("Luat's module '%s' is not here: %s"):format(name, TABLE) end
end

return M

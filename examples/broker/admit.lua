--- Let a depot or a device in at the broker: writes passwd, psk and acl of mosquitto.conf beside this file.
--
--     moult admit.lua FOLDER depot PASSWORD_FILE
--     moult admit.lua FOLDER aliyun|tencent PRODUCT DEVICE SECRET_FILE
--
-- The secret's file is the device's own (`secret_file` in its config.lua) and private. Who was
-- let in before is let in anew. mosquitto reads the files again on SIGHUP.

local natives = require "update.natives"
local mqtt_options = require "update.cloud.mqtt_connection"
local registry = require "update.cloud.registry"

local USAGE = "usage: moult admit.lua FOLDER depot PASSWORD_FILE\n"
  .. "       moult admit.lua FOLDER aliyun|tencent PRODUCT DEVICE SECRET_FILE"

local folder = arg[1]

local function fail(message)
  io.stderr:write("admit: ", message, "\n")
  os.exit(1)
end

local function need(value, message)
  if not value then fail(tostring(message)) end
  return value
end

local function read(path)
  local file = io.open(path)
  if not file then return "" end
  local text = file:read "a"
  file:close()
  return text
end

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- For mosquitto alone to read, where there is such a group.
local function write(name, text)
  local path = folder .. "/" .. name
  local fresh = path .. ".new"
  os.remove(fresh)
  need(os.execute(("umask 077 && : >%s"):format(quote(fresh))), "cannot write in " .. folder)
  local file = need(io.open(fresh, "w"))
  file:write(text)
  need(file:close())
  os.execute(("chgrp mosquitto %s 2>/dev/null && chmod 640 %s"):format(quote(fresh), quote(fresh)))
  need(os.rename(fresh, path))
end

-- The lines of a file without those of this user, and the new one.
local function put_line(name, user, line)
  local lines = {}
  for other in read(folder .. "/" .. name):gmatch "[^\n]+" do
    if other:sub(1, #user + 1) ~= user .. ":" then lines[#lines + 1] = other end
  end
  lines[#lines + 1] = line
  write(name, table.concat(lines, "\n") .. "\n")
end

local function put_password(user, password)
  local own = need(os.tmpname())
  local file = need(io.open(own, "w"))
  file:write(user, ":", password, "\n")
  file:close()
  local ok = os.execute(("mosquitto_passwd -U %s"):format(quote(own)))
  local line = read(own):match "[^\n]+"
  os.remove(own)
  need(ok, "mosquitto_passwd does not work; it is in the package mosquitto")
  put_line("passwd", user, line)
end

local function put_key(identity, key)
  put_line("psk", identity, identity .. ":" .. key:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

-- A paragraph for each user.
local function put_rights(user, rights)
  local paragraphs = {}
  for paragraph in (read(folder .. "/acl") .. "\n\n"):gmatch "(.-)\n\n+" do
    local other = paragraph ~= "" and paragraph:match "^[^\n]+" ~= "user " .. user
    if other then paragraphs[#paragraphs + 1] = paragraph end
  end
  table.sort(rights)
  paragraphs[#paragraphs + 1] = "user " .. user .. "\n" .. table.concat(rights, "\n")
  write("acl", table.concat(paragraphs, "\n\n") .. "\n")
end

-- A device reads what is pushed to it, and writes the rest of its topics. Aliyun's topic of
-- asking is the one in both directions.
local function rights_of(dialect, product, device)
  local rights, read_only = {}, {}
  for _, row in ipairs(dialect.subscriptions(product, device)) do read_only[row[1]] = true end
  for kind, topic in pairs(dialect.topics(product, device)) do
    local right = kind == "request" and "readwrite" or read_only[topic] and "read" or "write"
    rights[#rights + 1] = ("topic %s %s"):format(right, topic)
  end
  return rights
end

local function admit_depot(password_file)
  put_password("depot", need(read(password_file):match "^[^\r\n]+", password_file .. ": no password in it"))
  put_rights("depot", { "topic readwrite /ota/device/#", "topic readwrite /sys/+/+/thing/ota/firmware/#",
    "topic readwrite $ota/#" })
end

local function admit_device(kind, product, device, secret_file)
  if (product .. device):find "[^%w_.@-]" then fail "product or device has other characters than vendors allow" end
  local login = need(mqtt_options.of({ kind = kind, product = product, device = device, secret_file = secret_file,
    tls = kind == "tencent" and {} or nil }, natives))
  local by_key = login.tls
  if by_key then put_key(by_key.psk_identity, by_key.psk) else put_password(login.user, login.password) end
  put_rights(by_key and by_key.psk_identity or login.user, rights_of(registry.of(kind), product, device))
end

if #arg == 3 and arg[2] == "depot" then
  admit_depot(arg[3])
elseif #arg == 5 and (arg[2] == "aliyun" or arg[2] == "tencent") then
  admit_device(table.unpack(arg, 2, 5))
else
  fail(USAGE)
end
for _, name in ipairs { "passwd", "psk" } do
  if read(folder .. "/" .. name) == "" then write(name, "") end
end

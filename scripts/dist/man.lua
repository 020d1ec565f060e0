--- Makes the manual pages and the completion of moult from the tables that the
-- program itself uses.
--
--     moult scripts/dist/man.lua OUT DATE
--
-- writes moult.1, moult-config.5, moult-package.5, moult-native.7,
-- moult-policy.7, moult-script.7, moult.3, moult-control.7, moult-depot-api.7 and moult.bash into the folder OUT.
-- DATE, as YYYY-MM-DD, stands in each page.

local here = arg[0]:match("^(.*)/[^/]*$") or "."
package.path = ("%s/?.lua;%s"):format(here, package.path)

local out, date = arg[1], arg[2]
if not out or not date then
  io.stderr:write("usage: moult scripts/dist/man.lua OUT DATE\n")
  os.exit(2)
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

local function write(name, text)
  local file = assert(io.open(out .. "/" .. name, "wb"))
  assert(file:write(text))
  assert(file:close())
end

local head = {
  date = date,
  source = "moult " .. require("update.native.host").version,
  bindings = here .. "/../../bindings",
  example = read(here .. "/config.lua"),
  client = read(here .. "/../../runtime/client/moult.h"),
}

local pages = {
  { "moult", 1 }, { "config", 5 }, { "package", 5 }, { "native", 7 }, { "policy", 7 }, { "script", 7 },
  { "client", 3 }, { "control", 7 }, { "depot_api", 7 },
}
for _, row in ipairs(pages) do
  local word, section = table.unpack(row)
  local name = (word == "moult" or word == "client") and "moult" or "moult-" .. word:gsub("_", "-")
  write(("%s.%d"):format(name, section), (require("pages." .. word)(head)):render())
end
write("moult.bash", require("completion").bash())

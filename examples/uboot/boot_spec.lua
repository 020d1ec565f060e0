-- Runs boot.cmd in a shell whose functions play U-Boot: the variables of the
-- device go in, and what was saved and started comes out.

local HARNESS = [==[
setenv() { name=$1; shift; eval "$name=\$*"; }
setexpr() { eval "$1=$(($2 $3 $4))"; }
saveenv() { echo "saved BOOT_ORDER=$BOOT_ORDER a=$BOOT_a_LEFT b=$BOOT_b_LEFT"; $SAVEENV; }
load() { case " $BROKEN " in *" $2 "*) return 1 ;; esac; }
booti() {
  case " $DEAD " in *" $moult_slot "*) echo "tried $moult_slot"; return ;; esac
  echo "started $bootargs"
  exit 0
}
sleep() { :; }
reset() { echo reset; exit 0; }
echo() { case $1 in moult:*) ;; *) printf '%s\n' "$*" ;; esac; }
]==]

local script
do
  local file = assert(io.open(debug.getinfo(1, "S").source:match "@(.*)boot_spec.lua" .. "boot.cmd"))
  script = file:read "a"
  file:close()
end

local function boot(variables)
  local settings = { "SAVEENV=true" }
  for name, value in pairs(variables) do settings[#settings + 1] = ("%s='%s'"):format(name, value) end
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(table.concat(settings, "\n"), "\n", HARNESS, script)
  file:close()
  local pipe = assert(io.popen("sh -u " .. path .. " 2>&1"))
  local lines = {}
  for line in pipe:lines() do
    lines[#lines + 1] = line:match "^started .* (moult.slot=%a)$" or line
  end
  pipe:close()
  os.remove(path)
  return lines
end

local function variables(order, a, b, more)
  local t = { BOOT_ORDER = order, BOOT_a_LEFT = a, BOOT_b_LEFT = b, BROKEN = "", DEAD = "", kernel_addr_r = "1",
    fdt_addr_r = "2" }
  for name, value in pairs(more or {}) do t[name] = value end
  return t
end

describe("boot.cmd", function()
  local cases = {
    { "starts the good slot and saves nothing", { "a", "", "0" }, { "moult.slot=a" } },
    { "starts a at the first power-on", { "", "", "" }, { "moult.slot=a" } },
    { "counts a slot on trial down before it is started", { "b a", "", "3" },
      { "saved BOOT_ORDER=b a a= b=2", "moult.slot=b" } },
    { "counts slot a as it does slot b", { "a b", "1", "" }, { "saved BOOT_ORDER=a b a=0 b=", "moult.slot=a" } },
    { "starts the old slot when the tries are spent", { "b a", "", "0" }, { "moult.slot=a" } },
    { "does not count a confirmed slot", { "b a", "", "" }, { "moult.slot=b" } },
    { "goes on to the old slot when the new one cannot be loaded", { "b a", "", "3", { BROKEN = "0:3" } },
      { "saved BOOT_ORDER=b a a= b=2", "moult.slot=a" } },
    { "goes on when the kernel returns", { "b a", "", "2", { DEAD = "b" } },
      { "saved BOOT_ORDER=b a a= b=1", "tried b", "moult.slot=a" } },
    { "does not start a trial that cannot be counted", { "b a", "", "3", { SAVEENV = "false" } },
      { "saved BOOT_ORDER=b a a= b=2", "moult.slot=a" } },
    { "never starts a slot outside the order", { "a", "", "", { DEAD = "a" } }, { "tried a", "reset" } },
    { "skips words that are no slot", { "rescue b", "", "" }, { "moult.slot=b" } },
    { "takes an order without a slot for none", { "A B", "", "" }, { "moult.slot=a" } },
    { "resets when nothing starts", { "a b", "", "0", { BROKEN = "0:2" } }, { "reset" } },
  }
  for _, case in ipairs(cases) do
    local name, given, expected = table.unpack(case)
    it(name, function()
      assert.same(expected, boot(variables(table.unpack(given, 1, 4))))
    end)
  end
end)

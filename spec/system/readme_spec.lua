-- What README.md tells a new user to type works as it is written: its files
-- are taken from the text, its commands run in one shell in an empty folder.
-- Only the port is another one, since 8080 may be taken here.

local json = require "cjson"
local socket = require "socket"

local support = require "spec.support.files"
local read, write, output_of = support.read, support.write, support.output_of

local function blocks_of(text, language)
  local result = {}
  for block in text:gmatch("\n```" .. language .. "\n(.-\n)```\n") do
    result[#result + 1] = block
  end
  return result
end

-- Waits for what the commands begun in the background; fails after 20 s.
local SHELL = [=[
set -e
cd "$1"
PATH="$1/bin:$PATH"
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
field() { moult status -c config.lua --json 2>/dev/null | lua5.4 -e '
  print(require("cjson").decode(io.read("a"))[arg[1]])' /dev/null "$1"; }
until_is() {
  tries=0
  until [ "$(field "$1")" = "$2" ]; do
    tries=$((tries + 1))
    if [ $tries -gt 200 ]; then echo "$1 is $(field "$1"), not $2"; exit 1; fi
    sleep 0.1
  done
}
set +e # install says by its code that a restart is due
. ./block1.sh
tries=0
until [ -S state/control ] || [ $tries -gt 200 ]; do tries=$((tries + 1)); sleep 0.1; done
tries=0
until grep -q 'GET /api/site' log || [ $tries -gt 200 ]; do tries=$((tries + 1)); sleep 0.1; done
moult check -c config.lua; echo "check $?" # what the agent had to say of the first answer is in the log
cp log start.log
. ./block2.sh
set -e
until_is phase trial
tries=0
until moult confirm -c config.lua; do # the script has to show a sign of life first
  tries=$((tries + 1))
  if [ $tries -gt 100 ]; then exit 1; fi
  sleep 0.1
done
until_is phase idle
moult status -c config.lua --json >status.json
]=]

describe("README", function()
  local readme = read("README.md")
  local dir

  setup(function()
    dir = output_of("mktemp -d"):match("%S+")
  end)

  teardown(function()
    os.execute("rm -rf '" .. dir .. "'")
  end)

  it("shows a device that can be made and updated as written", function()
    local server = assert(socket.bind("127.0.0.1", 0))
    local _, port = server:getsockname()
    server:close()
    local text = readme:gsub("127%.0%.0%.1:8080", "127.0.0.1:" .. port)
      :gsub("moult depot packages", "%0 --listen 127.0.0.1:" .. port)

    os.execute(("mkdir -p '%s/app' '%s/bin'"):format(dir, dir))
    os.execute(("ln -s \"$(readlink /proc/$PPID/exe)\" '%s/bin/moult'"):format(dir))
    local files = 0
    for _, block in ipairs(blocks_of(text, "lua")) do
      local name = block:match("^%-%- ([%w_/]+%.lua)\n")
      if name then
        write(dir .. "/" .. name, block)
        files = files + 1
      end
    end
    assert.equal(3, files)
    local commands = blocks_of(text, "sh")
    assert.equal(2, #commands)
    for i, block in ipairs(commands) do
      write(("%s/block%d.sh"):format(dir, i), block)
    end
    write(dir .. "/all.sh", SHELL)

    local done = os.execute(("bash '%s/all.sh' '%s' >'%s/log' 2>&1 </dev/null"):format(dir, dir, dir))
    assert.is_true(done, read(dir .. "/log"))
    local start = read(dir .. "/start.log")
    assert.matches("code 27", start, 1, true)
    assert.matches("check 3\n", start, 1, true)
    assert.is_nil(start:match "agent: cloud %S+: [^\n]*%(%l+%)")
    local status = json.decode(read(dir .. "/status.json"))
    assert.same({ "1.0.1", "1.0.1", "idle" }, { status.release, status.script.version, status.phase })
  end)

  it("shows a policy that answers", function()
    local shown
    for _, block in ipairs(blocks_of(readme, "lua")) do
      if block:find("function M.decide", 1, true) then
        shown = block
      end
    end
    local policy = assert(load(shown, "README.md", "t", { require = require }))()
    local offer = { version = "1.0.1", sequence = 2, size = 10, to_fetch = 10, manifest = { parts = {} } }
    local device = { version = "1.0.0", floor = { script = 1, core = 0 } }
    assert.equal("install", policy.decide(offer, device, {}).action)
    device.pump_running = true
    assert.equal("defer", policy.decide(offer, device, {}).action)
  end)

  it("names only files that are there", function()
    for target in readme:gmatch("%]%(([^)#]+)%)") do
      local file = io.open(target)
      assert.is_not_nil(file, target)
      file:close()
    end
  end)
end)

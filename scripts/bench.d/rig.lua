--- The fixture of a measurement: a temporary directory, a local nginx, a signed
-- package of random bytes and a provisioned device.
--
-- Everything lives below one directory that `close` removes; nginx listens on
-- a free port of 127.0.0.1 and is stopped by its own pid file.

local socket = require "socket"

local M = {}

local Rig = {}
Rig.__index = Rig

local function quote(text)
  return "'" .. tostring(text):gsub("'", "'\\''") .. "'"
end

--- Run a shell command; raises with its output when it fails.
-- @tparam string command
-- @tparam[opt] table codes accepted exit codes besides 0
-- @treturn string what it printed
function M.run(command, codes)
  local pipe = assert(io.popen("{ " .. command .. "; } 2>&1"))
  local output = pipe:read("a")
  local _, _, code = pipe:close()
  if code ~= 0 and not (codes and codes[code]) then
    error(("exit %d: %s\n%s"):format(code, command, output), 2)
  end
  return output
end

function M.write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

local function free_port()
  local server = assert(socket.bind("127.0.0.1", 0))
  local _, port = server:getsockname()
  server:close()
  return port
end

--- A rig in a fresh directory.
-- @tparam string moult absolute path of the program
-- @treturn Rig
function M.new(moult)
  local dir = M.run("mktemp -d \"${TMPDIR:-/tmp}/moult-bench.XXXXXX\""):match("%S+")
  local rig = setmetatable({ dir = dir, moult = moult }, Rig)
  M.run(("mkdir -p %s/www %s/device/keys %s/app && cd %s && %s keygen bench && cp bench.pub device/keys/"):format(
    dir, dir, dir, dir, quote(moult)))
  M.write(dir .. "/app/main.lua",
    'PROJECT, VERSION, PRODUCT_KEY = "BENCH", "1.0.0", "bench"\nlocal sys = require "sys"\nsys.run()\n')
  return rig
end

--- Serve <dir>/www by nginx.
-- @tparam[opt] integer rate bytes a second for each connection
function Rig:serve(rate)
  self:stop()
  self.port = free_port()
  local user = M.run("id -u"):match("%d+") == "0" and "user root;" or ""
  M.write(self.dir .. "/nginx.conf", ([[
%s worker_processes 1; pid nginx.pid; error_log error.log warn;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  sendfile on; tcp_nodelay on; keepalive_requests 100000; default_type application/octet-stream;
  server { listen 127.0.0.1:%d sndbuf=%s; root %s/www; %s }
}
]]):format(user, self.port, rate and "65536" or "4194304", self.dir,
    rate and ("limit_rate %d;"):format(rate) or ""))
  M.run(("/usr/sbin/nginx -p %s/ -c nginx.conf -e error.log"):format(quote(self.dir)))
end

function Rig:url(name)
  return ("http://127.0.0.1:%d/%s"):format(self.port, name)
end

function Rig:stop()
  if self.port then
    M.run(("kill -QUIT $(cat %s/nginx.pid); while [ -e %s/nginx.pid ]; do sleep 0.05; done"):format(
      quote(self.dir), quote(self.dir)))
    self.port = nil
  end
end

--- Make www/<name>: a signed package whose core, kept as core.img, is `mib` MiB of random bytes, stored raw; or, with
-- encoding "zstd", of this system's programs and libraries.
function Rig:package(name, mib, sequence, with_script, encoding)
  local from = encoding and "tar -cf - /usr/bin /usr/lib 2>/dev/null" or "cat /dev/urandom"
  M.run(("%s | head -c %d > %s/core.img"):format(from, mib << 20, quote(self.dir)))
  M.write(self.dir .. "/recipe.lua", ([[return {
  project = "BENCH", product_key = "bench", hardware = { "rig" }, sequence = %d, version = "1.0.0", %s
  core = { name = "Core", version = %d, image = "core.img", encoding = %q },
}
]]):format(sequence, with_script and 'script = { dir = "app" },' or "", sequence, encoding or "raw"))
  M.run(("cd %s && %s pack recipe.lua -o www/%s -k bench.key -q"):format(
    quote(self.dir), quote(self.moult), name))
end

--- A provisioned device with slots of `mib` MiB, kept aside for `reset`.
function Rig:device(mib)
  self.slot_mib = mib
  self:package("base.upd", 1, 1, true)
  M.write(self.dir .. "/device/config.lua", [[return {
  project = "BENCH", product_key = "bench", hardware = "rig", id = "bench-1",
  state = "state", keys = "keys",
  core = { slots = { a = "slot-a.img", b = "slot-b.img" }, boot = "file" },
}
]])
  M.run(([[cd %s/device && rm -rf state state.new slot-a.img && head -c %d /dev/zero > slot-a.img &&
    head -c %d /dev/zero > slot-b.img && %s provision ../www/base.upd -c config.lua -q &&
    cp -a state state.new]]):format(
    quote(self.dir), mib << 20, mib << 20, quote(self.moult)))
  self.config = self.dir .. "/device/config.lua"
  self.target = self.dir .. "/device/slot-b.img"
end

--- The device as it was provisioned; its free slot all zeros and on the disk,
-- so that each run overwrites the same, allocated extents.
function Rig:reset()
  M.run(([[cd %s/device && rm -rf state && cp -a state.new state &&
    dd if=/dev/zero of=slot-b.img bs=1M count=%d conv=notrunc,fsync status=none && sync]]):format(
    quote(self.dir), self.slot_mib))
end

--- Run a command under the measure program.
-- @tparam string options of measure
-- @tparam string command words, quoted by the caller
-- @tparam table codes accepted exit codes
-- @treturn table wall, user, sys, cpu (seconds), anon, pss (KiB), processes, exit, output
function M.measure(options, command, codes)
  local output = M.run(("build/bench_measure %s %s"):format(options, command))
  local result = { output = output }
  local last = output:match("measure: (begun[^\n]*)\n*$")
  assert(last, output)
  for name, value in last:gmatch("(%l+) (%S+)") do
    result[name] = tonumber(value)
  end
  result.cpu = result.user + result.sys
  if result.exit ~= 0 and not (codes and codes[result.exit]) then
    error(("exit %d: %s\n%s"):format(result.exit, command, output), 2)
  end
  return result
end

--- The same with the moment at which the free slot was synced.
-- @treturn table as measure(), with sync_wall and sync_cpu (seconds)
function Rig:measure_synced(command, codes)
  local stamp = self.dir .. "/stamp"
  os.remove(stamp)
  local library = M.run("readlink -f build/bench_stamp.so"):match("%S+")
  local result = M.measure("", ("env LD_PRELOAD=%s BENCH_TARGET=%s BENCH_STAMP=%s %s"):format(M.quote(library),
    M.quote(self.target), M.quote(stamp), command), codes)
  local file = assert(io.open(stamp), "the target was never synced")
  local at, cpu = file:read("n", "n")
  file:close()
  result.sync_wall, result.sync_cpu = at - result.begun, cpu
  return result
end

--- A fresh counter of received bytes, kept through kills.
-- @treturn string prefix for a command whose bytes are counted
-- @treturn function -> bytes so far, heads of the answers included
function Rig:count_received()
  local path = self.dir .. "/received"
  M.write(path, ("\0"):rep(8))
  local library = M.run("readlink -f build/bench_stamp.so"):match("%S+")
  return ("env LD_PRELOAD=%s BENCH_RECEIVED=%s "):format(M.quote(library), M.quote(path)), function()
    local file = assert(io.open(path, "rb"))
    local text = file:read("a")
    file:close()
    return (string.unpack("<I8", text))
  end
end

function Rig:close()
  self:stop()
  M.run("rm -rf " .. quote(self.dir))
end

M.quote = quote

return M

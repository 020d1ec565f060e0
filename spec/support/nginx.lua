--- A plain nginx over a folder, on a free port of 127.0.0.1.
--
-- @module spec.support.nginx

local brokers = require "spec.support.broker"

local M = {}

local CONF = [[
user %s; daemon on; pid %s/nginx.pid; error_log %s/nginx.log; events {}
http {
  access_log off; client_body_temp_path %s/t1; proxy_temp_path %s/t2; fastcgi_temp_path %s/t3;
  uwsgi_temp_path %s/t4; scgi_temp_path %s/t5;
  server { listen 127.0.0.1:%d; root %s; }
}
]]

local function capture(command)
  local pipe <close> = assert(io.popen(command))
  return pipe:read "l"
end

--- The program; nil: there is none.
function M.program()
  return capture "command -v nginx || { test -x /usr/sbin/nginx && echo /usr/sbin/nginx; }"
end

--- @tparam string dir for its own files
-- @tparam string root the folder that it serves
-- @treturn table url, port, stop()
function M.start(dir, root)
  local port = brokers.free_port()
  local file <close> = assert(io.open(dir .. "/nginx.conf", "w"))
  file:write(CONF:format(capture "id -un", dir, dir, dir, dir, dir, dir, dir, port, root))
  file:close()
  local command = ("'%s' -c '%s/nginx.conf' -e '%s/nginx.log'"):format(M.program(), dir, dir)
  assert(os.execute(command))
  return { url = ("http://127.0.0.1:%d"):format(port), port = port, stop = function()
    os.execute(command .. " -s stop")
  end }
end

return M

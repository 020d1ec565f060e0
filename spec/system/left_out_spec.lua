-- What a build says that leaves out MQTT and U-Boot; every build asks for what it has.

local has_host, host = pcall(require, "update.native.host")

describe("a build that leaves something out", function()
  if not has_host then
    pending("needs the host")
    return
  end
  local built_in = require "update.built_in"
  local dir

  before_each(function() dir = io.popen("mktemp -d"):read "l" end)
  after_each(function() os.execute("rm -rf " .. dir) end)

  local function status(fields)
    local file = assert(io.open(dir .. "/config.lua", "w"))
    file:write(('return { state = %q, project = "METER", product_key = "k", hardware = "v1", id = "d", %s }\n'):format(
      dir .. "/state", fields))
    file:close()
    assert(os.execute("chmod 600 " .. dir .. "/config.lua"))
    local pipe = io.popen(("%s status -c %s/config.lua 2>&1"):format(host.program, dir))
    local text = pipe:read "a"
    return text, select(3, pipe:close())
  end

  it("refuses a cloud over MQTT when it has none", function()
    local text, code = status 'cloud = { kind = "aliyun", product = "p", device = "d", secret = "s", host = "h" }'
    if built_in.has "mqtt" then
      assert.is_nil(text:find("MOULT_MQTT", 1, true))
    else
      assert.matches("cloud aliyun pushes over MQTT, which this program was built without (MOULT_MQTT) (usage)", text,
        1, true)
      assert.equal(2, code)
    end
  end)

  it("refuses the boot driver for U-Boot when it has none", function()
    local slots = ("{ a = %q, b = %q }"):format(dir .. "/a", dir .. "/b")
    local text, code = status(('core = { slots = %s, boot = "uboot" }'):format(slots))
    local linked = os.execute(("ldd %s | grep -q libubootenv"):format(host.program))
    local refused = text:find("core.boot: this program was built without U-Boot (MOULT_UBOOT) (usage)", 1, true)
    assert.equal(linked == true, refused == nil, text)
    assert.equal(2, code) -- there is no device either
  end)
end)

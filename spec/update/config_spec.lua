local config = require "update.config"

local function given(overrides)
  local t = {
    project = "METER", product_key = "k-123", hardware = "rev-a", id = "866714040000001", state = "state",
    core = { slots = { a = "slot-a.img", b = "slot-b.img" }, boot = "file" },
    cloud = { kind = "luat", url = "http://127.0.0.1:8080/api" },
  }
  for key, value in pairs(overrides or {}) do
    if value == "absent" then t[key] = nil else t[key] = value end
  end
  return t
end

local function fake_sha256(text)
  return "hash of " .. text
end

local function normalise(overrides)
  return config.normalise(given(overrides), "/device", fake_sha256)
end

describe("config.normalise", function()
  it("makes the smallest configuration whole", function()
    local got = assert(normalise { cloud = "absent", core = "absent" })
    assert.same({
      project = "METER", product_key = "hash of k-123", product_key_text = "k-123", hardware = "rev-a",
      id = "866714040000001", state = "/device/state", keys = "/device/state/keys", clouds = {}, limits = {},
      user = "nobody", confirm = "auto", confirm_after = 60, deadline = 600, heartbeat = 60, hotfix_time = 45,
      script_memory = 64 * 1024 * 1024, backoff = { least = 10, most = 3600 }, restart_when = "now",
      restart_after = 86400, reuse = true, reserve = 1048576, policy_days = 7,
    }, got)
  end)

  it("makes relative paths absolute and leaves absolute ones", function()
    local got = assert(normalise { keys = "/etc/keys", policy = "policy.lua" })
    assert.same({ "/device/state", "/etc/keys", "/device/policy.lua", "/device/slot-a.img" },
      { got.state, got.keys, got.policy, got.core.slots.a })
  end)

  it("gives a group the named verbs, and nothing without a group", function()
    assert.same({ "rollback", "ota" },
      assert(normalise { control_group = "staff", control_verbs = { "rollback", "ota" } }).control_verbs)
    local cases = {
      { { control_verbs = { "ota" } }, "control_verbs is only for a control_group" },
      { { control_group = "staff", control_verbs = { "globals" } }, "\"ota\" or \"terminal\", each of them" },
      { { control_group = "staff", control_verbs = "ota" }, "must be an array of names" },
    }
    for _, case in ipairs(cases) do
      local got, message = normalise(case[1])
      assert.is_nil(got)
      assert.truthy(message:find(case[2], 1, true), message)
    end
  end)

  it("takes a device without a script, or rights of its script", function()
    assert.is_false(assert(normalise { script = false }).script)
    assert.same({ user = "app" }, assert(normalise { script = { user = "app" } }).script)
    for _, wrong in ipairs { true, "none", 0 } do
      local got, message, code = normalise { script = wrong }
      assert.is_nil(got)
      assert.equal("field script must be a table or false", message)
      assert.equal("usage", code)
    end
  end)

  it("takes another place for the second file of the journal, and not the same", function()
    assert.equal("/other", assert(normalise { journal_dir = "/other" }).journal_dir)
    assert.equal("/device/second", assert(normalise { journal_dir = "second" }).journal_dir)
    for _, dir in ipairs { "state", "/device/state/" } do
      local got, message = normalise { journal_dir = dir }
      assert.is_nil(got)
      assert.matches("journal_dir is the state directory", message)
    end
  end)

  it("knows where a U-Boot board has its environment, and how it restarts", function()
    local slots = { a = "/dev/mmcblk0p2", b = "/dev/mmcblk0p3" }
    local got = assert(normalise { core = { slots = slots, boot = "uboot" } })
    assert.same({ slots = slots, boot = "uboot", fw_env = "/etc/fw_env.config", cmdline = "/proc/cmdline" }, got.core)
    assert.same({ "reboot" }, got.restart)
    got = assert(normalise { core = { slots = slots, boot = "uboot", fw_env = "env" }, restart = "exit" })
    assert.same({ "/device/env", "exit" }, { got.core.fw_env, got.restart })
  end)

  it("gives every cloud its name, period and the general proxy", function()
    local got = assert(normalise { cloud = "absent", proxy = "http://p:1", clouds = {
      { kind = "luat", url = "http://one/x" },
      { kind = "luat", url = "https://two/x", name = "second", proxy = "http://q:2" },
    } })
    assert.same({ "luat", 14400, "http://p:1" }, { got.clouds[1].name, got.clouds[1].period, got.clouds[1].proxy })
    assert.same({ "second", "http://q:2" }, { got.clouds[2].name, got.clouds[2].proxy })
  end)

  it("needs no secret of a Tencent device that has a certificate", function()
    local got = assert(normalise { cloud = { kind = "tencent", product = "t1", tls = { cert = "c", key = "k" } } })
    assert.same({ nil, nil, "/device/c" },
      { got.clouds[1].secret, got.clouds[1].secret_file, got.clouds[1].tls.cert })
  end)

  it("knows what an MQTT cloud needs, beside others", function()
    local got = assert(normalise { cloud = "absent", ca_file = "ca", clouds = {
      { kind = "luat", url = "http://one/x" },
      { kind = "aliyun", product = "a1", secret = "s", tls = { cert = "c", key = "k" } },
      { kind = "tencent", product = "t1", device = "d1", secret_file = "f", host = "h", port = 1884 },
    } })
    assert.same({ kind = "aliyun", name = "aliyun", product = "a1", device = "866714040000001", secret = "s",
      period = 14400, ca_file = "/device/ca", tls = { cert = "/device/c", key = "/device/k" } }, got.clouds[2])
    assert.same({ kind = "tencent", name = "tencent", product = "t1", device = "d1", secret_file = "/device/f",
      host = "h", port = 1884, period = 14400, ca_file = "/device/ca" }, got.clouds[3])
  end)

  it("takes roots of files as paths and as tables", function()
    local got = assert(normalise { files = { roots = { "app/", { path = "/mnt/card", weak = true } },
      stop = { "systemctl", "stop", "{name}" } } })
    assert.same({ roots = { { path = "/device/app", weak = false }, { path = "/mnt/card", weak = true } },
      stop = { "systemctl", "stop", "{name}" }, trim = false, run_mixed = false }, got.files)
  end)

  it("refuses roots that are one in the other, or where the device lives", function()
    local cases = {
      { { "/app", "/app/data" }, "/app and /app/data are one in the other" },
      { { "/app/data", "/app" }, "/app/data and /app are one in the other" },
      { { "/app", { path = "/app" } }, "one in the other" },
      { { "/device" }, "the state directory, /device/state, is in the root /device" },
      { { "state/" }, "the state directory, /device/state, is in the root /device/state" },
      { { "state/app" }, "the root /device/state/app is in the state directory, /device/state" },
      { { "/" }, "is in the root /" },
      { { "/keys" }, "the directory of keys, /keys/own, is in the root /keys" },
      { { "/journal/app" }, "the root /journal/app is in the directory of the journal" },
      { { "/slots" }, "slot a, /slots/a.img, is in the root /slots" },
    }
    for _, case in ipairs(cases) do
      local got, message, code = normalise { keys = "/keys/own", journal_dir = "/journal", files = { roots = case[1] },
        core = { slots = { a = "/slots/a.img", b = "/other/b.img" } } }
      assert.same({ nil, "usage" }, { got, code })
      assert.truthy(message:find(case[2], 1, true), message)
    end
    assert(normalise { keys = "/keys/own", files = { roots = { "/keys/owner", "/device/states", "/appl", "/app" } } })
  end)

  it("hands limits on as they are", function()
    local limits = { battery = 30, window = { from = "01:00", to = "04:30", offset = -60 }, tags = { "x", "y" },
      data = 1 }
    assert.same(limits, assert(normalise { limits = limits }).limits)
  end)

  it("accepts a number at each bound and refuses one beyond it", function()
    for _, field in ipairs(config.fields) do
      if field.type == "integer" then
        assert.equal(field.min, assert(normalise { [field.name] = field.min })[field.name])
        assert.equal(field.max, assert(normalise { [field.name] = field.max })[field.name])
        for _, value in ipairs { field.min - 1, field.max + 1 } do
          local got, message, code = normalise { [field.name] = value }
          assert.same({ nil, "usage" }, { got, code })
          assert.matches("field " .. field.name .. " must be from", message, 1, true)
        end
      end
    end
  end)

  it("says of every field what it is and what it means", function()
    for _, field in ipairs(config.fields) do
      assert.is_string(field.name)
      assert.is_string(field.type)
      assert.is_true(#field.meaning > 10)
    end
  end)

  local refused = {
    { "a table that is none",       nil,                                             "must return one table" },
    { "a missing project",          { project = "absent" },                          "field project is missing" },
    { "a missing product key",      { product_key = "absent" },                      "field product_key is missing" },
    { "a missing hardware",         { hardware = "absent" },                         "field hardware is missing" },
    { "a missing id",               { id = "absent" },                               "field id is missing" },
    { "files without roots",        { files = {} },                                  "field files.roots is missing" },
    { "files with no root",         { files = { roots = {} } },
      "field files.roots must be an array of paths" },
    { "a root with ..",             { files = { roots = { "/app/../b" } } },
      "field files.roots[1].path must be without . and .." },
    { "a root with //",             { files = { roots = { "/a", "/app//b" } } },
      "field files.roots[2].path must be without //" },
    { "a root of another type",     { files = { roots = { 1 } } },
      "field files.roots[1].path must be a string and not empty" },
    { "an unknown field of a root", { files = { roots = { { path = "/app", week = true } } } },
      "unknown field files.roots[1].week; did you mean weak?" },
    { "too many roots",             { files = { roots = { "/1", "/2", "/3", "/4", "/5", "/6", "/7", "/8", "/9" } } },
      "field files.roots has more than 8 directories" },
    { "a command that is none",     { files = { roots = { "/app" }, stop = "killall" } },
      "field files.stop must be an array of words" },
    { "a missing state",            { state = "absent" },                            "field state is missing" },
    { "an unknown field",
      { stat = "x" }, "unknown field stat; did you mean state?" },
    { "a field that is missing because it is misspelt", { state = "absent", sate = "x" },
      "unknown field sate; did you mean state?" },
    { "a strange field", { zebra = "x" },
      "unknown field zebra; known are project" },
    { "a limit that is misspelt",   { limits = { batery = 30 } },
      "unknown field limits.batery; did you mean battery?" },
    { "a limit of another kind", { limits = { battery = "30" } },
      "field limits.battery must be a number" },
    { "a window of two times",      { limits = { window = { "22:00", "04:00" } } },
      "field limits.window holds a value without a name" },
    { "a window without its end",   { limits = { window = { from = "22:00", til = "04:00" } } },
      "unknown field limits.window.til; known are from, to, offset" },
    { "a value without a name",     { [1] = "x" },                                   "without a name" },
    { "an empty project",
      { project = "" }, "field project must be a string" },
    { "a project of 65 bytes",      { project = ("p"):rep(65) },                     "longer than 64" },
    { "a hardware of 33 bytes",     { hardware = ("p"):rep(33) },                    "longer than 32" },
    { "a line break in the id",     { id = "a\nb" },                                 "control characters" },
    { "a number for a string",
      { project = 7 }, "field project must be a string" },
    { "a period that is a word",
      { cloud = { kind = "luat", url = "http://h/", period = "1h" } }, "field cloud.period must be an integer" },
    { "a fraction of a second",
      { heartbeat = 1.5 }, "field heartbeat must be an integer" },
    { "an unknown dialect",
      { cloud = { kind = "lua", url = "http://h/" } }, 'field cloud.kind must be "luat" or "aliyun"' },
    { "a url of another kind",
      { cloud = { kind = "luat", url = "ftp://h/" } }, "field cloud.url must begin with http://" },
    { "a url with a port that is none",
      { cloud = { kind = "luat", url = "http://h:70000/" } }, "field cloud.url cannot be read as a URL" },
    { "a proxy that is none",       { proxy = "http://u:p@h:x" }, "field proxy cannot be read as a URL" },
    { "a cloud without a url",      { cloud = { kind = "luat" } },                   "field cloud.url is missing" },
    { "an MQTT cloud without a product",
      { cloud = { kind = "aliyun", secret = "s" } }, "field cloud.product is missing" },
    { "an MQTT cloud without a secret",
      { cloud = { kind = "tencent", product = "p" } }, "one of the fields cloud.secret and cloud.secret_file" },
    { "a secret told twice", { cloud = { kind = "aliyun", product = "p", secret = "s", secret_file = "f" } },
      "one of the fields cloud.secret" },
    { "an address for an MQTT cloud", { cloud = { kind = "aliyun", product = "p", secret = "s", url = "http://h/" } },
      'field cloud.url is not for a cloud of kind "aliyun"' },
    { "a secret for Luat", { cloud = { kind = "luat", url = "http://h/", secret = "s" } },
      'field cloud.secret is not for a cloud of kind "luat"' },
    { "a module for Tencent", { cloud = { kind = "tencent", product = "p", secret = "s", module = "m" } },
      "field cloud.module is not for" },
    { "a product with a wildcard", { cloud = { kind = "aliyun", product = "p+", secret = "s" } },
      "field cloud.product must have printable" },
    { "a device with a level of its own", { cloud = { kind = "aliyun", product = "p", device = "a/b", secret = "s" } },
      "field cloud.device must have printable" },
    { "half a certificate", { cloud = { kind = "aliyun", product = "p", secret = "s", tls = { cert = "c" } } },
      "cloud.tls.cert and tls.key are given together" },
    { "a certificate in the place of Aliyun's secret",
      { cloud = { kind = "aliyun", product = "p", tls = { cert = "c", key = "k" } } },
      "one of the fields cloud.secret" },
    { "a port that is none", { cloud = { kind = "aliyun", product = "p", secret = "s", port = 0 } },
      "field cloud.port must be from 1" },
    { "a broker with a password",
      { cloud = { kind = "aliyun", product = "p", device = "d", secret = "s", host = "u:hidden@h" } },
      "field cloud.host must be a name or an address, without a scheme, user or password" },
    { "a broker with a port",
      { cloud = { kind = "aliyun", product = "p", device = "d", secret = "s", host = "h:8883" } },
      "field cloud.host must be a name or an address; the port is a field of its own" },
    { "a name that is no file name", { cloud = { kind = "aliyun", name = "../x", product = "p", secret = "s" } },
      "field cloud.name must be of letters" },
    { "two MQTT clouds of one name", { cloud = "absent", clouds = { { kind = "aliyun", product = "p", secret = "s" },
      { kind = "aliyun", product = "q", secret = "s" } } }, "two clouds have the name aliyun" },
    { "an unknown cloud field",
      { cloud = { kind = "luat", url = "http://h/", perod = 1 } }, "unknown field cloud.perod" },
    { "cloud and clouds together",  { clouds = { { kind = "luat", url = "http://h/" } } }, "cloud and clouds" },
    { "a broken entry of clouds",
      { cloud = "absent", clouds = { { kind = "luat" } } }, "field clouds[1].url is missing" },
    { "clouds with a hole",
      { cloud = "absent", clouds = { a = 1 } }, "field clouds must be an array" },
    { "a core without slots",       { core = {} },                                   "field core.slots is missing" },
    { "one slot only",
      { core = { slots = { a = "x" } } }, "never changed in place" },
    { "a slot inside the state",
      { state = "/s", core = { slots = { a = "/s/a", b = "/b" } } }, "core.slots.a is inside state" },
    { "the same slot twice",        { core = { slots = { a = "x", b = "x" } } },     "are the same" },
    { "an unknown boot driver",
      { core = { slots = { a = "x", b = "y" }, boot = "grub" } }, 'field core.boot must be "file" or "uboot"' },
    { "an environment without U-Boot",
      { core = { slots = { a = "x", b = "y" }, fw_env = "z" } }, 'core.fw_env is only for core.boot = "uboot"' },
    { "a state inside a slot",
      { state = "x/state", core = { slots = { a = "x", b = "y" } } }, "state is in core.slots.a" },
    { "a restart that is no array",
      { restart = "reboot" }, 'field restart must be "exit" or' },
    { "a restart with a number",
      { restart = { "reboot", 1 } }, "field restart must be an array of words" },
    { "a restart with a hole",      { restart = { "a", "b", e = "c", [4] = "d" } }, "field restart must be" },
    { "an empty restart",           { restart = {} },                                "field restart must be" },
    { "an unknown confirm",
      { confirm = "never" }, 'field confirm must be "auto" or "script"' },
    { "limits with a function",
      { limits = { f = print } }, "field limits must not hold a function" },
    { "limits that are not finite", { limits = { f = 1 / 0 } },                      "not finite" },
    { "backoff that falls",         { backoff = { least = 20, most = 19 } },         "backoff.most" },
  }
  for _, case in ipairs(refused) do
    local name, overrides, fragment = table.unpack(case, 1, 3)
    it("refuses " .. name, function()
      local got, message, code = config.normalise(overrides and given(overrides), "/device", fake_sha256)
      assert.same({ nil, "usage" }, { got, code })
      assert.matches(fragment, message, 1, true)
    end)
  end
end)

describe("config.load", function()
  local path

  local function write(text)
    path = os.tmpname()
    local file = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
    return path
  end

  after_each(function()
    if path then os.remove(path) end
    path = nil
  end)

  it("reads a file, counts paths from its folder and hashes the key", function()
    write [[-- a comment
      return { project = "METER", product_key = "k-123", hardware = "rev-a", id = "1", state = "state" }]]
    local folder = path:match("^(.*)/")
    local got = assert(config.load(path))
    assert.same({ path, folder .. "/state" }, { got.path, got.state })
    assert.equal(require("update.native.digest").sha256("k-123"), got.product_key)
  end)

  local broken = {
    { "an endless loop",         "while true do end",                 "takes too long" },
    { "a yield by goto",         "::again:: goto again",              "takes too long" },
    { "bytecode",                string.dump(function() end),         "binary chunk" },
    { "a mistake in the text",   "return {",                          "expected" },
    { "a call of a library",     "return { state = os.getenv('X') }", "os" },
    { "a call of print",         "print 'x'",                         "print" },
    { "a text without quotes", "return { id = meter }",
      '1: unknown name meter; put a string in quotes: "meter"' },
    { "a misspelt word",         "return { reuse = trve }",           "unknown name trve; did you mean true?" },
    { "fields that are assigned", "project = 'P'",
      "1: project is assigned; write it as a field of the table" },
    { "a byte order mark", "\xef\xbb\xbfreturn {}",
      "begins with a byte order mark; save it as UTF-8" },
    { "a text of 16 bits",       "\xff\xfer\0",                      "is UTF-16 text; save it as UTF-8" },
    { "a method of a string",    "return { id = ('x'):rep(1 << 30) }", "index a string" },
    { "values without end",
      "local t = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10} for _ = 1, 6 do t = {t, t, t, t, t, t, t, t, t, t} end " ..
      "return { project = 'P', product_key = 'k', hardware = 'h', id = '1', state = 's', limits = t }",
                                                                      "more than 10000 values" },
    { "no table",                "return 1",                          "must return one table" },
    { "nothing",                 "",                                  "must return one table" },
    { "an error",                "local x = nil; x()",                "x" },
    { "a file of two megabytes", (" "):rep(2 * 1024 * 1024),          "larger than" },
  }
  for _, case in ipairs(broken) do
    local name, text, fragment = table.unpack(case)
    it("refuses " .. name .. " and names the file", function()
      local got, message, code = config.load(write(text))
      assert.same({ nil, "usage" }, { got, code })
      assert.matches(fragment, message, 1, true)
      assert.matches(path, message, 1, true)
    end)
  end

  it("takes a secret only from a file that nobody else may read, and does not repeat it", function()
    write [[return { project = "METER", product_key = "k-123", hardware = "rev-a", id = "1", state = "state",
      cloud = { kind = "aliyun", product = "p", secret = "s3cret" } }]]
    os.execute("chmod 640 " .. path)
    local got, message, code = config.load(path)
    assert.same({ nil, "usage" }, { got, code })
    assert.matches("has mode 0640; make it private: chmod 600", message, 1, true)
    assert.is_nil(message:find("s3cret", 1, true))
    os.execute("chmod 600 " .. path)
    if require("update.built_in").has "mqtt" then
      assert.equal("s3cret", assert(config.load(path)).clouds[1].secret)
    end
  end)

  it("gives strings their methods back", function()
    config.load(write "return { id = ('x'):rep(2) }")
    config.load(write "return {")
    assert.equal("xx", ("x"):rep(2))
  end)

  it("refuses a file that is not there", function()
    local got, message, code = config.load("/nowhere/config.lua")
    assert.same({ nil, "usage" }, { got, code })
    assert.matches("/nowhere/config.lua", message, 1, true)
  end)

  it("survives a valid file cut at every byte", function()
    local text = [[return { project = "METER", product_key = "k-123", hardware = "rev-a", id = "1", state = "s" }]]
    for n = 0, #text - 1 do
      local got, _, code = config.load(write(text:sub(1, n)))
      assert.same({ nil, "usage" }, { got, code })
      os.remove(path)
    end
  end)
end)

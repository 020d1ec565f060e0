-- The manual pages and the completion: made as the build makes them, and
-- compared with the code, so that neither can be behind the other.

local has_host, host = pcall(require, "update.native.host")
if not has_host then
  describe("manual pages", function() pending "need the host" end)
  return
end

package.path = "scripts/dist/?.lua;" .. package.path

local bindings = require "bindings"
local config_fields = require "update.config.fields"
local policy_fields = require "update.policy_fields"
local recipe_fields = require "cli.recipe_fields"
local route_table = require "depot.api.route_table"

local PAGES = { "moult.1", "moult-config.5", "moult-package.5", "moult-native.7", "moult-policy.7", "moult-script.7",
  "moult-control.7", "moult-depot-api.7", "moult.3" }

local files = require "spec.support.files"
local read, output_of = files.read, files.output_of

-- Names of an array of fields, those of tables with a dot; a table of fields that two of them share only once.
local function names_of(fields, prefix, into)
  into = into or { seen = {} }
  for _, field in ipairs(fields) do
    local name = (prefix or "") .. field.name
    into[#into + 1] = name
    local many = field.type == "array" or field.type == "roots"
    if field.fields and not into.seen[field.fields] then
      into.seen[field.fields] = true
      names_of(field.fields, name .. (many and "[]." or "."), into)
    end
  end
  return into
end

local function set_of(list)
  local set = {}
  for _, name in ipairs(list) do set[name] = true end
  return set
end

local function keys_of(t)
  local set = {}
  for name in pairs(t) do set[name] = true end
  return set
end

local function field_set(fields)
  local set = {}
  for _, field in ipairs(fields) do set[field.name] = true end
  return set
end

-- Every match of a pattern in a text, as a set.
local function matches(text, pattern)
  local set = {}
  for name in text:gmatch(pattern) do set[name] = true end
  return set
end

local function union(...)
  local set = {}
  for _, other in ipairs { ... } do
    for name in pairs(other) do set[name] = true end
  end
  return set
end

-- The body of a C function.
local function function_of(text, name)
  return assert(text:match("\n[%w ]+%*?" .. name .. "%b()%s*(%b{})"), name)
end

describe("manual pages", function()
  local dir, pages = nil, {}

  setup(function()
    dir = output_of("mktemp -d"):match("[^\n]+")
    local text, code = output_of(("'%s' scripts/dist/man.lua '%s' 2026-01-02"):format(host.program, dir))
    assert.equal(0, code, text)
    for _, page in ipairs(PAGES) do pages[page] = read(dir .. "/" .. page) end
  end)

  teardown(function() os.execute(("rm -rf '%s'"):format(dir)) end)

  local function assert_items(page, names)
    local text = pages[page]:gsub("\\%-", "-")
    for _, name in ipairs(names) do
      assert(text:find("\n.TP\n\\fB" .. name:gsub("%p", "%%%0") .. "\\fR"), ("%s does not list %s"):format(page, name))
    end
    return #names
  end

  it("are accepted by mandoc without a warning", function()
    if not os.execute("command -v mandoc >/dev/null") then return pending "needs mandoc" end
    for _, page in ipairs(PAGES) do
      local said = output_of(("mandoc -T lint -W warning '%s/%s'"):format(dir, page))
      assert.equal("", said)
    end
  end)

  it("carry the version and the date", function()
    for _, page in ipairs(PAGES) do
      assert.truthy(pages[page]:find("\"2026-01-02\" \"moult " .. host.version .. "\"", 1, true))
    end
  end)

  it("list every verb, every option and every code word", function()
    local cli, text = require "cli", pages["moult.1"]:gsub("\\%-", "-")
    for _, name in ipairs(cli.names()) do
      local verb = cli.find(name).verb
      assert.truthy(text:find("\n.SS \"moult " .. verb.usage, 1, true), name)
      for _, option in ipairs(verb.options or {}) do
        assert.truthy(text:find("\\fB--" .. option.name .. "\\fR", 1, true), name .. " --" .. option.name)
      end
    end
    for _, option in ipairs(require("cli.args").common) do
      assert.truthy(text:find("\\fB--" .. option.name .. "\\fR", 1, true), option.name)
    end
    for _, row in ipairs(require("update.native.error").codes()) do
      assert.truthy(text:find(("\n\\fB%s\\fR (%d)\n"):format(row.word, row.exit), 1, true), row.word)
    end
  end)

  it("keep indented text of a verb's help unchanged", function()
    assert.truthy(pages["moult.1"]:find('\n{ "format": "moult\\-keys\\-1", "serial": 2,\n', 1, true))
    assert.truthy(pages["moult.1"]:find("\ndepot add DIR FILE [\\-\\-devices LIST]\n    copy a package", 1, true))
  end)

  it("list every field of the configuration, the recipe and policy", function()
    assert.is_true(assert_items("moult-config.5", names_of(config_fields)) > 20)
    assert.is_true(assert_items("moult-package.5", names_of(recipe_fields)) > 20)
    for name, fields in pairs(policy_fields) do assert_items("moult-policy.7", names_of(fields, name .. ".")) end
  end)

  local formats = { manifest = "runtime/package/manifest.c", permit = "runtime/device/permit.c",
    keys = "runtime/trust/keys_format.c" }
  for kind, path in pairs(formats) do
    it(("list the fields that a %s may have, and no others"):format(kind), function()
      local _, facts = require("pages.package") { date = "", source = "" }
      local documented = {}
      for _, field in ipairs(facts[kind]) do
        for name in field[1]:gmatch("[%w_]+") do documented[name] = true end
      end
      local source = read(path)
      local taken = union(matches(source, "up_json_fields_[sdit]%a+%(&?%l+, \"([%w_]+)\""), matches(source,
        "take_%l+%(&?%l+, \"([%w_]+)\""), matches(source, "up_json_fields_enter%(&%l+, f, \"([%w_]+)\""))
      taken.format = true -- by up_json_fields_open()
      assert.same(taken, documented)
    end)
  end

  it("have examples that work", function()
    local config = assert(require("update.config").load "scripts/dist/config.lua")
    assert.equal("/var/lib/moult", config.state)
    local _, facts = require("pages.package") { date = "", source = "" }
    local given = assert(load(facts.recipe, "=recipe", "t", {}))()
    assert(require("cli.recipe").normalise(given, "."))
  end)

  it("list every function of every native module, and those exist", function()
    local count, text = 0, pages["moult-native.7"]:gsub("\\%-", "-")
    for _, name in ipairs(bindings.names("bindings")) do
      local documented, there = {}, {}
      for _, entry in ipairs(bindings.parse(read(("bindings/%s.c"):format(name))).functions) do
        assert(entry.signature, ("bindings/%s.c: %s has no comment with its Lua signature"):format(name, entry.name))
        if not entry.method then documented[entry.name] = true end
        assert.truthy(text:find("\\fB" .. entry.signature, 1, true), entry.signature)
        count = count + 1
      end
      for key, value in pairs(require("update.native." .. name)) do
        local callable = type(value) == "function" or type(value) == "table" and getmetatable(value)
          and getmetatable(value).__call
        if callable then there[key] = true end
      end
      assert.same(there, documented, name)
    end
    assert.is_true(count > 100)
  end)

  it("begin with the native modules that scripts are made of", function()
    local list = {}
    for name in pages["moult-native.7"]:gmatch '\n%.SH "update%.native%.([%w_]+)"' do list[#list + 1] = name end
    assert.same({ "fetch", "source", "flash", "digest", "archive" }, { table.unpack(list, 1, 5) })
    assert.equal(#bindings.names "bindings", #list)
  end)

  it("report a binding without comments", function()
    local parsed = bindings.parse("/* x -- y. */\nstatic int f_a(lua_State *L)\n{}\n/* b(n) -> m */\n"
      .. "static int f_b(lua_State *L)\n{}\nstatic const luaL_Reg functions[] = {{\"a\", f_a}, {\"b\", f_b}};\n")
    assert.same({ "a", "b" }, { parsed.functions[1].name, parsed.functions[2].name })
    assert.is_nil(parsed.functions[1].signature)
    assert.same({ "b(n)", "-> m" }, { parsed.functions[2].signature, parsed.functions[2].text })
  end)

  it("list every route of a depot's API with its arguments", function()
    local page = pages["moult-depot-api.7"]
    local words = page:gsub("%s+", " ")
    for _, route in ipairs(route_table.all()) do
      local heading = ('.SS "%s %s"\n'):format(route.method, route.path)
      local at = page:find(heading, 1, true)
      assert.truthy(at, heading)
      local text = page:sub(at, (page:find("\n.SS", at + 1, true) or page:find("\n.SH", at + 1, true)))
      for _, rules in ipairs { route.query or {}, route.body or {} } do
        for name in pairs(rules) do assert.truthy(text:find("\\fB" .. name .. "\\fR", 1, true), heading .. name) end
      end
      for name in route.path:gmatch "{(%w+)}" do
        assert.truthy(words:find(("\\fB%s\\fR %s"):format(name, route_table.IDS[name]), 1, true), heading)
      end
    end
  end)

  it("list every verb of the control socket, and what libmoult exports", function()
    for name in pairs(require("update.agent.verbs").of {}) do
      assert.truthy(pages["moult-control.7"]:find("\\fB" .. name .. "\\fR", 1, true), name)
    end
    for name in read("runtime/client/libmoult.map"):gmatch "moult_%l+" do
      assert.truthy(pages["moult.3"]:find(name .. "(", 1, true), name)
    end
  end)

  it("list the functions of a script", function()
    local update = require("update.script.api").new { tasks = {}, globals = function() return {} end }
    for name in pairs(update) do
      assert.truthy(pages["moult-script.7"]:find("\\fBupdate." .. name .. "(", 1, true), "update." .. name)
    end
    for name in pairs(require("update.script.aliyun_calls").new(function() end)) do
      assert.truthy(pages["moult-script.7"]:find("\\fBota." .. name .. "(", 1, true), "ota." .. name)
    end
    local terminal = require("update.script.terminal_calls").new { on = function() end }
    for name in pairs(terminal) do
      local text = pages["moult-script.7"]:gsub("\n", " ")
      assert.truthy(text:find("X_" .. name:gsub("^%l+_", ""), 1, true), "update.terminal: " .. name)
    end
    local qinglian = require("update.script.qinglian_calls").new { sys = { taskInit = function() end } }
    for name, value in pairs(qinglian) do
      local is_call = type(value) == "function"
      assert.truthy(not is_call or pages["moult-script.7"]:find(name .. "(", 1, true), "update.qinglian: " .. name)
    end
    local sys = require("update.script.sys").new(require("update.scheduler").new {
      loop = {}, now = function() return 0 end, on_error = error,
    })
    for name in pairs(sys) do
      assert.truthy(pages["moult-script.7"]:find("\\fBsys." .. name .. "(", 1, true), "sys." .. name)
    end
  end)
end)

describe("the unit for devices with files", function()
  -- Numbers of the capabilities that systemd allows by these files, as bits.
  local function allowed(...)
    local numbers, bits = {}, 0
    for name, number in read("/usr/include/linux/capability.h"):gmatch "#define (CAP_[%u_]+)%s+(%d+)\n" do
      numbers[name] = tonumber(number)
    end
    for _, path in ipairs { ... } do
      for name in read(path):match("\nCapabilityBoundingSet=([^\n]+)"):gmatch "%S+" do
        bits = bits | 1 << assert(numbers[name], name)
      end
    end
    return ("CapBnd:\t%016x\n"):format(bits)
  end

  it("has every right that doctor asks for, with its drop-in and not without", function()
    local missing = require("cli.files_check").missing
    assert.is_nil(missing(allowed("scripts/dist/moult.service", "scripts/dist/moult-files.conf"), {}))
    assert.equal("CAP_FSETID (keep setuid bits), CAP_SYS_PTRACE (see which processes run a file), CAP_SETFCAP (keep "
      .. "the capabilities of a file)", missing(allowed "scripts/dist/moult.service", {}))
  end)
end)

describe("the service of a device", function()
  it("may keep a copy of the configuration, and starts with that alone", function()
    assert.truthy(read("scripts/dist/moult.service"):find "\nReadWritePaths=[^\n]*%-/etc/moult\n")
    for _, unit in ipairs { "moult.service", "moult-settle.service" } do
      local text = read("scripts/dist/" .. unit)
      assert.truthy(text:find("\nConditionPathExists=|/etc/moult/config.lua\n", 1, true), unit)
      assert.truthy(text:find("\nConditionPathExists=|/etc/moult/config.lua.good\n", 1, true), unit)
    end
  end)
end)

describe("the fields of policy", function()
  it("are those of the manifest that Lua is given", function()
    local source = read("bindings/manifest.c")
    local given = union(matches(source, "set_%a+%(L, \"([%w_]+)\""),
      matches(source, "lua_setfield%(L, %-?%d, \"([%w_]+)\""))
    given.meta, given.meta_text = given.meta_text, nil -- as update.engine.offer opens it
    given.sequence = true -- by up_set_sequence()
    local manifest
    for _, field in ipairs(policy_fields.offer) do
      if field.name == "manifest" then manifest = field end
    end
    local parts, hotfix = manifest.fields[#manifest.fields], nil
    for _, field in ipairs(manifest.fields) do hotfix = field.name == "hotfix" and field or hotfix end
    assert.same(given, union(field_set(manifest.fields), field_set(parts.fields), field_set(hotfix.fields)))
  end)

  it("are those of an offer", function()
    local offer = require("update.engine.offer").of({
      release = "r", script_version = "1", core_name = "c", core_version = 1, sequence = 1,
      parts = { { kind = "script" }, { kind = "files" }, { kind = "core" } }, meta = {}, unsigned = true, hotfix = {},
    }, { cloud = "luat", size = 1, permit = true, fallback = true, trigger = "manual" })
    assert.same(field_set(policy_fields.offer), keys_of(offer))
  end)

  it("are those of the device, and those that only its script knows", function()
    local source = read("bindings/status.c")
    local known = matches(function_of(source, "up_push_facts"), "up_set_%a+%(L, \"([%w_]+)\"")
    local system = keys_of(require("update.engine.system_facts").system())
    assert.same(field_set(policy_fields.device), union(known, system,
      set_of { "core", "files", "floor", "spent_today", "battery", "metered" }))
  end)

  it("are those of a trial", function()
    local trial = require("update.agent.trial").new {
      config = { clouds = { {} } }, tasks = { now = function() return 0 end },
    }
    trial:script(true, 1)
    assert.same(field_set(policy_fields.facts), keys_of(trial:facts()))
  end)

  it("are all that the default looks at", function()
    local source = read("lua/update/policy.lua"):gsub("%-%-[^\n]*", "")
    for argument, fields in pairs { offer = policy_fields.offer, device = policy_fields.device,
      limits = policy_fields.limits, facts = policy_fields.facts } do
      local used = matches(source, "%f[%w_]" .. argument .. "%.([%w_]+)")
      assert.truthy(next(used))
      for name in pairs(used) do
        assert(field_set(fields)[name], ("policy.lua looks at %s.%s, which is not listed"):format(argument, name))
      end
    end
  end)
end)

describe("completion", function()
  local dir

  setup(function()
    dir = output_of("mktemp -d"):match("[^\n]+")
    assert.truthy(os.execute(("'%s' scripts/dist/man.lua '%s' 2026-01-02 && cd '%s' && mkdir folder && "
      .. "touch a.upd b.lua c.txt 'with space.upd'"):format(host.program, dir, dir)))
  end)

  teardown(function() os.execute(("rm -rf '%s'"):format(dir)) end)

  -- What bash would offer for a line, cut into words as readline does it; sorted.
  local function complete(...)
    local words = {}
    for i, word in ipairs { ... } do words[i] = "'" .. word .. "'" end
    local text = output_of(("cd '%s' && bash --norc -c 'set -u; source ./moult.bash; COMP_WORDS=(moult \"$@\"); "
      .. "COMP_CWORD=$#; _moult; printf \"%%s\\n\" \"${COMPREPLY[@]}\" | sort' complete %s"):format(dir,
      table.concat(words, " ")))
    local list = {}
    for line in text:gmatch("[^\n]+") do list[#list + 1] = line end
    return list
  end

  local cases = {
    { "offers verbs",                 { "pro" },                        { "provision" } },
    { "offers scripts beside verbs",  { "b" },                          { "b.lua" } },
    { "offers options",               { "install", "--pr" },            { "--progress" } },
    { "offers what an option takes",  { "install", "--progress", "p" }, { "plain" } },
    { "offers it behind an equals sign", { "install", "--progress", "=", "ba" }, { "bar" } },
    { "offers it right at the equals sign", { "install", "--progress", "=" },
      { "auto", "bar", "json", "none", "plain" } },
    { "offers a verb's own options",  { "depot", "--lis" },             { "--listen" } },
    { "offers packages and folders",  { "verify", "" },                 { "a.upd", "b.lua", "c.txt", "folder",
      "moult-config.5", "moult-control.7", "moult-depot-api.7", "moult-native.7", "moult-package.5", "moult-policy.7",
      "moult-script.7",
      "moult.1", "moult.3", "moult.bash", "with space.upd" } },
    { "offers only packages and folders to install", { "install", "" }, { "a.upd", "folder", "with space.upd" } },
    { "offers recipes",               { "pack", "" },                   { "b.lua", "folder" } },
    { "offers a configuration",       { "status", "-c", "b" },          { "b.lua" } },
    { "offers folders only",          { "depot", "" },                  { "folder" } },
    { "offers verbs to help",         { "help", "key" },                { "keygen", "keys" } },
    { "offers code words",            { "doctor", "untr" },             { "untrusted" } },
    { "offers nothing where nothing fits", { "keygen", "" },            {} },
  }
  for _, case in ipairs(cases) do
    it(case[1], function() assert.same(case[3], complete(table.unpack(case[2]))) end)
  end

  it("knows every verb and every option of it", function()
    local cli = require "cli"
    for _, name in ipairs(cli.names()) do
      assert.is_true(set_of(complete(""))[name], name)
      local offered = set_of(complete(name, "-"))
      for _, option in ipairs(cli.find(name).verb.options or {}) do
        assert.is_true(offered["--" .. option.name], name .. " --" .. option.name)
      end
      for _, common in ipairs(cli.find(name).verb.common or {}) do
        assert.is_true(offered["--" .. common], name .. " --" .. common)
      end
    end
  end)
end)

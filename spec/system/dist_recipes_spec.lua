-- The recipes for Yocto, Buildroot and OpenWrt, as far as they can be checked
-- without those systems: their make files are read by make with macros of ours
-- in the place of theirs, their shell parts run, and what they say of version,
-- licence, options and libraries is compared with the build.

local has_host, host = pcall(require, "update.native.host")
if not has_host then
  describe("recipes for distributions", function() pending "need the host" end)
  return
end

local digest = require "update.native.digest"

local DIST = "scripts/dist/"
local RECIPE = DIST .. "yocto/meta-moult/recipes-support/moult/moult_" .. host.version .. ".bb"
local CLASS = DIST .. "yocto/meta-moult/classes/moult-bundle.bbclass"

-- What a device build links, by the name that CMakeLists.txt has for it, and
-- what each system calls it.
local LIBRARIES = {
  LUA = { yocto = "lua", buildroot = "lua", openwrt = "+liblua5.4" },
  CURL = { yocto = "curl", buildroot = "libcurl", openwrt = "+libcurl" },
  ARCHIVE = { yocto = "libarchive", buildroot = "libarchive", openwrt = "+libarchive" },
  CRYPTO = { yocto = "openssl", buildroot = "openssl", openwrt = "+libopenssl" },
  SSL = { yocto = "openssl", buildroot = "openssl", openwrt = "+libopenssl" },
  ZSTD = { yocto = "zstd", buildroot = "zstd", openwrt = "+libzstd" },
  LZMA = { yocto = "xz", buildroot = "xz", openwrt = "+liblzma" },
  JANSSON = { yocto = "jansson", buildroot = "jansson", openwrt = "+jansson" },
  SECCOMP = { yocto = "libseccomp", buildroot = "libseccomp", openwrt = "+libseccomp" },
  UBOOTENV = { yocto = "libubootenv", buildroot = "libubootenv", openwrt = "+MOULT_UBOOT:libubootenv" },
  MOSQUITTO = { yocto = "mosquitto", buildroot = "mosquitto", openwrt = "+MOULT_MQTT:libmosquitto-ssl" },
}
-- Those of the makers, of the depot and of the tests.
local NOT_ON_DEVICES = { DIVSUFSORT = true, MICROHTTPD = true, SQLITE = true, CMOCKA = true, SODIUM = true }

local files = require "spec.support.files"
local read, write, output_of = files.read, files.write, files.output_of

local function words(text)
  local set = {}
  for word in text:gmatch "%S+" do set[word] = true end
  return set
end

-- The variables and functions of a recipe of BitBake; what is neither fails.
local function parse_bitbake(path)
  local text = read(path):gsub("\\\n", " ")
  local result, inside = { variables = {}, functions = {}, inherits = {} }, nil
  for line in text:gmatch "([^\n]*)\n" do
    if inside then
      if line == "}" then inside = nil else table.insert(result.functions[inside], line) end
    elseif line ~= "" and line:sub(1, 1) ~= "#" then
      local name, value = line:match '^([%w_:${}%-]+%[?[%w%-]*%]?) *[?:+.=]*= *[+.]? *"(.*)"$'
      local called = line:match "^([%w_]+) ?%(%) {$"
      if name then
        result.variables[name] = value
      elseif called then
        inside, result.functions[called] = called, {}
      elseif line:find "^inherit " then
        for class in line:sub(9):gmatch "%S+" do result.inherits[class] = true end
      else
        assert(line:find "^addtask %l", path .. ": " .. line)
      end
    end
  end
  assert.is_nil(inside, path .. ": a function that does not end")
  return result
end

describe("recipes for distributions", function()
  local dir

  setup(function() dir = output_of("mktemp -d"):match "[^\n]+" end)
  teardown(function() os.execute(("rm -rf '%s'"):format(dir)) end)

  local function make(stub, path, target)
    write(dir .. "/stub.mk", stub)
    local text, code = output_of(("make -s -f '%s' -f '%s/stub.mk' TOPDIR='%s' INCLUDE_DIR='%s' " ..
      "BR2_PACKAGE_MOULT_MQTT=y BR2_PACKAGE_MOULT_UBOOT=y CONFIG_MOULT_MQTT=y %s"):format(path, dir, dir, dir, target))
    assert.equal(0, code, text)
    return text
  end

  local function openwrt(stub, target)
    for _, name in ipairs { "rules", "package", "cmake" } do write(("%s/%s.mk"):format(dir, name), "") end
    return make(stub, DIST .. "openwrt/moult/Makefile", target)
  end

  local SHOW_OPENWRT = "define shown\n$(Package/moult)\nendef\nexport shown\nshow:\n" ..
    "\t@echo 'version $(PKG_VERSION)'; echo 'options $(CMAKE_OPTIONS)'; printenv shown\n"
  local SHOW_BUILDROOT = "show:\n\t@echo 'version $(MOULT_VERSION)'; echo 'options $(MOULT_CONF_OPTS)'; "
    .. "echo 'needs $(MOULT_DEPENDENCIES)'\n"

  it("have the version and the licence of the tree", function()
    local recipe = parse_bitbake(RECIPE) -- its name holds the version
    assert.equal("file://LICENSE;md5=" .. digest.new("md5"):update(read "LICENSE"):final(),
      recipe.variables.LIC_FILES_CHKSUM)
    assert.matches("version " .. host.version .. "\n", openwrt(SHOW_OPENWRT, "show"), 1, true)
    assert.matches("version " .. host.version .. "\n",
      make(SHOW_BUILDROOT, DIST .. "buildroot/package/moult/moult.mk", "show"), 1, true)
  end)

  it("name every library that a device build links", function()
    local recipe = parse_bitbake(RECIPE).variables
    local built = {
      yocto = words((recipe.DEPENDS .. " " .. recipe["PACKAGECONFIG[mqtt]"] .. " " .. recipe["PACKAGECONFIG[uboot]"])
        :gsub(",", " ")),
      buildroot = words(make(SHOW_BUILDROOT, DIST .. "buildroot/package/moult/moult.mk", "show")),
      openwrt = words((openwrt(SHOW_OPENWRT, "show"):gsub("DEPENDS:=", ""))),
    }
    local found = 0
    for name in read "CMakeLists.txt":gmatch "pkg_[%l_]+%((%u+)" do
      if not NOT_ON_DEVICES[name] then
        local library = assert(LIBRARIES[name], name .. " is new: which recipes name it?")
        for system, is in pairs(library) do assert.is_true(built[system][is], system .. " does not name " .. is) end
        found = found + 1
      end
    end
    assert.is_true(found >= 10)
  end)

  it("leave out the makers and the depot, by options that there are", function()
    local build, recipe = read "CMakeLists.txt", parse_bitbake(RECIPE).variables
    local said = {
      recipe.EXTRA_OECMAKE .. " " .. recipe["PACKAGECONFIG[mqtt]"] .. " " .. recipe["PACKAGECONFIG[uboot]"],
      make(SHOW_BUILDROOT, DIST .. "buildroot/package/moult/moult.mk", "show"), openwrt(SHOW_OPENWRT, "show"),
    }
    for _, text in ipairs(said) do
      for _, option in ipairs { "-DMOULT_AUTHOR=OFF", "-DMOULT_DEPOT=OFF", "-DMOULT_MQTT=ON" } do
        assert.matches(option, text, 1, true)
      end
      for option in text:gmatch "%-D(MOULT_%u+)" do
        assert(build:find("option(" .. option .. " ", 1, true), "CMakeLists.txt has no option " .. option)
      end
    end
  end)

  it("build libmoult only where it is installed", function()
    assert.matches("-DMOULT_CLIENT=OFF", openwrt(SHOW_OPENWRT, "show"), 1, true)
    assert.matches("staging YES", make("show:\n\t@echo staging $(MOULT_INSTALL_STAGING)\n",
      DIST .. "buildroot/package/moult/moult.mk", "show"), 1, true)
  end)

  it("have shell scripts that a shell reads", function()
    for _, path in ipairs { "openwrt/moult/files/moult.init", "buildroot/package/moult/S90moult", "settle.init" } do
      assert.same({ "", 0 }, { output_of("sh -n " .. DIST .. path) })
    end
  end)

  it("start a program by settle.init only while its files are whole", function()
    write(dir .. "/moult", '#!/bin/sh\n[ "$*" = settle ] && exit "$SETTLED"\n')
    write(dir .. "/start-stop-daemon", '#!/bin/sh\necho "$@"\n')
    assert(os.execute(("chmod 755 '%s/moult' '%s/start-stop-daemon'"):format(dir, dir)))
    local started = { "-S -q -b -x /opt/app/bin/app\n", 0 }
    local not_started = { "app: not started, its files are not whole\n", 1 }
    for code, expected in pairs { [0] = started, [2] = started, [5] = not_started, [17] = not_started } do
      assert.same(expected, { output_of(("PATH='%s':\"$PATH\" SETTLED=%d sh %ssettle.init start"):format(dir, code,
        DIST)) }, "moult settle exits with " .. code)
    end
  end)

  it("start one instance for each section of /etc/config/moult that is enabled and configured", function()
    write(dir .. "/config.lua", "return {}")
    write(dir .. "/run.sh", [[
config_load() { [ "$1" = moult ] || echo "no $1"; }
config_foreach() { for section in main off none; do "$1" "$section"; done; }
config_get() { if [ "$2" = none ]; then eval "$1=/nowhere"; else eval "$1=$DIR/config.lua"; fi; }
config_get_bool() { if [ "$3" = enabled ] && [ "$2" = off ]; then eval "$1=0"; else eval "$1=1"; fi; }
procd_open_instance() { echo "open $1"; }
procd_set_param() { echo "$@"; }
procd_append_param() { echo "append $*"; }
procd_close_instance() { echo close; }
. ./scripts/dist/openwrt/moult/files/moult.init
start_service]])
    local text, code = output_of(("DIR='%s' sh '%s/run.sh'"):format(dir, dir))
    assert.equal(0, code, text)
    local _, opened = text:gsub("open %S+", "")
    assert.equal(1, opened, text)
    local wanted = "open main\ncommand /usr/bin/moult run -c " .. dir .. "/config.lua\nappend command -v\n"
    assert.matches(wanted, text, 1, true)
  end)

  it("install what the build installs", function()
    local build = assert(host.program:match "^(.*)/[^/]+$")
    local _, staged = output_of(("DESTDIR='%s/staged' cmake --install '%s' --prefix /usr --component host_files")
      :format(dir, build))
    assert.equal(0, staged)
    openwrt(([[
INSTALL_DIR = mkdir -p
INSTALL_BIN = install -m 755
INSTALL_CONF = install -m 600
CP = cp -a
PKG_INSTALL_DIR = %s/staged
define rooted
$(subst ./files,scripts/dist/openwrt/moult/files,$(call Package/moult/install,%s/root))
endef
show:
	$(rooted)
]]):format(dir, dir), "show")
    local text, code = output_of(("'%s/root/usr/bin/moult' --version"):format(dir))
    assert.same({ 0, "moult " .. host.version .. "\n" }, { code, text })
    for _, path in ipairs { "etc/init.d/moult", "etc/config/moult", "usr/share/moult/lua/update/policy.lua" } do
      assert(io.open(dir .. "/root/" .. path), path):close()
    end
  end)

  it("have an external tree that Buildroot's rules accept", function()
    assert.matches("^name: MOULT\ndesc: [^\n]+\n$", read(DIST .. "buildroot/external.desc"))
    local config = read(DIST .. "buildroot/package/moult/Config.in")
    local open = 0
    for line in config:gmatch "([^\n]*)\n" do
      local keyword = line:match "^%s*([%l_]+)"
      if line:find "^\t\t?[^ \t]" and not line:find "^\t\t" and keyword ~= "help" then
        assert(({ bool = 1, depends = 1, select = 1, default = 1 })[keyword], line)
      elseif line:find "^%S" then
        assert(({ config = 1, ["if"] = 1, endif = 1, comment = 1 })[keyword], line)
        open = open + (({ ["if"] = 1, endif = -1 })[keyword] or 0)
      end
    end
    assert.equal(0, open)
    for option in read(DIST .. "buildroot/package/moult/moult.mk"):gmatch "BR2_PACKAGE_[%u_]+" do
      assert.matches("config " .. option .. "\n", config, 1, true)
    end
  end)

  it("parse as BitBake reads them, and inherit the classes that they use", function()
    local recipe, class = parse_bitbake(RECIPE), parse_bitbake(CLASS)
    for _, name in ipairs { "cmake", "pkgconfig", "systemd", "externalsrc" } do
      assert.is_true(recipe.inherits[name], name)
    end
    assert.is_true(class.inherits.deploy)
    assert.equal("moult.service", recipe.variables["SYSTEMD_SERVICE:${PN}"])
    parse_bitbake(DIST .. "yocto/meta-moult/conf/layer.conf")
  end)

  it("make a package that verifies, by the functions of the bundle class", function()
    local class = parse_bitbake(CLASS)
    local shell = { "set -eu", 'bbfatal() { echo "$*" >&2; exit 1; }' }
    for _, name in ipairs { "moult_recipe", "do_deploy" } do
      shell[#shell + 1] = name .. "() {\n" .. table.concat(class.functions[name], "\n") .. "\n}"
    end
    shell[#shell + 1] = "do_deploy"
    write(dir .. "/deploy.sh", table.concat(shell, "\n") .. "\n")
    os.execute(("cd '%s' && mkdir -p app bin && ln -sf '%s' bin/moult && bin/moult keygen release -q"):format(dir,
      host.program))
    write(dir .. "/app/main.lua", 'PROJECT, VERSION, PRODUCT_KEY = "METER", "1.0.1", "k-123"\n')
    write(dir .. "/new.img", ("new core "):rep(5000))
    write(dir .. "/old.img", ("old core "):rep(5000))
    local variables = { MOULT_PROJECT = "METER", MOULT_PRODUCT_KEY = "k-123", MOULT_SEQUENCE = "18",
      MOULT_VERSION = "1.0.1", MOULT_HARDWARE = "rev-a rev-b", MOULT_SCRIPT = dir .. "/app",
      MOULT_CORE_IMAGE = "core-image-minimal", MOULT_CORE_NAME = "meter", MOULT_CORE_VERSION = "22",
      MOULT_CORE_FILE = dir .. "/new.img", MOULT_CORE_FROM = "21:" .. dir .. "/old.img",
      MOULT_KEY = dir .. "/release.key", WORKDIR = dir, DEPLOYDIR = dir, PN = "meter" }
    local function deploy()
      local given = {}
      for name, value in pairs(variables) do given[#given + 1] = ("%s='%s'"):format(name, value) end
      return output_of(("env PATH='%s/bin':\"$PATH\" %s sh '%s/deploy.sh'"):format(dir, table.concat(given, " "), dir))
    end
    local text, code = deploy()
    assert.equal(0, code, text)
    for _, name in ipairs { "meter.upd", "meter-from-21.upd" } do
      local said, verified = output_of(("cd '%s' && bin/moult verify %s -k release.pub"):format(dir, name))
      assert.equal(0, verified, said)
    end
    variables.MOULT_KEY = ""
    text, code = deploy()
    assert.equal(1, code)
    assert.matches("MOULT_KEY is not set", text, 1, true)
  end)
end)

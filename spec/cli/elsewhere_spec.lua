-- Verbs of programs that are not installed, or that take this one's place.

local has_host, host = pcall(require, "update.native.host")

describe("verbs of another package", function()
  if not has_host then
    pending("needs the host")
    return
  end
  local built_in = require "update.built_in"
  local folder = host.program:match "^(.*)/[^/]*$"
  local dir, device

  -- The program of the device's package, with or without the others beside it.
  local function install(others)
    dir = io.popen("mktemp -d"):read "l"
    device = dir .. "/bin/moult"
    os.execute(("mkdir -p %s/bin %s/lib/moult && cp %s/bin/moult %s"):format(dir, dir, folder, device))
    os.execute(("ln -s %s/lua %s/bin/lua && ln -s %s/lua %s/lib/moult/lua"):format(folder, dir, folder, dir))
    for _, name in ipairs(others) do
      os.execute(("cp %s/lib/moult/%s %s/lib/moult/"):format(folder, name, dir))
    end
  end

  local function run(words)
    local pipe = io.popen(("cd %s && %s %s 2>&1"):format(dir, device, words))
    local text = pipe:read "a"
    local _, _, code = pipe:close()
    return text, code
  end

  after_each(function() os.execute("rm -rf " .. dir) end)

  for verb, package in pairs { pack = "moult-tools", sign = "moult-tools", keygen = "moult-tools",
    delta = "moult-tools", depot = "moult-depot" } do
    it(("%s says that %s has it"):format(verb, package), function()
      install {}
      for _, words in ipairs { verb .. " x", "help " .. verb } do
        local text, code = run(words)
        assert.equal(2, code)
        assert.matches(("`moult %s` is not part of this program; install %s (usage)"):format(verb, package), text,
          1, true)
      end
      assert.is_nil(run("help"):find("\n  " .. verb, 1, true))
    end)
  end

  it("verify and info are the device's own", function()
    install {}
    for _, verb in ipairs { "verify", "info" } do
      local text, code = run(verb .. " missing.upd -k missing.pub")
      assert.equal(11, code, text)
    end
  end)

  it("are run by the program that has them, with the same words and exit code", function()
    if not built_in.has "pack" or not built_in.has "httpd" then return pending "this build leaves them out" end
    install { "moult-tools", "moult-depot" }
    local text, code = run "keygen 'a key' -q"
    assert.same({ "", 0 }, { text, code or 0 })
    assert.truthy(io.open(dir .. "/a key.pub"))
    text, code = run "pack nothing.lua -k 'a key.key'"
    assert.matches("^moult pack: nothing.lua", text)
    assert.equal(2, code)
    text, code = run "depot nowhere"
    assert.matches("^moult depot: ", text)
    assert.not_equal(0, code or 0)
    assert.matches("\n  depot ", run "help")
    assert.matches("^usage: moult pack", (run "help pack"))
  end)

  it("a program that cannot be run is named", function()
    install {}
    os.execute(("echo broken >%s/lib/moult/moult-tools"):format(dir))
    local text, code = run "keygen k"
    assert.matches("lib/moult/moult%-tools cannot be run: Permission denied %(missing%)", text)
    assert.equal(11, code)
  end)
end)

describe("the package of a device", function()
  -- What scripts/dist/package.cmake gives to the other packages, as patterns of paths below lua/.
  local function others()
    local file <close> = assert(io.open "scripts/dist/package.cmake")
    local text, list = file:read "a", { "^depot/" }
    for _, name in ipairs { "MOULT_TOOLS_LUA", "MOULT_DEPOT_LUA" } do
      local paths = assert(text:match("set%(" .. name .. " ([^)]*)%)"))
      for path in paths:gmatch "%S+" do list[#list + 1] = "^" .. path:gsub("%p", "%%%0") .. "$" end
    end
    return list
  end

  local function is_one(patterns, path)
    for _, pattern in ipairs(patterns) do
      if path:find(pattern) then return true end
    end
    return false
  end

  it("has no module that requires one of another package", function()
    local patterns, count = others(), 0
    local names <close> = io.popen "cd lua && find . -name '*.lua'"
    for name in names:lines() do
      local path = name:sub(3)
      if not is_one(patterns, path) then
        count = count + 1
        local file <close> = assert(io.open("lua/" .. path))
        for module in file:read("a"):gmatch 'require%s*%(?%s*"([%w_.]+)"' do
          local wanted = module:gsub("%.", "/")
          assert.is_false(is_one(patterns, wanted .. ".lua") or is_one(patterns, wanted .. "/init.lua"),
            path .. " requires " .. module)
        end
      end
    end
    assert.is_true(count > 100)
  end)
end)

-- Secrets of the store that are sealed with a key outside of it.

local cloud = require "depot.mqtt"
local folders = require "spec.support.folder"
local natives = require "update.natives"
local store = require "depot.store"
local vaults = require "depot.vault"

local SECRET = ("5ec2e7"):rep(10)

describe("depot.vault", function()
  local folder = folders.new()
  local dir, key

  before_each(function()
    dir = folder.make "packages"
    key = dir .. "/secret.key"
  end)
  after_each(function() folder.remove() end)

  local function open() return store.open(natives, dir .. "/packages") end

  -- The secret of the store as a depot with or without a vault gets it.
  local function secret(with)
    local kept = assert(open())
    local vault, text, message, code
    if with then vault, message, code = vaults.open(natives, key, not kept:has_sealed()) end
    if vault or not with then text, message, code = kept:secret(function() return SECRET end, vault) end
    kept:close()
    return text, message, code
  end

  -- What of the secret the files of a folder hold.
  local function holds(path)
    local pipe <close> = assert(io.popen(("grep -rla %s %s"):format(SECRET, path)))
    return pipe:read "a" ~= ""
  end

  it("takes a secret out of the database, its log and its backups", function()
    assert.equal(SECRET, secret())
    assert.is_true(holds(dir .. "/packages"))
    assert.equal(SECRET, secret(true))
    assert.is_false(holds(dir .. "/packages"))
    assert.equal(SECRET, secret(true))
    local kept = assert(open())
    assert(kept:copy(dir .. "/copy"))
    kept:close()
    assert.is_false(holds(dir .. "/copy"))
  end)

  it("makes the file of the key, its owner's alone, and only while nothing is sealed", function()
    secret(true)
    local pipe <close> = assert(io.popen(("stat -c %%a '%s'"):format(key)))
    assert.equal("600", pipe:read "l")
    assert.is_false(holds(key))
    os.remove(key)
    local text, message, code = secret(true)
    assert.same({ nil, "missing" }, { text, code })
    assert.matches("%-%-secret%-file ", message)
    assert.is_false(folder.exists "secret.key")
  end)

  it("says what is wrong with the file", function()
    secret(true)
    for _, case in ipairs {
      { ("ab"):rep(32), "600", "untrusted", "sealed with another key" },
      { ("ab"):rep(31), "600", "usage", "64 hex digits" },
      { ("xy"):rep(32), "600", "usage", "64 hex digits" },
      { ("ab"):rep(32), "644", "usage", "" },
    } do
      folder.write("secret.key", case[1] .. "\n")
      os.execute(("chmod %s '%s'"):format(case[2], key))
      local text, message, code = secret(true)
      assert.same({ nil, case[3] }, { text, code }, message)
      assert.is_truthy(message:find(case[4], 1, true), message)
      assert.is_nil(message:find(case[1], 1, true))
    end
  end)

  it("is needed once it was used", function()
    secret(true)
    local text, message, code = secret()
    assert.same({ nil, "usage" }, { text, code })
    assert.matches("give %-%-secret%-file", message)
  end)

  it("does not open what was sealed under another name, or is cut", function()
    local vault = assert(vaults.open(natives, key, true))
    local sealed = assert(vault:seal("links", SECRET))
    assert.equal(SECRET, vault:unseal("links", sealed))
    assert.equal("untrusted", select(3, vault:unseal("other", sealed)))
    for n = 0, #sealed - 1 do assert.equal("untrusted", select(3, vault:unseal("links", sealed:sub(1, n)))) end
    assert.not_equal(sealed, vault:seal("links", SECRET))
  end)

  it("keeps a depot from starting that does not have its key", function()
    local client = { subscribe = function() end, step = function() end, close = function() end,
      fd = function() return 1 end, wants_write = function() return false end, remaining = function() return 1 end }
    local world = setmetatable({ mqtt = { open = function() return client end } }, { __index = natives })
    local function start(file)
      return cloud.open(world, { dir = dir .. "/packages", mqtt = { host = "h", port = 1 }, secret_file = file,
        on_event = function() end, base = function() return "http://h" end, packages = function() return {} end })
    end
    assert(start(key)):close()
    local opened, message, code, hopeless = start()
    assert.same({ nil, "usage", true }, { opened, code, hopeless })
    assert.matches("give %-%-secret%-file", message)
    folder.write("secret.key", ("ab"):rep(32) .. "\n")
    opened, message, code, hopeless = start(key)
    assert.same({ nil, "untrusted", true }, { opened, code, hopeless }, message)
  end)
end)

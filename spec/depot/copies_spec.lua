-- Backups, restored stores, and devices that are forgotten.

local devices = require "depot.actions.device"
local folders = require "spec.support.folder"
local lock = require "depot.lock"
local natives = require "update.natives"
local store = require "depot.store"

local HASH = natives.digest.sha256 "pk"

describe("a copy of the store", function()
  local folder = folders.new()
  local dir, printed, s

  -- Run `moult depot ACTION DIR [NAME]`.
  local function act(action, name, as_json)
    printed = {}
    return require("depot.actions." .. action).run { dir = dir, name = name, opts = {}, natives = natives,
      env = { json = as_json, out = function(text) printed[#printed + 1] = text end, note = function() end } }
  end

  local function put(name, fields)
    local row = { cloud = "aliyun", product = "pk", device = name, hash = HASH, release = "1.0.0", heard = 5000 }
    for k, v in pairs(fields or {}) do row[k] = v end
    assert(s:put(row))
    return row
  end

  local function open() s = assert(store.open(natives, dir)) end

  before_each(function()
    dir = folder.make "keys"
    open()
  end)

  after_each(function()
    s:close()
    folder.remove()
  end)

  it("is written while another process writes, and is its owner's alone", function()
    put "dev1"
    assert(s:change()) -- amid a transaction of the depot
    put "dev2"
    assert.equal(0, act "events") -- reading goes on
    assert(s:commit())
    assert.equal(0, act("backup", dir .. "/copy"))
    local pipe <close> = assert(io.popen(("stat -c %%a '%s/copy'"):format(dir)))
    assert.equal("600", pipe:read "l")
    local copy = assert(store.open_file(natives, dir .. "/copy"))
    assert.equal(2, #assert(copy:devices()))
    assert.equal("store.backup", assert(copy:audited(nil, 1))[1].verb)
    copy:close()
    assert.same({ nil, "refused" }, { (act("backup", dir .. "/copy")), select(3, act("backup", dir .. "/copy")) })
  end)

  it("is put back with its rollouts paused, another name, and nobody logged in", function()
    put "dev1"
    assert(s:roll_out({ package = "p", target = "2.0.0", hash = HASH }, 1))
    assert(s:roll_out({ package = "q", target = "3.0.0", hash = HASH, kind = "auto" }, 1))
    local account = assert(s:add_account("ann", 1))
    assert(s:add_session { hash = "h", account = account, csrf = "c", made = 1, ends = 9e15 })
    assert(s:belongs("1:2", "abc", false))
    assert.equal(0, act("backup", dir .. "/copy"))
    put "dev2"
    s:close()
    assert.equal(0, act("restore", dir .. "/copy", true))
    assert.equal(2, natives.json.decode(printed[1]).paused)
    open()
    assert.equal(1, #assert(s:devices()))
    for _, rollout in ipairs(assert(s:rollouts())) do
      assert.same({ "paused", "restored" }, { rollout.state, rollout.reason })
    end
    assert.same({}, assert(s:sessions(account)))
    assert.matches("^%x+$", s:fleet())
    assert.is_true(s:belongs("3:4", "def", false)) -- wherever it is opened next
    assert.same({ "store.restore", "copy" }, { s:audited(nil, 1)[1].verb, s:audited(nil, 1)[1].after })
    assert((s:check_audit()))
    local before = assert(store.open_file(natives, dir .. "/depot.db.before"))
    assert.equal(2, #assert(before:devices()))
    before:close()
  end)

  it("is not put back while a depot serves, nor if it is none", function()
    put "dev1"
    assert.equal(0, act("backup", dir .. "/copy"))
    local held = assert(lock.hold(natives, dir))
    local done, _, code = act("restore", dir .. "/copy")
    held:close()
    assert.same({ nil, "busy" }, { done, code })
    local file = assert(io.open(dir .. "/other", "wb"))
    file:write(("x"):rep(4096))
    file:close()
    assert.equal("corrupt", (select(3, act("restore", dir .. "/other"))))
    local empty = assert(natives.database.open(dir .. "/empty"))
    empty:close()
    assert.equal("corrupt", (select(3, act("restore", dir .. "/empty"))))
    assert.is_nil(act("restore", dir .. "/nowhere"))
    assert.equal(1, #assert(s:devices()))
  end)

  it("does not have what is forgotten", function()
    local row = put("dev1", { state = "succeeded", changed = 1, target = "2.0.0", package = "p" })
    put "dev2"
    assert(s:set_tag(row, "lab", true))
    assert(s:put_note(row, "roof"))
    assert(s:verify(row, 1))
    local group = { id = assert(s:add_group(HASH, "field")) }
    for _, name in ipairs { "dev1", "dev2" } do assert(s:set_in_group(group, "", name, true)) end
    local function forget(name)
      return devices.run { verb = "forget", dir = dir, name = name, opts = {}, natives = natives,
        env = { out = function() end, note = function() end } }
    end
    assert.equal(0, forget "dev1")
    for _, name in ipairs { "device", "tag", "note", "group_member", "event" } do
      for _, line in ipairs(assert(s:prepare(("SELECT * FROM %s"):format(name)):all())) do
        for _, value in pairs(line) do assert.is_not.equal("dev1", value) end
      end
    end
    assert.same({}, s:tags_of(row))
    assert.is_nil(assert(s:is_verified "p").device)
    assert.equal(1, #assert(s:group_names(group)))
    assert.same({ "device.forget", "device sha256:" .. natives.digest.sha256 "dev1" }, { s:audited(nil, 1)[1].verb,
      s:audited(nil, 1)[1].object })
    assert.equal("missing", (select(3, forget "dev1")))
  end)
end)

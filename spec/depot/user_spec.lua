-- The people of an admin server, and the record of what they change: the actions on a store.

local folders = require "spec.support.folder"
local natives = require "update.natives"
local store = require "depot.store"
local verb = require "spec.support.verb"

describe("depot user", function()
  local folder, dir = folders.new(), nil

  before_each(function() dir = folder.make "keys" end)
  after_each(folder.remove)

  local function good(words, opts, flags)
    return (verb.good("depot", { words[1], words[2], dir, words[3] }, opts, flags))
  end

  local function bad(fragment, code, words, opts)
    verb.bad(fragment, code, "depot", { words[1], words[2], dir, words[3] }, opts)
  end

  local function audit(opts)
    return natives.json.decode((verb.good("depot", { "audit", dir }, opts, { json = true })))
  end

  it("makes a user with a one-time link, which the store keeps as a hash only", function()
    local out = good({ "user", "add", "Ann" }, { role = "admin" })
    local token = out:match "http://127%.0%.0%.1:8081/once%?token=(%x+)$"
    assert.equal(64, #token)
    local s = assert(store.open(natives, dir))
    local row = assert(s:account "ann")
    assert.is_nil(row.password)
    assert.equal(row.id, assert(s:once(natives.digest.sha256(token), 0)).account)
    s:close()
    for _, name in ipairs { "depot.db", "depot.db-wal" } do
      assert.is_nil((folder.read(name) or ""):find(token, 1, true))
    end
    assert.matches("ann +invited +admin", good { "user", "list" })
  end)

  it("names what is wrong", function()
    bad("give --role", "usage", { "user", "add", "ann" })
    bad("name a user", "usage", { "user", "add" }, { role = "admin" })
    bad("1 to 64 letters", "usage", { "user", "add", "a b" }, { role = "admin" })
    bad("there is no user bob", "missing", { "user", "link", "bob" })
    bad("expected one of add, disable", "usage", { "user", "grow", "ann" })
    good({ "user", "add", "ann" }, { role = "viewer" })
    bad("there is a user ann already", "conflict", { "user", "add", "ANN" }, { role = "viewer" })
  end)

  it("keeps a last admin", function()
    good({ "user", "add", "ann" }, { role = "admin" })
    for _, name in ipairs { "disable", "drop" } do bad("last admin", "refused", { "user", name, "ann" }) end
    bad("last admin", "refused", { "user", "role", "ann" }, { role = "viewer" })
    good({ "user", "add", "bob" }, { role = "admin" })
    good({ "user", "disable", "bob" })
    bad("last admin", "refused", { "user", "drop", "ann" })
    good({ "user", "enable", "bob" })
    good({ "user", "drop", "ann" })
    assert.matches("^NAME[^\n]*\nbob", good { "user", "list" })
  end)

  it("gives roles for one product, and ends the sessions of whoever gets another one", function()
    good({ "user", "add", "ann" }, { role = "viewer" })
    local s = assert(store.open(natives, dir))
    local id = s:account("ann").id
    assert(s:add_session { hash = "h", account = id, csrf = "c", made = 1, ends = 2, address = "a" })
    s:close()
    good({ "user", "role", "ann" }, { role = "operator", product = "pk" })
    s = assert(store.open(natives, dir))
    assert.same({ [""] = "viewer", [natives.digest.sha256 "pk"] = "operator" }, s:roles(id))
    assert.is_false(s:session "h")
    s:close()
  end)

  it("records every change, and notices a row that was changed or removed", function()
    good({ "user", "add", "ann" }, { role = "admin" })
    good({ "user", "link", "ann" })
    good({ "user", "role", "ann" }, { role = "viewer", product = "pk" })
    local rows = audit().audit
    assert.equal(3, #rows)
    assert.same({ 3, "user.roles", "user ann" }, { rows[1].id, rows[1].verb, rows[1].object })
    assert.equal("all=admin", rows[1].before)
    assert.matches("^local:", rows[1].actor)
    assert.equal(3, audit({ check = true }).rows)
    for _, sql in ipairs { "UPDATE audit SET actor = 'x' WHERE id = 2", "UPDATE audit SET before = '' WHERE id = 2",
      "DELETE FROM audit WHERE id = 2" } do
      local s = assert(store.open(natives, dir))
      local first = s:audit_row(2)
      assert(s.db:execute(sql))
      s:close()
      verb.bad("row", "corrupt", "depot", { "audit", dir }, { check = true })
      s = assert(store.open(natives, dir))
      assert(s.db:execute "DELETE FROM audit WHERE id = 2")
      assert(s.statements.audit_add:run(2, first.at, first.actor, first.address, first.verb, first.object,
        first.product, first.before, first.after, first.previous, first.hash))
      s:close()
      assert.equal(3, audit({ check = true }).rows)
    end
  end)

end)

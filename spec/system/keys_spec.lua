-- Permits and key lists with the real program: made, signed, shown, used.

local world = require "spec.support.world"

describe("moult", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local json = require "update.native.json"
  local w

  before_each(function()
    w = world.new()
    w:configure()
  end)
  after_each(function() w:close() end)

  local function good(words, exit)
    local code, out, err = w:moult(words)
    assert.equal(exit or 0, code, err)
    return out, err
  end

  local function bad(exit, fragment, words)
    local code, _, err = w:moult(words)
    assert.truthy(err:find(fragment, 1, true), err)
    assert.equal(exit, code, err)
  end

  -- On a busy machine the script's first sign of life may take a while; until
  -- then a confirmation is deferred, and the agent may see to it itself.
  local function confirm(release)
    w:wait("the confirmation of " .. release, function()
      w:moult "confirm"
      local status = w:status()
      return status and status.phase == "idle" and status.release == release and status
    end)
  end

  local function public(name)
    return w:read(name .. ".pub"):match("\n(%S+)")
  end

  local function id(name)
    return w:read(name .. ".pub"):match("key (%x+)")
  end

  local function sign(name, object, key)
    w:write(name, json.encode(object))
    good(("sign %s -k %s.key"):format(name, key))
  end

  describe("install --permit", function()
    local function permit(fields)
      local object = {
        format = "moult-permit-1", project = "METER", devices = json.array { "866714040000001" },
        manifest = good("info p1.upd"):match("manifest +(%x+)"), not_after = os.time() + 3600,
      }
      for name, value in pairs(fields or {}) do object[name] = value end
      return object
    end

    -- 1.0.0 was confirmed, then 1.0.1.
    before_each(function()
      w:pack { sequence = 1, version = "1.0.0" }
      w:pack { sequence = 2, version = "1.0.1" }
      good "provision p1.upd -q"
      good("install p2.upd -q", 4)
      w:run()
      confirm "1.0.1"
    end)

    it("goes back once, with a running agent, and says why not else", function()
      bad(15, "not above the script floor 2", "install p1.upd")
      bad(11, "absent.json", "install p1.upd --permit absent.json")
      sign("other.json", permit { devices = json.array { "1" } }, "release")
      bad(15, "the permit does not name this device", "install p1.upd --permit other.json")
      sign("over.json", permit { not_after = os.time() - 1 }, "release")
      bad(15, "the permit is over", "install p1.upd --permit over.json")
      good "keygen stranger -q"
      sign("stranger.json", permit(), "stranger")
      bad(14, "is not trusted", "install p1.upd --permit stranger.json")

      sign("back.json", permit(), "release")
      local out = good "explain p1.upd --permit back.json"
      assert.truthy(out:find("a permit allows sequence 1 under the script floor 2", 1, true), out)
      assert.truthy(out:find("a permit allows script 1.0.0 over 1.0.1", 1, true), out)
      assert.truthy(out:find("decision: install", 1, true), out)
      bad(15, "not above the script floor 2", "install p1.upd") -- explain left nothing behind
      good("install p1.upd --permit back.json", 4)
      confirm "1.0.0"
      assert.equal(2, w:status().floor.script)

      -- Forward again takes a permit of its own; this one is used up.
      bad(15, "not above the script floor 2", "install p2.upd")
      bad(15, "the permit was used before", "install p1.upd --permit back.json")
    end)

    it("goes back without an agent, too", function()
      w:stop "device"
      sign("back.json", permit { devices = "*" }, "release")
      bad(15, "the permit is for another package", "install p2.upd --permit back.json")
      good("install p1.upd --permit back.json", 4)
      assert.equal("armed", w:status().phase)
      assert.truthy(good("history"):find("by a permit", 1, true))
    end)
  end)

  describe("keys", function()
    before_each(function()
      for _, name in ipairs { "root", "next" } do good(("keygen %s -q"):format(name)) end
      w:shell "mkdir keys/root && cp root.pub keys/root"
      w:pack { sequence = 1, version = "1.0.0" }
    end)

    local function list(serial, fields)
      local object = { format = "moult-keys-1", serial = serial }
      for name, value in pairs(fields) do object[name] = json.array(value) end
      return object
    end

    it("rotates a key: the old one no longer installs, the new one does", function()
      assert.equal(("%s  release  release\n%s  root     root\n"):format(id "release", id "root"), (good "keys list"))
      good "provision p1.upd -q"
      w:pack { sequence = 2, version = "1.0.1" }
      local add = { { name = "next", key = public "next" } }
      sign("keys.json", list(1, { add = add, revoke = { id "release" } }), "root")
      local _, err = good "keys apply keys.json"
      assert.truthy(err:find("key list 1 is in force: 1 release keys are trusted", 1, true), err)
      bad(14, "is not trusted", "install p2.upd")
      w:shell "cp release.pub keys/again.pub" -- a copy brings nothing back
      bad(14, "is not trusted", "install p2.upd")
      local set = assert(json.decode((good "keys list --json")))
      assert.same({ 1, true, { id "release" } }, { set.serial, set.settled, table.move(set.revoked, 1, 1, 1, {}) })
      local states = {}
      for _, key in ipairs(set.keys) do states[key.name] = key.state end
      assert.same({ again = "revoked", next = "trusted", root = "trusted" }, states)
      local _, told = w:moult "doctor"
      assert.matches("ok +keys +next.pub in [^\n]*, root/root.pub, key list 1\n", told)
      assert.matches("warn +keys +[^\n]*: again.pub was revoked", told)
      good "keys apply keys.json" -- again: no harm, and the copy goes
      assert.is_nil(w:read "keys/again.pub")
      w:shell "cp next.key release.key" -- the world signs with release.key
      w:pack { sequence = 3, version = "1.0.2" }
      good("install p3.upd -q", 4)
    end)

    it("is changed by root keys alone, and by rising serials", function()
      local add = { add = { { name = "next", key = public "next" } } }
      sign("keys.json", list(1, add), "release") -- a stolen release key
      bad(14, "is not trusted", "keys apply keys.json")
      assert.is_nil(w:read "keys/next.pub")
      sign("keys.json", list(7, add), "root")
      good "keys apply keys.json -q"
      sign("keys.json", list(6, { revoke = { id "next" } }), "root")
      bad(15, "list 7 was applied already", "keys apply keys.json")
      sign("keys.json", list(8, { revoke = { id "root" } }), "root")
      bad(15, "would leave no root key", "keys apply keys.json")
      bad(11, "absent.json", "keys apply absent.json")
      w:write("keys.json", "{}")
      bad(14, "did not sign", "keys apply keys.json")
      -- What a root key signs is no package.
      w:shell "cp release.key kept.key && cp root.key release.key"
      w:pack { sequence = 2, version = "1.0.1" }
      bad(14, "is not trusted", "provision p2.upd")
    end)

    it("warns when nobody is left to sign a package", function()
      sign("keys.json", list(1, { revoke = { id "release" } }), "root")
      local _, err = good "keys apply keys.json"
      assert.truthy(err:find("nothing installs until a list adds one", 1, true), err)
      bad(14, "no .pub file there", "provision p1.upd")
    end)
  end)
end)

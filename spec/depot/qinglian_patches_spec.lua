-- Patches at the depot as the Qinglian cloud: the actions of the command line, the store, and a device's own machine.

local actions = require "depot.actions.patch"
local frame = require "update.cloud.qinglian_frame"
local into_folder = require "depot.into_folder"
local natives = require "update.natives"
local pair = require "spec.support.qinglian_pair"
local patch_store = require "depot.patch_store"
local qinglian = require "update.cloud.qinglian"
local store = require "depot.store"

local OP = qinglian.OP
local MAC, OTHER = "00:0c:29:4b:5b:1f", "00:0c:29:4b:5b:20"
local PRODUCT = natives.digest.sha256 "1001"
local BYTES = ("fedcba9876543210"):rep(200) -- 3200: four pieces

describe("patches at the depot", function()
  local dir, kept, patches, c, manifest

  local function write(name, bytes)
    local file <close> = assert(io.open(dir .. "/" .. name, "wb"))
    file:write(bytes)
  end

  before_each(function()
    dir = os.tmpname()
    os.remove(dir)
    assert(os.execute(("mkdir '%s'"):format(dir)))
    kept = assert(store.open(natives, dir))
    patches = patch_store.new(kept)
    c = pair.cloud { patches = patches, dir = dir }
    manifest = into_folder.manifest
    into_folder.manifest = function(_, path) -- verified elsewhere; the name says what is in it
      local name, version = path:match "([^/]+)_([^/]+)%.upd$"
      return { product_key = PRODUCT, digest = natives.digest.sha256(path), release = "1",
        hotfix = name and { name = name, version = version } }
    end
  end)

  after_each(function()
    into_folder.manifest = manifest
    kept:close()
    os.execute(("rm -r '%s'"):format(dir))
  end)

  -- An action of the command line: what it prints, or nil, message, code.
  local function act(action, name, opts)
    local said = {}
    opts = opts or {}
    local done, message, code = actions.run { action = action, dir = dir, name = name, opts = opts, natives = natives,
      env = { out = function(line) said[#said + 1] = line end, note = function(line) said[#said + 1] = line end,
        json = opts.json } }
    if not done then return nil, message, code end
    return table.concat(said, "\n")
  end

  it("are served by no depot whose tables of them were changed, and it says so", function()
    kept.db:execute "ALTER TABLE patch DROP COLUMN about"
    local none, message, code = patch_store.new(kept)
    assert.same({ nil, "corrupt" }, { none, code })
    assert.matches("the tables of patches: ", message, 1, true)
  end)

  local function add(name, version)
    write(("%s_%s.upd"):format(name, version), BYTES)
    return act("add", ("%s/%s_%s.upd"):format(dir, name, version), { about = "mends " .. name })
  end

  local function pass(d, fate)
    local rounds = 0
    repeat
      rounds = rounds + 1
      assert(rounds < 1000, "they never fall silent")
      pair.run(c, d, fate)
      assert(kept:commit())
      c.talk:look(c.now)
      c.talk:step(c.now)
    until #c.said + #d.out == 0
  end

  -- A device that is logged in and has the latest firmware.
  local function device(mac, fate)
    local d = pair.device { mac = mac }
    c.now = c.now or pair.NOW
    for _ = 1, 3 do
      d.go { type = "tick" }
      pass(d, fate)
    end
    return d
  end

  local function later(d, seconds)
    d.at, c.now = d.at + seconds, c.now + seconds * 1000
    d.go { type = "tick" }
    pass(d)
  end

  local function stage(version) return patches:find(version)[1].stage end

  local function state(version, mac) return patches:device(patches:find(version)[1].id, mac or MAC).state end

  -- Ask the depot to verify, as the command line does, without waiting.
  local function verify(version, mac)
    assert(kept:change())
    local row = patches:device(patches:find(version)[1].id, mac or MAC)
    row.state, row.wait, row.changed = "waiting", 60000, c.now or pair.NOW
    assert(patches:put(row))
    assert(kept:commit())
    c.talk:look(c.now or pair.NOW)
  end

  local function test(d, ok)
    local item = d.state.patch.item
    d.go { type = "patch_result", name = item.name, version = item.version, ok = ok }
    pass(d)
  end

  local function release(version)
    assert(kept:change())
    patches:stage(patches:find(version)[1].id, "released")
    assert(kept:commit())
  end

  it("go from stage to stage, in order, and each version is one patch", function()
    assert.equal("patch fix v1: added; verify it on a device next", add("fix", "v1"))
    local done, message, code = add("other", "v1")
    assert.same({ nil, "refused" }, { done, code })
    assert.match("version v1 is taken by patch fix", message)
    for _, action in ipairs { "trial", "release" } do
      done, message, code = act(action, "v1", { device = { MAC } })
      assert.same({ nil, "refused" }, { done, code })
      assert.match("patch v1 is uploaded; it must be verified or trial", message)
    end
    local d = device()
    assert.is_nil(d.items)
    verify "v1"
    pass(d)
    assert.same({ BYTES, "downloaded", "uploaded" }, { d.patch, state "v1", stage "v1" })
    test(d, true)
    assert.same({ "done", "verified" }, { state "v1", stage "v1" })
    assert.equal("patch fix v1: on trial on 1 more device", act("trial", "v1", { device = { OTHER } }))
    assert.equal("patch fix v1: released to every device of its product", act("release", "v1"))
    assert.equal("fix v1 released: 1 done, 0 failed, 0 open, on trial on 1; mends fix", act "list")
    assert.equal("patch fix v1: deleted", act("delete", "v1"))
    done, message, code = act("release", "v1")
    assert.same({ nil, "missing", "patch v1 is deleted" }, { done, code, message })
    assert.is_nil(io.open(patch_store.path(dir, patches:find("v1")[1])))
    assert.is_nil(add("fix", "v1"))
  end)

  it("refuse what is no hotfix, no MAC and no patch", function()
    local done, message, code = act("add", "x.upd")
    assert.same({ nil, "incompatible" }, { done, code })
    assert.match("not a hotfix", message)
    add("fix", "v1")
    for _, case in ipairs { { "verify", "v1", {}, "--device" }, { "verify", "v1", { device = { "x" } }, "not a MAC" },
      { "verify", "v1", { device = { MAC, OTHER } }, "on one device" }, { "trial", "v1", {}, "--device" },
      { "release", nil, {}, "by its version" }, { "release", "v2", {}, "no patch of version v2" },
      { "pack", nil, {}, "usage" } } do
      done, message = act(case[1], case[2], case[3])
      assert.is_nil(done)
      assert.match(case[4], message, 1, true)
    end
  end)

  it("are offered by stage: the one that is verified, those on trial and released, and none twice", function()
    for i = 1, 3 do add("fix" .. i, "v" .. i) end
    release "v1"
    local d = device()
    assert.equal("v1", d.items[1].version)
    test(d, true)
    verify "v3"
    pass(d)
    assert.same({ 1, "v3" }, { #d.items, d.items[1].version })
    test(d, true)
    local trial = patches:device(patches:find("v2")[1].id, OTHER)
    trial.trial = 1
    assert(kept:change())
    patches:put(trial)
    patches:stage(patches:find("v2")[1].id, "trial")
    assert(kept:commit())
    d.items = nil
    later(d, 21600)
    assert.is_nil(d.items)
    local other = device(OTHER)
    assert.same({ "v1", "v2" }, { other.items[1].version, other.items[2].version })
    test(other, true)
    assert.equal("v2", other.state.patch.item.version)
    test(other, false)
    assert.same({ "done", "failed" }, { state("v1", OTHER), state("v2", OTHER) })
    release "v3"
    later(d, 21600)
    assert.is_nil(d.items)
  end)

  it("that fail are not verified, nor is one that a device undoes later", function()
    add("fix", "v1")
    local d = device()
    verify "v1"
    pass(d)
    test(d, false)
    assert.same({ "failed", "uploaded" }, { state "v1", stage "v1" })
    verify "v1" -- once more, to the same device
    pass(d)
    test(d, true)
    assert.same({ "done", "verified" }, { state "v1", stage "v1" })
    d.go { type = "patch_result", name = "fix", version = "v1", ok = false }
    pass(d)
    assert.same({ "reverted", "uploaded" }, { state "v1", stage "v1" })
  end)

  it("wait for a device that is busy, and for no device for ever", function()
    add("fix", "v1")
    add("next", "v2")
    release "v1"
    local d = device()
    verify "v2"
    pass(d)
    assert.equal("preparing", state "v2")
    test(d, true)
    later(d, 5)
    assert.equal("downloaded", state "v2")
    later(d, 61)
    assert.same({ "failed", "no result in time" }, { state "v2", patches:device(2, MAC).text })
    verify("v2", OTHER)
    c.now = c.now + 121000
    c.talk:step(c.now)
    assert.same({ "failed", "the device did not ask for it in time" }, { state("v2", OTHER),
      patches:device(2, OTHER).text })
  end)

  it("go to no device of another product", function()
    PRODUCT = natives.digest.sha256 "1002"
    add("fix", "v1")
    PRODUCT = natives.digest.sha256 "1001"
    release "v1"
    local d = device()
    assert.is_nil(d.items)
    verify "v1"
    pass(d)
    assert.same({ "failed", "the device belongs to another product" }, { state "v1", patches:device(1, MAC).text })
  end)

  it("that are deleted in the middle are sent no further", function()
    add("fix", "v1")
    release "v1"
    local count = 0
    local d = device(MAC, function()
      count = count + 1
      if patches:device(1, MAC).state == "downloading" then os.remove(patch_store.path(dir, patches:find("v1")[1])) end
    end)
    assert.same({ "failed", "it was deleted or changed while it was sent" },
      { state "v1", patches:device(1, MAC).text })
    assert.not_equal(BYTES, d.patch)
  end)

  it("go in packets that a device takes, and so do lists", function()
    for i = 1, 40 do add(("fix-%012d"):format(i), ("version-%08d"):format(i)) end
    for i = 1, 40 do release(("version-%08d"):format(i)) end
    local d = pair.device { chunk = 128 }
    c.now = pair.NOW
    for _ = 1, 3 do
      d.go { type = "tick" }
      pass(d)
    end
    assert(#d.items >= 1 and #d.items < 4, #d.items)
    assert.equal(BYTES, d.patch)
    assert(c.largest <= 128 + 127, c.largest)
  end)

  it("reach a thousand devices, and none is lost", function()
    add("fix", "v1")
    release "v1"
    for i = 1, 1000 do
      local d = device(("00:0c:29:00:%02x:%02x"):format(i >> 8, i & 255))
      assert.equal(BYTES, d.patch)
      test(d, true)
    end
    assert.equal("fix v1 released: 1000 done, 0 failed, 0 open; mends fix", act "list")
  end)

  -- A product that takes unsigned patches, or does no longer.
  local function allow(word)
    if not kept:product "METER" then
      assert(kept:change())
      assert(kept:add_product(PRODUCT, "METER", "staged", 1))
      assert(kept:commit())
    end
    local product_action = require "depot.actions.product"
    assert.equal(0, product_action.run { verb = "set", dir = dir, name = "METER", natives = natives,
      opts = { unsigned = word }, env = { out = function() end, note = function() end } })
  end

  local function add_bare(name, bytes, product)
    write(name, bytes)
    return act("add", dir .. "/" .. name, { product = product })
  end

  it("are taken without a signature only for a product that allows it, and only as devices would take them", function()
    local zip = "PK\3\4" .. BYTES
    local cases = {
      { "clock_v1.zip", zip, nil, "untrusted", "nobody signed it; name its product" },
      { "clock_v1.zip", zip, "other", "missing", "no product is called other" },
      { "clock_v1.zip", zip, "1001", "untrusted", "product METER takes signed patches only" },
      { "clock.zip", zip, "1001", "usage", "not called NAME_VERSION.zip" },
      { ("c"):rep(17) .. "_v1.zip", zip, "1001", "usage", "at most 16 bytes each" },
      { "clock_" .. ("1"):rep(17) .. ".zip", zip, "1001", "usage", "at most 16 bytes each" },
      { "clo ck_v1.zip", zip, "1001", "usage", "printable ASCII" },
      { 'clo"ck_v1.bin', "x", "1001", "usage", "printable ASCII" },
      { ".._v1.zip", zip, "1001", "usage", "printable ASCII" },
      { "clock_v1.zip", "", "1001", "corrupt", "is empty" },
      { "clock_v1.zip", "PK\5\6" .. BYTES, "1001", "corrupt", "is no zip archive" },
      { "clock_v1.bin", zip, "1001", "incompatible", "begins as a zip archive" },
      { "clock_v1.bin", ("x"):rep((16 << 20) + 1), "1001", "nospace", "larger than 16777216 bytes" },
    }
    allow "no"
    for i, case in ipairs(cases) do
      if i == 4 then allow "yes" end
      local done, message, code = add_bare(case[1], case[2], case[3])
      assert.same({ nil, case[4] }, { done, code }, case[1] .. " " .. tostring(message))
      assert.matches(case[5], message, 1, true)
    end
    assert.equal("no patches", act "list")
    assert.equal("patch clock v1: added, unsigned; verify it on a device next", add_bare("clock_v1.zip", zip, "1001"))
    assert.equal("patch clock v2: added, unsigned; verify it on a device next", add_bare("clock_v2.bin", "x", "METER"))
    -- A package is checked as one, whatever its name.
    assert.equal("patch clock v3: added; verify it on a device next", add("clock", "v3"))
    assert.match("clock v1 uploaded, unsigned: 0 done", act "list")
    -- The same bytes under two versions are two files.
    add_bare("clock_v4.zip", zip, "1001")
    act("delete", "v1")
    assert.is_nil(io.open(patch_store.path(dir, patches:find("v1")[1])))
    io.open(patch_store.path(dir, patches:find("v4")[1])):close()
    local audit = kept.db:prepare("SELECT * FROM audit WHERE verb = 'patch.add' AND object = 'patch v4'"):first()
    assert.equal("unsigned, SHA-256 " .. natives.digest.sha256(zip), audit.after)
  end)

  it("that nobody signed are offered only while their product takes such", function()
    allow "yes"
    add_bare("clock_v1.bin", BYTES, "1001")
    local d = device()
    verify "v1"
    pass(d)
    assert.equal(BYTES, d.patch)
    test(d, true)
    act("release", "v1")
    allow "no"
    local other = device(OTHER)
    assert.is_nil(other.items)
    for action, opts in pairs { verify = { device = { OTHER } }, trial = { device = { OTHER } }, release = {} } do
      assert(kept:change())
      patches:stage(1, "verified")
      assert(kept:commit())
      local done, message, code = act(action, "v1", opts)
      assert.same({ nil, "refused" }, { done, code }, action)
      assert.match("patch v1 is unsigned, and product METER takes signed ones only now", message)
    end
    allow "yes"
    act("release", "v1")
    later(other, 21600)
    assert.equal("v1", other.items[1].version)
  end)

  it("never raise on what a stranger says", function()
    add("fix", "v1")
    release "v1"
    local d = device()
    local talked = c.talk.devices[MAC]
    local bodies = { "", "{}", "[]", "null", '{"data":7}', '{"data":{"n":7,"v":[]}}', '{"data":{"n":"fix","v":"v1"}}',
      '{"data":{"n":"fix","v":"v1","s":"x"}}', '{"data":{"n":"fix","v":"v1","s":1e99}}', '{"data":{"offset":-1}}',
      '{"data":{"offset":"0"}}', '{"data":{"offset":4294967296}}', '{"data":{"upgradetype":{},"chunksize":-5}}',
      '{"data":{"upgradetype":0,"chunksize":99999999}}' }
    for _, opcode in ipairs { OP.list_now, OP.list, OP.patch_request, OP.patch_chunk, OP.patch_end } do
      for _, body in ipairs(bodies) do
        for errcode = -3, 2 do
          local full = body:gsub("^{(.)", function(first)
            return ('{"req":{"token":"%s"},"res":{"errcode":%d,"token":"%s"}%s%s'):format(talked.token, errcode,
              talked.token, first == "}" and "" or ",", first)
          end)
          talked.enciphers = false
          c.talk:hear(d.topics.up, frame.packet { opcode = opcode, sequence = 1000000 + errcode, body = full }, c.now)
        end
      end
    end
    c.said = {}
    assert(kept:commit())
  end)
end)

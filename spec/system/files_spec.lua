-- Packages with a part files meet the real program: the tree below the roots is
-- the new one with the release, and the old one without it.

local world = require "spec.support.world"

describe("files", function()
  if not world.new then return pending("needs the host: build/moult /usr/bin/busted") end

  local w, root

  before_each(function()
    w = world.new()
    root = w:path "app"
    w:shell "mkdir -p app/etc app/data update && echo old >app/etc/conf && chmod 640 app/etc/conf && echo x >app/data/x"
  end)
  after_each(function() w:close() end)

  -- A device with the root, or with `config`; `lines` of update.ini, each {name, directory, operation, type}.
  local function device(config, numbers)
    w:device { config = config or ("files = { roots = { %q } },"):format(root), numbers = numbers }
  end

  local function package(lines, o)
    local text = {}
    o = o or {}
    for _, line in ipairs(lines) do
      local dir = (o.below or root) .. line[2]
      text[#text + 1] = ("%s\t%s\t%d\t%d\r\n"):format(line[1], dir, line[3], line[4])
      if line[3] & 5 ~= 0 and line[4] ~= 1 then w:write("update/" .. line[1], line[1] .. " is new\n") end
    end
    w:write("update/update.ini", table.concat(text))
    o.sequence, o.name = o.sequence or 2, o.name or "p2.upd"
    o.manifest = (o.manifest or "") .. 'files = { dir = "../update", version = "080507" },'
    return w:pack(o)
  end

  local LINES = { { "conf", "/etc", 4, 4 }, { "logo", "/etc", 1, 4 }, { "data", "", 2, 1 }, { "new", "", 1, 1 },
    { "deep", "/new", 1, 4 } }

  -- Each file with its content, and nothing that is ours: what was kept of the old tree goes with the verdict.
  local function tree()
    w:shell [[cd app && find . -type f -not -path '*/.moult-*' | sort |
      while read f; do echo "$f $(stat -c %a $f) $(cat $f)"; done >../tree 2>/dev/null]]
    return w:read "tree"
  end
  local OLD = "./data/x 644 x\n./etc/conf 640 old\n"
  local NEW = "./etc/conf 640 conf is new\n./etc/logo 644 logo is new\n./new/deep 644 deep is new\n"

  it("come into place with the script of their package, and stay", function()
    device()
    package(LINES, { version = "1.0.1" })
    w:run()
    local code, _, err = w:moult "install p2.upd"
    assert.equal(4, code, err)
    w:wait_last "ok"
    assert.equal(NEW, tree())
    local status = w:status()
    assert.equal("1.0.1", status.release)
    assert.equal("080507", status.files.version)
    assert.equal(2, status.floor.files)
  end)

  it("have owner and mode of what was there, or the owner of their folder, and the time of staging", function()
    if not w:shell "chown 12:13 app/etc/conf 2>/dev/null" then return pending("only root may give files away") end
    w:shell "chown 14:15 app/etc && touch -d 2001-02-03 app/etc/conf && ln app/etc/conf app/etc/other"
    local function look(name, format)
      w:shell(("stat -c '%s' app/etc/%s >stat.txt 2>/dev/null"):format(format, name))
      return w:read "stat.txt"
    end
    local before = look("conf", "%u %g %a %h %i %Y")
    device(nil, { confirm_after = 600, deadline = 600 })
    package(LINES, { manifest = 'version = "1.0.1", release = "F1",' })
    w:run()
    assert.equal(4, (w:moult "install p2.upd"))
    w:wait_status({ phase = "trial" })
    w:wait("the new tree", function() return w:read "app/etc/conf" == "conf is new\n" and tree():find "logo" end)
    assert.equal("12 13 640\n", look("conf", "%u %g %a"))
    assert.equal("14 15 644\n", look("logo", "%u %g %a"))
    assert.is_true(w:shell "test app/etc/conf -nt p2.upd && test app/etc/logo -nt p2.upd")
    assert.equal("old\n", w:read "app/etc/other") -- its other name is not in the update
    assert.equal(0, (w:moult "rollback"))
    w:wait_status({ phase = "idle" })
    w:wait("the old one", function() return look("conf", "%u %g %a %h %i %Y") == before end)
  end)

  it("come alone, and go back when their release does", function()
    device(nil, { confirm_after = 600, deadline = 600 })
    package(LINES, { manifest = 'version = "1.0.1", release = "F1",' })
    w:run()
    local code, _, err = w:moult "install p2.upd"
    assert.equal(4, code, err)
    w:wait_status({ phase = "trial" })
    w:wait("the new tree", function() return tree() == NEW end)
    code, _, err = w:moult "rollback"
    assert.equal(0, code, err)
    w:wait_status({ phase = "idle" })
    w:wait("the old tree", function() return tree() == OLD end)
    assert.equal("1.0.0", w:status().release)
  end)

  it("are put in place by the factory", function()
    device()
    package(LINES, { sequence = 3, version = "1.0.2", core = world.core(18), name = "p3.upd" })
    w:shell "rm -r state"
    local code, _, err = w:moult "provision p3.upd"
    assert.equal(0, code, err)
    assert.equal(NEW, tree())
    assert.equal("080507", w:status().files.version)
  end)

  -- What a device does not take, it says before it fetches or changes anything.
  local function refused(why)
    local code, _, err = w:moult "install p2.upd"
    assert.equal(15, code, err)
    assert.truthy(err:find(why, 1, true), err)
    assert.equal("idle", w:status().phase)
    assert.equal(OLD, tree())
  end

  it("are refused without roots", function()
    device ""
    package(LINES, { version = "1.0.1" })
    refused "gate files: the package has files, and the configuration has no files.roots"
    local code, out = w:moult "explain p2.upd"
    assert.equal(15, code)
    assert.truthy(out:find("STOP  gate files", 1, true), out)
  end)

  it("are refused outside of the roots", function()
    device()
    package({ { "conf", "/etc", 1, 4 } }, { version = "1.0.1", below = w:path "elsewhere" })
    refused "lies below none of the roots"
  end)
end)

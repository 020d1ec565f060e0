-- Uploads to a disk that gets full meanwhile, over restarts, and two of the same at once.

local api_world = require "spec.support.api_world"
local folders = require "spec.support.folder"
local natives = require "update.natives"
local raw = require "spec.support.raw_http"

-- Loop devices and mounts take a privilege that a container may not give.
local MOUNT = "PATH=$PATH:/usr/sbin:/sbin; truncate -s 12M '%s.img' && mkfs.ext4 -q -m 0 '%s.img' && "
  .. "mount -o loop '%s.img' '%s' 2>/dev/null"

describe("an upload", function()
  local folder, w, token, bytes = folders.new(), nil, nil, nil

  local function open(dir)
    w = api_world.open(dir)
    w.api.answers.limits.ask = function() end
    token = w:user("ann", { [w.pk] = "operator" })
    local noise = assert(io.open("/dev/urandom", "rb"))
    w.folder.write("app/noise.bin", noise:read(600000))
    noise:close()
    w.folder.pack("new.upd", "pk", 3, "1.0.2")
    bytes = folder.read "packages/new.upd"
    assert(os.remove(folder.path "packages/new.upd"))
  end

  after_each(function()
    if w then w:close() end
    w = nil
  end)

  local function begin()
    local answer = w:ask("POST", "/uploads", { token = token, body = { name = "new.upd", size = #bytes } })
    assert.equal(201, answer.status, answer.body)
    return answer.object.id
  end

  -- Send a part; `step` on until there is an answer.
  local function start(id, part, offset)
    local client = raw.connect(w.api:address())
    return client:send(("PUT /api/v1/uploads/%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n"
      .. "Upload-Offset: %d\r\nContent-Length: %d\r\n\r\n%s"):format(id, w.api:address(), token, offset, #part, part))
  end

  local function finish(clients)
    local answers = {}
    raw.pump(function() w:step() end, clients, function()
      for i, client in ipairs(clients) do answers[i] = client:answer() end
      return #answers == #clients
    end)
    for _, client in ipairs(clients) do client:close() end
    return table.unpack(answers)
  end

  local function put(id, part, offset) return finish { start(id, part, offset) } end

  local function packages()
    local list = {}
    for _, found in ipairs(natives.folder.list(w.dir)) do
      if found.name:find "^METER_1%.0%.2" then list[#list + 1] = found.name end
    end
    return list
  end

  it("goes on once there is room again on a disk that got full", function()
    local dir = folder.make()
    if not os.execute(MOUNT:format(dir, dir, dir, dir)) then
      os.remove(dir .. ".img")
      folder.remove()
      return pending "no loop mounts here"
    end
    finally(function()
      w.api:close()
      w.store:close()
      w = nil
      os.execute(("umount '%s'; rm -rf '%s' '%s.img'"):format(dir, dir, dir))
    end)
    open(dir)
    local id = begin()
    assert.equal(202, put(id, bytes:sub(1, 100000), 0).status)
    -- Somebody else fills the disk, but for what the database needs.
    os.execute(("cd '%s/packages' && dd if=/dev/zero of=filler bs=64k 2>/dev/null; truncate -s -256k filler; "
      .. "sync filler"):format(dir))
    w.api.answers.incoming.check_room = function() return true end -- there was room when it was asked
    local full = put(id, bytes:sub(100001), 100000)
    assert.equal(507, full.status, full.body)
    assert.is_truthy(full.body:find('"nospace"', 1, true), full.body)
    local seen = w:ask("GET", "/uploads/" .. id, { token = token }).object
    assert.same({ "open", true }, { seen.state, seen.offset >= 100000 and seen.offset < #bytes })
    assert.same({}, packages())
    assert(os.remove(dir .. "/packages/filler"))
    local done = put(id, bytes:sub(seen.offset + 1), seen.offset)
    assert.equal(201, done.status, done.body)
    assert.equal(bytes, folder.read("packages/" .. packages()[1]))
  end)

  it("may be there twice at once, and is one package", function()
    open(folder.make())
    local one, other = begin(), begin()
    local first, second = finish { start(one, bytes, 0), start(other, bytes, 0) }
    local statuses = { first.status, second.status }
    table.sort(statuses)
    assert.same({ 200, 201 }, statuses)
    assert.equal(1, #packages())
    assert.same({}, natives.folder.list(w.dir .. "/.incoming"))
  end)

  it("that another request sends bytes of is busy", function()
    open(folder.make())
    local id = begin()
    local slow = start(id, bytes:sub(1, 10), 0)
    slow.unsent = slow.unsent:sub(1, -2)
    raw.pump(function() w:step() end, { slow }, function() return w.api.answers.receiving[id] end)
    assert.equal(503, put(id, bytes, 0).status)
    slow:send(bytes:sub(10, 10))
    assert.equal(202, (finish { slow }).status)
  end)

  it("goes on after a restart of the server, also in the middle of its check", function()
    open(folder.make())
    local id = begin()
    assert.equal(202, put(id, bytes:sub(1, 1000), 0).status)
    w:serve()
    w.api.answers.limits.ask = function() end
    local client = start(id, bytes:sub(1001), 1000)
    raw.pump(function() w:step() end, { client }, function() return w.store:upload(id).state == "checking" end)
    client:close()
    w:serve()
    local seen = w:ask("GET", "/uploads/" .. id, { token = token }).object
    assert.same({ "open", #bytes }, { seen.state, seen.offset })
    local done = put(id, "", #bytes)
    assert.equal(201, done.status, done.body)
    assert.equal(1, #packages())
  end)
end)

-- `moult depot api`: the command line as a client of an admin server.

local admin_process = require "spec.support.admin_process"
local folders = require "spec.support.folder"
local natives = require "update.natives"
local verb = require "spec.support.verb"

describe("moult depot api", function()
  local folder, w, token = folders.new(), nil, nil

  setup(function()
    w = admin_process.start(folder.make())
    token = w:token("ann", { [""] = "admin" })
  end)
  teardown(function() w:close() end)

  local function opts(more)
    local all = { server = w.url, ["token-file"] = token }
    for name, value in pairs(more or {}) do all[name] = value end
    return all
  end

  local function good(words, more, flags)
    return verb.good("depot", { "api", table.unpack(words) }, opts(more), flags)
  end

  local function bad(fragment, code, words, more)
    verb.bad(fragment, code, "depot", { "api", table.unpack(words) }, opts(more))
  end

  local function object(words) return natives.json.decode((good(words, nil, { json = true }))) end

  it("prints what routes answer, of lists an object a line", function()
    local out = good { "/products" }
    assert.equal("pk", natives.json.decode(out).name)
    assert.equal("pk", object { "GET", "/products" }.items[1].name)
    local lines, notes = good { ("/products/%s/devices"):format(w.pk), "limit=2", "filter=name:dev*" }
    assert.equal(2, select(2, (lines .. "\n"):gsub("\n", "")))
    assert.matches("more: cursor=%x+", notes)
    assert.matches("POST +/rollouts/{X}/pause", (verb.good("depot", { "api", "routes" })))
  end)

  it("reads what it changes first, so that it need not be told an ETag", function()
    local device = natives.json.decode((good { ("/products/%s/devices"):format(w.pk), "limit=1" }))
    local path = "/devices/" .. device.id
    local out, notes = good { "PATCH", path, "tags=lab", "tags=roof", "note=a b" }
    assert.same({ { "lab", "roof" }, "a b" }, { natives.json.decode(out).tags, natives.json.decode(out).note })
    good { "POST", notes:match "(/undo/%d+)" }
    assert.equal(natives.json.null, object { path }.note)
    folder.write("names", "dev1\r\ndev2\r\n")
    assert.equal(2, object { "POST", ("/products/%s/groups"):format(w.pk), "name=north",
      "names=@" .. folder.path "names" }.names)
  end)

  it("waits when it asks more than a token may", function()
    for _ = 1, 130 do assert.equal("pk", natives.json.decode((good { "/products" })).name) end
  end)

  it("says at once what waiting does not mend", function()
    local own = { ["token-file"] = w:token("eve", { [""] = "operator" }) } -- a token that has asked nothing yet
    folder.write("third.upd", "x")
    for _ = 1, 2 do good({ "POST", "/uploads", "name=a.upd", "size=10" }, own) end
    bad("2 uploads of yours have begun; finish or delete one", "limited", { "upload", folder.path "third.upd" }, own)
    good({ "/uploads" }, own)
    w:wait("what came last in the log", function() return w:said():find("GET /api/v1/uploads ", 1, true) end)
    assert.equal(3, select(2, w:said():gsub("POST /api/v1/uploads ", "")))
  end)

  it("says a mistake before it asks", function()
    bad("there is no route /product", "usage", { "/product" })
    bad("PUT is not for /products; GET, POST is", "usage", { "PUT", "/products" })
    bad("there is no argument colour", "usage", { "/products", "colour=red" })
    bad("limit: expected a whole number", "usage", { ("/products/%s/devices"):format(w.pk), "limit=x" })
    bad("release is missing", "usage", { "POST", ("/products/%s/rollouts"):format(w.pk) })
    bad("expected NAME=VALUE", "usage", { "/products", "x" })
    bad("usage: moult depot api", "usage", { "products" })
    bad("No such file", "usage", { "/products", "x=@/nowhere" })
    bad("/: Is a directory", "usage", { "/products", "x=@/" })
  end)

  it("says what the server says, with its code", function()
    bad("there is no such rollout", "missing", { "/rollouts/99" })
    bad("filter: unknown field colour", "usage", { ("/products/%s/devices"):format(w.pk), "filter=colour:red" })
    local viewer = w:token("bob", { [w.pk] = "viewer" })
    bad("this takes the role operator", "forbidden", { "POST", ("/products/%s/groups"):format(w.pk), "name=x" },
      { ["token-file"] = viewer })
  end)

  it("gives its token to nobody by mistake", function()
    bad("anybody could read the token", "usage", { "/products" }, { server = "http://depot.example" })
    for _, server in ipairs { "depot.example", "http://ann@127.0.0.1:1", "ftp://127.0.0.1", "https://127.0.0.1/x" } do
      bad("--server", "usage", { "/products" }, { server = server })
    end
    bad("give a token", "usage", { "/products" }, { ["token-file"] = "/dev/null" })
    bad("--token-file", "usage", { "/products" }, { ["token-file"] = "/nowhere" })
    verb.bad("give --server", "usage", "depot", { "api", "/products" }, { ["token-file"] = token })
    folder.write("old", "moult_" .. ("0"):rep(64))
    bad("is not valid", "login", { "/products" }, { ["token-file"] = folder.path "old" })
    bad("127.0.0.1:1", "network", { "/products" }, { server = "http://127.0.0.1:1" })
  end)

  it("uploads a package, and fetches it again", function()
    local made = folder.path "other.upd"
    w.folder.pack("METER_1.0.2.upd", "pk", 3, "1.0.2")
    assert(os.rename(w.dir .. "/METER_1.0.2.upd", made))
    local bytes = folder.read "other.upd"
    local out, _, progress = good({ "upload", made })
    assert.matches("taken in as METER_1.0.2_%x+%.upd$", out)
    assert.same({ #bytes, #bytes, "other.upd" }, progress[#progress])
    local releases = object { ("/products/%s/releases"):format(w.pk) }.items
    assert.equal("1.0.2", releases[1].release)
    local file = object({ "/releases/" .. releases[1].id }).files[1]
    good({ ("/packages/%s/file"):format(file.digest) }, { out = folder.path "again.upd" })
    assert.equal(bytes, folder.read "again.upd")
    bad("no such package", "missing", { ("/packages/%s/file"):format(("0"):rep(64)) }, { out = folder.path "none.upd" })
    assert.is_false(folder.exists "none.upd")
    assert.is_false(folder.exists "none.upd.part")
    folder.write("broken.upd", bytes:sub(1, -10))
    bad("the package", "corrupt", { "upload", folder.path "broken.upd" })
    bad("No such file", "missing", { "upload", folder.path "nothing.upd" })
  end)

  it("waits until an object has a value", function()
    local release = object { ("/products/%s/releases"):format(w.pk) }.items[1]
    assert.equal("uploaded", (good { "wait", "/releases/" .. release.id, "stage=verified,uploaded" }))
    bad("is still uploaded", "busy", { "wait", "/releases/" .. release.id, "stage=released" }, { timeout = "1" })
    bad("usage", "usage", { "wait", "/releases/" .. release.id })
  end)
end)

describe("moult depot -c", function()
  local folder = folders.new()

  before_each(function() folder.make "keys" end)
  after_each(folder.remove)

  local function run(text, words, opts)
    folder.write("depot.lua", text)
    opts = opts or {}
    opts.config = folder.path "depot.lua"
    local exit, message, code, out = verb.run("depot", words or {}, opts)
    return exit, message, code, out, opts
  end

  it("takes options and the folder from a table", function()
    local exit, message, _, out = run(("return { dir = %q, format = 'jsonl' }"):format(folder.dir), { "user", "add" },
      { role = "viewer" })
    assert.same({ nil, "name a user" }, { exit, (message:match "^name a user") })
    assert.equal("", out)
    exit = run(("return { dir = %q, role = 'admin' }"):format(folder.dir), { "user", "list" })
    assert.equal(0, exit)
  end)

  it("is overruled by the command line, and false is not given", function()
    local opts = select(5, run(("return { dir = %q, listen = 'x', pace = 7, staged = false, admin_url = { 'http://a', "
      .. "'http://b' }, adopt = true }"):format(folder.dir), { folder.dir }, { pace = "nine" }))
    assert.same({ "nine", "x", nil, true, { "http://a", "http://b" } }, { opts.pace, opts.listen, opts.staged,
      opts.adopt, opts["admin-url"] })
  end)

  it("names what is wrong", function()
    for text, fragment in pairs {
      ["return { lisen = 'x' }"] = "did you mean listen", ["return { config = 'x' }"] = "no option config",
      ["return { 'x' }"] = "a value without a name", ["return { dir = 1 }"] = "dir: expected a text",
      ["return { staged = 'yes' }"] = "staged: expected true or false", ["return 1"] = "one table",
      ["return { listen = true }"] = "listen: expected a text", ["return { pace = 1.5 }"] = "pace: expected",
      ["return { admin_url = { a = 'x' } }"] = "admin_url: expected a list", ["return {"] = "depot.lua",
      ["return { role = 'boss' }"] = "role: expected one of", ["return { proxy = { {} } }"] = "proxy: expected",
      ["return {}"] = "name the folder",
    } do
      local exit, message, code = run(text)
      assert.same({ nil, "usage" }, { exit, code })
      assert.is_truthy(message:find(fragment, 1, true), text .. ": " .. message)
    end
  end)
end)

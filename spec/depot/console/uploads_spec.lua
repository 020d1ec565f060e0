-- The page of uploads: how far each is, going on without script, giving up; nobody else's.

local console_world = require "spec.support.console_world"
local folders = require "spec.support.folder"
local natives = require "update.natives"

local HOSTILE = console_world.HOSTILE:gsub("%c", "")

describe("the page of uploads", function()
  local folder, console, w, bytes = folders.new(), nil, nil, nil

  before_each(function()
    console = console_world.open(folder.make())
    w = console.w
    w.folder.pack("new.upd", "pk", 3, "1.0.2")
    bytes = folder.read "packages/new.upd"
    assert(os.remove(folder.path "packages/new.upd"))
  end)
  after_each(function() console:close() end)

  -- An upload of ann's that broke off after some bytes: its id.
  local function begun(name, count)
    local made = w:ask("POST", "/uploads", { session = console.session, body = { name = name, size = #bytes } })
    assert.equal(201, made.status, made.body)
    local put = w:ask("PUT", "/uploads/" .. made.object.id, { session = console.session, body = bytes:sub(1, count),
      headers = { ["Upload-Offset"] = "0", ["Content-Type"] = false } })
    assert.equal(202, put.status, put.body)
    return made.object.id
  end

  local function page(as) return console:get("/uploads", as).body end
  local function shows(...) console:shows("/uploads", ...) end

  it("says how far each is, as text whatever its name is, and shows nobody else's", function()
    shows "Nothing was uploaded lately."
    local id = begun(HOSTILE, #bytes // 2)
    shows("<progress aria-label=\"&quot;&#39;&gt;&lt;script&gt;")
    shows(('value="%d"'):format(#bytes // 2))
    shows((" %d %% · "):format(#bytes // 2 * 100 // #bytes))
    shows "not whole yet"
    shows "data-poll"
    assert.is_nil(page():find("<script>", 1, true))
    w:user("bob", { [w.pk] = "operator" })
    local bob = w:log_in("bob", console_world.PASSWORD)
    assert.is_nil(page(bob):find(id, 1, true))
    assert.equal(404, console:post("/do/uploads/" .. id, { method = "DELETE" }, bob).status)
    w:user("vera", { [w.pk] = "viewer" })
    assert.equal(403, console:get("/uploads", w:log_in("vera", console_world.PASSWORD)).status)
  end)

  it("sends one again without script, in place of what had come", function()
    local id = begun("a.upd", 100)
    local done = console:send("a.upd", bytes, { fields = { upload = id, back = "/uploads" } })
    assert.same({ 303, "/uploads" }, { done.status, done.headers.location }, done.body)
    local items = w:ask("GET", "/uploads", { session = console.session }).object.items
    assert.same({ 1, "done" }, { #items, items[1].state })
    shows "100 %"
    shows "taken in: "
    assert.is_nil(page():find("data-poll", 1, true))
    assert.same({}, natives.folder.list(w.dir .. "/.incoming"))
    -- What is gone cannot be replaced, and does not stop the other.
    assert.equal(303, console:send("a.upd", bytes, { fields = { upload = id, back = "/uploads" } }).status)
    assert.equal(303, console:send("a.upd", bytes, { fields = { upload = "../x", back = "/uploads" } }).status)
  end)

  it("gives one up, which makes room for another, and shows why one was refused", function()
    local id = begun("a.upd", 100)
    begun("b.upd", 100)
    local third = console:send("c.upd", bytes)
    assert.is_truthy(third.body:find("2 uploads of yours have begun; finish or delete one", 1, true), third.body)
    assert.equal(303, console:post("/do/uploads/" .. id, { method = "DELETE", back = "/uploads" }).status)
    assert.is_nil(page():find(id, 1, true))
    assert.equal(422, console:send("c.upd", bytes:sub(1, -2) .. "?").status)
    shows "refused: "
  end)
end)

-- The pages of groups: made, changed and removed by forms, with names that are typed, pasted or uploaded.

local console_world = require "spec.support.console_world"
local folders = require "spec.support.folder"
local filters = require "depot.filter"
local form = require "depot.console.form"

local HOSTILE = console_world.HOSTILE

describe("the pages of groups", function()
  local folder, console, w = folders.new(), nil, nil

  before_each(function()
    console = console_world.open(folder.make())
    w = console.w
  end)
  after_each(function() console:close() end)

  local function base() return ("/p/%s/groups"):format(w.pk) end
  local function route() return ("/do/products/%s/groups"):format(w.pk) end

  local function shows(...) return console:shows(...) end

  -- A group with a list: its path.
  local function listed(names, file)
    local done = console:send("names.csv", file or "", { field = "names", route = "/" .. route(), fields = {
      name = "lab", names = names, filter = "", back = "/groups/{id}" } })
    assert.equal(303, done.status, done.body)
    return done.headers.location
  end

  it("make one of names that are typed and uploaded, heard of or not, and lead to its devices", function()
    shows(base(), "No groups yet.")
    local path = listed("dev1\r\nfar-away", "dev2\r\n")
    shows(path, ">lab</bdi>", "list of names: 3", ">far-away</bdi>", ">dev2</bdi>")
    shows(base(), 'href="' .. path .. '"', "list of names: 3")
    local devices = ("/p/%s/devices"):format(w.pk) .. form.query { filter = filters.term("group", "lab") }
    assert.is_truthy(shows(path):find('href="' .. devices:gsub("&", "&amp;") .. '">2</a>', 1, true))
    local body = shows(devices, ">dev1</bdi>", ">dev2</bdi>")
    assert.is_nil(body:find(">dev3</bdi>", 1, true))
  end)

  it("make one of a filter that was tried on the page of devices, and change it", function()
    local tried = shows(("/p/%s/devices"):format(w.pk) .. form.query { filter = "name:dev*" }, "Make a group of these")
    local link = tried:match '<a href="([^"]*)">Make a group of these'
    assert.equal("name:dev*", shows(link):match 'name="filter" type="text" value="([^"]*)"')
    assert.is_nil(shows(("/p/%s/devices"):format(w.pk)):find("Make a group of these", 1, true))
    local done = console:post(route(), { name = "lab", filter = "name:dev*", back = "/groups/{id}" })
    local path = done.headers.location
    local page = console:get(path)
    assert.is_truthy(page.body:find("name:dev*</bdi>", 1, true), page.body)
    local wish = { method = "PUT", etag = console:hidden(page, path, "etag"), filter = "name:dev3", back = path }
    local changed = console:post("/do" .. path, wish)
    assert.matches("undo=%d+$", changed.headers.location)
    shows(path, "name:dev3</bdi>")
    assert.equal(412, console:post("/do" .. path, wish).status)
  end)

  it("put names on the list, take them off, all of them or one, and take that back", function()
    local path = listed "dev1"
    local names = "/do" .. path .. "/names"
    local done = console:send("more.txt", "dev3\n", { field = "add", route = "/" .. names, fields = { add = "dev2",
      cloud = "", back = path } })
    assert.equal(303, done.status, done.body)
    shows(path, "list of names: 3")
    local off = console:post(names, { remove = "dev1\r\ndev2", back = path })
    shows(path, "list of names: 1")
    assert.equal(303, console:post("/do/undo/" .. off.headers.location:match "undo=(%d+)", { back = path }).status)
    local page = console:get(path)
    assert.is_truthy(page.body:find("list of names: 3", 1, true))
    assert.is_truthy(page.body:find('name="remove" type="hidden" value="dev2"', 1, true))
    assert.equal(303, console:post(names, { remove = "dev2", back = path }).status)
    assert.is_nil(shows(path):find(">dev2</bdi>", 1, true))
  end)

  it("say what is wrong, and remove a group that no rollout asks for", function()
    local path = listed "dev1"
    for says, fields in pairs { ["already"] = { name = "lab", names = "x" }, ["letters, digits"] = { name = "a b" },
      ["cannot be made of groups"] = { name = "x", filter = "group:lab" },
      ["a filter, or names"] = { name = "x", filter = "name:x", names = "y" } } do
      local page = console:post(route(), fields)
      assert.is_true(page.status >= 400)
      assert.is_truthy(page.body:find(says, 1, true), says)
    end
    local etag = console:hidden(console:get(path), path, "etag")
    local gone = console:post("/do" .. path, { method = "DELETE", etag = etag, back = base() })
    assert.same({ 303, base() }, { gone.status, gone.headers.location }, gone.body)
    shows(base(), "No groups yet.")
    assert.equal(404, console:get(path).status)
  end)

  it("show hostile names as text, page by page, and offer a viewer no form", function()
    local lines = { HOSTILE:gsub("%c", "") }
    for i = 1, 60 do lines[#lines + 1] = ("zz-%02d"):format(i) end
    local path = listed(table.concat(lines, "\r\n"))
    local first = shows(path, "&lt;script&gt;alert(1)")
    assert.is_nil(first:find("<script>", 1, true))
    assert.is_nil(first:find("\226\128\174", 1, true))
    assert.is_nil(first:find("zz-60", 1, true))
    assert.is_true(#first < 100 * 1024)
    local link = first:match '<a href="([^"]*)" rel="next"':gsub("&amp;", "&")
    shows(link, "zz-60")
    w:user("vera", { [w.pk] = "viewer" })
    local vera = w:log_in("vera", console_world.PASSWORD)
    for _, one in ipairs { path, base() } do
      local page = console:get(one, vera)
      assert.same({ 200, 1 }, { page.status, select(2, page.body:gsub('method="post"', "")) })
    end
    assert.equal(404, console:get(("/p/%s/groups"):format(w.other), vera).status)
  end)
end)

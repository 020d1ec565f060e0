local http_place = require "update.cloud.http_place"

local config = { project = "METER", product_key_text = "k-123", id = "866714040000001", clouds = {} }
local cloud = { kind = "luat", name = "home", url = "http://h/api", redirect = false, ca_file = "/ca",
  proxy = "http://p" }
local facts = { release = "1.0.0", version = "1.0.0", core = { name = "Luat_RDA8910", version = 17 } }

local function where(fields)
  local c = {}
  for name, value in pairs(cloud) do c[name] = value end
  for name, value in pairs(fields or {}) do c[name] = value end
  return assert(http_place.of(config, c, facts))
end

describe("update.cloud.http_place", function()
  it("asks with the device's data, and follows redirects itself", function()
    local w = where()
    assert.equal("home", w.cloud)
    assert.equal("http://h/api?project_key=k-123&imei=866714040000001&firmware_name=METER_Luat_RDA8910"
      .. "&core_version=17&dfota=1&version=1.0.0", w.location)
    assert.same({ ca_file = "/ca", proxy = "http://p", max_redirects = 0 }, w.http)
  end)

  it("asks for a link unless told otherwise: each range of a question would be another", function()
    local w = assert(http_place.of(config, { kind = "luat", name = "home", url = "http://h/api" }, facts))
    assert.matches("&need_oss_url=1$", w.location)
    assert.matches("&dfota=0&.*&need_oss_url=1$", w.full().location)
  end)

  it("sends a dialect's headers with its question, and to no other address", function()
    local function nothing() end
    assert(require("update.cloud.registry").add { name = "guarded", over = "http", decode = nothing,
      recognises = nothing, request = function() return { url = "http://h/q", headers = { Authorization = "x" } } end })
    local w = assert(http_place.of(config, { kind = "guarded", name = "g", url = "http://h" }, facts))
    assert.same({ Authorization = "x" }, w.headers "http://h/q")
    assert.is_nil(w.headers "http://cdn/p")
    assert.is_nil(w.full)
  end)

  it("tells the release where there is no script version", function()
    local w = assert(http_place.of(config, cloud, { release = "7" }))
    assert.matches("version=7$", w.location)
  end)

  it("tells which files a device has, or that it takes some", function()
    local taker = setmetatable({ files = { roots = { "/opt" } } }, { __index = config })
    local place = assert(http_place.of(taker, cloud, { release = "7", files = { version = "8" } }))
    assert.matches("&files_version=8$", place.location)
    assert.matches("&files_version=0$", assert(http_place.of(taker, cloud, { release = "7" })).location)
    assert.is_nil(where().location:find("files", 1, true))
  end)

  it("has nothing to ask of a cloud that pushes", function()
    local w, message, code = http_place.of(config, { kind = "aliyun", name = "n" }, facts)
    assert.same({ nil, 'cloud n: no offer is waiting; it pushes offers to the agent', "nothing" }, { w, message, code })
  end)

  local answers = {
    { "the latest already", { status = 404, body = '{"code":27,"msg":"latest"}' }, nil, "home: latest %(code 27%)",
      "nothing" },
    { "a package that is being made", { status = 404, body = '{"code":43}' }, { wait = 30 } },
    { "a package that is nearly there", { status = 404, body = '{"code":43}', retry_after = 3 }, { wait = 3 } },
    { "a redirect, which is followed at once", { status = 302, location = "http://oss/p?t=1" },
      { location = "http://oss/p?t=1" } },
    { "a failing server", { status = 500, body = "" }, nil, "home: the server answered 500", "network" },
    { "a package, whose transfer failed for another reason", { status = 206 }, nil },
  }
  for _, case in ipairs(answers) do
    local name, answer, advice, text, code = table.unpack(case)
    it("understands " .. name, function()
      local w = where()
      local got, message, word = w.answered(answer, w.location)
      if advice then
        assert.same({ advice.wait, advice.location }, { got.wait, got.location })
      else
        assert.is_nil(got)
        assert.equal(code, word)
        if text then assert.matches(text, message) else assert.is_nil(message) end
      end
    end)
  end

  it("can be told not to wait for a package that is being made", function()
    local w = where()
    w = http_place.not_waiting(w)
    local being_made = { status = 404, body = '{"code":43,"msg":"soon"}' }
    assert.same({ nil, "home: soon", "busy", 30 }, { w.answered(being_made, w.location) })
    assert.equal("http://oss/p", w.answered({ status = 302, location = "http://oss/p" }, w.location).location)
    assert.same({ nil, "home: soon", "busy", 30 }, { w.full().answered(being_made, w.full().location) }) -- nor for that
  end)

  for _, status in ipairs { 401, 403, 404, 410 } do
    it("takes " .. status .. " of a link for expired, and asks the cloud again", function()
      local w = where()
      local query = w.location
      assert.equal("expired", select(3, w.answered({ status = status, body = "" }, "http://oss/p?t=1")))
      assert.equal(query, w.renew())
    end)
  end

  local reached = {
    { "the front of a package", 206, "manifest.json\0\0\0", true },
    { "a refusal with a vendor's code", 404, '{"code":27,"msg":"latest"}', true },
    { "a hotel's login page", 200, "<html>Welcome, please log in</html>", false },
    { "a bare web server", 404, "404 Not Found", false },
    { "a proxy that wants a password", 407, "<html>", false },
    { "another one's JSON", 403, '{"error":"forbidden"}', false },
    { "a package's name alone", 200, "manifest.json is a name", false },
    { "a page of a failing server", 502, "<html>", false },
    { "a redirect that led too far", 302, "", false },
    { "no answer", nil, nil, false },
  }
  for _, case in ipairs(reached) do
    it((case[4] and "takes %s for the cloud" or "does not take %s for the cloud"):format(case[1]), function()
      assert.equal(case[4], http_place.reached(cloud, case[2], case[3]))
    end)
  end
end)

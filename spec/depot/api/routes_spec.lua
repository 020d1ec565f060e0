-- Every route with every role: one row of the table, one case here.

local api_world = require "spec.support.api_world"
local folders = require "spec.support.folder"
local ids = require "depot.api.ids"
local natives = require "update.natives"
local openapi = require "depot.api.openapi"
local patches = require "depot.acts.patches"
local route_table = require "depot.api.route_table"

local RANK = { viewer = 1, operator = 2, admin = 3 }
local CHANGES = { PATCH = true, PUT = true, DELETE = true, POST = true }

describe("the routes of the admin server", function()
  local folder, w, session, paths = folders.new(), nil, nil, nil
  local tokens, foreign = {}, {}

  setup(function()
    w = api_world.open(folder.make())
    w.api.answers.limits.ask = function() end -- many requests at once are what this is about
    for role in pairs(RANK) do
      tokens[role] = w:user("own-" .. role, { [w.pk] = role })
      foreign[role] = w:user("foreign-" .. role, { [w.other] = role })
      tokens["all-" .. role] = w:user("all-" .. role, { [""] = role })
      tokens["mute-" .. role] = w:user("mute-" .. role, { [""] = role }, { name = "spec", verbs = {} })
    end
    session = w:log_in("all-admin", "correct horse battery")
    local release = w:ask("GET", ("/products/%s/releases"):format(w.pk), { token = tokens.viewer }).object.items[1]
    local rollout = assert(w.store:roll_out({ package = "p", target = "1.0.1", hash = w.pk }, 1))
    assert(patches.of(w.api.world):add({ hash = w.pk, name = "clock", version = "v1", digest = "d", size = 1, crc = 1 },
      1))
    paths = { P = w.pk, H = "1", D = ids.of { cloud = "aliyun", product = "pk", device = "dev1" }, R = release.id,
      X = tostring(rollout), N = "own-viewer", U = "1", T = "1", token = "99", session = "99",
      F = w:ask("GET", "/releases/" .. release.id, { token = tokens.viewer }).object.files[1].digest,
      G = ("%d"):format(w.store:add_group(w.pk, "lab", "tag:lab")), A = "7" }
    paths.W = ("%d"):format(w.store:add_webhook({ product = w.pk, url = "https://hooks.example/a", events = {},
      secret = "s" }, 1))
    assert(w.store:keep_undo(7, w.pk, { kind = "note", device = paths.D, old = "", new = "what it never was" },
      os.time() * 1000))
  end)
  teardown(function() w:close() end)

  local function path_of(route)
    return (route.path:gsub("{(%w+)}", paths))
  end

  -- A request that changes nothing: it lacks If-Match, or arguments.
  local function ask(route, with) return w:ask(route.method, path_of(route), with) end

  -- Whether the path names something of a product.
  local function has_object(route) return route.path:find "{[PDRXGHFAW]}" ~= nil end

  local function is_refusal(status) return status == 401 or status == 403 end

  for _, route in ipairs(route_table.all()) do
    local name = route.method .. " " .. route.path

    describe(name, function()
      if route.role ~= "none" then
        it("is for nobody who is not known", function()
          assert.equal(401, ask(route).status)
          assert.equal(401, ask(route, { token = "moult_" .. ("0"):rep(64) }).status)
          assert.equal(401, ask(route, { headers = { Cookie = "moult=" .. ("0"):rep(64) } }).status)
        end)
      end

      if RANK[route.role] then
        it("asks for the role, and for the verb", function()
          local limited = has_object(route)
          for role, rank in pairs(RANK) do
            local all = ask(route, { token = tokens["all-" .. role], dry = true })
            assert.equal(rank < RANK[route.role] or route.session_only == true, is_refusal(all.status),
              role .. " of all: " .. all.body)
            assert.equal(403, ask(route, { token = tokens["mute-" .. role] }).status)
            local own = ask(route, { token = tokens[role] })
            local may = (limited or route.scope == "any") and rank >= RANK[route.role]
            assert.equal(not may, is_refusal(own.status), role .. " of the product: " .. own.body)
            if limited then assert.equal(404, ask(route, { token = foreign[role] }).status, role) end
          end
        end)
      end

      if CHANGES[route.method] then
        it("is not done for another page", function()
          for _, headers in ipairs { { Origin = "http://evil.example" }, { Origin = false },
            route.role ~= "none" and { ["X-CSRF-Token"] = "0" } or { Origin = "null" } } do
            local answer = ask(route, { session = session, headers = headers })
            assert.same({ 403, "forbidden" }, { answer.status, answer.object.error.code })
          end
        end)
      end

      if route.body then
        it("refuses arguments that it does not have", function()
          local with = { session = session, body = { ["no such"] = 1 } }
          local answer = ask(route, with)
          assert.same({ 400, "no such" }, { answer.status, answer.object.error.field })
        end)
      end

      it("is described", function()
        assert.is_true(#route.about > 0 and #route.verb > 0)
        for argument, rule in pairs(route.body or {}) do assert.is_string(rule.about, argument) end
        for argument, rule in pairs(route.query or {}) do assert.is_string(rule.about, argument) end
        local document = openapi.document(natives.json, route_table.all(), "")
        assert.is_table(document.paths[route.path][route.method:lower()])
      end)
    end)
  end

  it("are each there once", function()
    local seen = {}
    for _, route in ipairs(route_table.all()) do
      local name = route.method .. " " .. route.path:gsub("{%w+}", "{}")
      assert.is_nil(seen[name], name)
      seen[name] = true
    end
  end)
end)

-- A filter means the same to the database as to depot.filter.

local filters = require "depot.filter"
local natives = require "update.natives"
local store = require "depot.store"

local HOUR = 3600000
local NOW = 1000 * HOUR
local DEVICES = 300

local memory = setmetatable({ database = setmetatable({
  open = function(_, options) return natives.database.open(":memory:", options) end,
}, { __index = natives.database }) }, { __index = natives })

local VALUES = {
  cloud = { "aliyun", "tencent", "luat" }, product = { "pk", "PK2" },
  release = { "1.0.9", "1.0.10", "2.0.0", "blue", "", false }, target = { "2.0.0", false },
  state = { "pending", "failed", "succeeded", false }, reason = { "silent", "late", false },
  code = { -4, 5, 1000, false }, rollout = { 7, 12, false },
  core = { 17, 22, false }, hardware = { "A1", "b2", "", false },
  admitted = { 1, false }, not_listening = { NOW, false }, heard = { NOW - HOUR, NOW - 48 * HOUR, false },
}

local TERMS = { "cloud:aliyun", "cloud:LUAT", "product:PK", "product:p", "release:1.0.9", 'release:""',
  "release<1.0.10",
  "release<2.0", "release:BLUE", "target:2.0.0", 'target:""', "state:failed", "reason:Silent", 'reason:""',
    "state:FAILED", 'state:""', "code:-4",
  "code:+5", "code<1", 'code:""', "code:x", "rollout:7", 'rollout:""', "core:17", "core<20", 'core:""', "hardware:a1",
  'hardware:""', "admitted:yes",
  "admitted:no", 'admitted:""',
  "listening:no", "listening:yes", 'listening:""',
  "heard<1d", "heard<30m", "name:DEV-1", "name:dev-1*", "name:*", "name:d*v*", 'name:""',
  "name:AA-BB-CC-DD-EE-01", "name:aabb.ccdd.ee02", "name:aabbccddee03", "name:aa:bbccdd-ee03", "name:%*", "name:Dev_1",
  "tag:lab", "tag:LAB", 'tag:""', "tag:none", "group:lab", "group:listed", 'group:""', "group:none" }

local NAMES = { "aa:bb:cc:dd:ee:01", "AABBCCDDEE02", "aa-bb-cc-dd-ee-03", "dev_1", "100%", "d\xC3\xA9v", "" }

describe("depot.store.where", function()
  local s, random, rows

  local function any(list) return list[random(#list)] end

  setup(function()
    local state = 88172645463325252
    random = function(n)
      state = state ~ (state << 13)
      state = state ~ (state >> 7)
      state = state ~ (state << 17)
      return (state >> 11) % n + 1
    end
    s = assert(store.open(memory, ""))
    assert(s:change())
    for i = 1, DEVICES do
      local row = { device = NAMES[i] or ("dev-%d"):format(i) }
      for name, list in pairs(VALUES) do row[name] = any(list) or nil end
      if not row.state then row.rollout = nil end
      row.hash, row.wave = natives.digest.sha256(row.product), 1
      assert(s:put(row))
      if random(3) == 1 then assert(s:set_tag(row, "lab", true)) end
      if random(5) == 1 then assert(s:set_tag(row, "eu", true)) end
    end
    local hash = natives.digest.sha256 "pk"
    assert(s:add_group(hash, "lab", "tag:lab -release<1.0.10"))
    local listed = { id = assert(s:add_group(hash, "listed")) }
    for i = 10, 60 do assert(s:set_in_group(listed, i % 2 == 0 and "" or "aliyun", "dev-" .. i, true)) end
    assert(s:commit())
    rows = assert(s:devices())
  end)

  teardown(function() s:close() end)

  local function compare(text)
    local filter = assert(filters.parse(text))
    local expected, found = {}, {}
    for _, row in ipairs(rows) do
      if filters.means(filter, row, NOW, s:about()) then expected[#expected + 1] = row.cloud .. "/" .. row.device end
    end
    for i, row in ipairs(assert(s:select(s:where(filter, NOW)))) do found[i] = row.cloud .. "/" .. row.device end
    assert.same(expected, found, text)
    return #found
  end

  it("selects the same devices by each term and its negation", function()
    local selected = 0
    for _, term in ipairs(TERMS) do
      local count = compare(term)
      assert.equal(#rows - count, compare("-" .. term))
      if count > 0 and count < #rows then selected = selected + 1 end
    end
    assert.is_true(selected > 30)
  end)

  it("selects the same devices by 500 random filters", function()
    for _ = 1, 500 do
      local parts = {}
      for i = 1, random(4) do parts[i] = (random(3) == 1 and "-" or "") .. any(TERMS) end
      compare(table.concat(parts, " "))
    end
  end)

  it("counts, and reads page by page", function()
    local filter = assert(filters.parse "-cloud:luat")
    local sum, seen, last = 0, 0, nil
    for _, line in ipairs(assert(s:count(s:where(filter, NOW), { "state", "cloud" }))) do sum = sum + line.n end
    repeat
      local page = assert(s:select(s:where(filter, NOW), 17, last))
      seen, last = seen + #page, page[#page]
    until #page < 17
    assert.same({ sum, seen }, { compare "-cloud:luat", sum })
  end)

  it("has values as parameters only", function()
    for _, text in ipairs { "name:'", "tag:');--", 'release:"x\' OR 1"', "group:'", "hardware:?", "name:'*" } do
      assert.equal(0, compare(text))
    end
  end)

  it("finds names, prefixes and states without reading every row", function()
    for _, text in ipairs { "name:dev-7", "name:dev-7*", "name:AA-BB-CC-DD-EE-01" } do
      local sql, values = s:where(assert(filters.parse(text)), NOW):text()
      local plan = s.db:prepare("EXPLAIN QUERY PLAN SELECT * FROM device WHERE " .. sql):all(table.unpack(values))
      assert.matches("SEARCH device USING INDEX device_name", plan[1].detail, 1, true)
    end
  end)
end)

-- No list of the depot reads every row of a table that grows with the fleet: SQLite says how it would find them.

local filters = require "depot.filter"
local natives = require "update.natives"
local store = require "depot.store"
local tables = require "depot.store_tables"

local BIG = { device = true, event = true, audit = true, tag = true, note = true, group_member = true,
  rollout_member = true, patch_device = true }

-- Statements that read every row, and why they may.
local MAY = {
  audit_last = "the last row, by the key",
  count_standings = "only if the daily count found a fault",
  every = "for the whole fleet, as its name says",
  forget_member = "a person forgets a device",
  limit_stamps = "when a depot starts",
  newest_event = "the last row, by the key",
  standing_differences = "once a day",
}

describe("the store", function()
  local kept

  setup(function() kept = assert(store.open_file(natives, ":memory:")) end)
  teardown(function() kept:close() end)

  -- The big tables that a statement reads from one end to the other.
  local function scanned(sql, count)
    local found = {}
    local plan <close> = assert(kept.db:prepare("EXPLAIN QUERY PLAN " .. sql))
    for _, step in ipairs(assert(plan:all(table.unpack({}, 1, count)))) do
      local name = step.detail:match "^SCAN ([%w_]+)"
      if BIG[name] then found[#found + 1] = name end
    end
    return table.concat(found, " ")
  end

  local function values_of(sql)
    local highest, plain = 0, 0
    for number in sql:gmatch "%?(%d+)" do highest = math.max(highest, math.tointeger(tonumber(number))) end
    for _ in sql:gmatch "%?%f[^%d?]" do plain = plain + 1 end
    return highest > 0 and highest or plain
  end

  it("finds by an index what each statement is about", function()
    local seen = 0
    for name, sql in pairs(tables.sql) do
      if not sql:find "^PRAGMA" then
        seen = seen + 1
        assert.equal(MAY[name] ~= nil, scanned(sql, values_of(sql)) ~= "", name)
      end
    end
    assert.is_true(seen > 100)
    for name in pairs(MAY) do assert.is_truthy(tables.sql[name], name) end
  end)

  it("looks up names, states and groups of devices, and reads the others in the order of a page", function()
    local plans = {}
    assert(kept:change())
    local id = assert(kept:add_group("h", "lab", nil))
    assert(kept:set_in_group({ id = id }, "", "d1", true))
    assert(kept:commit())
    for _, text in ipairs { "name:d1", "name:d*", "tag:lab", "state:failed", "rollout:7" } do
      local where, values = kept:where(assert(filters.parse(text)), 1):text()
      plans[#plans + 1] = ("%s: %s"):format(text,
        scanned("SELECT * FROM device WHERE " .. where .. " ORDER BY cloud, product, device LIMIT 10", #values))
    end
    assert.same({ "name:d1: ", "name:d*: ", "tag:lab: ", "state:failed: ", "rollout:7: " }, plans)
  end)
end)

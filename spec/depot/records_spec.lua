-- Who changed what, what happened, and how long both are kept.

local csv = require "depot.csv"
local folders = require "spec.support.folder"
local natives = require "update.natives"
local store = require "depot.store"

local DAY = 86400000
local NOW = 2000 * DAY

describe("the depot's records", function()
  local folder = folders.new()
  local dir, s, printed

  -- Run `moult depot ACTION [VERB] DIR`.
  local function act(action, context, as_json)
    printed = {}
    context.dir, context.natives, context.opts = dir, natives, context.opts or {}
    context.env = { json = as_json, out = function(text) printed[#printed + 1] = text end, note = function() end }
    return require("depot.actions." .. action).run(context)
  end

  local function row_of(name, fields)
    local row = { cloud = "aliyun", product = "pk", device = name, hash = "h", release = "1.0.0", heard = NOW }
    for k, v in pairs(fields or {}) do row[k] = v end
    return row
  end

  local function audit(verb, at)
    assert(s:change())
    assert(s:audit({ actor = "local:ann", address = "192.0.2.1", verb = verb, object = "rollout 1", product = "h",
      before = "running", after = "paused" }, at or NOW))
    assert(s:commit())
  end

  before_each(function()
    dir = folder.make "keys"
    s = assert(store.open(natives, dir))
  end)

  after_each(function()
    s:close()
    folder.remove()
  end)

  describe("audit", function()
    it("is written by an act, in its transaction and with its user", function()
      assert(s:put(row_of "dev1"))
      assert.equal(0, act("device", { verb = "tag", name = "dev1", opts = { tag = { "lab" } } }))
      assert.equal(0, act("device", { verb = "tag", name = "dev1", opts = { tag = { "lab" } } })) -- changes nothing
      assert.equal(0, act("device", { verb = "note", name = "dev1", opts = { note = "roof" },
        actor = { name = "ann", address = "192.0.2.7" } }))
      local rows = assert(s:audited(nil, 10))
      rows[1], rows[2] = rows[2], rows[1]
      assert.equal(2, #rows)
      assert.same({ "device.tag", "device dev1", "+lab", "h" }, { rows[1].verb, rows[1].object, rows[1].after,
        rows[1].product })
      assert.matches("^local:%S+$", rows[1].actor)
      assert.same({ "ann", "192.0.2.7", "roof" }, { rows[2].actor, rows[2].address, rows[2].after })
      assert.equal(0, act("audit", { opts = { check = true } }, true))
      assert.equal(2, natives.json.decode(printed[1]).rows)
    end)

    it("takes the act with it when it cannot be written", function()
      assert(s:put(row_of "dev1"))
      assert(s.db:execute "CREATE TRIGGER no AFTER INSERT ON audit BEGIN SELECT raise(FAIL, 'no room'); END")
      assert.is_nil(act("device", { verb = "tag", name = "dev1", opts = { tag = { "lab" } } }))
      assert.same({}, assert(s:with_tags { row_of "dev1" })[1].tags)
    end)

    for what, sql in pairs {
      ["a row that was changed"] = "UPDATE audit SET actor = 'local:bob' WHERE id = 2",
      ["a row that is missing"] = "DELETE FROM audit WHERE id = 2",
      ["a first row that is missing"] = "DELETE FROM audit WHERE id = 1",
      ["rows that were exchanged"] = "UPDATE audit SET id = 9 WHERE id = 2; UPDATE audit SET id = 2 WHERE id = 3; "
        .. "UPDATE audit SET id = 3 WHERE id = 9",
      ["an empty text for none"] = "UPDATE audit SET address = '' WHERE id = 3",
    } do
      it("finds " .. what, function()
        for i = 1, 2 do audit("act " .. i) end
        assert(s:change())
        assert(s:audit({ actor = "x", verb = "act 3" }, NOW))
        assert(s:commit())
        assert.equal(3, assert(s:check_audit()))
        assert(s.db:execute(sql))
        local done, message, code = act("audit", { opts = { check = true } })
        assert.same({ nil, "corrupt" }, { done, code })
        assert.matches("^row %d of the audit was changed, or one before it removed$", message)
      end)
    end

    it("is listed in 80 columns, and strangers' bytes are made printable", function()
      audit(("x"):rep(100))
      assert(s:change())
      assert(s:audit({ actor = "a\27[31m", verb = "v", object = "o\226\128\174x" }, NOW))
      assert(s:commit())
      assert.equal(0, act("audit", {}))
      assert.equal(2, #printed)
      for _, line in ipairs(printed) do
        assert.is_true(#line <= 80, line)
        assert.is_nil(line:find "[\27\226]")
      end
    end)
  end)

  describe("events", function()
    it("are changes only", function()
      local row = row_of "dev1"
      assert(s:put(row))
      row.heard = NOW + 1
      assert(s:put(row)) -- nothing new
      row.release, row.heard = "1.0.1", NOW + 2
      assert(s:put(row))
      row.state, row.changed, row.target = "pending", NOW + 3, "1.0.2"
      assert(s:put(row))
      row.state, row.step, row.changed = "upgrading", 10, NOW + 4
      assert(s:put(row))
      row.step = 20
      assert(s:put(row)) -- progress
      row.state, row.reason, row.text, row.code, row.changed = "failed", "silent", "not heard", -5, NOW + 5
      assert(s:put(row))
      audit "rollout pause"
      local told = {}
      for i, event in ipairs(assert(s:events({}, 100))) do
        local shown = { event.at - NOW, event.what, event.release or "-", event.code or "-", event.text or "-" }
        told[i] = table.concat(shown, " ")
      end
      assert.same({ "0 first heard 1.0.0 - -", "2 runs 1.0.1 - before: 1.0.0", "3 pending 1.0.2 - -",
        "4 upgrading 1.0.2 - -", "5 failed 1.0.2 -5 silent: not heard", "0 act - rollout pause rollout 1" }, told)
      assert.equal(5, #assert(s:events({ device = "dev1" }, 100)))
      assert.equal(3, #assert(s:events({ device = "dev1", since = NOW + 3 }, 100)))
      assert.equal(1, #assert(s:events({ after = 5, product = nil }, 100)))
    end)

    it("are gone with a change that is not committed", function()
      assert(s:change())
      assert(s:put(row_of "dev1"))
      s:abandon()
      assert.same({}, s:events({}, 10))
    end)

    it("are printed as a table, as CSV and as JSON Lines", function()
      assert(s:put(row_of('=HYPERLINK("x")', { release = "+1\27" })))
      audit "rollout pause"
      assert.equal(0, act("events", { opts = { format = "csv" } }))
      assert.equal('"id","at","what","hash","cloud","product","device","rollout","actor","release","code","text"',
        printed[1])
      assert.equal('"1","1975-06-24T00:00:00Z","first heard","h","aliyun","pk","\'=HYPERLINK(""x"")","","","\'+1?","",'
        .. '""', printed[2])
      assert.equal(0, act("events", { opts = { format = "jsonl" } }))
      assert.equal(2, #printed)
      local object = natives.json.decode(printed[2])
      assert.same({ "act", "local:ann", "rollout pause", "h" }, { object.what, object.actor, object.code,
        object.product_key })
      assert.equal(natives.json.null, object.device)
      assert.equal(0, act("events", {}))
      for _, line in ipairs(printed) do assert.is_true(#line <= 80, line) end
      assert.equal("usage", (select(3, act("events", { opts = { since = "soon" } }))))
    end)

    it("are exported page by page, none twice", function()
      assert(s:change())
      for i = 1, 2501 do assert(s:note_event { at = i, what = "connection" }) end
      assert(s:commit())
      assert.equal(0, act("events", { opts = { format = "jsonl" } }))
      assert.equal(2501, #printed)
      assert.equal(2501, natives.json.decode(printed[2501]).id)
    end)
  end)

  describe("csv", function()
    for given, expected in pairs { ["=1"] = [["'=1"]], ["+1"] = [["'+1"]], ["-1"] = [["'-1"]], ["@x"] = [["'@x"]],
      ["\tx"] = "\"'\tx\"", ["\rx"] = "\"'\rx\"", ["1=1"] = [["1=1"]], ['a"b'] = [["a""b"]], [""] = [[""]] } do
      it(("writes %q as %s"):format(given, expected), function()
        assert.equal(expected, csv.line({ a = given }, { "a" }))
      end)
    end
  end)

  describe("what devices run on a day", function()
    local function note(at)
      assert(s:change())
      assert(s:note_day(at))
      assert(s:commit())
    end
    -- "DAY RELEASE N" of each row.
    local function days(hash, from, till)
      local list = {}
      for _, day in ipairs(assert(s:daily(hash, from or "0", till or "9"))) do
        for _, run in ipairs(day.runs) do list[#list + 1] = ("%s %s %d"):format(day.day, run.release, run.n) end
      end
      return list
    end

    it("is what they ran when it was counted last, also if none runs that release any more", function()
      for i = 1, 3 do assert(s:put(row_of("d" .. i))) end
      assert(s:put(row_of("other", { hash = "o", release = "9" })))
      note(NOW)
      assert.same({ "1975-06-24 1.0.0 3" }, days "h")
      assert.same({ "1975-06-24 9 1" }, days "o")
      for i = 1, 3 do assert(s:put(row_of("d" .. i, { release = i < 3 and "1.0.1" or nil, other = "x" }))) end
      assert(s:put(row_of("d3", { release = "1.0.1" })))
      note(NOW + DAY - 1)
      assert.same({ "1975-06-24 1.0.1 3" }, days "h")
      note(NOW + DAY)
      assert.same({ "1975-06-24 1.0.1 3", "1975-06-25 1.0.1 3" }, days "h")
      assert.same({ "1975-06-25 1.0.1 3" }, days("h", "1975-06-25"))
      assert.same({ "1975-06-24 1.0.1 3" }, days("h", "0", "1975-06-25"))
    end)

    it("names the twenty most common releases, however many there are, and counts each device once", function()
      for i = 1, 30 do
        for k = 1, i <= 20 and 2 or 1 do
          assert(s:put(row_of(("d%d-%d"):format(i, k), { release = ("r%02d"):format(i) })))
        end
      end
      local nameless = row_of "nameless"
      nameless.release = nil
      assert(s:put(nameless))
      note(NOW)
      local list, total = days "h", 0
      for _, text in ipairs(list) do total = total + tonumber(text:match "%d+$") end
      assert.same({ 21, 51, true }, { #list, total, table.concat(list, ","):find("1975-06-24  11", 1, true) ~= nil })
    end)

    it("is kept as long as events", function()
      assert(s:put(row_of "d"))
      note(NOW - 401 * DAY)
      note(NOW - 400 * DAY)
      assert.is_true(s:has_old(NOW))
      assert(s:change())
      assert.is_false(s:prune(NOW))
      assert(s:commit())
      assert.same({ 1, false }, { #days "h", s:has_old(NOW) })
    end)
  end)

  describe("retention", function()
    it("removes events after 400 days and audit rows after five years, in slices", function()
      assert(s:change())
      for i = 1, 1500 do assert(s:note_event { at = NOW - 400 * DAY - i, what = "connection" }) end
      assert(s:note_event { at = NOW - 400 * DAY, what = "connection" })
      for i = 1, 1200 do
        assert(s:audit({ actor = "x", verb = "old " .. i }, NOW - 1825 * DAY - 1))
      end
      assert(s:audit({ actor = "x", verb = "new" }, NOW - 1825 * DAY))
      assert(s:commit())
      assert.is_true(s:has_old(NOW))
      local slices = 0
      repeat
        slices = slices + 1
        assert(s:change())
        local more = s:prune(NOW)
        assert.is_not_nil(more)
        assert(s:commit())
      until not more
      assert.equal(3, slices) -- 2,701 old events and 1,200 old acts
      assert.is_false(s:has_old(NOW))
      local events = assert(s:events({}, 10))
      assert.same({ 1, NOW - 400 * DAY }, { #events, events[1].at })
      local rows = assert(s:audited(nil, 10))
      assert.same({ 1, "new" }, { #rows, rows[1].verb })
      assert.equal(1, (s:check_audit()))
      assert(s.statements.unset:run "audit_kept")
      assert.equal("corrupt", (select(3, s:check_audit())))
    end)
  end)
end)

-- What becomes of a device's job, row by row: in which states, by which event, what it is then. Other pairs change
-- nothing.

local job_reports = require "depot.job_reports"
local jobs = require "depot.jobs"

local NOW = 100000000
local GENERIC = -1

-- A job that was given a while ago, in the state of a row.
local function job_in(state, fields)
  local row = { cloud = "aliyun", product = "pk", device = "dn", release = "1.0.0" }
  jobs.begin(row, { package = "d2", target = "2.0.0", kind = "batch", rollout = 7, wave = 1 }, NOW - 60000)
  row.due = nil
  if state == "upgrading" then
    job_reports.hear(row, { kind = "progress", percent = 10 }, NOW - 50000)
  elseif state == "succeeded" or state == "reverted" then
    jobs.succeed(row, NOW - 50000)
    if state == "reverted" then jobs.revert(row, NOW - 40000) end
  elseif state == "failed" then
    jobs.fail(row, -3, "broken", NOW - 50000)
  elseif state == "cancelled" then
    jobs.cancel(row, NOW - 50000)
  elseif state == "superseded" then
    jobs.supersede(row, NOW - 50000)
  end
  for name, value in pairs(fields or {}) do row[name] = value end
  return row
end

local function says(event) return function(row) return job_reports.hear(row, event, NOW) end end
local function reports(release) return says { kind = "version", release = release } end
local function due(row) return jobs.consider(row, nil, GENERIC, NOW) end
local function granted(row)
  return jobs.consider(row, { package = "d3", target = "3.0.0", kind = "batch" }, GENERIC, NOW)
end
local function dead_link(row) return job_reports.link_died(row, NOW, 2000) end

local OPEN, LOST = { "pending", "upgrading" }, { "failed", "reverted" }
local ENDED = { "reverted", "failed", "cancelled", "superseded" }

-- name; states before; what they have besides; event; what it answers; the state after (nil: the
-- same); what is then so.
local rows = {
  { "a release is granted", { "succeeded", "failed", "cancelled" }, {}, granted, "offer", "pending",
    { target = "3.0.0", offers = 0, failures = 0, tries = 0 } },
  { "a release is granted that the device has", { "succeeded" }, { release = "3.0.0" }, granted, nil, nil, {} },
  { "it is due", OPEN, {}, due, "offer", nil, {} },
  { "progress", { "pending" }, {}, says { kind = "progress", percent = 5 }, "upgrading", "upgrading", { step = 5 } },
  { "progress", { "upgrading" }, {}, says { kind = "progress", percent = 50 }, nil, nil, { step = 50 } },
  { "all bytes", { "upgrading" }, {}, says { kind = "finished" }, nil, nil, { finished = true } },
  { "all bytes", { "pending" }, {}, says { kind = "finished" }, "upgrading", "upgrading", { finished = true } },
  { "100 %", { "pending" }, {}, says { kind = "progress", percent = 100 }, "upgrading", "upgrading",
    { finished = true } },
  { "100 %", { "upgrading" }, {}, says { kind = "progress", percent = 100 }, nil, nil, { finished = true } },
  { "it reports the target", OPEN, {}, reports "2.0.0", "succeeded", "succeeded", { step = 100 } },
  { "it reports another after the whole download", OPEN, { finished = true }, reports "1.0.0", nil, "pending",
    { tries = 1, due = NOW + job_reports.SETTLE } },
  { "it reports another before that", OPEN, {}, reports "1.0.0", nil, "pending",
    { tries = 0, due = NOW + job_reports.SETTLE } },
  { "it came back three times", OPEN, { tries = 3 }, due, "failed", "failed", { reason = "came_back", failures = 1 } },
  { "our link is dead", OPEN, {}, dead_link, "expired", "upgrading", { renewals = 1, renewing = true } },
  { "our link is dead for the fourth time", OPEN, { renewals = 3 }, dead_link, "failed", "failed",
    { reason = "expired", code = -2, failures = 1 } },
  { "it says that our link is dead for the fourth time", OPEN, { renewals = 3, ends = NOW - 1 },
    says { kind = "fail", number = -2, text = "no" }, "failed", "failed", { reason = "expired", code = -2 } },
  { "it fails while its link lives", OPEN, { ends = NOW + 1 }, says { kind = "fail", number = -2, text = "no" },
    "failed", "failed", { code = -2, text = "no", failures = 1 } },
  { "ten offers were counted", { "pending" }, { offers = 10 }, due, "failed", "failed", { reason = "never_began" } },
  { "no word for a day", { "upgrading" }, {}, function(row) jobs.give_up(row, GENERIC, NOW) end, nil, "failed",
    { reason = "silent", failures = 1 } },
  { "it runs something newer", OPEN, {}, function(row) jobs.supersede(row, NOW) end, nil, "superseded", {} },
  { "it is cancelled", OPEN, {}, function(row) return jobs.cancel(row, NOW) end, true, "cancelled", {} },
  { "its package is gone", OPEN, {}, function(row) jobs.withdraw(row, NOW) end, nil, "cancelled", {} },
  { "its rollout is paused", { "pending" }, {}, function(row) jobs.put_off(row, NOW) end, nil, nil, { ends = 0 } },
  { "it falls back", { "succeeded" }, {}, function(row) jobs.revert(row, NOW) end, nil, "reverted", {} },
  { "it reports the target after all", ENDED, {}, reports "2.0.0", "succeeded", "succeeded", { reason = "late" } },
  { "a person retries", LOST, { failures = 2, tries = 3, offers = 10 }, function(row) return jobs.retry(row, NOW) end,
    true, "pending", { failures = 0, tries = 0, offers = 0, due = NOW } },
  { "the back-off is over", { "failed" }, { again = NOW, failures = 1, tries = 3 }, function(row)
    if jobs.is_due_again(row, NOW) then jobs.begin(row, row, NOW) end
  end, nil, "pending", { failures = 1, tries = 0, due = NOW } },
  { "progress without an open job", { "succeeded", "failed", "reverted", "cancelled", "superseded" }, {},
    says { kind = "progress", percent = 5 }, "ignored", nil, {} },
  { "a failure without an open job", { "succeeded", "failed", "reverted", "cancelled", "superseded" }, {},
    says { kind = "fail", number = -1, text = "x" }, "ignored", nil, {} },
  { "a dead link without an open job", ENDED, {}, dead_link, nil, nil, {} },
  { "a retry without a failure", { "pending", "upgrading", "succeeded", "cancelled", "superseded" }, {},
    function(row) return jobs.retry(row, NOW) end, false, nil, {} },
  { "a cancel without an open job", { "succeeded", "failed", "reverted", "cancelled", "superseded" }, {},
    function(row) return jobs.cancel(row, NOW) end, false, nil, {} },
}

describe("a job", function()
  for _, case in ipairs(rows) do
    local name, states, fields, event, answer, after, so = table.unpack(case, 1, 7)
    for _, state in ipairs(states) do
      it(("that is %s: %s"):format(state, name), function()
        local row = job_in(state, fields)
        local changed, reason = row.changed, row.reason
        local said = event(row)
        assert.equal(answer, said)
        assert.equal(after or state, row.state)
        for field, value in pairs(so) do assert.equal(value, row[field], field) end
        -- A word belongs to the verdict that it explains.
        if row.state ~= state then
          assert.equal(so.reason, row.reason)
        else
          assert.same({ changed, reason }, { row.changed, row.reason })
        end
      end)
    end
  end

  it("has no late success once it was tried again", function()
    local row = job_in "reverted"
    jobs.retry(row, NOW)
    assert.equal("succeeded", reports "2.0.0"(row))
    assert.is_nil(row.reason)
  end)

  it("is late again after each fall back", function()
    local row = job_in "reverted"
    reports "2.0.0"(row)
    jobs.revert(row, NOW)
    assert.is_nil(row.reason)
    reports "2.0.0"(row)
    assert.equal("late", row.reason)
  end)
end)

--- moult-policy(7): the policy guide, from update.policy_fields and the default policy itself.

local fields = require "fields"
local policy_fields = require "update.policy_fields"
local roff = require "roff"

local EXAMPLE = [[
local default = require "update.policy"
local M = {}

function M.decide(offer, device, limits)
  if device.pump_running then
    return { action = "defer", reason = "pump", retry_after = 600 }
  end
  return default.decide(offer, device, limits)
end

return M]]

local SPEC = [[
local policy = dofile "policy.lua"

describe("policy.decide", function()
  it("waits for the pump", function()
    local got = policy.decide({ version = "2" }, { pump_running = true }, {})
    assert.equal("defer", got.action)
  end)
end)]]

--- What each rule of the default policy asks; a spec compares the names with those that run.
local rules = {
  version = "The script's VERSION must not be lower than the one that runs, unless a permit or the manifest allows it.",
  core = "The core must have the name of the one that runs, and must not be lower, with the same exceptions.",
  higher = "Something in it must be higher than what runs.",
  battery = "The charge must not be below `limits.battery`; else it is asked again after 15 minutes.",
  window = "The time must lie within `limits.window`; else it is asked again when the window opens.",
  budget = "Over a metered link, what is to be fetched and what was spent today must stay within `limits.budget`; else "
    .. "it is asked again on the next day.",
  data_cap = "A full package where a delta was asked for must not need more than `limits.data_cap` over a metered "
    .. "link; else it is asked again after six hours. The manifest's override of the budget skips this rule, too.",
}

-- The rules in the order in which they run.
local function order()
  local _, tree = require("update.policy").decide({ version = "2" }, { version = "1" }, {})
  local names = {}
  for i, line in ipairs(tree) do names[i] = line.rule end
  return names
end

local function put_rules(page)
  page:section "THE DEFAULT"
  page:text [[
What a policy does not define is answered by the default. Its `decide` runs these rules in order; the first that
says stop ends it. A rule whose limit is not set or whose fact is not known is skipped, and the reason tree says so.]]
  for _, name in ipairs(order()) do page:item(roff.bold(name), assert(rules[name], "no text about rule " .. name)) end
  page:text [[
Its `choose` takes every hotfix that is not applied yet. Its `healthy` says true when the script called
`update.confirm()`, or, with `confirm = "auto"`, when it ran `confirm_after` seconds without an error and a cloud
answered.]]
end

local function put_fields(page)
  local sections = {
    { "OFFER", "offer", "What is to be had. It is signed and passed every gate already." },
    { "DEVICE", "device", "What runs now. `battery`, `metered` and anything else that only the device's script can "
      .. "know come from `update.setup { facts = fn }` and keep the names that it gives." },
    { "LIMITS", "limits", "The table `limits` of the configuration, as it stands there. The default knows these:" },
    { "FACTS", "facts", "How the release on trial does." },
    { "HOTFIXES", "hotfixes", "Each row of the array that `choose` is given." },
    { "DECISION", "decision", "What `decide` answers." },
  }
  for _, section in ipairs(sections) do
    page:section(section[1])
    page:text(section[3])
    fields.put(page, policy_fields[section[2]], section[2] .. ".")
  end
end

return function(head)
  local page = roff.page { name = "moult-policy", section = 7, title = "what to install, when, and when it is well",
    date = head.date, source = head.source }
  page:section "DESCRIPTION"
  page:text [[
A policy decides what a device does with an update that is to be had. It is one Lua file that returns a table of
functions; changing it needs no compiler and no restart, because it is read anew for each question. It can refuse,
delay and choose among what is validly signed and meant for this device. It cannot make anything else install:
signature, product, hardware, floor and the other gates are checked before it is asked, and again before anything is
armed.]]
  page:verbatim(EXAMPLE)
  page:text [[
A device may have its owner's policy, named as `policy` in the configuration, and a release may bring one,
`policy.lua` beside `main.lua`. Each function is taken from the first of these that defines it, else from the
default.]]
  page:section "FUNCTIONS"
  page:item(roff.bold "decide(offer, device, limits)", "Returns a decision, and the reason tree if it likes: an array "
    .. "of tables with `rule`, `result` (\"ok\", \"skip\" or \"stop\") and `text`, which `moult explain` prints.")
  page:item(roff.bold "choose(hotfixes, device)", "Returns an array of the names of those to apply, in order.")
  page:item(roff.bold "healthy(facts, limits)", "Returns true when the release on trial is well, which confirms it; "
    .. "false and a reason, which rolls it back at once; or nil: not yet. The deadline of the trial ends the waiting. "
    .. "A release that would be well were cloud_reached true goes back, too, but that is not held against it yet: "
    .. "see `moult`(1).")
  put_rules(page)
  put_fields(page)
  page:section "WHERE IT RUNS"
  page:text [[
In a process of its own, as an unprivileged user, without files, network, other processes or the time: what it may
know is handed to it. It has the libraries `string`, `table`, `math`, `utf8` and `coroutine` and the basic
functions, and it can require `update.policy` and `update.version`. It may take half a second of processor time and
12 MiB of memory.

A policy that does not load, fails, takes too long or answers nonsense is broken. Then the text of it that last
answered is asked, which is kept in `policy/good` of the state directory. Where there is none, a broken owner's
policy installs nothing, and a broken policy of a release is left out, so that the release that repairs it can come.

A release's policy that lets nothing in does not keep a device for ever either: days are counted on which a package
passed every gate, the default would have installed it, and the release's policy did not, or its script dropped it by
update.rollback() or gave it up by Aliyun's calls. After `policy_days` of the configuration, 7 unless told otherwise,
neither that policy nor its kept text is asked what to install, and the script drops nothing any more; `moult install
--default-policy` leaves the policy out at once. A confirmed release begins the count anew, and so does a trial of
what that policy let in. `moult status` shows the days. While the clock was never set, a start of the device counts
as a day, and so do 24 hours of running. The owner's policy is never left out. `retry_after` counts as a day at most.]]
  page:section "TRYING IT"
  page:text "A policy is a function of its arguments, so a spec on a PC needs no device:"
  page:verbatim(SPEC)
  page:text "On the device, `moult explain` PKG shows what it would decide about a package, and by which rule."
  page:see_also { { "moult", 1 }, { "moult-config", 5 }, { "moult-script", 7 } }
  return page
end

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
  version = "VERSION of the script must not be lower than the one that runs, unless a permit or the manifest allows "
    .. "it.",
  core = "The core must have the name of the running one, and not a lower version, with the same exceptions.",
  higher = "Something in the package must be higher than what runs.",
  battery = "The charge must not be below `limits.battery`. Otherwise policy is asked again after 15 minutes.",
  window = "The time must be within `limits.window`. Otherwise policy is asked again when the window opens.",
  budget = "Over a metered link, what has to be fetched and what was fetched today must together be within "
    .. "`limits.budget`. Otherwise policy is asked again the next day.",
  data_cap = "A full package instead of a delta must not need more than `limits.data_cap` over a metered link. "
    .. "Otherwise policy is asked again after six hours. A manifest that overrides the budget skips this rule too.",
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
The default policy answers for functions that a policy does not define. Its `decide` runs these rules in order and
ends at the first that says stop. A rule is skipped if its limit is not set or its fact is not known, and the reason
tree says so.]]
  for _, name in ipairs(order()) do page:item(roff.bold(name), assert(rules[name], "no text about rule " .. name)) end
  page:text [[
Its `choose` takes every hotfix that is not applied yet. Its `healthy` is true if the script called `update.confirm()`
or, with `confirm = "auto"`, if it ran for `confirm_after` seconds without an error and a cloud answered.]]
end

local function put_fields(page)
  local sections = {
    { "OFFER", "offer", "What a cloud offers. It is signed and has passed every gate." },
    { "DEVICE", "device", "What runs now. `battery`, `metered` and other facts that only the device's script knows "
      .. "come from `update.setup { facts = fn }`, under the names that it gives them." },
    { "LIMITS", "limits", "The table `limits` of the configuration. The default policy knows these:" },
    { "FACTS", "facts", "How the release on trial is doing." },
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
  local page = roff.page { name = "moult-policy", section = 7, title = "what to install and when, and what counts "
    .. "as healthy",
    date = head.date, source = head.source }
  page:section "DESCRIPTION"
  page:text [[
A policy decides what a device does with an update that is available. It is one Lua file that returns a table of
functions. Changing it needs no compiler and no restart, because it is read again for each question. It can refuse,
delay and choose among what is validly signed and meant for this device. It cannot make anything else install:
signature, product, hardware, floor and the other gates are checked before policy is asked, and again before anything
is armed.]]
  page:verbatim(EXAMPLE)
  page:text [[
A device can have its owner's policy (`policy` in the configuration), and a release can bring one (`policy.lua` beside
`main.lua`). Each function is taken from the first of these that defines it, else from the default.]]
  page:section "FUNCTIONS"
  page:item(roff.bold "decide(offer, device, limits)", "Returns a decision and, optionally, the reason tree: an array "
    .. "of tables with `rule`, `result` (\"ok\", \"skip\" or \"stop\") and `text`, which `moult explain` prints.")
  page:item(roff.bold "choose(hotfixes, device)", "Returns the names of the hotfixes to apply, in order.")
  page:item(roff.bold "healthy(facts, limits)", "Returns true if the release on trial is healthy, which confirms it; "
    .. "false and a reason, which rolls it back at once; or nil: not yet. At the deadline the release is rolled back. "
    .. "If only `cloud_reached` was missing, it is not quarantined at once: see `moult`(1).")
  put_rules(page)
  put_fields(page)
  page:section "WHERE IT RUNS"
  page:text [[
A policy runs in a process of its own, as an unprivileged user, without files, network, other processes or a clock.
All that it knows is in its arguments. It has the libraries `string`, `table`, `math`, `utf8` and `coroutine` and the
basic functions, and can require `update.policy` and `update.version`. It may use half a second of processor time and
12 MiB of memory.

If a policy does not load, raises an error, takes too long or gives an invalid answer, the last version that worked is
used; it is kept in `policy/good` of the state directory. If there is none, a broken policy of the owner installs
nothing, and a broken policy of a release is ignored, so that a release that repairs it can be installed.

A release's policy cannot keep updates out for ever. Moult counts the days on which a package passed every gate and
the default would have installed it, but the release's policy did not, or its script dropped it by update.rollback()
or by Aliyun's calls. After `policy_days` of the configuration (default: 7), neither that policy nor its kept version
is asked what to install, and the script can drop nothing. `moult install --default-policy` ignores the policy at
once. A confirmed release starts the count again, and so does a trial of something that this policy installed. `moult
status` shows the days. As long as the clock has never been set, each start of the device counts as a day, and so do
24 hours of running. The owner's policy is never ignored. A `retry_after` of more than a day is taken as a day.]]
  page:section "TRYING IT"
  page:text "A policy depends only on its arguments, so a spec on a PC needs no device:"
  page:verbatim(SPEC)
  page:text "On the device, `moult explain PKG` shows what it would decide about a package, and by which rule."
  page:see_also { { "moult", 1 }, { "moult-config", 5 }, { "moult-script", 7 } }
  return page
end

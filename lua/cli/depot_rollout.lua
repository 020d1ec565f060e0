--- The options and the help of `moult depot rollout`.
--
-- @module cli.depot_rollout

local M = {}

--- Options that only rollouts take.
M.options = {
  { name = "waves", value = "LIST", help = "with rollout create: percent of the devices, rising (1,10,50,100)" },
  { name = "soak", value = "SPAN", help = "with rollout: pause after a wave that is done (24h)" },
  { name = "advance", value = "HOW", help = "with rollout: the next wave opens by time, or by hand",
    choices = { "time", "hand" } },
  { name = "limit", value = "N|P%", help = "with rollout: failures, or their share, that pause it (5%), or none" },
  { name = "sample", value = "N", help = "with rollout: verdicts before a share counts (20)" },
  { name = "count-silent", value = "WHICH", choices = { "yes", "no" },
    help = "with rollout: whether a device that falls silent amid an upgrade counts as a failure (no)" },
  { name = "in-flight", value = "N", help = "with rollout: offers that are open at once (100)" },
  { name = "done", value = "P", help = "with rollout: percent of a wave that need a verdict (90)" },
  { name = "least", value = "N", help = "with rollout: devices of a wave that have to succeed (1)" },
  { name = "retries", value = "N", help = "with rollout: how often a failed device tries again by itself (0)" },
  { name = "backoff", value = "SPAN", help = "with rollout: time between two such tries (1h)" },
  { name = "window", value = "FROM-TO", help = "with rollout: make offers only then, as 22:00-05:00" },
  { name = "zone", value = "ZONE",
    help = "time zone of a rollout's window (the product's, else UTC), or of a product, as Asia/Shanghai" },
  { name = "priority", value = "N", help = "with rollout: a higher one is served first (0)" },
  { name = "members", value = "WHICH", help = "with rollout create: fixed: only devices known now (open)",
    choices = { "open", "fixed" } },
  { name = "at", value = "TIME", help = "with rollout create: start then, as '2026-12-01 22:00'" },
  { name = "draft", help = "with rollout create: do not start it yet" },
}

local PLAN = { "waves", "soak", "advance", "limit", "sample", "done", "least", "retries", "backoff", "window", "zone",
  "members" }

--- For the help of the verb.
M.text = [[
  depot rollout create DIR [PACKAGE]
      give a verified package to all devices in waves; --dry-run says how many
  depot rollout list|show DIR [NUMBER]
      show the rollouts, or one of them
  depot rollout pause|resume|advance|change|retry|cancel|start DIR [NUMBER]
      stop its offers, go on, open the next wave, change its limits, try its
      failed devices again, end it, start a draft

A rollout gives its release to one wave after the other. A device's wave depends on its name and the release only.
When 90 % of the devices that were heard since a wave opened have succeeded or failed, the wave soaks for a day, then
the next one opens. Too many failures pause the rollout, and so does a person: no further offer is made, links of
devices that have not begun are refused, and downloads that have begun go on. `resume` counts failures from then on.]]

--- What the options say: the texts of a plan, and the priority.
-- @treturn table|nil {plan, priority}; nil, message, "usage"
function M.read(opts)
  local plan = { in_flight = opts["in-flight"], count_silent = opts["count-silent"] }
  for _, name in ipairs(PLAN) do plan[name] = opts[name] end
  local priority
  if opts.priority then
    priority = opts.priority:find "^%d+$" and #opts.priority < 4 and math.tointeger(tonumber(opts.priority))
    if not priority then
      return nil, ("--priority %s: expected a number from 0 to 999"):format(opts.priority), "usage"
    end
  end
  return { plan = plan, priority = priority }
end

return M

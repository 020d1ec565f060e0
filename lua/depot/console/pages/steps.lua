--- Rows of stages: the life of what was uploaded, and how far one device is with what it tries, in four stages as the
-- vendors' consoles show them.
--
-- @module depot.console.pages.steps

local frame = require "depot.console.frame"
local html = require "depot.console.html"

local M = {}

local h = html.h

--- The life of a release or a hotfix.
-- @tparam table page
-- @tparam {string,...} stages in their order
-- @tparam string stage the one of now
function M.life(page, stages, stage)
  local items, is_before = {}, true
  for i, name in ipairs(stages) do
    is_before = is_before and name ~= stage
    items[i] = h.li { class = is_before and "good" or "", ["aria-current"] = name == stage and "step" or false,
      page.t("g_" .. name) }
  end
  return h.ol { class = "stages", items }
end

local STEPS = { "prepare", "download", "test", "done" }
-- Of a hotfix, and of a job.
local HOTFIX = { waiting = 1, preparing = 1, downloading = 2, downloaded = 3, done = 5, failed = 0, reverted = 0 }

--- At which stage a device is with a hotfix: 1 to 4, 5 after the last, 0 if it failed.
function M.of_hotfix(device) return HOTFIX[device.state] or 1 end

--- The same for a job.
function M.of_job(page, job)
  if job.state == "pending" then return 1 end
  if job.state == "succeeded" then return 5 end
  if job.state ~= "upgrading" then return 0 end
  return (page.number(job.step) or 0) < 100 and 2 or 3
end

--- The four stages of a device.
-- @tparam table page
-- @tparam string name of the device
-- @tparam integer at
-- @tparam table said percent, text
function M.show(page, name, at, said)
  local items = {}
  for i, step in ipairs(STEPS) do
    local percent = i == at and step == "download" and page.number(said.percent)
    items[i] = h.li { class = i < at and "good" or "", ["aria-current"] = i == at and "step" or false,
      i < at and "✓ " or "", page.t("v_" .. step),
      percent and { " ", h.progress { max = 100, value = percent, ["aria-label"] = page.t("v_" .. step) },
        (" %d %%"):format(percent) } }
  end
  local text = page.text(said.text)
  return h.div { role = "status", class = "steps", h.p { frame.outside(name) }, h.ol { class = "stages", items },
    at == 0 and h.p { class = "bad", page.t("s_" .. said.state), text and ": ", text and frame.outside(text) } }
end

--- Whether it goes on by itself.
function M.is_open(at) return at >= 1 and at <= 4 end

return M

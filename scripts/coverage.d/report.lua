-- Prints the figures of scripts/coverage and the lines that are missing, from
-- gcovr's two files: report.lua SUMMARY.json LINES.json
local cjson = require "cjson"

local AIM = { line = 95, branch = 90 }
-- Where a branch never taken could be a device that never comes back.
local EVERY_BRANCH = { journal = true, install = true, trial = true, device = true, verify = true }

local function load_json(path)
  local file = assert(io.open(path))
  local value = cjson.decode(file:read("a"))
  file:close()
  return value
end

local function missing_of(file)
  local lines, branches = {}, {}
  for _, line in ipairs(file.lines) do
    local number = string.format("%d", line.line_number)
    if not line["gcovr/noncode"] then
      if line.count == 0 then
        lines[#lines + 1] = number
      else
        for _, branch in ipairs(line.branches or {}) do
          if branch.count == 0 then
            branches[#branches + 1] = number
            break
          end
        end
      end
    end
  end
  return lines, branches
end

local summary, details = load_json(arg[1]), {}
for _, file in ipairs(load_json(arg[2]).files) do
  details[file.file:match("[^/]+$")] = file
end

print(string.format("coverage: runtime/ %.1f %% of lines, %.1f %% of branches", summary.line_percent,
  summary.branch_percent))
for _, file in ipairs(summary.files) do
  local name = file.filename:match("[^/]+$")
  local aim = EVERY_BRANCH[name:match("^[^.]+")] and 100 or AIM.branch
  -- A file without branches has no percentage of them.
  local branch = tonumber(file.branch_percent) or 100
  if file.line_percent < AIM.line or branch < aim then
    local lines, branches = missing_of(details[name])
    print(string.format("  %s: %.1f %% of lines, %.1f %% of branches (aim %d)", name, file.line_percent, branch, aim))
    if #lines > 0 then
      print("    lines never executed: " .. table.concat(lines, " "))
    end
    if #branches > 0 then
      print("    lines that never branch one way: " .. table.concat(branches, " "))
    end
  end
end

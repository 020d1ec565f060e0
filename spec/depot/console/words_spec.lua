-- The words of the console: every act that is recorded, and every reason of a preview, is told in both languages.

local natives = require "update.natives"
local rollouts = require "depot.acts.rollouts"
local words = require "depot.console.words"

-- Verbs of the audit that are put together from two words.
local JOINED = { "job.cancel", "job.retry", "patch.delete", "patch.describe", "patch.release", "patch.trial",
  "patch.verify", "upload.done", "upload.failed" }

-- Why grants.of_rollout() gives a device nothing, where a preview counts it.
local REASONS = { "hardware unknown", "newer", "not on the list", "other hardware", "unordered" }

describe("the words of the console", function()
  local verbs = { settings = true } -- alone without a point

  -- Text literals as "device.tag" in the modules that change something; names of modules look the same.
  local function read_verbs(dir)
    for _, found in ipairs(assert(natives.folder.list(dir))) do
      local file <close> = assert(io.open(dir .. "/" .. found.name, "rb"))
      for verb in (found.regular and file:read "a" or ""):gmatch '"(%l+%.%l+)"' do
        if not verb:find "^depot%." and not verb:find "^update%." then verbs[verb] = true end
      end
    end
  end

  setup(function()
    for _, dir in ipairs { "acts", "actions", "api/routes" } do read_verbs("lua/depot/" .. dir) end
    for _, verb in ipairs(JOINED) do verbs[verb] = true end
    for verb in pairs(rollouts.verbs) do verbs["rollout." .. verb] = true end
  end)

  it("tell every act of a person, and no other", function()
    local told, done = {}, {}
    for key in pairs(words.words) do told[#told + 1] = key:match "^d_(.*)$" end
    for verb in pairs(verbs) do done[#done + 1] = verb end
    table.sort(told)
    table.sort(done)
    assert.same(done, told)
  end)

  it("tell why a rollout does not reach devices", function()
    for _, reason in ipairs(REASONS) do assert.is_table(words.words["b_" .. reason], reason) end
  end)

  it("are there twice, with the same to be filled in", function()
    for key, pair in pairs(words.words) do
      local places = {}
      for i = 1, 2 do
        assert.is_true(#pair[i] > 0, key)
        local list = {}
        for place in pair[i]:gsub("%%%%", ""):gmatch "%%%l" do list[#list + 1] = place end
        places[i] = table.concat(list)
      end
      assert.equal(places[1], places[2], key)
    end
  end)
end)

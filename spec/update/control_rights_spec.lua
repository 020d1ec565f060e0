local rights = require "update.control.rights"

describe("update.control.rights", function()
  local classes = {
    { "root and the agent's user",         { own = true },                   false, "owner" },
    { "a script that runs as root",        { own = true },                   true,  "owner" },
    { "the script that runs as another",   { named = true },                 true,  "script" },
    { "that user, elsewhere",              { named = true },                 false, nil },
    { "another user, below the script",    {},                               true,  nil },
    { "a member of the group",             { member = true },                false, "group" },
    { "the script, being a member, too",   { named = true, member = true },  true,  "script" },
    { "that user elsewhere, as a member",  { named = true, member = true },  false, "group" },
    { "anybody else",                      {},                               false, nil },
  }
  for _, case in ipairs(classes) do
    it("knows " .. case[1], function()
      assert.equal(case[4], rights.class(case[2], case[3]))
    end)
  end

  local url, path = { source = "HTTPS://h/p.upd" }, { source = "/etc/shadow" }
  local requests = {
    { "owner", { verb = "install", source = "/p.upd" },              nil },
    { "owner", { verb = "confirm", force = true },                   nil },
    { "script", { verb = "apply", offer = url },                     nil },
    { "script", { verb = "apply", offer = { cloud = "luat" } },      nil },
    { "script", { verb = "apply", offer = path },                    "may install from a URL, but not from a path" },
    { "script", { verb = "confirm" },                                nil },
    { "script", { verb = "confirm", force = true },                  "may confirm, but not by force" },
    { "script", { verb = "install", source = "http://h/p.upd" },     "may not ask for install" },
    { "group", { verb = "confirm", force = true },                   nil },
    { "group", { verb = "status" },                                  nil },
    { "group", { verb = "rollback" },                                "may not ask for rollback" },
    { "group", { verb = "globals" },                                 "may not ask for globals" },
    { nil, { verb = "status" },                                      "may not ask for status" },
  }
  local given = { "install", "rollback", "ota" }
  local of_members = {
    { { verb = "rollback" },                          nil },
    { { verb = "ota", call = "state" },               nil },
    { { verb = "install", source = "http://h/p.upd" }, nil },
    { { verb = "install", source = "/etc/shadow" },   "may install from a URL, but not from a path" },
    { { verb = "terminal" },                          "may not ask for terminal" },
    { { verb = "qinglian" },                          "may not ask for qinglian" },
    { { verb = "status" },                            nil },
  }
  for _, case in ipairs(of_members) do
    it(("gives the group what control_verbs names of %s"):format(case[1].verb), function()
      assert.equal(case[2], rights.forbids("group", case[1], given))
      assert.equal("may not ask for " .. case[1].verb, rights.forbids(nil, case[1], given))
    end)
  end

  it("gives a script nothing by it", function()
    assert.equal("may not ask for install", rights.forbids("script", { verb = "install" }, given))
  end)

  for _, case in ipairs(requests) do
    it(("says what %s may of %s"):format(case[1] or "nobody", case[2].verb), function()
      assert.equal(case[3], rights.forbids(case[1], case[2]))
    end)
  end
end)

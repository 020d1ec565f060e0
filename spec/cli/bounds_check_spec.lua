local bounds = require "cli.bounds_check"

describe("doctor on the limits of the script", function()
  local mounts = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
    .. "30 22 8:2 / /var/lib rw - ext4 /dev/sda2 rw\n"
    .. "31 22 8:3 / /data\\040one rw - ext4 /dev/sda3 rw\n"

  local places = {
    { "/var/lib/moult", "/var/lib" },
    { "/var/lib", "/var/lib" },
    { "/var/library/moult", "/" },
    { "/data one/state", "/data one" },
    { "/srv/state", "/" },
  }
  for _, case in ipairs(places) do
    it("finds the mount of " .. case[1], function() assert.equal(case[2], bounds.mount_of(case[1], mounts)) end)
  end

  local function read(files)
    return function(path) return files[path] end
  end

  it("looks for limits in the cgroup and above it", function()
    local limits = bounds.limits_of("0::/system.slice/moult.service\n", read {
      ["/sys/fs/cgroup/system.slice/moult.service/memory.max"] = "max\n",
      ["/sys/fs/cgroup/system.slice/moult.service/pids.max"] = "512\n",
      ["/sys/fs/cgroup/system.slice/memory.max"] = "67108864\n",
    })
    assert.same({ memory = true, pids = true }, limits)
  end)

  it("finds no limits in the root cgroup, and none without cgroup v2", function()
    assert.same({}, bounds.limits_of("0::/\n", read {}))
    assert.same({}, bounds.limits_of("3:memory:/x\n", read {}))
  end)

  it("is hard only when nothing is missing", function()
    local facts = { user = true, mount = "/data", limits = { memory = true, pids = true } }
    assert.matches("^hard limits: the kernel limits user, file system /data", select(2, bounds.judge(facts)))
    facts.limits.pids = nil
    assert.matches("^best effort: .*, give it a limit of processes %(TasksMax=%)$", select(2, bounds.judge(facts)))
    assert.matches("give it a user of its own.*a separate file system.*memory.*processes", select(2, bounds.judge {
      mount = "/", limits = {} }))
  end)
end)

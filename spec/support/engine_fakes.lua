--- Fakes for what the engine is handed: a device, packages and sources that
-- follow a script and write down what was done to them, in order.

local M = {}

local again = { nil, "nothing yet", "again" }

--- A scheduler without waiting: sleeps are written down.
function M.tasks(log)
  local clock = { at = 0 }
  return {
    now = function() return clock.at end,
    rest = function(_, seconds) clock.at = clock.at + seconds log("wait %.1f", seconds) end,
    await = function(_, _, seconds) clock.at = clock.at + seconds log("wait %.1f", seconds) end,
    set = function() log("wake") end,
    idle = function() clock.at = clock.at + 0.01 end,
    turn = function() clock.at = clock.at + 0.1 end,
  }
end

--- `o`: head = array of answers of package:step (true or {nil, message, code}),
-- blocks = array of runs of a transfer; each an array of "block", "done" or
-- {nil, message, code}; finish = answers of device:finish, gates, phase, begin;
-- manifest of every package, or manifests = of one after another; gates may be
-- a function of the package, learn_source is one.
function M.new(o)
  local self = { log = {}, opened = 0, sources = {}, done = 0 }
  local function log(format, ...) self.log[#self.log + 1] = format:format(...) end
  self.tasks = M.tasks(log)
  local head, runs = o.head or { again, true }, o.blocks or { { "block", again, "done" } }
  local finish = o.finish or { again, { "armed", "past the cache" } }

  local function source(location)
    log("open %s", location)
    local s = { closed = false }
    function s.close() s.closed = true log("close source") end
    function s.date() return o.dates and table.remove(o.dates, 1) or nil end
    function s.received() return 100 end
    function s.answer() return o.answers and table.remove(o.answers, 1) or nil end
    table.insert(self.sources, s)
    return s
  end

  local manifest = o.manifest or {
    digest = ("ab"):rep(32), project = "METER", sequence = 18, release = "1.0.1", script_version = "1.0.1",
    parts = { { kind = "script", size = 10, data_size = 10 } },
  }

  local function next_of(list) return table.remove(list, 1) or error("the fake has no more answers") end
  local function give(answer)
    if type(answer) == "table" then return answer[1], answer[2], answer[3] end
    return answer
  end

  self.natives = {
    url = require "update.native.url",
    source = {
      file = function(path) return source(path) end,
      http = function(_, url, options) self.options = options return source(url) end,
    },
    package = {
      open = function(_, _, spool)
        log(spool and "package in spool" or "package without spool")
        local one = o.manifests and next_of(o.manifests) or manifest
        return {
          step = function() return give(next_of(head)) end,
          manifest = function() return not o.unverified and one or nil end,
          offset = function() return o.offsets and table.remove(o.offsets, 1) or 0 end,
          layout = function() return { size = 5000 } end,
          close = function() log("close package") end,
        }
      end,
    },
    transfer = {
      open = function(_, _, s, reuse)
        if reuse ~= nil then log("reuse %s", reuse) end
        assert(not s.closed, "a transfer over a closed source")
        log("transfer")
        local run = next_of(runs)
        return {
          step = function()
            local answer = next_of(run)
            if answer == "block" then self.done = self.done + 1000 end
            return give(answer)
          end,
          progress = function() return self.done, 5000, "script", 0, o.wasted or 0 end,
          go_on = function(_, another)
            assert(not another.closed, "a transfer over a closed source")
            log("go on")
            run = next_of(runs)
          end,
          close = function() log("close transfer") end,
        }
      end,
    },
  }

  self.device = {
    status = function() return { phase = o.phase or "idle", transaction = o.transaction } end,
    spool = function() return "/state/tx" end,
    facts = function()
      return { project = "METER", release = o.runs or "1.0.0", floor = o.floor, time = 1700000000 }
    end,
    let_in = function(_, by_release) self.let_in = by_release end,
    kept_out_due = function() return o.due or false end,
    count_kept_out = function() log("count") return give(o.count or 3) end,
    time_floor = function() return o.time_floor end,
    permit = function(_, path)
      log(path and "permit " .. path or "no permit")
      return give(path and o.permit or true)
    end,
    gates = function(_, package)
      log("gates")
      if type(o.gates) == "function" then return o.gates(package) end
      return o.gates or { open = true, lines = { { gate = "project", open = true, text = "METER" } } }
    end,
    parts = function() return o.parts or { "script", "core" } end,
    learn_source = function(_, package) return give(o.learn_source and o.learn_source(package) or true) end,
    begin = function() log("begin") return give(o.begin or true) end,
    finish = function() log("finish") return give(next_of(finish)) end,
    prepare = function() log("prepare") return give(o.prepare and next_of(o.prepare) or true) end,
    abandon = function(_, code) log("abandon %s", code) return true end,
    needs_restart = function() return o.needs_restart or false end,
  }
  self.write = log
  return self
end

return M

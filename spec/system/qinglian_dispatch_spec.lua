-- What the agent asks the dispatcher of the Qinglian cloud, and what it believes.

local dispatch = require "update.agent.qinglian_dispatch"
local frame = require "update.cloud.qinglian_frame"
local natives = require "update.natives"
local scheduler = require "update.scheduler"

local MAC = "00:0c:29:4b:5b:1f"

-- Ask a server that answers `answer`(question): what came of it.
local function ask(answer)
  local loop <close> = assert(natives.loop.new())
  local server <close> = assert(natives.exchange.open "127.0.0.1:0")
  local tasks = scheduler.new { loop = loop, now = natives.loop.now, on_error = function(_, trace) error(trace) end }
  local result, questions
  questions = {}
  tasks:spawn("server", function()
    while not result do
      tasks:watch({ { fd = server:fd(), read = true } }, 0.05)
      for id, question in server.next, server do
        questions[#questions + 1] = question
        local said = answer(question)
        if said then server:answer(id, said) end
      end
    end
  end)
  tasks:spawn("device", function()
    result = table.pack(dispatch.ask { natives = natives, tasks = tasks, loop = loop,
      cloud = { host = "127.0.0.1", port = tonumber(server:address():match ":(%d+)$"), device = MAC } })
  end)
  while not result do tasks:step() end
  return result[1], result[2], questions
end

describe("update.agent.qinglian_dispatch", function()
  it("says its MAC and believes an address", function()
    local host, port, questions = ask(function() return frame.dispatch("192.0.2.1:1883", frame.MAGIC.aes, 9) end)
    assert.same({ "192.0.2.1", 1883 }, { host, port })
    assert.same({ MAC, frame.MAGIC.aes }, { frame.read_dispatch(questions[1]) })
  end)

  local good = frame.dispatch("192.0.2.1:1883", frame.MAGIC.aes, 9)
  local lies = {
    { "nothing", "", "of 0 bytes" },
    { "half a frame", good:sub(1, 13), "of 13 bytes" },
    { "a frame whose end is missing", good:sub(1, -2), "frame of the dispatcher" },
    { "a byte that is wrong", good:sub(1, -2) .. "x", "wrong CRC" },
    { "no address", frame.dispatch("come here", frame.MAGIC.aes, 9), "names no address" },
    { "address 0", frame.dispatch("0.0.0.0:1883", frame.MAGIC.aes, 9), "names no address" },
    { "port 0", frame.dispatch("192.0.2.1:0", frame.MAGIC.aes, 9), "names no address" },
    { "port 65536", frame.dispatch("192.0.2.1:65536", frame.MAGIC.aes, 9), "names no address" },
    { "an address that is none", frame.dispatch("192.0.2.256:1883", frame.MAGIC.aes, 9), "names no address" },
    { "a name", frame.dispatch("broker.example:1883", frame.MAGIC.aes, 9), "names no address" },
    { "an address with a line after it", frame.dispatch("192.0.2.1:1883\n", frame.MAGIC.aes, 9), "names no address" },
    { "an address with a NUL byte", frame.dispatch("192.0.2.1\0:1883", frame.MAGIC.aes, 9), "names no address" },
    { "the frame of another type", frame.dispatch("192.0.2.1:1883", frame.MAGIC.ssl, 9), "magic 0xf1eb" },
    { "a frame twice", good .. good, "frame of the dispatcher" },
    { "a frame with more behind it", good .. "x", "frame of the dispatcher" },
    { "a frame of a question", frame.dispatch(MAC, frame.MAGIC.aes, 9), "names no address" },
    { "more than fits", ("x"):rep(5000), "of %d+ bytes" },
  }
  for _, lie in ipairs(lies) do
    it("does not believe " .. lie[1], function()
      local host, message = ask(function() return lie[2] end)
      assert.is_nil(host)
      assert.match(lie[3], message)
    end)
  end

  it("waits two seconds for an answer", function()
    local host, message = ask(function() end)
    assert.is_nil(host)
    assert.match("no answer within 2 s", message)
  end)
end)

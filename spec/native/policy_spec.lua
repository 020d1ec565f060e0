local HOST = require "update.native.host"
local native = require "update.native.policy"

local finish = require("spec.support.policy_process").finish
local folder = require("spec.support.folder").new()

local function fails(code, fragment, text, message, got)
  assert.is_nil(text)
  assert.equal(code, got)
  assert.matches(fragment, message)
end

describe("native.policy", function()
  if os.getenv "MOULT_VALGRIND" then return pending("under valgrind a program cannot start itself") end

  local dir

  -- A program in the policy process's place.
  local function program(text)
    local path = folder.write("program", "#!/bin/sh\n" .. text .. "\n")
    assert(os.execute("chmod +x " .. path))
    return path
  end

  before_each(function() dir = folder.make() end)
  after_each(folder.remove)

  it("asks the default policy", function()
    local text = assert(finish(native.start '{"ask":"decide","offer":{"version":"2"},"device":{"version":"1"}}'))
    assert.matches('"action":"install"', text)
    assert.matches('"by":"default"', text)
  end)

  it("takes a question of 1 MiB and refuses one byte more", function()
    local head, tail = '{"ask":"healthy","facts":{"x":"', '"}}'
    local room = (1 << 20) - #head - #tail
    assert.matches('"ok":true', assert(finish(native.start(head .. ("x"):rep(room) .. tail))))
    fails("usage", "1048577 bytes", native.start(head .. ("x"):rep(room + 1) .. tail))
  end)

  local questions = {
    { "no question", "", "not JSON" },
    { "what is not JSON", "{", "not JSON" },
    { "a question of its own", '{"ask":"format"}', "ask must be" },
    { "a source without text", '{"ask":"decide","sources":[{"name":"owner"}]}', "needs a text" },
    { "a source with a long name", '{"ask":"decide","sources":[{"name":"' .. ("n"):rep(65) .. '","text":""}]}',
      "1 to 64 bytes" },
    { "a source without a name", '{"ask":"decide","sources":[{"text":""}]}', "needs a text" },
    { "a question nested too deep", '{"ask":"decide","offer":' .. ("["):rep(50) .. ("]"):rep(50) .. "}", "deeper" },
  }
  for _, case in ipairs(questions) do
    it("answers " .. case[1], function()
      local text = assert(finish(native.start(case[2])))
      assert.matches('"ok":false', text)
      assert.matches(case[3], text)
    end)
  end

  it("keeps integers exact", function()
    local policy = "return { healthy = function(f) return f.n == math.maxinteger and math.type(f.n) == 'integer' end }"
    local text = finish(native.start(
      '{"ask":"healthy","facts":{"n":9223372036854775807},"sources":[{"name":"owner","text":"'
      .. policy .. '"}]}'))
    assert.matches('"healthy":true', text)
  end)

  it("leaves null out", function()
    local policy = "return { healthy = function(f) return next(f) == nil end }"
    local text = finish(native.start('{"ask":"healthy","facts":{"n":null},"sources":[{"name":"owner","text":"'
      .. policy .. '"}]}'))
    assert.matches('"healthy":true', text)
  end)

  it("answers a question that is too long", function()
    local pipe = assert(io.popen(("head -c 1048577 /dev/zero | '%s' --policy"):format(HOST.program)))
    local text = pipe:read("a")
    assert.is_true(pipe:close())
    assert.matches("the question is too long", text)
  end)

  it("answers when its own modules are not there", function()
    assert(os.execute(("cp '%s' %s/moult"):format(HOST.program, dir)))
    local text = assert(finish(native.start('{"ask":"decide"}', nil, dir .. "/moult")))
    assert.matches('"ok":false', text)
    assert.matches("update/version.lua: No such file", text)
  end)

  it("says what cannot be started", function()
    fails("internal", "none: No such file", native.start("{}", nil, dir .. "/none"))
  end)

  it("refuses a user that is not there", function()
    if io.open("/proc/self/status"):read("a"):match("Uid:%s*(%d+)") ~= "0" then
      pending("only root becomes another user")
      return
    end
    local text = assert(finish(native.start("{}", "nobody-of-that-name")))
    assert.matches("no user nobody%-of%-that%-name", text)
    assert.matches("is root", assert(finish(native.start("{}", "root"))))
  end)

  it("kills a process that does not answer", function()
    fails("refused", "no answer in 2 s", finish(native.start("{}", nil, program "exec sleep 60")))
  end)

  it("kills a process that does not read the question", function()
    fails("refused", "no answer in 2 s", finish(native.start(("x"):rep(1 << 20), nil, program "exec sleep 60")))
  end)

  it("refuses an endless answer", function()
    fails("refused", "longer than 64 KiB", finish(native.start("{}", nil, program "exec yes")))
  end)

  it("refuses an answer a byte too long", function()
    local exact = "head -c 65536 /dev/zero | tr '\\0' x"
    assert.equal(65536, #assert(finish(native.start("{}", nil, program(exact)))))
    fails("refused", "longer than 64 KiB", finish(native.start("{}", nil, program(exact .. "; echo"))))
  end)

  it("refuses an empty answer and one that failed", function()
    fails("refused", "without an answer", finish(native.start("{}", nil, program "exit 0")))
    fails("refused", "without an answer", finish(native.start("{}", nil, program "echo '{}'; exit 1")))
  end)

  it("says which limit killed it", function()
    fails("refused", "system call filter", finish(native.start("{}", nil, program "kill -s SYS $$")))
    fails("refused", "processor time or memory", finish(native.start("{}", nil, program "kill -s XCPU $$")))
    fails("refused", "processor time or memory", finish(native.start("{}", nil, program "kill -s KILL $$")))
    fails("refused", "Segmentation fault", finish(native.start("{}", nil, program "kill -s SEGV $$")))
  end)

  it("gives the process two descriptors and no environment", function()
    local leak = assert(io.open(dir .. "/leak", "w")) -- not close-on-exec
    local text = assert(finish(native.start("{}", nil, program "ls -l /proc/self/fd; echo HOME=$HOME")))
    leak:close()
    assert.matches("0 %-> pipe:", text)
    assert.not_matches("leak", text)
    assert.not_matches("eventpoll", text)
    assert.matches("HOME=\n", text)
  end)

  it("kills the process when it is closed", function()
    local p = assert(native.start("{}", nil, program "exec sleep 60"))
    local pid = p:pid()
    p:close()
    assert.is_nil(io.open(("/proc/%d/stat"):format(pid)))
    p:close() -- twice is once
    assert.error_matches(function() p:step() end, "closed policy process")
  end)

  it("raises when it is misused", function()
    assert.error(function() native.start() end)
    assert.error(function() native.start({}) end)
    assert.error(function() native.keep(dir, "owner") end)
  end)
end)

describe("native.policy.keep", function()
  local dir

  before_each(function() dir = folder.make() end)
  after_each(folder.remove)

  it("returns the text that was kept, under each name", function()
    fails("missing", "good/owner", native.kept(dir, "owner"))
    for _, text in ipairs { "return {}", "", "a\0b", ("x"):rep(256 << 10) } do
      assert(native.keep(dir, "owner", text))
      assert.equal(text, native.kept(dir, "owner"))
    end
    assert(native.keep(dir, "generation", "other"))
    assert.equal("other", native.kept(dir, "generation"))
    assert.equal(256 << 10, #native.kept(dir, "owner"))
  end)

  it("refuses a text of more than 256 KiB and names that are paths", function()
    fails("usage", "262145 bytes", native.keep(dir, "owner", ("x"):rep((256 << 10) + 1)))
    for _, name in ipairs { "", "../owner", "Owner", "a/b", ("x"):rep(33) } do
      fails("usage", "not a valid name", native.keep(dir, name, ""))
      fails("usage", "not a valid name", native.kept(dir, name))
    end
  end)

  it("takes no text that was cut or changed", function()
    assert(native.keep(dir, "owner", "return {} -- all of it"))
    local path = dir .. "/policy/good/owner"
    local whole = assert(io.open(path)):read("a")
    for len = 0, #whole - 1 do
      local file = assert(io.open(path, "w"))
      file:write(whole:sub(1, len))
      file:close()
      fails("corrupt", "differs from what was kept", native.kept(dir, "owner"))
    end
  end)

  it("says where it cannot be kept", function()
    fails("write", dir .. "/none", native.keep(dir .. "/none", "owner", ""))
  end)
end)

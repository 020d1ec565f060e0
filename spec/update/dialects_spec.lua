-- Whatever a cloud or a device says: dialects never raise, and what they let
-- pass is usable. A raised error would end the agent, again and again.

local aliyun = require "update.cloud.aliyun"
local json = require "update.native.json"
local resume = require "update.cloud.resume_record"
local tencent = require "update.cloud.tencent"

local ROUNDS = 20000

-- The same numbers every time.
local function numbers(seed)
  local state = seed
  return function(n)
    state = state * 6364136223846793005 + 1442695040888963407
    return (state >> 33) % n + 1
  end
end

local NAMES = {
  "id", "code", "message", "data", "params", "version", "url", "size", "md5", "sign", "signMethod", "module",
  "extData", "step", "desc", "type", "file_size", "md5sum", "result_code", "result_msg", "report", "progress",
  "state", "percent", "downloaded_size", "stage", "text", "x",
}

local VALUES = {
  "1.0.0", "http://h/x", "https://h/x?y=%20", "Md5", "MD5", "sha256", ("a"):rep(32), ("B"):rep(64), "100", "-4",
  "0", "", "success", "1000", 0, 1, -1, 100, 101, 1000, 200, 2 ^ 53, 2 ^ 63, -2 ^ 63, math.mininteger,
  math.maxinteger, 0.5, 1e308, true, false, json.null, ("9"):rep(40), ("x"):rep(5000), "\0", "\u{56fa}",
  "default", "update_firmware", "report_version_rsp", "report_version", "report_progress", "downloading",
  "burning", "updating", "done", "fail", "fetching", "installing", "failed",
}

local function value(random, depth)
  local pick = random(10)
  if depth > 0 and pick <= 4 then
    local out = {}
    for _ = 1, random(10) do out[NAMES[random(#NAMES)]] = value(random, depth - 1) end
    return out
  elseif depth > 0 and pick == 5 then
    local out = json.array {}
    for i = 1, random(3) do out[i] = value(random, depth - 1) end
    return out
  end
  return VALUES[random(#VALUES)]
end

-- A message that is right, with some members replaced, so that most checks are passed.
local function damaged(random, message)
  local out = {}
  for name, old in pairs(message) do
    if type(old) == "table" then out[name] = damaged(random, old) else out[name] = old end
    if random(6) == 1 then out[name] = value(random, 2) end
  end
  if random(4) == 1 then out[NAMES[random(#NAMES)]] = value(random, 2) end
  return out
end

local RIGHT = {
  { code = "1000", id = 1, message = "success", data = { size = 10, version = "1", url = "http://h/x",
    md5 = ("a"):rep(32), sign = ("a"):rep(32), signMethod = "Md5", module = "default", extData = { x = 1 } } },
  { id = "1", params = { version = "1", step = "5", desc = "x", module = "m" } },
  { type = "update_firmware", file_size = 10, version = "1", url = "http://h/x", md5sum = ("a"):rep(32) },
  { type = "report_version_rsp", result_code = 0, result_msg = "success", version = "1" },
  { type = "report_version", report = { version = "1" } },
  { type = "report_progress", report = { version = "1", progress = { state = "downloading", percent = "5",
    result_code = "0", result_msg = "" } } },
  { version = "1", downloaded_size = 5, file_size = 10, md5sum = ("a"):rep(32), stage = "failed", code = "x",
    text = "y" },
}

local function check_offer(offer)
  assert(type(offer.version) == "string" and #offer.version >= 1 and #offer.version <= 32)
  assert(offer.url:find("^[Hh][Tt][Tt][Pp][Ss]?://[^/]") and not offer.url:find("[%c%s]"))
  assert(math.type(offer.size) == "integer" and offer.size > 0)
  assert(not offer.md5 or offer.md5:find("^[0-9a-f]+$") and #offer.md5 == 32)
  assert(not offer.sha256 or offer.sha256:find("^[0-9a-f]+$") and #offer.sha256 == 64)
end

-- @return whether the message was taken
local function check(got, message, code)
  if not got then
    assert(type(message) == "string" and (code == "corrupt" or code == "refused"), message)
    return false
  end
  if got.kind == "offer" then check_offer(got.offer) end
  if got.percent then assert(got.percent >= 0 and got.percent <= 100) end
  if got.version then assert(#got.version >= 1 and #got.version <= 32) end
  if got.text then assert(utf8.len(got.text) and not got.text:find("%c")) end
  return got.kind ~= "other"
end

describe("dialects", function()
  local speakers = {
    { "aliyun, upgrade", function(object) return aliyun.decode("upgrade", object) end },
    { "aliyun, request", function(object) return aliyun.decode("request", object) end },
    { "aliyun, get_reply", function(object) return aliyun.decode("get_reply", object, { module = "m" }) end },
    { "tencent, update", function(object) return tencent.decode("update", object) end },
    { "aliyun, a device's inform", function(object) return aliyun.heard("inform", object) end },
    { "aliyun, a device's progress", function(object) return aliyun.heard("progress", object) end },
    { "aliyun, a device's request", function(object) return aliyun.heard("request", object) end },
    { "tencent, a device's report", function(object) return tencent.heard("report", object) end },
  }
  for i, row in ipairs(speakers) do
    it(("take %d messages of any form without harm: %s"):format(ROUNDS, row[1]), function()
      local random, taken, refused = numbers(i), 0, 0
      for _ = 1, ROUNDS do
        local object
        if random(4) == 1 then object = value(random, 3) else object = damaged(random, RIGHT[random(#RIGHT)]) end
        if check(row[2](object)) then taken = taken + 1 else refused = refused + 1 end
      end
      assert(taken > 200 and refused > 200, ("%d taken, %d not"):format(taken, refused))
    end)
  end

  it("and so are records of an offer", function()
    local random, taken = numbers(99), 0
    for _ = 1, ROUNDS do
      local record = resume.decode(damaged(random, RIGHT[7]))
      if record then
        taken = taken + 1
        assert(#record.version <= 32 and record.offset >= 0)
        assert(record.stage == "fetching" or record.stage == "installing" or record.stage == "failed")
        assert.same(record, resume.decode(json.decode(json.encode(resume.encode(record)))))
      end
    end
    assert(taken > 1000)
  end)
end)

describe("message_fields", function()
  local fields = require "update.cloud.message_fields"

  it("passes over NUL bytes behind a message, and over no others", function()
    assert.same({ "{}", true }, { fields.unterminated "{}\0\0" })
    assert.same({ "{}", false }, { fields.unterminated "{}" })
    assert.same({ "\0{\0}", true }, { fields.unterminated "\0{\0}\0" })
    assert.same({ "", true }, { fields.unterminated "\0" })
  end)
end)

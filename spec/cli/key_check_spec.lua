-- What doctor says of keys, by what was found of them.

local key_check = require "cli.key_check"

local function key(name, state, overrides)
  local k = { name = name, id = name .. "-id", root = false, state = state or "trusted" }
  for field, value in pairs(overrides or {}) do k[field] = value end
  return k
end

local function set(keys, overrides)
  local s = { serial = 0, settled = true, revoked = {}, keys = keys }
  for field, value in pairs(overrides or {}) do s[field] = value end
  return s
end

local ROOT = { root = true }

describe("key_check.judge", function()
  local cases = {
    { "names the keys that are trusted", set { key "b", key "a" }, { { "ok", "a.pub, b.pub in /keys" } } },
    { "names root keys and the last list", set({ key "a", key("r", nil, ROOT) }, { serial = 7 }),
      { { "ok", "a.pub in /keys, root/r.pub, key list 7" } } },
    { "fails without a key", set {}, { { "fail", "no trusted public key in /keys", "keygen", "untrusted" } } },
    { "fails when all were revoked", set({ key("a", "revoked"), key("r", nil, ROOT) }, { serial = 1 }), {
      { "fail", "nothing will install", "keys apply", "untrusted" },
      { "warn", "/keys: a.pub was revoked by a key list and is not trusted", "remove" } } },
    { "fails when only root keys are there", set { key("r", nil, ROOT) },
      { { "fail", "nothing will install", "keys apply", "untrusted" } } },
    { "warns of a revoked root key", set { key "a", key("r", "revoked", ROOT) },
      { { "ok", "a.pub in /keys" }, { "warn", "root/r.pub was revoked", "remove" } } },
    { "warns of what is no key", set { key "a", key("b", "unreadable") },
      { { "ok", "a.pub in /keys" }, { "warn", "/keys: b.pub is not a minisign public key", "remove it" } } },
    { "warns of one key in both places", set { key("a", nil, { id = "1" }), key("r", nil, { id = "1", root = true }) },
      { { "ok", "a.pub" }, { "warn", "a.pub can sign packages and lists", "root/" } } },
    { "warns of a list that is not carried out", set({ key "a" }, { serial = 3, settled = false }),
      { { "ok", "a.pub" }, { "warn", "key list 3 is in force, but its files", "next start" } } },
  }
  for _, case in ipairs(cases) do
    local name, given, lines = table.unpack(case)
    it(name, function()
      local got = key_check.judge("/keys", given)
      assert.equal(#lines, #got)
      for i, wanted in ipairs(lines) do
        assert.equal(wanted[1], got[i].level)
        assert.truthy(got[i].text:find(wanted[2], 1, true), got[i].text)
        if wanted[3] then assert.truthy(got[i].advice:find(wanted[3], 1, true), got[i].advice)
        else assert.is_nil(got[i].advice) end
        assert.equal(wanted[4], got[i].code)
      end
    end)
  end
end)

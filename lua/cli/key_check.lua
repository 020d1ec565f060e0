--- What `moult doctor` says about a directory of keys.
--
-- Pure: takes the result of update.native.keys.list() and returns lines.
--
-- @module cli.key_check

local M = {}

local function sorted(keys, wanted)
  local names, seen = {}, {}
  for _, key in ipairs(keys) do
    if wanted(key) and not seen[key.name] then
      seen[key.name] = true
      names[#names + 1] = (key.root and "root/" or "") .. key.name .. ".pub"
    end
  end
  table.sort(names)
  return table.concat(names, ", "), #names
end

local function is(state, root)
  return function(key) return key.state == state and (root == nil or key.root == root) end
end

-- Keys that are both release and root keys: whoever steals one can sign packages and change the set of keys.
local function both(keys)
  local root = {}
  for _, key in ipairs(keys) do
    if key.root and key.state == "trusted" then root[key.id] = true end
  end
  return sorted(keys, function(key) return not key.root and key.state == "trusted" and root[key.id] end)
end

--- @tparam string dir
-- @tparam table set from update.native.keys.list()
-- @treturn table lines {level = "ok"|"warn"|"fail", text, advice (nil if ok), code (of a failure)}
function M.judge(dir, set)
  local lines = {}
  local function line(level, text, advice, code)
    lines[#lines + 1] = { level = level, text = text, advice = advice, code = code }
  end
  local release, count = sorted(set.keys, is("trusted", false))
  local root = sorted(set.keys, is("trusted", true))
  if count == 0 then
    line("fail", ("no trusted public key in %s: nothing will install"):format(dir),
      root ~= "" and "apply a key list that adds one: `moult keys apply FILE`"
        or "copy the NAME.pub that `moult keygen NAME` made there", "untrusted")
  else
    line("ok", ("%s in %s%s%s"):format(release, dir, root ~= "" and ", " .. root or "",
      set.serial > 0 and (", key list %d"):format(set.serial) or ""))
  end
  local names, bad = sorted(set.keys, is "unreadable")
  if bad > 0 then
    line("warn", ("%s: %s is not a minisign public key"):format(dir, names), "remove it, or copy the key again")
  end
  names, bad = sorted(set.keys, is "revoked")
  if bad > 0 then
    line("warn", ("%s: %s was revoked by a key list and is not trusted"):format(dir, names),
      "remove the file")
  end
  names, bad = both(set.keys)
  if bad > 0 then
    line("warn", ("%s: %s can sign packages and lists of keys"):format(dir, names),
      "use other keys in root/, and keep them off the machine that builds releases")
  end
  if not set.settled then
    line("warn", ("key list %d is in force, but its files are not complete"):format(set.serial),
      "the next start of `moult run` repairs that; if not, make the directory writable")
  end
  return lines
end

return M

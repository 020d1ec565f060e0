--- `moult info FILE`.
--
-- @module cli.verbs.info

local files_list = require "cli.files_list"
local natives = require "update.natives"
local package_check = require "cli.package_check"
local signed = require "cli.signed"
local times = require "cli.times"

local M = {}

M.verb = {
  name = "info",
  usage = "info FILE [-k KEYS]",
  summary = "show what a package, a permit or a list of keys contains",
  text = "With -k the signature and the indexes are checked, and a files part is checked completely and listed.\n"
    .. "Without -k nothing is checked, and the first line says so. `moult verify` checks every block. The signature\n"
    .. "of a permit or a list of keys is FILE.minisig; a list is signed by root keys.",
  positional = { 1, 1 },
  common = { "key", "json" },
  example = "moult info METER_1.0.1.upd -k release.pub\nmoult info permit.json -k release.pub",
}

-- Verify the head: true, or why not.
local function verify_head(path, keys)
  local source <close>, message, code = natives.source.file(path)
  if not source then return nil, message, code end
  local package <close>, why, word = natives.package.open(source, keys)
  if not package then return nil, why, word end
  local ok
  ok, message, code = package:step()
  if not ok then return nil, ("%s: %s"):format(path, message), code end
  return true
end

-- An unverified package may contain anything, so control characters are replaced.
local function clean(value)
  return (tostring(value):gsub("%c", "?"):gsub("\xc2[\x80-\x9f]", "?"))
end

local function date(seconds)
  return math.type(seconds) == "integer" and times.shown(seconds) or clean(seconds)
end

local function list(values)
  local texts = {}
  for i, value in ipairs(type(values) == "table" and values or {}) do texts[i] = clean(value) end
  return table.concat(texts, ", ")
end

local function named(object, name)
  return type(object) == "table" and ("%s %s"):format(clean(object[name]), clean(object.version)) or clean(object)
end

local function part_line(part)
  if type(part) ~= "table" then return "part         " .. clean(part) end
  local source, against = part.source, ""
  if type(source) == "table" then
    against = (", a delta against core version %s, %s bytes"):format(clean(source.version), clean(source.size))
  end
  return ("part         %s: %s bytes, stored as %s, in blocks of %s%s"):format(clean(part.kind), clean(part.size),
    clean(part.data_size), clean(part.block_size), against)
end

-- The maker's notes, one on each line.
local function meta_lines(meta, add)
  local names = {}
  for name in pairs(type(meta) == "table" and meta or {}) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local value = meta[name]
    if name == "support_until" then
      value = date(value)
    elseif type(value) == "table" then
      value = natives.json.encode(value)
    end
    add("meta", ("%s: %s"):format(clean(name), clean(value)))
  end
end

local function lines_of(m, digest)
  local lines = {}
  local function add(label, value)
    if value ~= nil then lines[#lines + 1] = ("%-12s %s"):format(label, value) end
  end
  add("project", clean(m.project))
  add("release", m.release and clean(m.release))
  add("hotfix", m.hotfix and named(m.hotfix, "name") .. (type(m.hotfix) == "table" and m.hotfix.files and ", with files"
    or ""))
  for _, name in ipairs { "script", "core", "files" } do
    local range = type(m.hotfix) == "table" and type(m.hotfix.base) == "table" and m.hotfix.base[name]
    add("base", range and ("%s %s"):format(name, clean(range)) or nil)
  end
  add("sequence", clean(m.sequence))
  add("manifest", digest)
  add("hardware", m.hardware and list(m.hardware) or "any")
  add("files", type(m.files) == "table" and clean(m.files.version) or nil)
  add("script", type(m.script) == "table" and clean(m.script.version) or nil)
  add("core", m.core and named(m.core, "name"))
  add("requires", m.requires and named(m.requires, "core") .. " or higher")
  add("min_moult", m.min_moult and clean(m.min_moult))
  add("issued", m.issued and date(m.issued))
  add("not_after", m.not_after and date(m.not_after))
  add("deadline", m.deadline and clean(m.deadline) .. " s a trial start")
  add("override", m.override and list(m.override))
  add("text", m.text and clean(m.text))
  meta_lines(m.meta, add)
  for _, part in ipairs(type(m.parts) == "table" and m.parts or {}) do lines[#lines + 1] = part_line(part) end
  return lines
end

local function permit_lines(p, add)
  add("project", clean(p.project))
  add("devices", type(p.devices) == "table" and list(p.devices) or clean(p.devices))
  add("manifest", clean(p.manifest))
  add("not_after", date(p.not_after))
end

local function keys_lines(k, add)
  add("serial", clean(k.serial))
  for _, key in ipairs(k.add or {}) do add("add", ("%s  %s"):format(clean(key.name), clean(key.key))) end
  for _, id in ipairs(k.revoke or {}) do add("revoke", clean(id)) end
end

-- By format: a permit or a list of keys.
local lines_by_format = { ["moult-permit-1"] = permit_lines, ["moult-keys-1"] = keys_lines }

local function show_signature(env, state, key)
  env.out(("%-12s %s, by key %s%s"):format("signature", state, key or "unknown",
    state == "verified" and "" or "; give -k KEYS to check it"))
end

local function show_file(path, keys, env)
  local seen, message, code = signed.beside(path, keys)
  if not seen then return nil, message, code end
  local state = keys and "verified" or seen.key and "not checked" or "none"
  if env.json then
    env.out(natives.json.encode { object = seen.object, comment = seen.comment, key = seen.key, signature = state })
    return 0
  end
  if seen.key then show_signature(env, state, seen.key) else env.out(("%-12s none"):format("signature")) end
  local function add(label, value) env.out(("%-12s %s"):format(label, value)) end
  add("format", clean(seen.object.format))
  local lines = lines_by_format[seen.object.format]
  if lines then lines(seen.object, add) end
  return 0
end

function M.run(parsed, env)
  local path, keys = parsed.positional[1], parsed.opts.key
  if signed.read(path, 0, 1) == "{" then return show_file(path, keys, env) end
  local seen, message, code = signed.peek(path)
  if not seen then return nil, message, code end
  local whole
  if keys and seen.manifest.files then
    whole, message, code = package_check.whole(path, keys, env.progress)
    if not whole then return nil, message, code end
    env.finish()
  elseif keys then
    local ok
    ok, message, code = verify_head(path, keys)
    if not ok then return nil, message, code end
  end
  local state = keys and "verified" or "not checked"
  if env.json then
    env.out(natives.json.encode { manifest = seen.manifest, key = seen.key, signature = state,
      digest = seen.digest, files = whole and whole.files and files_list.object(whole.files) })
    return 0
  end
  show_signature(env, state, seen.key)
  for _, line in ipairs(lines_of(seen.manifest, seen.digest)) do env.out(line) end
  for _, line in ipairs(files_list.lines(whole and whole.files or {})) do
    env.out(("%-12s %s"):format(line[1], line[2]))
  end
  return 0
end

return M

--- `moult depot pack DIR`: makes the missing packages of a folder that has a
-- recipe and older cores.
--
-- DIR/recipe.lua is a recipe as for `moult pack`. Cores are found by their
-- names: if the recipe's image is core22.img and its version 22, core17.img is
-- core 17. They are added to `from`. If one is higher than the recipe's, it is
-- the new core, and the sequence is raised by the difference.
--
-- @module cli.depot_pack

local compressed = require "cli.compressed"
local natives = require "update.natives"
local packing = require "cli.packing"
local pending = require "depot.pending"
local recipe = require "cli.recipe"
local signed = require "cli.signed"
local warnings = require "cli.warnings"

local M = {}

--- The parts of a file name before and after the version of a core.
-- @tparam string name "core22.img"
-- @tparam integer version 22
-- @treturn string|nil the part before the number; nil: the name does not have it
-- @treturn string the part after it
function M.around(name, version)
  local before, behind
  for from, digits, to in name:gmatch("()(%d+)()") do
    if math.tointeger(tonumber(digits)) == version then before, behind = name:sub(1, from - 1), name:sub(to) end
  end
  return before, behind
end

-- The images beside the recipe's whose names differ only in the number: {version, image}, the lowest first.
local function find_cores(core)
  local folder, name = core.image:match("^(.*)/([^/]*)$")
  local before, behind = M.around(name, core.version)
  local found = {}
  for _, entry in ipairs(before and natives.folder.list(folder) or {}) do
    local text = entry.name
    local digits = #text > #before + #behind and text:sub(1, #before) == before
      and text:sub(#text - #behind + 1) == behind and text:sub(#before + 1, #text - #behind)
    local version = digits and #digits < 19 and digits:find("^%d+$") and math.tointeger(tonumber(digits))
    if version and entry.regular then found[#found + 1] = { version = version, image = folder .. "/" .. text } end
  end
  table.sort(found, function(a, b) return a.version < b.version or a.version == b.version and a.image < b.image end)
  return found
end

-- The recipe with the newest core and every older one.
local function complete(made)
  local core = made.core
  if not core then return made end
  local found = find_cores(core)
  local newest = found[#found]
  if newest and newest.version > core.version then
    made.sequence = made.sequence + newest.version - core.version
    if made.release == recipe.release(made) then made.release = ("%s-V%d"):format(made.version, newest.version) end
    core.version, core.image = newest.version, newest.image
  end
  local from, seen = {}, { [core.version] = true }
  for _, list in ipairs { core.from or {}, found } do
    for _, old in ipairs(list) do
      if not seen[old.version] then
        seen[old.version] = true
        from[#from + 1] = old
      end
    end
  end
  core.from = #from > 0 and from or nil
  return made
end

local function size_of(path)
  local file <close> = io.open(path, "rb")
  return file and file:seek("end")
end

-- Whether the manifest has the files of the recipe, or neither has any.
local function same_files(m, files)
  local version = type(m.files) == "table" and m.files.version or nil
  return version == (files and files.version)
end

-- Whether a package with the same sequence, release, files, core and base exists already.
local function is_there(one)
  local seen = signed.peek(one.path)
  local m = seen and seen.manifest
  if not m or m.sequence ~= one.recipe.sequence or m.release ~= one.recipe.release then return false end
  if not same_files(m, one.recipe.files) then return false end
  local core = one.recipe.core
  if not core then return m.core == nil end
  if type(m.core) ~= "table" or m.core.version ~= core.version then return false end
  for _, part in ipairs(type(m.parts) == "table" and m.parts or {}) do
    if part.kind == "core" then
      local source = type(part.source) == "table" and part.source or {}
      return source.version == one.from and source.size == (core.from and size_of(core.from))
    end
  end
  return false
end

-- As much of a manifest as a depot needs to know which devices will get the package.
local function manifest_of(one)
  local made, parts = one.recipe, {}
  if made.script then parts[1] = { kind = "script" } end
  if made.files then parts[#parts + 1] = { kind = "files" } end
  if made.core then
    parts[#parts + 1] = { kind = "core", delta = one.from ~= nil, source_version = one.from }
  end
  return {
    project = made.project, product_key = natives.digest.sha256(made.product_key), sequence = made.sequence,
    release = made.release, script_version = made.script and made.version or nil,
    files_version = made.files and made.files.version or nil,
    core_name = made.core and made.core.name or nil, core_version = made.core and made.core.version or nil,
    requires_core = made.requires and made.requires.core or nil,
    requires_version = made.requires and made.requires.version or nil,
    override = natives.json.array(made.override or {}), parts = natives.json.array(parts),
  }
end

-- Tell depots which packages are still to come: `list` from its i-th element on.
local function announce(dir, list, i)
  local rest = {}
  for k = i, #list do rest[#rest + 1] = { name = list[k].path:match("[^/]+$"), manifest = manifest_of(list[k]) } end
  return pending.write(natives, dir, rest)
end

-- Make each package. A failure does not stop the others.
local function make(dir, missing, key, env)
  local written, failed = {}, nil
  for i, one in ipairs(missing) do
    local ok, message, code = announce(dir, missing, i)
    if not ok then return written, { message, code } end
    local result
    result, message, code = packing.write(one, key, env.progress)
    if result then
      written[#written + 1] = result
      if not env.json then
        env.out(("%s: release %s, sequence %d, %d bytes%s"):format(one.path, result.release, result.sequence,
          result.size, one.from and (", for core version %d"):format(one.from) or ""))
      end
    else
      env.err(("%s: %s (%s)"):format(one.path, message, code))
      failed = failed or { ("%s: %s"):format(one.path, message), code }
    end
  end
  announce(dir, missing, #missing + 1)
  return written, failed
end

local function plan(dir)
  local made, message, code = recipe.load(dir .. "/recipe.lua")
  if not made then return nil, message, code end
  local ok
  ok, message, code = packing.check(made)
  if not ok then return nil, message, code end
  made = complete(made)
  local missing, there = {}, {}
  for _, one in ipairs(packing.all(made, dir .. "/" .. packing.name(made))) do
    table.insert(is_there(one) and there or missing, one)
  end
  return made, missing, there
end

local function names_of(list)
  local names = {}
  for i, one in ipairs(list) do names[i] = one.path:match("[^/]+$") end
  return natives.json.array(names)
end

--- Make what is missing.
-- @tparam string dir
-- @tparam table opts key
-- @tparam table env of the dispatcher
-- @treturn integer 0; or nil, message, code
function M.run(dir, opts, env)
  if not opts.key then return nil, "needs -k KEY, the private key to sign with", "usage" end
  local made, missing, there = plan(dir)
  if not made then return nil, missing, there end
  if #pending.read(natives, dir) > 0 then
    return nil, ("%s: another process is making packages there; wait until it is done"):format(dir), "busy"
  end
  local warning = made.core and made.core.from and #missing > 0 and compressed.warning(made.core.image)
  if warning then env.note("warning: " .. warning) end
  if #missing > 0 then warnings.of_recipe(made, env) end
  if env.dry_run then
    for _, one in ipairs(missing) do env.out(one.path .. ": would be made") end
    return 0
  end
  for _, one in ipairs(there) do env.note(one.path .. ": kept, it is up to date") end
  local written, failed = make(dir, missing, opts.key, env)
  env.finish()
  if env.json then env.out(natives.json.encode { made = names_of(written), present = names_of(there) }) end
  if failed then return nil, failed[1], failed[2] end
  return 0
end

return M

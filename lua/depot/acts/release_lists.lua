--- The devices that a release is for: NAME.upd.devices beside each of its packages.
--
-- @module depot.acts.release_lists

local acts = require "depot.acts"
local device_list = require "depot.device_list"
local files = require "depot.files"
local into_folder = require "depot.into_folder"
local releases = require "depot.acts.releases"

local M = {}

local function path_of(world, entry) return ("%s/%s.devices"):format(world.dir, entry.name) end

-- The lists of a release as they are: {[name of a package] = text}; without a list nothing.
local function texts_of(world, release)
  local texts = {}
  for _, entry in ipairs(release.entries) do texts[entry.name] = files.read(path_of(world, entry)) end
  return texts
end

local function write(world, entry, text)
  return into_folder.put(world.dir, entry.name .. ".devices", function(path)
    local file <close>, why = io.open(path, "wb")
    if not file then return nil, why end
    local ok
    ok, why = file:write(text)
    return ok and file:close(), why
  end)
end

--- Which devices a release is for.
-- @treturn {string,...}|false names, sorted; false: every device
function M.names(release)
  local set, names = {}, {}
  for _, entry in ipairs(release.entries) do
    if not entry.devices then return false end
    for name in pairs(entry.devices) do set[name] = true end
  end
  for name in pairs(set) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- The text of a list; nil, message, code.
local function text_of(names)
  if not names then return "*\n" end
  local text = table.concat(names, "\n") .. "\n"
  local set, count = device_list.parse(text)
  if set == nil then return nil, "devices: " .. count, "usage" end
  if set == false then return nil, 'devices: "*" is no name; say everybody', "usage" end
  return text
end

-- Write each entry its text, within change(). If one cannot be written, those before are as they were.
local function put_all(world, release, texts)
  local before = texts_of(world, release)
  for i, entry in ipairs(release.entries) do
    local ok, message, code = write(world, entry, texts[entry.name] or "*\n")
    if not ok then
      for j = 1, i - 1 do write(world, release.entries[j], before[release.entries[j].name] or "*\n") end
      return nil, message, code
    end
  end
  return before
end

-- Whether JSON keeps a list as it is.
local function is_text(texts)
  for _, text in pairs(texts) do
    if not utf8.len(text) then return false end
  end
  return true
end

local function release_of(world, id)
  for _, release in ipairs(releases.all(world)) do
    if release.id == id then return release end
  end
  return nil, "the release is no longer in the folder", "missing"
end

--- Give a release the lists that it had, if they still are what they became; of depot.acts.undo.
function M.put_back(world, undo)
  local release, message, code = release_of(world, undo.release)
  if not release then return nil, message, code end
  for name, text in pairs(texts_of(world, release)) do
    if text ~= undo.new[name] then return nil, "the list was changed meanwhile", "conflict" end
  end
  local act = { verb = "release.list", object = releases.name(release), product = release.manifest.product_key,
    after = "as before" }
  return acts.change(world, function() return put_all(world, release, undo.old) end, act)
end

--- Say which devices a release is for.
-- @tparam table world
-- @tparam table release of depot.acts.releases
-- @tparam {string,...}|boolean names false: every device
-- @treturn true|nil nil, message, code
function M.set(world, release, names)
  local text, message, code = text_of(names)
  if not text then return nil, message, code end
  local old = M.names(release)
  local act = { verb = "release.list", object = releases.name(release), product = release.manifest.product_key,
    before = old and ("%d devices"):format(#old) or "every device",
    after = names and ("%d devices"):format(#names) or "every device" }
  return acts.change(world, function()
    local texts = {}
    for _, entry in ipairs(release.entries) do texts[entry.name] = text end
    local before, why, word = put_all(world, release, texts)
    if before and is_text(before) then
      act.undo = { kind = "release.list", release = release.id, old = before, new = texts }
    end
    return before and true, why, word
  end, act)
end

--- Put further devices on the list of a release.
-- @treturn true|nil nil, message, code
function M.append(world, release, names)
  local all = M.names(release)
  if not all then
    return nil, "the release is for every device; replace its list to limit it", "refused"
  end
  local set = {}
  for _, name in ipairs(all) do set[name] = true end
  for _, name in ipairs(names) do
    if not set[name] then all[#all + 1] = name end
    set[name] = true
  end
  return M.set(world, release, all)
end

return M

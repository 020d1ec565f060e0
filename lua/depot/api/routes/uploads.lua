--- Routes of uploads: begin one, send its bytes, go on after a break.
--
-- @module depot.api.routes.uploads

local acts = require "depot.acts"
local bare_patch = require "depot.bare_patch"
local may = require "depot.api.may"
local patch_store = require "depot.patch_store"
local patches = require "depot.acts.patches"
local products = require "depot.acts.products"
local random = require "depot.random"

local M = {}

local DAY = 86400 * 1000  -- ms, after which an upload that is not whole is removed
local AT_ONCE = 2         -- uploads of a user
local LARGEST = 1 << 40   -- bytes

local function object_of(call, row)
  local null = call.json.null
  return { id = row.id, name = row.name, size = row.size, offset = row.state == "open" and call.incoming:size(row.id)
    or row.size, state = row.state, reason = row.reason or null, file = row.file or null, ends = row.ends // 1000 }
end

-- Remove those whose time is over.
local function sweep(call, now)
  local rows, message, code = call.world.store:ended_uploads(now)
  if not rows then return nil, message, code end
  for _, row in ipairs(rows) do
    call.incoming:drop(row.id)
    local ok
    ok, message, code = call.world.store:drop_upload(row.id)
    if not ok then return nil, message, code end
  end
  return true
end

-- An upload of the one who asks.
local function find(call)
  local row, message, code = call.world.store:upload(call.params.U)
  if row == nil then return nil, message, code end
  if not row or row.account ~= call.actor.account then return nil, "there is no such upload", "missing" end
  return row
end

-- The hash of the product that an upload names; false: it names none.
local function product_of(call)
  if not call.args.product then return false end
  local product, message, code = products.find(call.world, call.args.product)
  if not product and code ~= "missing" then return nil, message, code end
  if product and may.sees(call.actor, product.hash) then return product.hash end
  return nil, "there is no such product", "missing", "product"
end

local function begin(call)
  local store, now = call.world.store, acts.now()
  local ok, message, code = sweep(call, now)
  if ok then ok, message, code = call.incoming:prepare() end
  if ok then ok, message, code = call.incoming:check_room(call.args.size) end
  if not ok then return nil, message, code end
  local product, why, word, field = product_of(call)
  if product == nil then return nil, why, word, field end
  local row = { id = random.hex():sub(1, 32), account = call.actor.account, name = call.args.name,
    size = call.args.size, state = "open", made = now, ends = now + DAY, product = product or nil }
  local done
  done, message, code = acts.change(call.world, function()
    local open
    open, why, word = store:open_uploads(row.account, now)
    if open and open >= AT_ONCE then
      return nil, ("%d uploads of yours have begun; finish or delete one"):format(open), "limited"
    end
    if not open then return nil, why, word end
    return store:add_upload(row)
  end, { verb = "upload.begin", object = "upload " .. row.id, after = row.name })
  if not done then return nil, message, code end
  return object_of(call, row), { status = 201 }
end

local function list(call)
  local rows, message, code = call.world.store:uploads_of(call.actor.account, acts.now())
  if not rows then return nil, message, code end
  local items = {}
  for i, row in ipairs(rows) do items[i] = object_of(call, row) end
  return { items = call.json.array(items), next = call.json.null }
end

local function show(call)
  local row, message, code = find(call)
  if not row then return nil, message, code end
  return object_of(call, row)
end

local function drop(call)
  local row, message, code = find(call)
  if not row then return nil, message, code end
  if row.state == "checking" then return nil, "the upload is being checked", "busy" end
  if row.state ~= "done" then call.incoming:drop(row.id) end
  local done
  done, message, code = acts.change(call.world, function() return call.world.store:drop_upload(row.id) end,
    { verb = "upload.drop", object = "upload " .. row.id })
  if not done then return nil, message, code end
  return {}
end

local function set(call, row, state, reason, file)
  row.state, row.reason, row.file = state, reason, file
  return acts.change(call.world, function() return call.world.store:set_upload(row.id, state, reason, file) end,
    { verb = "upload." .. state, object = "upload " .. row.id, after = file or reason, idle = state == "checking" })
end

-- A package that is not to be kept.
local function refuse(call, row, message, code)
  call.incoming:drop(row.id)
  local ok, why, word = set(call, row, "failed", message)
  if not ok then return nil, why, word end
  return nil, message, code
end

-- A hotfix has a place and stages of its own.
local function take_hotfix(call, row, manifest)
  local item, message, code = patches.add(call.world, call.incoming:path(row.id), manifest, nil, function()
    coroutine.yield(function() return true end)
  end)
  if not item then return refuse(call, row, message, code) end
  call.incoming:drop(row.id)
  local ok
  ok, message, code = set(call, row, "done", nil, patch_store.file(item))
  if not ok then return nil, message, code end
  local object = object_of(call, row)
  object.hotfix = item.id
  return object, { status = 201 }
end

-- Check what has come.
-- @treturn table|nil its manifest, or what stands for it in a bare patch; nil, message, code
local function check(call, row)
  local path = call.incoming:path(row.id)
  if bare_patch.is_bare(path, row.name) then
    return bare_patch.manifest(call.world, path, row.name, row.product)
  end
  local ok, message, code = call.incoming:check(row.id)
  if not ok then return nil, message, code end
  local manifest
  manifest, message, code = call.incoming:manifest(row.id)
  return manifest, message, code or "corrupt"
end

-- It is whole and may be taken: into the folder, if its product allows it, unless it is there already.
local function take(call, row, manifest)
  local message, code
  -- Rights as they are now, which may be a while after the upload began.
  local actor = call.people:who(call.request)
  if not actor or not may.may(actor, "upload", "operator", manifest.product_key) then
    return refuse(call, row, "you may not upload packages of its product", "forbidden")
  end
  if manifest.hotfix then return take_hotfix(call, row, manifest) end
  local known = call.world.by_digest[manifest.digest]
  local name = known and known.name or call.incoming:taken(manifest)
  local is_new = name == nil
  if not is_new then
    call.incoming:drop(row.id)
  else
    name, message, code = call.incoming:take(row.id, manifest)
    if not name then return refuse(call, row, message, code) end
  end
  local ok
  ok, message, code = set(call, row, "done", nil, name)
  if not ok then return nil, message, code end
  call.world.top.next_look = 0
  return object_of(call, row), { status = is_new and 201 or 200 }
end

-- Receive what is missing, from Upload-Offset on. A form of the console has brought all of it already.
local function receive(call, row)
  if call.request.in_place then return true end
  local said = call.request.headers["upload-offset"] or "0"
  local offset = said:find "^%d+$" and #said < 16 and math.tointeger(tonumber(said))
  local got = call.incoming:size(row.id)
  if offset ~= got then
    return nil, ("%d bytes are there: go on with Upload-Offset: %d"):format(got, got), "conflict", "Upload-Offset"
  elseif got + call.request.expected > row.size then
    return nil, ("the upload was to have %d bytes"):format(row.size), "large"
  end
  local ok, message, code = call.incoming:check_room(row.size - got)
  if not ok then return nil, message, code end
  return call:receive(call.incoming:path(row.id), offset)
end

local function put(call)
  local row, message, code = find(call)
  if not row then return nil, message, code end
  if row.state ~= "open" then return nil, "the upload is " .. row.state, "conflict" end
  if call.receiving[row.id] then return nil, "another request sends bytes of this upload", "busy" end
  call.receiving[row.id] = true
  local ok, field
  ok, message, code, field = receive(call, row)
  call.receiving[row.id] = nil
  if not ok then return nil, message, code, field end
  if call.incoming:size(row.id) < row.size then return object_of(call, row), { status = 202 } end
  ok, message, code = set(call, row, "checking")
  if not ok then return nil, message, code end
  local manifest
  manifest, message, code = check(call, row)
  if not manifest then return refuse(call, row, message, code) end
  return take(call, row, manifest)
end

M.routes = {
  { "GET", "/uploads", "operator", list, verb = "upload", scope = "any", about = "Your uploads of the last day" },
  { "POST", "/uploads", "operator", begin, verb = "upload", scope = "any", about = "Begin to upload a package", body = {
    name = { type = "string", most = 255, need = true,
      about = "of the file, only to show; of a bare patch NAME_VERSION.zip or .bin, which it is called by" },
    product = { type = "string", most = 64, about = "the product of a bare patch, if it takes unsigned ones" },
    size = { type = "integer", least = 1, most = LARGEST, need = true, about = "bytes" } } },
  { "PUT", "/uploads/{U}", "operator", put, verb = "upload", scope = "any",
    about = "Send the bytes, from Upload-Offset on; with the last one the package is checked and taken in" },
  { "GET", "/uploads/{U}", "operator", show, verb = "upload", scope = "any", about = "How far an upload is" },
  { "DELETE", "/uploads/{U}", "operator", drop, verb = "upload", scope = "any", about = "Give up an upload" },
}

return M

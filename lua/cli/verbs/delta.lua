--- `moult delta OLD NEW`, `moult delta --apply OLD PATCH`.
--
-- @module cli.verbs.delta

local bare_delta = require "cli.bare_delta"
local compressed = require "cli.compressed"
local natives = require "update.natives"
local packing = require "cli.packing"

local M = {}

M.verb = {
  name = "delta",
  usage = "delta OLD NEW -o PATCH | delta --apply OLD PATCH -o NEW",
  summary = "make the difference between two images, or apply it",
  text = "PATCH holds sizes and digests, an index and blocks of at most 1 MiB, each of which can be decoded alone.\n"
    .. "The same images give the same bytes. It is not signed, and no device installs it: `core.from` in a recipe\n"
    .. "makes signed packages of the same blocks (`moult help pack`).\n\n"
    .. "Making one takes memory: six times OLD, twice NEW and at most 100 MiB, which is less than 9 x OLD for images\n"
    .. "of similar size from 100 MB on. OLD must be smaller than 2 GiB, NEW smaller than 8 GiB. Applying one takes\n"
    .. "about 5 MiB for any size. OLD must be exactly the image that PATCH was made from; it is only read.",
  positional = { 2, 2 },
  options = {
    { name = "apply", help = "make NEW from OLD and PATCH" },
    { name = "encoding", value = "CODEC", help = "for blocks that cannot use OLD: lzma (default), zstd or raw",
      choices = { "lzma", "zstd", "raw" } },
  },
  common = { "out", "json", "progress", "dry-run" },
  example = "moult delta core17.img core22.img -o 17-22.delta\n"
    .. "moult delta --apply core17.img 17-22.delta -o core22.img",
}

local function size_of(path)
  local file <close>, message = io.open(path, "rb")
  if not file then return nil, message, "missing" end
  local size = file:seek("end")
  if not size then return nil, path .. ": cannot read its size; it must be a regular file", "usage" end
  return size
end

-- The output must be a new name or a regular file, and must not be one of the inputs.
local function check_out(out, ...)
  for _, path in ipairs { ... } do
    if path == out then
      return nil, ("%s: is an input and cannot be the output, since a delta is not applied in place"):format(path),
        "usage"
    end
  end
  local folder, name = out:match("^(.*)/([^/]*)$")
  for _, entry in ipairs(natives.folder.list(folder == "" and "/" or folder or ".") or {}) do
    if entry.name == (name or out) and not entry.regular then
      return nil, out .. ": is not a regular file; write the image to a file, and the file to the device", "usage"
    end
  end
  return true
end

-- Run a job to its end. Progress is in bytes of the new image.
local function carry_out(job, size, label, env)
  local done, message, code
  repeat
    done, message, code = job:step()
    local units, total = job:progress()
    if done or code == "again" then env.progress(size * units // total, size, label) end
  until done or code ~= "again"
  if not done then return nil, message, code end
  env.finish()
  return job:size()
end

local function make(old, new, out, opts, env)
  local old_size, message, code = size_of(old)
  if not old_size then return nil, message, code end
  local wrong = packing.too_large(old, old_size)
  if wrong then return nil, wrong, "usage" end
  local new_size
  new_size, message, code = size_of(new)
  if not new_size then return nil, message, code end
  local warning = compressed.warning(new)
  if warning then env.note("warning: " .. warning) end
  if env.dry_run then
    env.out(("%s: would be made of %d bytes, against %d bytes"):format(out, new_size, old_size))
    return 0
  end
  local job <close>, why, word = natives.patch.make(old, new, out, opts.encoding)
  if not job then return nil, why, word end
  local size
  size, message, code = carry_out(job, new_size, "comparing", env)
  if not size then return nil, message, code end
  env.out(env.json and natives.json.encode { patch = out, size = size, old_size = old_size, new_size = new_size }
    or ("%s: %d bytes, %.2f %% of %s"):format(out, size, size / math.max(new_size, 1) * 100, new))
  return 0
end

local function apply(old, patch, out, env)
  local head = bare_delta.head(patch)
  if env.dry_run then
    if not head then return nil, patch .. ": not made by `moult delta`", "corrupt" end
    env.out(("%s: would have %d bytes"):format(out, head.new_size))
    return 0
  end
  local job <close>, message, code = natives.patch.apply(old, patch, out)
  if not job then return nil, message, code end
  local size
  size, message, code = carry_out(job, head and head.new_size or 0, "applying", env)
  if not size then return nil, message, code end
  env.out(env.json and natives.json.encode { image = out, size = size } or ("%s: %d bytes"):format(out, size))
  return 0
end

function M.run(parsed, env)
  local first, second, out = parsed.positional[1], parsed.positional[2], parsed.opts.out
  if not out then return nil, "needs -o OUT, the file to write", "usage" end
  local ok, message, code = check_out(out, first, second)
  if not ok then return nil, message, code end
  if parsed.opts.apply then return apply(first, second, out, env) end
  return make(first, second, out, parsed.opts, env)
end

return M

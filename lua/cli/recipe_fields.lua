--- The fields of a recipe: what cli.recipe checks and moult-package(5) lists.
--
-- An array of {name, type, meaning} with, by type: `required`, `default`, `max`
-- (bytes of a text, or of a list's element), `min` and `most` (of an integer),
-- `most` (elements of a list or an array), `choices` (of a word or of a list),
-- `fields` (of a table, or of each table in an array).
--
-- @module cli.recipe_fields

local policy = require "update.policy"

local YEAR_9999 = 253402300799

local function field(name, kind, meaning, options)
  local row = options or {}
  row.name, row.type, row.meaning = name, kind, meaning
  return row
end

local function encoding()
  return field("encoding", "word", "how its blocks are stored", { choices = { "zstd", "raw", "lzma" },
    default = "zstd" })
end

local function block_size(meaning)
  return field("block_size", "block_size", meaning)
end

return {
  field("project", "text", "name of the product; the device's configuration must name the same",
    { required = true, max = 64 }),
  field("product_key", "text", "key of the product; the package carries its SHA-256",
    { required = true, max = 1024 }),
  field("hardware", "list", "revisions of the board that it is for; absent: every one", { max = 32, most = 16 }),
  field("sequence", "integer", "number of the package; it has to rise with every release",
    { required = true, min = 1, most = math.maxinteger }),
  field("version", "text", "VERSION of the script, as in its main.lua. The order is that of SemVer: 1.9, 1.10-rc2, "
    .. "1.10-rc10, 1.10; a leading v means nothing, and of 1.10+b1 and 1.10+b2 neither is higher",
    { required = true, max = 32 }),
  field("release", "text", "name of what the package makes of the device; absent: VERSION, or VERSION-V<core> with "
    .. "a core alone", { max = 32 }),
  field("script", "table", "the device's Lua tree", { fields = {
    field("dir", "path", "the whole tree; main.lua lies in it", { required = true }),
    encoding(),
    block_size("instead of the general one"),
  } }),
  field("core", "table", "the system image", { fields = {
    field("name", "text", "name of the core; a device takes only the one it has", { required = true, max = 64 }),
    field("version", "integer", "version of the core", { required = true, min = 0, most = math.maxinteger }),
    field("image", "path", "the image file", { required = true }),
    field("from", "array", "older images: beside the full package, one that is a delta is made for each", {
      most = 64, fields = {
        field("version", "integer", "version of the core that it is", { required = true, min = 0,
          most = math.maxinteger }),
        field("image", "path", "the image file, to the byte what runs on devices", { required = true }),
      },
    }),
    encoding(),
    block_size("instead of the general one"),
  } }),
  field("requires", "table", "the core that the script needs", { fields = {
    field("core", "text", "its name", { required = true, max = 64 }),
    field("version", "integer", "its least version", { required = true, min = 0, most = math.maxinteger }),
  } }),
  field("min_moult", "text", "least version of Moult on the device", { max = 32 }),
  field("issued", "integer", "when it was made, in seconds since 1970 UTC; the clock of a device never counts as "
    .. "earlier than that of its newest confirmed release", { min = 1, most = YEAR_9999 }),
  field("not_after", "integer", "until when it may be installed, in seconds since 1970 UTC",
    { min = 1, most = YEAR_9999 }),
  field("deadline", "integer", "seconds that a start on trial may take to be confirmed",
    { min = 1, most = 7 * 86400 }),
  field("override", "list", "rules of the default policy that it skips",
    { max = 32, most = #policy.overridable, choices = policy.overridable }),
  field("text", "text", "what people are to know about it", { max = 1024 }),
  field("meta", "meta", "what people, policy (`offer.meta`) and servers are to know about it, at most 16 KiB as JSON. "
    .. "These have a meaning everywhere; other names are your own", { fields = {
      field("text", "texts", "what is new, by language: { en = \"...\", de = \"...\" }"),
      field("notes_url", "text", "address of the release notes"),
      field("security", "boolean", "true: it closes a hole"),
      field("advisories", "array", "the holes that it closes", { fields = {
        field("id", "text", "CVE-2026-1234"), field("severity", "text", "low, medium, high or critical"),
        field("url", "text", "where it is described"),
      } }),
      field("sbom", "table", "what it is made of", { fields = {
        field("format", "text", "spdx, cyclonedx"), field("sha256", "text", "of that file, in hex"),
        field("url", "text", "where that file is"),
      } }),
      field("support_until", "integer", "until when it is looked after, in seconds since 1970 UTC"),
    } }),
  block_size("bytes of a block, a power of two; absent: 262144, and 1048576 of a delta"),
}

--- The fields of a recipe, which cli.recipe checks and moult-package(5) lists.
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
  field("hardware", "list", "revisions of the board that it is for; default: all", { max = 32, most = 16 }),
  field("sequence", "integer", "number of the package; it must rise with every release",
    { required = true, min = 1, most = math.maxinteger }),
  field("version", "text", "VERSION of the script, as in its main.lua; required, but for a hotfix or files alone. The "
    .. "order is that of SemVer: 1.9, 1.10-rc2, 1.10-rc10, 1.10. A leading v is ignored, and 1.10+b1 "
    .. "and 1.10+b2 count as equal",
    { max = 32 }),
  field("release", "text", "name of the release; default: VERSION, or without a script VERSION-V<core> or "
    .. "VERSION-F<version of the files>. Files alone without a `version` are for every VERSION, and each device makes "
    .. "this name with its own; clouds over MQTT need a name", { max = 32 }),
  field("script", "table", "the device's Lua tree", { fields = {
    field("dir", "path", "the whole tree, with main.lua", { required = true }),
    encoding(),
    block_size("bytes of a block; default: the recipe's `block_size`"),
  } }),
  field("core", "table", "the system image", { fields = {
    field("name", "text", "name of the core; a device accepts only its own", { required = true, max = 64 }),
    field("version", "integer", "version of the core", { required = true, min = 0, most = math.maxinteger }),
    field("image", "path", "the image file", { required = true }),
    field("from", "array", "older images; for each a delta package is made beside the full one", {
      most = 64, fields = {
        field("version", "integer", "version of that core", { required = true, min = 0,
          most = math.maxinteger }),
        field("image", "path", "the image file, exactly as it runs on devices", { required = true }),
      },
    }),
    encoding(),
    block_size("bytes of a block; default: the recipe's `block_size`"),
  } }),
  field("files", "table", "changes to a directory tree outside the script", { fields = {
    field("dir", "path", "the folder with update.ini and the files that it names, and nothing else; or a .tar.gz of it",
      { required = true }),
    field("version", "text", "version of the files", { required = true, max = 32 }),
    field("trim", "boolean", "true: remove spaces after a / in the directories of update.ini; "
      .. "`pack --trim` does the same"),
    encoding(),
    block_size("bytes of a block; default: the recipe's `block_size`"),
  } }),
  field("hotfix", "table", "a patch for releases that devices run already; it comes alone", { fields = {
    field("dir", "path", "the folder with lua/ (modules that come before those of the script) or files/ (with an "
      .. "update.ini), and perhaps test.lua",
      { required = true }),
    field("name", "text", "its name, by which devices keep it", { required = true, max = 16 }),
    field("version", "text", "its version", { required = true, max = 16 }),
    field("base", "table", "the versions that it is made for: of one part at least, each one version, or a range: >=A, "
      .. "<B or >=A <B", { required = true, fields = {
        field("script", "text", "of the script", { max = 69 }),
        field("core", "text", "of the core", { max = 69 }),
        field("files", "text", "of the files", { max = 69 }),
      } }),
    encoding(),
    block_size("bytes of a block; default: the recipe's `block_size`"),
  } }),
  field("requires", "table", "the core that the script needs", { fields = {
    field("core", "text", "its name", { required = true, max = 64 }),
    field("version", "integer", "its lowest version", { required = true, min = 0, most = math.maxinteger }),
  } }),
  field("min_moult", "text", "lowest version of Moult on the device", { max = 32 }),
  field("issued", "integer", "when it was made, in seconds since 1970 UTC. A device never takes the time to be "
    .. "earlier than that of its newest confirmed release", { min = 1, most = YEAR_9999 }),
  field("not_after", "integer", "last second at which it may be installed, since 1970 UTC",
    { min = 1, most = YEAR_9999 }),
  field("deadline", "integer", "seconds within which a start on trial must be confirmed",
    { min = 1, most = 7 * 86400 }),
  field("override", "list", "rules of the default policy that it skips",
    { max = 32, most = #policy.overridable, choices = policy.overridable }),
  field("text", "text", "a note for people", { max = 1024 }),
  field("meta", "meta", "notes for people, policy (`offer.meta`) and servers, at most 16 KiB as JSON. "
    .. "These names have a fixed meaning; others are your own", { fields = {
      field("text", "texts", "what is new, by language: { en = \"...\", de = \"...\" }"),
      field("notes_url", "text", "address of the release notes"),
      field("security", "boolean", "true: it fixes a vulnerability"),
      field("advisories", "array", "the vulnerabilities that it fixes", { fields = {
        field("id", "text", "its name, for instance CVE-2026-1234"),
        field("severity", "text", "how severe: low, medium, high or critical"),
        field("url", "text", "where it is described"),
      } }),
      field("sbom", "table", "bill of materials", { fields = {
        field("format", "text", "its format, spdx or cyclonedx"),
        field("sha256", "text", "SHA-256 of that file, in hex"),
        field("url", "text", "where that file is"),
      } }),
      field("support_until", "integer", "end of its support, in seconds since 1970 UTC"),
    } }),
  block_size("bytes of a block, a power of two; default: 262144, for deltas 1048576"),
}

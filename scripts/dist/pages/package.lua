--- moult-package(5): the file format, and the recipe from cli.recipe_fields.

local fields = require "fields"
local roff = require "roff"

--- The fields of a manifest. A spec compares them with those that runtime/package/manifest.c takes.
local manifest = {
  { "format", "string", "Always `moult-manifest-1`." },
  { "project", "string", "Name of the product." },
  { "product_key", "string", "SHA-256 of the product's key, in hex." },
  { "hardware", "array", "Revisions of the board that it is for; default: all." },
  { "sequence", "integer", "Number of the package. It must be above the device's floor; above 2^62 it needs "
    .. "a permit." },
  { "release", "string", "Name of the release. A hotfix has none, or that of its base. Files without a script may have "
    .. "none: then each device names the release VERSION-F<version of the files>, with the VERSION that it runs." },
  { "script.version", "string", "VERSION of the script." },
  { "files.version", "string", "Version of the files." },
  { "hotfix.name", "string", "Name of the hotfix: 1 to 16 bytes, no path." },
  { "hotfix.version", "string", "Version of the hotfix, 1 to 16 bytes." },
  { "hotfix.files", "true", "It changes files, too. Else absent." },
  { "hotfix.base", "object", "Versions that it is made for, of `script`, `core` or `files`: a version, or a range "
    .. "`>=A`, `<B` or `>=A <B`." },
  { "core.name", "string", "Name of the core." },
  { "core.version", "integer", "Version of the core." },
  { "requires.core", "string", "Name of the core that the device must have." },
  { "requires.version", "integer", "Lowest version of that core." },
  { "min_moult", "string", "Lowest version of Moult on the device." },
  { "issued", "integer", "When it was made, in seconds since 1970 UTC. No package is refused because of it. Once the "
    .. "release is confirmed, a device with an untrusted clock does not go back before this time; one release moves "
    .. "that by a year at most." },
  { "not_after", "integer", "Last second at which it may be installed, since 1970 UTC." },
  { "deadline", "integer", "Seconds within which a start on trial must be confirmed." },
  { "override", "array", "Rules of the default policy that it skips; never gates." },
  { "text", "string", "A note for people." },
  { "needs", "array", "Features that a device must support, at most 16 words. A device that does not know one refuses "
    .. "the package. Known are `files` and `hotfix`, for packages with such a part; a hotfix with files needs both." },
  { "meta", "object", "Notes for people, policy and servers, at most 16 KiB: see `meta` of the recipe. A device checks "
    .. "only its size and form: strings, integers, booleans, lists and objects." },
  { "parts", "array", "Its parts, in the order script, files, hotfix, core. A hotfix comes alone." },
  { "parts[].kind", "string", "`script`, `files`, `hotfix` or `core`." },
  { "parts[].size", "integer", "Bytes of the content." },
  { "parts[].block_size", "integer", "Bytes of a block, a power of two." },
  { "parts[].index_size", "integer", "Bytes of the index." },
  { "parts[].index_sha256", "string", "SHA-256 of the index." },
  { "parts[].data_size", "integer", "Bytes of the content as stored." },
  { "parts[].source.size", "integer", "Of a delta: size of its base in bytes." },
  { "parts[].source.sha256", "string", "Of a delta: SHA-256 of its base." },
  { "parts[].source.version", "integer", "Of a delta: version of its base, for people and servers." },
}

--- The fields of a permit and of a list of keys, as runtime/device/permit.c and runtime/trust/keys_format.c take them.
local permit = {
  { "format", "string", "Always `moult-permit-1`." },
  { "project", "string", "Name of the product." },
  { "devices", "string or array", "Ids of the devices that it is for, at most 256, or `*` for all." },
  { "manifest", "string", "SHA-256 of the package's manifest, which `moult info` shows." },
  { "not_after", "integer", "The last second at which it is valid, since 1970 UTC." },
}

local keys = {
  { "format", "string", "Always `moult-keys-1`." },
  { "serial", "integer", "Number of the list. It must be higher than that of the last list, by 2^52 at most." },
  { "add", "array", "Keys to trust, at most 16." },
  { "add[].name", "string", "Name of its file, without `.pub`." },
  { "add[].key", "string", "The second line of its public key file." },
  { "revoke", "array", "Ids of keys that are never trusted again, at most 64." },
}

local RECIPE = [[
return {
  project = "METER", product_key = "k-123", hardware = { "rev-a" }, sequence = 18,
  version = "1.0.1",
  script  = { dir = "app" },
  core    = { name = "Luat_RDA8910", version = 22, image = "core22.img",
              from = { { version = 17, image = "core17.img" } } },
}]]

local HOTFIX_RECIPE = [[
return {
  project = "METER", product_key = "k-123", sequence = 19,
  hotfix = { dir = "fix", name = "clock", version = "1", base = { script = ">=1.0.1 <1.1" } },
}]]

local FILES_RECIPE = [[
return {
  project = "METER", product_key = "k-123", sequence = 19, version = "1.0.1",
  files = { dir = "UPDATE_080507", version = "080507" },
}]]

-- Its fields have TABs between them, which a page shows as spaces.
local UPDATE_INI = [[
name       directory               operation  type
MIT        /mnt/app/MIT/Bin        28         2
logo.gif   /mnt/app/MIT/picture    1          4
old.dat    /mnt/app/MIT/etc        2          4]]

local INDEX = [[
head, 32 bytes
   0   8  magic "MOULTIX1"
   8   4  number of blocks
  12   4  bytes of a block
  16   8  bytes of the content
  24   4  codec window in bytes: what a decoder must be ready to hold
  28   4  zero
entry, 80 bytes
   0   1  encoding: 0 zeros, 1 raw, 2 zstd, 3 lzma, 4 copy, 5 delta
   1   3  zero
   4   4  bytes as stored
   8   8  offset in the source (copy and delta), else zero
  16  32  SHA-256 of the bytes as stored; zero for zeros, raw and copy
  48  32  SHA-256 of the decoded bytes]]

local function list(page, rows)
  for _, field in ipairs(rows) do
    page:item(("%s (%s)"):format(roff.bold(field[1]), field[2]), field[3])
  end
end

return function(head)
  local page = roff.page { name = "moult-package", section = 5, title = "packages and recipes of Moult",
    date = head.date, source = head.source }
  page:section "DESCRIPTION"
  page:text [[
A package, `NAME.upd`, is a plain ustar archive that any `tar`(1) lists and extracts. Under one signed manifest it
carries a script (the device's Lua tree), a core (the system image below it), files (changes to a tree from which
the device runs programs), or a hotfix (Lua modules that come before those of the script). A script can be combined
with a core or with files. `moult pack` makes a package from a
recipe, `moult info` shows it, `moult verify` checks every byte.]]
  page:section "MEMBERS"
  page:text "Exactly these, in this order:"
  page:item(roff.bold "manifest.json", "The manifest, at most 65536 bytes.")
  page:item(roff.bold "manifest.minisig", "Its signature, at most 1024 bytes.")
  local function members(suffix)
    local names = {}
    for i, part in ipairs { "script", "files", "hotfix", "core" } do names[i] = roff.bold(part .. suffix) end
    return table.concat(names, ", ")
  end
  page:item(members ".idx", "The index of each part: a digest for each block.")
  page:item(members ".dat", "The blocks of each part, one after another.")
  page:text [[
Tar headers and padding follow from the verified manifest: they are compared, not parsed, up to the end of the file.
The content of a script part is also such a tar, of regular files and directories only. That of a files part has no
directories, and `update.ini` comes first. That of a hotfix has the folders `lua` with modules and
`files`, or one of them, and perhaps `test.lua`, a Lua file that returns a function: if that returns true, the hotfix
is good.]]
  page:section "MANIFEST"
  page:text "JSON with sorted keys and integers only. Unknown and duplicate keys are refused."
  list(page, manifest)
  page:section "INDEX"
  page:text "Little-endian, of fixed size; offsets and sizes in bytes:"
  page:verbatim(INDEX)
  page:text [[
Each block can be decoded alone. Nothing is decoded or written before its digest has been checked. After an
interruption, fetching can go on at any block. The memory needed is that of one block.]]
  page:section "DELTAS"
  page:text [[
A core can be a delta against one older core, its base. Each of its blocks can then also be a copy of bytes of the
base, or a delta, which is decoded from what is stored and from bytes of the base around an offset. Each is decoded by
itself, and the index has the digest of the result. A device accepts such a package only if the slot that it runs from
holds exactly that base, by size and SHA-256, and is not mounted read-write. Otherwise it asks its cloud for the full
package.]]
  page:section "FILES"
  page:text [[
A device puts files in place only below the directories that its configuration names (`files.roots`). Without them the
gate `files` refuses such a package as `incompatible` before anything is fetched. It also does so while another slot
holds a Moult that cannot read the record of a device with files.]]
  page:text [[
The folder of a files part holds `update.ini` and, beside it, the files that it puts in place. Each line of
`update.ini` has four fields with a TAB between them: name, directory, operation, type. Lines end in LF or CRLF. A
byte order mark, empty lines and a last line without a line end are allowed. Anything else is refused, and the error
names line and field.]]
  page:item(roff.bold "name", "Name of the file or directory: 1 to 64 bytes of any encoding, without `/` and control "
    .. "characters. It is also the name of the file in the folder; two lines may use one file. `update.ini` and names "
    .. "that begin with `.moult-` are not allowed.")
  page:item(roff.bold "directory", "Where it is on the device: an absolute path without `.`, `..` and empty parts; "
    .. "with `/` and name at most 512 bytes. Spaces belong to the path; `pack` warns of one after a `/`, and `trim` in "
    .. "the recipe or `pack --trim` removes it.")
  page:item(roff.bold "operation", "A decimal number: 1 add, 2 delete, 4 upgrade, 8 stop, 16 start, or the sum of at "
    .. "most one of the first three with 8, 16 or both. Add and upgrade both put the file in place, whether or not "
    .. "one is there. Deleting what is not there is not an error. Stop and start are for executables, whose names must "
    .. "then consist of letters, digits and `_.@+-` and not begin with `-`.")
  page:item(roff.bold "type", "1 directory (add and delete only), 2 executable, 4 configuration, 8 driver.")
  page:text [[
At most one line may change a target; other lines may stop or start it. Below a directory that one line adds, later
lines may add; below one that is deleted, programs may be stopped. Otherwise no line may concern the target of
another line or anything below it. All stops come first, then the changes in the order of the lines, then all starts.
`update.ini` has at most 1024 lines and 262144 bytes. `moult info -k KEYS` shows what a part does. The mode of a file
in the folder does not matter: its type decides what mode it gets.]]
  page:text [[
Instead of a folder, `dir` of the recipe may name a `.tar.gz` of one, as `tar czf UPDATE.tar.gz ./UPDATE` makes it:
one folder, with or without `./`, and nothing else. The package is the same as from the folder.]]
  page:verbatim(UPDATE_INI)
  page:section "HOTFIXES"
  page:text [[
A hotfix mends a release that devices run, without a new one. The folder of the recipe holds `lua/`, whose modules
come before those of the script, or `files/` with an `update.ini` (see FILES), or both, and perhaps `test.lua`; nothing
else. The modules main, policy, sys and update, and all below update, stay those of the release. The `update.ini` adds,
replaces and deletes single files, and stops and starts programs; it has no directories and no drivers. A device
without a script takes only a hotfix with files and no modules.

A vendor's bare .zip of such a folder, which nobody signed, is no package: a device takes it only from where
`trust.unsigned` of its configuration says (see `moult-config`(5)), and Lua in it only if the entry has `lua = true`.]]
  page:verbatim(HOTFIX_RECIPE)
  page:section "SIGNATURES"
  page:text [[
Keys and signatures are files in the format of `minisign`(1), prehashed. The trusted comment is checked too: `moult
manifest sequence N`. A device trusts the public keys in the directory `keys` of its configuration; if it can read
none, nothing installs. The same recipe and key give the same bytes.]]
  page:section "PERMITS"
  page:text [[
A permit lets one package in although its sequence is not above the device's floor or is above 2^62, or its version
is lower. It overrides nothing else, and is used up when that release is confirmed. A device remembers 64 used
permits until they expire, and accepts no further one while it has that many, so let permits expire soon. A permit is
JSON, signed by a release key (`moult sign`), with its signature beside it as FILE.minisig and the trusted comment
`moult permit`. All fields are required:]]
  list(page, permit)
  page:section "LISTS OF KEYS"
  page:text [[
A list changes which keys a device trusts. It is signed by a key in the folder `root` of the keys directory, has the
trusted comment `moult keys serial N`, and is applied by `moult keys apply`. Release keys cannot sign a list; root
keys cannot sign packages. A revoked key stays revoked even if its file is copied back; that is recorded in `set.0`
and `set.1` beside the keys. If the power fails, either the old or the new set is trusted.]]
  list(page, keys)
  page:section "RECIPE"
  page:text [[
A recipe is a Lua file that returns one table. It is read as data, like a configuration (`moult-config`(5)). Paths are
relative to the recipe's folder. Its fields:]]
  fields.put(page, (require "cli.recipe_fields"))
  page:section "EXAMPLE"
  page:verbatim(RECIPE)
  page:text "A release of files alone, whose name is then 1.0.1-F080507:"
  page:verbatim(FILES_RECIPE)
  page:see_also { { "minisign", 1 }, { "moult", 1 }, { "tar", 1 }, { "moult-config", 5 }, { "moult-policy", 7 } }
  return page, { manifest = manifest, permit = permit, keys = keys, recipe = RECIPE }
end

--- Pairs of images to make deltas of, from Debian's packages.
--
-- A corpus is a directory: NAME/old and NAME/new for each pair, NAME/what.txt,
-- a line that says which versions they are, and MANIFEST with all of these and
-- the SHA-256 of every file. The versions behind the README's figures are used
-- while Debian offers them, else the oldest and the newest. Figures are
-- comparable only with the same MANIFEST. Downloads are kept in .packages of the
-- corpus; existing pairs are not changed.
--
-- An ext4 image that is made again differs in some bits, because mke2fs takes
-- the change time of every file from the disk.

local image = require "image"
local rig = require "rig"

local M = {}

local quote, run = rig.quote, rig.run

-- Versions of a package on offer, the oldest first.
local function offered(package)
  local versions, seen = {}, {}
  for version in run("apt-cache madison " .. quote(package)):gmatch("|%s*(%S+)%s*|[^\n]*Packages") do
    if not seen[version] then
      seen[version] = true
      versions[#versions + 1] = version
    end
  end
  table.sort(versions, function(a, b)
    return a ~= b and os.execute(("dpkg --compare-versions %s lt %s"):format(quote(a), quote(b))) == true
  end)
  return versions
end

-- The version wanted, or the oldest or newest.
local function choose(package, wanted, which)
  local versions = offered(package)
  assert(#versions > 0, package .. ": no version is on offer (apt-get update?)")
  for _, version in ipairs(versions) do
    if version == wanted then return version end
  end
  return which == "old" and versions[1] or versions[#versions]
end

-- The file of a package, downloaded once.
local function deb(corpus, package, version)
  local path = ("%s/.packages/%s_%s.deb"):format(corpus, package, (version:gsub(":", "%%3a")))
  run(([[test -s %s || { mkdir -p %s/.packages/new && cd %s/.packages/new && rm -f -- *.deb &&
    apt-get download -qq %s && mv -- *.deb %s; }]]):format(quote(path), quote(corpus), quote(corpus),
    quote(package .. "=" .. version), quote(path)))
  return path
end

local function unpack(corpus, package, version, into)
  run(("dpkg-deb -x %s %s"):format(quote(deb(corpus, package, version)), quote(into)))
  return version
end

-- Kernel packages on offer, {package, version}, the oldest first.
local KERNELS = "^linux-image-6[.]1[.]0-[0-9]+-cloud-amd64$"

local function kernel(wanted, which)
  local best
  for package in run(("apt-cache search --names-only %s"):format(quote(KERNELS))):gmatch("(linux%-image%S+)") do
    local abi = tonumber(package:match("%.0%-(%d+)"))
    for _, version in ipairs(offered(package)) do
      if version == wanted then return package, version end
      if not best or which == "old" and abi < best[3] or which == "new" and abi >= best[3] then
        best = { package, version, abi }
      end
    end
  end
  assert(best, "no cloud kernel is on offer (apt-get update?)")
  return best[1], best[2]
end

local LIBRARY = { old = "3.0.17-1~deb12u2", new = "3.0.22-1~deb12u2" }
local KERNEL = { old = "6.1.170-3", new = "6.1.192-2" } -- months apart
local MODULES = { old = "6.1.192-1", new = "6.1.192-2" } -- neighbours, in the file systems

-- Packages that a small networked device might run. Those with two versions on offer differ between old and new.
local SYSTEM = {
  "base-files", "bash", "coreutils", "curl", "dash", "e2fsprogs", "iproute2", "kmod",
  "libacl1", "libc-bin", "libc6", "libcap2", "libcurl4", "libexpat1", "libgcc-s1", "libglib2.0-0", "libgnutls30",
  "libgssapi-krb5-2", "libkrb5-3", "liblzma5", "libnghttp2-14", "libpython3.11-minimal", "libsqlite3-0", "libssl3",
  "libstdc++6", "libsystemd-shared", "libsystemd0", "libtasn1-6", "libudev1", "libxml2", "libzstd1", "openssh-client",
  "openssh-server", "openssl", "perl-base", "python3.11-minimal", "systemd", "udev", "util-linux", "zlib1g",
}

local make = {}

make["libcrypto"] = function(corpus, work, out, which)
  local version = unpack(corpus, "libssl3", choose("libssl3", LIBRARY[which], which), work)
  run(("cp %s/usr/lib/*/libcrypto.so.3 %s"):format(quote(work), quote(out)))
  return "libssl3 " .. version
end

make["kernel-major"] = function(corpus, work, out, which)
  local package, version = kernel(KERNEL[which], which)
  unpack(corpus, package, version, work)
  image.vmlinux(run(("ls %s/boot/vmlinuz-*"):format(quote(work))):match("[^\n]+"), out)
  return package .. " " .. version
end

make["rootfs-ext4"] = function(corpus, work, out, which)
  local listed = {}
  for _, package in ipairs(SYSTEM) do
    local version = choose(package, package == "libssl3" and LIBRARY[which] or nil, which)
    listed[#listed + 1] = package .. " " .. unpack(corpus, package, version, work)
  end
  local package, version = kernel(MODULES[which], which)
  unpack(corpus, package, version, work)
  listed[#listed + 1] = package .. " " .. version
  image.ext4(work, out)
  return table.concat(listed, ", ")
end

make["mcu"] = function(corpus, work, out, which)
  return image.bare_metal(corpus .. "/.packages", work, out, which)
end

--- The names of the pairs that are made, the smallest first.
M.names = { "mcu", "libcrypto", "kernel-major", "rootfs-ext4" }

local function exists(path)
  local file = io.open(path, "rb")
  return file and file:close() or false
end

local function make_pair(corpus, name)
  local folder = ("%s/%s"):format(corpus, name)
  local what = {}
  for i, which in ipairs { "old", "new" } do
    local work = run(("mkdir -p %s/.work %s.new && mktemp -d %s/.work/XXXXXX"):format(quote(corpus), quote(folder),
      quote(corpus))):match("%S+")
    run("chmod 755 " .. quote(work)) -- it becomes the root of a file system
    what[i] = make[name](corpus, work, ("%s.new/%s"):format(folder, which), which)
    run("rm -rf " .. quote(work))
  end
  rig.write(folder .. ".new/what.txt", ("%s -> %s\n"):format(what[1], what[2]))
  run(("rm -rf %s && mv %s.new %s"):format(quote(folder), quote(folder), quote(folder)))
end

local function wanted(name, only)
  for _, word in ipairs(only or { name }) do
    if word == name then return true end
  end
  return false
end

local function line_of(path)
  local file = io.open(path)
  local line = file and file:read("l")
  if file then file:close() end
  return line or "versions are not known"
end

--- The pairs in a directory, made there when it has none.
-- @tparam string corpus directory
-- @tparam function say called with a line before slow work
-- @tparam[opt] {string,...} only names of those wanted
-- @treturn {table,...} {name, old, new (paths), old_size, new_size (bytes), what, digest (of both files)},
--   the smallest first
function M.pairs(corpus, say, only)
  run("mkdir -p " .. quote(corpus))
  local found = run(("cd %s && ls -d -- */ 2>/dev/null || true"):format(quote(corpus)))
  local ours = exists(corpus .. "/.ours")
  if ours or not found:find("%S") then
    rig.write(corpus .. "/.ours", "pairs are made here by the bench\n")
    for _, name in ipairs(M.names) do
      if wanted(name, only) and not exists(("%s/%s/new"):format(corpus, name)) then
        say("making " .. name)
        make_pair(corpus, name)
      end
    end
    found = table.concat(M.names, "/\n") .. "/\n"
  end
  local list = {}
  for name in found:gmatch("([^\n]+)/\n") do
    local pair = { name = name, old = ("%s/%s/old"):format(corpus, name), new = ("%s/%s/new"):format(corpus, name) }
    if wanted(name, only) and exists(pair.old) and exists(pair.new) then
      pair.old_size, pair.new_size = run(("stat -c %%s %s %s"):format(quote(pair.old), quote(pair.new))):match(
        "(%d+)%s+(%d+)")
      pair.old_size, pair.new_size = math.tointeger(pair.old_size), math.tointeger(pair.new_size)
      pair.old_sha256, pair.new_sha256 = run(("sha256sum < %s; sha256sum < %s"):format(quote(pair.old),
        quote(pair.new))):match("(%x+)[^\n]*\n(%x+)")
      pair.what = line_of(("%s/%s/what.txt"):format(corpus, name))
      list[#list + 1] = pair
    end
  end
  table.sort(list, function(a, b) return a.new_size < b.new_size end)
  return list
end

--- The MANIFEST of pairs, as text.
function M.manifest(list)
  local lines = {}
  for _, pair in ipairs(list) do
    lines[#lines + 1] = ("%s\t%d -> %d bytes\tsha256 %s %s\t%s\n"):format(pair.name, pair.old_size, pair.new_size,
      pair.old_sha256, pair.new_sha256, pair.what)
  end
  return table.concat(lines)
end

return M

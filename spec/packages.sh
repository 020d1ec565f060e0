#!/usr/bin/env bash
#
# packages.sh -- what is shipped works where it is installed, and goes without a trace.
#
#   spec/packages.sh FOLDER [LIMIT]
#
# Installs the Debian packages in FOLDER with dpkg, in a copy of this system
# that lives in memory (a mount namespace, an overlay) and is gone afterwards.
# There a device is made, provisioned, updated and confirmed from the installed
# paths, with the rights that the unit gives; then the packages are purged.
# The device's package may take LIMIT bytes; only a build for size is held to one.
# Exits 77 where the kernel allows no such copy.

set -euo pipefail

fail() { printf 'packages: %s\n' "$*" >&2; exit 1; }

if [ "${1-}" = --inside ]; then
  version=$2 limit=$3
  base=$(mktemp -d /root/packages.XXXXXX)
  # What a package could leave behind: any file but dpkg's own records.
  everything() {
    find /etc /usr /var /opt /srv -xdev \( -path /var/lib/dpkg -o -path /var/log -o -path /var/cache -o -path /var/tmp \) \
      -prune -o -print | sort
  }
  rm -f /var/lib/man-db/auto-update # its index is nobody's here
  cd "$base"
  all=(libmoult-dev libmoult0 lua-moult moult-depot moult-tools moult)
  dpkg --purge "${all[@]}" >/dev/null 2>&1 || true
  everything >before
  # A device alone: neither maker nor depot, nothing for another Lua, and small.
  dpkg --install /var/tmp/debs/moult_*.deb >dpkg.log 2>&1 || { cat dpkg.log; fail "dpkg --install failed"; }
  listed=$(dpkg -L moult)
  ! grep -q '[.]so$\|/depot\|^/usr/share/lua\|moult-native' <<<"$listed" || fail "moult brings what a device has no use for"
  size=$(while read -r file; do [ -d "$file" ] || [ -L "$file" ] || stat -c %s "$file"; done <<<"$listed" |
    awk '{ bytes += $1 } END { print bytes }')
  [ -z "$limit" ] || [ "$size" -le "$limit" ] || fail "moult is $size bytes installed, more than $limit"
  for verb in keygen:tools pack:tools sign:tools delta:tools depot:depot; do
    said=$(moult ${verb%:*} x 2>&1) && fail "moult ${verb%:*} works without its package"
    case $said in *"install moult-${verb#*:} (usage)") ;; *) fail "moult ${verb%:*} says: $said" ;; esac
  done
  for verb in verify info; do
    moult help $verb >/dev/null || fail "a device has no verb $verb"
  done
  dpkg --install /var/tmp/debs/*.deb >dpkg.log 2>&1 || { cat dpkg.log; fail "dpkg --install failed"; }

  # The program, its modules, its pages.
  [ "$(moult --version)" = "moult $version" ] || fail "moult --version says $(moult --version)"
  moult help | grep '^  depot ' >/dev/null || fail "the verb depot is not there"
  for page in /usr/share/man/man1/moult.1.gz /usr/share/man/man5/moult-{config,package}.5.gz \
    /usr/share/man/man7/moult-{native,policy,script,control}.7.gz /usr/share/man/man3/moult.3.gz; do
    [ "$(zcat "$page" | head -c 3)" = .TH ] || fail "$page is no manual page"
  done
  bash -c '. /usr/share/bash-completion/completions/moult && complete -p moult' >/dev/null || fail "no completion"
  empty=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
  [ "$(lua5.4 -e 'print(require("update.native.digest").sha256(""))')" = $empty ] || fail "lua5.4 has no native modules"
  [ "$(lua5.4 -e 'print(require("update.policy").decide({version = "2"}, {version = "1"}, {}).action)')" = install ] ||
    fail "lua5.4 has no default policy"

  # The library, as pkg-config and the linker find it.
  if command -v cc >/dev/null && command -v pkg-config >/dev/null; then
    # shellcheck disable=SC2046 # words
    for name in follow aliyun terminal; do
      cc -Wall -Werror "/usr/share/doc/moult/examples/c/$name.c" $(pkg-config --cflags --libs moult) -o "$name" ||
        fail "the example $name of libmoult does not build"
    done
    ldd follow | grep 'libmoult.so.0 => /.*lib' >/dev/null || fail "libmoult is not found: $(ldd follow)"
  fi

  # The units.
  for unit in moult moult-depot; do
    file=/usr/lib/systemd/system/$unit.service
    [ -L /etc/systemd/system/multi-user.target.wants/$unit.service ] || fail "$unit.service is not enabled"
    command -v systemd-analyze >/dev/null || continue
    SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no $file || fail "$file has a mistake"
    exposure=$(systemd-analyze security --offline=true --no-pager --threshold=40 $file | sed -n 's/^.*exposure level for //p') ||
      fail "$file is too exposed: $exposure"
    exposures="${exposures-}${exposures+, }${exposure% *}"
  done

  # A device, from the factory on.
  mkdir app && cd app
  printf 'PROJECT, VERSION, PRODUCT_KEY = "METER", "1.0.0", "k-123"\nlocal sys = require "sys"\nsys.run()\n' >main.lua
  cd ..
  moult keygen release -q
  cp release.pub /etc/moult/keys/
  cp release.pub /etc/moult-depot/keys/
  cp /usr/share/doc/moult/examples/config.lua /etc/moult/config.lua
  recipe() {
    sed -i "s/\"[0-9.]*\", \"k-123\"/\"$1\", \"k-123\"/" app/main.lua
    printf 'return { project = "METER", product_key = "k-123", sequence = %s, version = "%s", script = { dir = "app" } }\n' \
      "$2" "$1" >recipe.lua
    moult pack recipe.lua -o "METER_$1.upd" -k release.key -q >/dev/null
  }
  recipe 1.0.0 1
  recipe 1.0.1 2
  moult provision METER_1.0.0.upd -q
  moult status --json | grep '"release":"1.0.0"' >/dev/null || fail "provisioned, but moult status says $(moult status)"
  [ "$(stat -c %a /var/lib/moult)" = 750 ] || fail "/var/lib/moult has the mode $(stat -c %a /var/lib/moult)"

  # As the unit starts it: its command, its capabilities, no new privileges.
  unit=/usr/lib/systemd/system/moult.service
  read -ra command < <(sed -n 's/^ExecStart=\(.*\) [$]MOULT_OPTIONS$/\1/p' $unit)
  bounding=$(sed -n 's/^CapabilityBoundingSet=//p' $unit | tr '[:upper:] ' '[:lower:],' | sed 's/cap_/+/g')
  setpriv --bounding-set "-all,$bounding" --no-new-privs "${command[@]}" 2>run.log &
  device=$!
  trap 'kill $device 2>/dev/null || true' EXIT
  tries=0
  until [ -S /var/lib/moult/control ] || [ $((tries += 1)) -gt 1200 ]; do sleep 0.05; done
  as_unit() { setpriv --bounding-set "-all,$bounding" --no-new-privs "$@"; }
  as_unit moult explain METER_1.0.1.upd >explain.txt || { cat explain.txt run.log; fail "moult explain failed"; }
  code=0
  moult install METER_1.0.1.upd -q || code=$?
  [ $code -eq 0 ] || [ $code -eq 4 ] || { cat run.log; fail "moult install ended with $code"; }
  tries=0
  until moult status --json | grep '"phase":"trial"' >/dev/null || [ $((tries += 1)) -gt 1200 ]; do sleep 0.05; done
  tries=0
  until moult confirm -q 2>confirm.txt || [ $((tries += 1)) -gt 1200 ]; do sleep 0.05; done
  moult status --json | grep '"release":"1.0.1"' >/dev/null || { cat run.log confirm.txt; fail "not updated"; }
  kill $device
  code=0
  wait $device || code=$?
  [ $code -eq 0 ] || { cat run.log; fail "moult run ended with $code"; }
  trap - EXIT

  # The depot, as a user without rights.
  cp METER_1.0.1.upd /var/lib/moult-depot/
  : >depot.log
  setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set -all --no-new-privs \
    moult depot /var/lib/moult-depot --keys /etc/moult-depot/keys --listen 127.0.0.1:0 >depot.log 2>&1 &
  depot=$!
  trap 'kill $depot 2>/dev/null || true' EXIT
  tries=0
  until grep -q listening depot.log || [ $((tries += 1)) -gt 1200 ]; do sleep 0.05; done
  moult explain "$(sed -n 's/^listening on //p' depot.log)/METER_1.0.1.upd" >explain.txt || code=$?
  [ "$code" -eq 3 ] || { cat explain.txt depot.log; fail "what the depot serves was judged with $code, not 3"; }
  kill $depot
  wait $depot || fail "moult depot ended with $?"
  trap - EXIT

  # Removed: configuration and state stay. Purged: nothing does.
  dpkg --remove "${all[@]}" >>dpkg.log 2>&1 || { cat dpkg.log; fail "dpkg --remove failed"; }
  [ ! -e /usr/bin/moult ] || fail "removed, but the program is there"
  for kept in /etc/moult/config.lua /etc/moult/keys/release.pub /etc/default/moult /var/lib/moult/journal.0; do
    [ -e $kept ] || fail "removed, and $kept is gone"
  done
  dpkg --purge "${all[@]}" >>dpkg.log 2>&1 || { cat dpkg.log; fail "dpkg --purge failed"; }
  everything >after
  diff before after >left || { cat left; fail "purged, but these differ"; }
  printf 'moult: %s bytes installed\n' "$size"
  printf 'package: installed, provisioned, updated, served and purged without a trace; exposure of %s\n' \
    "${exposures-units not analysed}"
  exit 0
fi

[ $# -eq 1 ] || [ $# -eq 2 ] || { sed -n '3,/^$/s/^# \{0,1\}//p' "$0"; exit 2; }
folder=$(cd "$1" && pwd)
self=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")
shopt -s nullglob
debs=("$folder"/moult_*.deb "$folder"/moult-tools_*.deb "$folder"/moult-depot_*.deb "$folder"/lua-moult_*.deb
  "$folder"/libmoult0_*.deb "$folder"/libmoult-dev_*.deb)
[ ${#debs[@]} -eq 6 ] ||
  fail "$folder: expected moult, moult-tools, moult-depot, lua-moult, libmoult0 and libmoult-dev, found ${#debs[@]}"
version=$(dpkg-deb -f "${debs[0]}" Version)

flags=(--mount --propagation private --pid --fork --kill-child)
[ "$(id -u)" -eq 0 ] || flags+=(--map-root-user)
skip() { printf 'packages: not tried: %s\n' "$*"; exit 77; }
why=$(unshare "${flags[@]}" mount -t tmpfs tmpfs /mnt 2>&1) || skip "no copy of this system can be made here: $why"
# shellcheck disable=SC2016 # expanded inside
unshare "${flags[@]}" bash -c '
  set -e
  self=$1 version=$2 limit=$3
  shift 3
  mount -t tmpfs tmpfs /mnt
  mkdir /mnt/upper /mnt/work /mnt/root
  mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root ||
    { echo "packages: not tried: no overlay can be mounted here"; exit 77; }
  mount --rbind /dev /mnt/root/dev
  mount -t proc proc /mnt/root/proc
  mkdir -p /mnt/root/var/tmp/debs
  cp "$@" /mnt/root/var/tmp/debs
  cp "$self" /mnt/root/var/tmp/debs/packages.sh
  exec chroot /mnt/root env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 \
    bash /var/tmp/debs/packages.sh --inside "$version" "$limit"
' packages "$self" "$version" "${2-}" "${debs[@]}"

#!/usr/bin/env bash
#
# unit.sh -- the shipped unit under a systemd that is PID 1.
#
#   spec/unit.sh FOLDER
#
# Installs moult and moult-tools from FOLDER in a copy of this system that lives in memory
# (namespaces, an overlay) and boots it: a device is started by `systemctl
# start`, asked at once, updated and confirmed; killed, it comes back; stopped,
# it ends in order. Exits 77 where the kernel allows no such copy, or where
# systemd is not installed.

set -euo pipefail

fail() { printf 'unit: %s\n' "$*" >&2; exit 1; }

# In the copy, before it is booted: what is installed, and a device from the factory.
if [ "${1-}" = --prepare ]; then
  systemd_unit=/etc/systemd/system
  dpkg --install /var/tmp/unit/*.deb >/var/tmp/unit/dpkg.log 2>&1 || { cat /var/tmp/unit/dpkg.log; exit 1; }
  mkdir -p /root/unit/app && cd /root/unit
  printf 'PROJECT, VERSION, PRODUCT_KEY = "METER", "1.0.0", "k-123"\nlocal sys = require "sys"\nsys.run()\n' >app/main.lua
  moult keygen release -q
  cp release.pub /etc/moult/keys/
  cp /usr/share/doc/moult/examples/config.lua /etc/moult/config.lua
  for version in 1.0.0 1.0.1; do
    sed -i "s/\"[0-9.]*\", \"k-123\"/\"$version\", \"k-123\"/" app/main.lua
    printf 'return { project = "METER", product_key = "k-123", sequence = %s, version = "%s", script = { dir = "app" } }\n' \
      "$((${version##*.} + 1))" "$version" >recipe.lua
    moult pack recipe.lua -o "METER_$version.upd" -k release.key -q >/dev/null
  done
  moult provision METER_1.0.0.upd -q
  # Nothing but what is looked at: no console, no network, no udev, not the units of this machine.
  rm -rf ${systemd_unit:?}/*.wants ${systemd_unit:?}/*.requires
  cat >$systemd_unit/unit-check.service <<EOF
[Unit]
Wants=systemd-journald.service
After=systemd-journald.service
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
ExecStart=/bin/bash /var/tmp/unit/unit.sh --check
StandardOutput=file:/var/tmp/unit/told/check
StandardError=inherit
TimeoutStartSec=120
EOF
  exit 0
fi

# In the copy, with systemd as PID 1.
if [ "${1-}" = --check ]; then
  cd /root/unit
  told() { moult status --json | grep "$1" >/dev/null; }
  wait_for() {
    local tries=0
    until "$@" || [ $((tries += 1)) -gt 400 ]; do sleep 0.05; done
    [ $tries -le 400 ] || { systemctl status moult --no-pager -l || true; fail "waited in vain: $*"; }
  }
  property() { systemctl show moult -p "$1" --value; }
  # shellcheck disable=SC2317 # called by wait_for
  is_back() { [ "$(property NRestarts)/$(property ActiveState)" = 1/active ] && told '"release"'; }

  systemctl start moult || { systemctl status moult --no-pager -l || true; fail "it does not start"; }
  # Ready is ready: the very next word is answered.
  code=0
  moult install METER_1.0.1.upd -q || code=$?
  [ $code -eq 0 ] || [ $code -eq 4 ] || fail "moult install ended with $code"
  wait_for told '"phase":"trial"'
  wait_for moult confirm -q 2>/dev/null
  told '"release":"1.0.1"' || fail "confirmed, but moult status says $(moult status)"
  [ "$(property NRestarts)" = 0 ] || fail "it was started anew $(property NRestarts) times"
  [ "$(property StatusText)" != "" ] || fail "it says nothing of its state"

  kill -KILL "$(property MainPID)"
  wait_for is_back
  told '"release":"1.0.1"' || fail "the update was lost: $(moult status)"

  systemctl stop moult
  [ "$(property ActiveState)/$(property Result)" = inactive/success ] ||
    fail "stopped, it is $(property ActiveState), $(property Result)"
  [ ! -e /sys/fs/cgroup/system.slice/moult.service ] || fail "a process was left behind"
  echo "unit: started, asked at once, updated, confirmed, killed, back again and stopped under systemd as PID 1"
  exit 0
fi

[ $# -eq 1 ] || { sed -n '3,/^$/s/^# \{0,1\}//p' "$0"; exit 2; }
skip() { printf 'unit: not tried: %s\n' "$*"; exit 77; }
[ -x /lib/systemd/systemd ] || skip "systemd is not installed"
[ "$(id -u)" -eq 0 ] || skip "only root can start another systemd"
folder=$(cd "$1" && pwd)
self=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")
shopt -s nullglob
debs=("$folder"/moult_*.deb "$folder"/moult-tools_*.deb)
[ ${#debs[@]} -eq 2 ] || fail "$folder: expected moult_*.deb and moult-tools_*.deb, found ${#debs[@]}"

# A cgroup of its own, which is the root of the copy's.
hierarchy=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
[ -n "$hierarchy" ] || skip "there is no cgroup v2"
why=$(unshare --mount --propagation private --pid --fork --kill-child --uts --ipc --net --cgroup mount -t tmpfs tmpfs /mnt 2>&1) ||
  skip "no copy of this system can be made here: $why"
group=$hierarchy/moult-unit-$$
why=$(mkdir "$group" 2>&1) || skip "no cgroup of its own: $why"
clean() {
  # Its processes went with PID 1, which may take a moment.
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    find "$group" -depth -type d -exec rmdir {} + 2>/dev/null && return
    sleep 0.1
  done
}
told=$(mktemp -d)
trap 'clean; rm -rf "$told"' EXIT

result=0
# shellcheck disable=SC2016 # expanded inside
bash -c 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"' enter "$group" \
  timeout --kill-after=10 180 unshare --mount --propagation private --pid --fork --kill-child --uts --ipc --net --cgroup bash -c '
  set -e
  self=$1 told=$2
  shift 2
  mount -t tmpfs tmpfs /mnt
  mkdir /mnt/upper /mnt/work /mnt/root
  mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root 2>/dev/null || exit 77
  cd /mnt/root
  mount -t tmpfs -o mode=755 tmpfs dev
  for node in null zero full random urandom tty; do
    touch dev/$node && mount --bind /dev/$node dev/$node
  done
  mkdir dev/shm dev/pts
  ln -s /proc/self/fd dev/fd
  mount -t proc proc proc
  mount --bind proc/sys proc/sys && mount -o remount,bind,ro proc/sys
  mount -t sysfs -o ro sysfs sys 2>/dev/null || exit 77
  mount -t cgroup2 cgroup2 sys/fs/cgroup 2>/dev/null || exit 77
  mount -t tmpfs -o mode=755 tmpfs run
  mkdir -p var/tmp/unit/told run/lock
  mount --bind "$told" var/tmp/unit/told
  : >etc/machine-id
  cp "$@" "$self" var/tmp/unit/
  ip link set lo up 2>/dev/null || true
  export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive container=moult
  chroot . bash /var/tmp/unit/unit.sh --prepare
  exec chroot . /lib/systemd/systemd --system systemd.unit=unit-check.service systemd.unified_cgroup_hierarchy=1 \
    systemd.show_status=no systemd.log_target=console </dev/null
' unit "$self" "$told" "${debs[@]}" >"$told/boot" 2>&1 || result=$?
[ $result -ne 77 ] || skip "an overlay, /sys or cgroups cannot be mounted here"
cat "$told/check" 2>/dev/null || true
if [ $result -ne 0 ] || ! grep -q '^unit: started' "$told/check"; then
  tail -n 40 "$told/boot"
  fail "systemd ended with $result"
fi

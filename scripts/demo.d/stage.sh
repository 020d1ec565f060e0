# shellcheck shell=bash
# The functions of scripts/demo, which sets $moult, $work and $here.
#
# Processes are started in the background and ended by the ids kept here.

checks=0
steps=0
told=1
link_port=
depot_pid=
other_pids= # besides device and depot
device_pid=
core_bytes=$((28 << 20))

say() { printf '   %s\n' "$*"; }

step() {
  steps=$((steps + 1))
  printf '\n%d. %s\n\n' "$steps" "$*"
}

# What the device has added to its history since the last call.
tell() {
  device_says history >"$work/history.now"
  tail -n +$((told + 1)) "$work/history.now" | sed -E 's/^[0-9-]+ /   |   /'
  told=$(wc -l <"$work/history.now")
}

# The reason that refused() found.
because() { sed -E 's/^moult [a-z]+: /       /; s|[^ ]*/||g' "$work/reason" | fold -s -w 92 | sed '2,$s/^/       /'; }

ok() {
  checks=$((checks + 1))
  printf '   ok  %s\n' "$*"
}

# A check of the demo failed: print logs and end.
broken() {
  printf '   NOT SO: %s\n' "$*"
  for log in device depot author; do
    if [ -s "$work/$log.log" ]; then
      printf -- '--- the end of %s.log\n' "$log"
      tail -n 25 "$work/$log.log"
    fi
  done
  if [ -e "$work/device/state" ]; then
    printf -- '--- status\n'
    device_says status || true
  fi
  exit 1
}

leave() {
  local code=$?
  for pid in $device_pid $depot_pid $other_pids $(relay_pid); do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  if $keep; then
    say "Left in $work"
  else
    rm -rf "$work"
  fi
  exit "$code"
}

device_says() { "$moult" "$@" -c "$work/device/config.lua" 2>&1; }

# device VERB ARGUMENTS: must succeed.
device() {
  device_says "$@" >>"$work/device.log" || broken "moult $1 failed with exit code $?"
}

field() {
  "$moult" status --json -c "$work/device/config.lua" 2>/dev/null | lua5.4 scripts/demo.d/field.lua "$1" 2>/dev/null ||
    echo unknown
}

# want FIELD VALUE: the status must say so now.
want() {
  local found
  found=$(field "$1")
  [ "$found" = "$2" ] || broken "status: $1 should be $2, it is $found"
  ok "$1 is $2"
}

# status_is FIELD VALUE...: one of the values.
status_is() {
  local name=$1 found
  shift
  found=$(field "$name")
  for value in "$@"; do
    [ "$found" != "$value" ] || return 0
  done
  return 1
}

# holds CLAIM COMMAND...
holds() {
  local claim=$1
  shift
  "$@" >>"$work/author.log" 2>&1 || broken "$claim ($*)"
  ok "$claim"
}

# until_true SECONDS CLAIM COMMAND...: the command must succeed in time.
until_true() {
  local over=$((SECONDS + $1)) claim=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$over" ]; then broken "$claim: not in time ($*)"; fi
    if [ -n "$device_pid" ] && ! kill -0 "$device_pid" 2>/dev/null; then broken "$claim: moult run has ended"; fi
    sleep 0.1
  done
  ok "$claim"
}

until_field() {
  until_true "$1" "$2 is $3" status_is "$2" "$3"
}

settled() { status_is release "$1" && status_is phase idle; }

# until_settled SECONDS RELEASE: confirmed, nothing under way.
until_settled() {
  until_true "$1" "$2 is the confirmed release" settled "$2"
}

start_depot() {
  "$moult" depot "$work/packages" --keys "$work/release.pub" --listen 127.0.0.1:0 >"$work/depot.out" 2>"$work/depot.log" &
  depot_pid=$!
  until_true 10 "the depot listens" grep -q 'listening on' "$work/depot.out"
  depot_port=$(sed -n 's/.*listening on http:..[^:]*:\([0-9]*\).*/\1/p' "$work/depot.out")
}

# Three MiB a second to the device, counted.
start_link() {
  lua5.4 scripts/demo.d/slowlink.lua "$depot_port" $((3 << 20)) "$work/passed" >"$work/link.out" 2>>"$work/author.log" &
  other_pids=$!
  until_true 10 "the network is up, at 3 MiB a second" test -s "$work/link.out"
  link_port=$(cat "$work/link.out")
}

# Bytes sent to the device so far.
passed() { echo $(($(cat "$work/passed"))); }

passed_at_least() { [ "$(passed)" -ge "$1" ]; }

start_device() {
  METER_DATA=$work/data "$moult" run -c "$work/device/config.lua" >>"$work/device.log" 2>&1 &
  device_pid=$!
}

# Like a power cut, except that the page cache survives.
kill_device() {
  kill -9 "$device_pid"
  wait "$device_pid" 2>/dev/null || true
  device_pid=
}

# make_core VERSION: an ext4 image with programs of this machine.
make_core() {
  local root=$work/core$1 used=0 size
  mkdir -p "$root/etc" "$root/bin"
  echo "$1" >"$root/etc/core-version"
  for file in /usr/bin/*; do
    if [ -f "$file" ] && [ ! -L "$file" ] && [ -r "$file" ]; then
      size=$(stat -c %s "$file")
      # Different cores hold different programs of this machine.
      if [ "$size" -lt 2000000 ] && [ $(((size + $1) % 3)) -ne 0 ]; then
        cp "$file" "$root/bin/"
        used=$((used + size))
      fi
      [ "$used" -lt 16000000 ] || break
    fi
  done
  mke2fs -q -F -t ext4 -O ^has_journal -L "core$1" -d "$root" "$work/core$1.img" $((core_bytes >> 10))k >>"$work/author.log" 2>&1 ||
    broken "mke2fs failed"
  rm -rf "$root"
}

core_says() {
  local slot
  slot=$(field core.running)
  [ "$(debugfs -R 'cat /etc/core-version' "$work/device/slot-$slot.img" 2>/dev/null)" = "$1" ]
}

# edit SED FILE: change the author's working copy of the application.
edit() {
  [ -d "$work/app" ] || cp -r examples/meter/app "$work/app"
  local before
  before=$(cat "$work/app/$2")
  sed -i "$1" "$work/app/$2"
  [ "$before" != "$(cat "$work/app/$2")" ] || broken "the edit $1 changed nothing in $2"
}

# make_relay VERSION FILE: a program that is not a script.
make_relay() {
  printf '#include <unistd.h>\nconst char version[] = "relay %s";\nint main(void) { for (;;) pause(); }\n' "$1" |
    cc -x c -o "$2" - >>"$work/author.log" 2>&1 || broken "the relay does not compile"
}

# The relay that came with the board, started as an init system would.
start_relay() {
  mkdir -p "$work/device/opt/bin" "$work/device/opt/etc"
  make_relay 1 "$work/device/opt/bin/relay"
  echo "speed=57600" >"$work/device/opt/etc/relay.conf"
  setsid "$work/device/opt/bin/relay" </dev/null >/dev/null 2>&1 &
}

relay_pid() {
  local process
  for process in /proc/[0-9]*; do
    if [ "$process/exe" -ef "$work/device/opt/bin/relay" ]; then echo "${process#/proc/}"; fi
  done
}

# relay_runs VERSION [PID]: one process of that version, not that one.
relay_runs() {
  local pid
  pid=$(relay_pid)
  [ -n "$pid" ] && [ "$pid" != "${2-}" ] && grep -q "relay $1" "/proc/$pid/exe"
}

# make_update VERSION SETTINGS: the folder of a files part.
make_update() {
  mkdir -p "$work/update"
  make_relay "$1" "$work/update/relay"
  echo "$2" >"$work/update/relay.conf"
  # Name, directory, what to do (4 upgrade, 8 stop, 16 start), type (2 executable, 4 configuration).
  printf 'relay\t%s/device/opt/bin\t28\t2\nrelay.conf\t%s/device/opt/etc\t4\t4\n' "$work" "$work" \
    >"$work/update/update.ini"
}

# make_fix VERSION SEQUENCE OFFSET ANSWER: a hotfix of the sensor; its test looks at a reading and answers so.
make_fix() {
  mkdir -p "$work/fix/lua/meter"
  sed "s|return first_number(\"/proc/loadavg\", \"^(%S+)\")|return $3 + first_number(\"/proc/loadavg\", \"^(%S+)\")|" \
    "$work/app/meter/sensor.lua" >"$work/fix/lua/meter/sensor.lua"
  printf 'return function() return require("meter.sensor").reader { "load" }().load >= %s and %s end\n' "$3" "$4" \
    >"$work/fix/test.lua"
  printf 'return { project = "METER", product_key = "k-123", sequence = %s,\n  hotfix = { dir = "fix", name = "sensor", version = "%s", base = { script = "1.3.1" } } }\n' \
    "$2" "$1" >"$work/fix.lua"
  "$moult" pack "$work/fix.lua" -k "$work/release.key" -o "$work/fix$1.upd" >>"$work/author.log" 2>&1 ||
    broken "the hotfix cannot be packed"
}

# The last reading: its load, without what follows the point.
reads() { tail -n 1 "$work/data/readings.csv" | grep "load=$1[0-9]" >/dev/null; }

script_starts() { grep -c '^moult run: script .* started' "$work/device.log"; }

# package VERSION SEQUENCE [--core N] [--files VERSION] [--to DIR] [--name FILE] [--key FILE]
package() {
  local version=$1 sequence=$2 core='' files='' to=$work/packages name=METER_$1.upd key=$work/release.key
  shift 2
  while [ $# -gt 0 ]; do
    case $1 in
      --core) core=$2 ;;
      --files) files=$2 ;;
      --to) to=$2 ;;
      --name) name=$2 ;;
      --key) key=$2 ;;
    esac
    shift 2
  done
  edit_version "$version"
  {
    echo 'return {'
    echo '  project = "METER", product_key = "k-123", hardware = { "rev-a" },'
    echo "  sequence = $sequence, version = \"$version\", script = { dir = \"app\" },"
    if [ -n "$core" ]; then
      echo "  core = { name = \"Luat_RDA8910\", version = $core, image = \"core$core.img\" },"
    fi
    if [ -n "$files" ]; then echo "  files = { dir = \"update\", version = \"$files\" },"; fi
    echo '}'
  } >"$work/recipe.lua"
  echo '*' >"$to/$name.devices" # for every device: the depot waits for no list
  "$moult" pack "$work/recipe.lua" -o "$to/$name" -k "$key" >>"$work/author.log" 2>&1 ||
    broken "packing $version failed"
}

edit_version() {
  [ -d "$work/app" ] || cp -r examples/meter/app "$work/app"
  sed -i "/^PROJECT, VERSION/s/= \"METER\", \"[^\"]*\"/= \"METER\", \"$1\"/" "$work/app/main.lua"
}

# reading_after TIME VERSION: a line of that version, written at TIME or later.
reading_after() {
  tail -n 1 "$work/data/readings.csv" | awk -F, -v t="$1" -v v="$2" '{ exit !($1 >= t && $2 == v) }'
}

# flip FROM TO OFFSET: a copy with one bit changed.
flip() {
  lua5.4 - "$@" <<'EOF'
local from, to, offset = arg[1], arg[2], math.tointeger(arg[3])
local file = assert(io.open(from, "rb"))
local text = file:read("a")
file:close()
file = assert(io.open(to, "wb"))
file:write(text:sub(1, offset), string.char(text:byte(offset + 1) ~ 1), text:sub(offset + 2))
file:close()
EOF
}

# refused CODEWORDS FILE: install must refuse with one of these code words.
refused() {
  local output
  if output=$(device_says install "$2"); then
    echo "installed: $output"
    return 1
  fi
  printf '%s\n' "$output" | tail -n 1 >"$work/reason"
  printf '%s\n' "$output"
  grep -qE "\(($1)\)" "$work/reason"
}

# refuses CODEWORD VERSION: the same for a package of the depot.
refuses() {
  refused "$1" "$work/packages/METER_$2.upd"
}

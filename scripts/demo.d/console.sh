# shellcheck shell=bash
# scripts/demo --console: a fleet in a browser. Sourced by scripts/demo, which sets $moult, $work and $here.

product=a1DemoPK01

free_port() { lua5.4 -e 'local s = assert(require("socket").bind("127.0.0.1", 0)) print((select(2, s:getsockname())))'; }

release_of() {
  mkdir -p "$work/app"
  printf 'PROJECT, VERSION = "METER", "%s"\nlocal sys = require "sys"\nsys.run()\n' "$1" >"$work/app/main.lua"
  cat >"$work/recipe.lua" <<EOF
return { project = "METER", product_key = "$product", hardware = { "rev-a" }, sequence = $2, version = "$1",
  script = { dir = "app" } }
EOF
  (cd "$work" && "$moult" pack recipe.lua -o "packages/METER_$1.upd" -k release.key -q >>author.log 2>&1)
}

console() {
  local broker_port admin crowd_pid broker_pid
  mkdir -p "$work/packages/keys"
  (cd "$work" && "$moult" keygen release >>author.log 2>&1 && cp release.pub packages/keys/)
  release_of 1.0.0 1
  release_of 1.0.1 2
  broker_port=$(free_port)
  printf 'listener %s 127.0.0.1\nallow_anonymous true\n' "$broker_port" >"$work/mosquitto.conf"
  mosquitto -c "$work/mosquitto.conf" >"$work/broker.log" 2>&1 &
  broker_pid=$!
  "$moult" depot "$work/packages" --keys "$work/release.pub" --listen 127.0.0.1:0 --admin 127.0.0.1:0 \
    --mqtt "127.0.0.1:$broker_port" --staged >"$work/depot.out" 2>"$work/depot.log" &
  depot_pid=$!
  until_true 20 "the depot and its console listen" grep -q 'admin on' "$work/depot.out"
  admin=$(sed -n 's/.*admin on \(http[^ ]*\).*/\1/p' "$work/depot.out")
  "$moult" "$here/scripts/demo.d/crowd.lua" "$broker_port" "$product" 60 1.0.0 >>"$work/author.log" 2>&1 &
  crowd_pid=$!
  other_pids="$crowd_pid $broker_pid"
  until_true 20 "60 devices have reported" reported 60
  say
  say "Open this in a browser of this machine, and set a password:"
  say
  say "  $("$moult" depot user add "$work/packages" demo --role admin | sed -n 's/.*\(http[^ ]*\)/\1/p')"
  say
  say "Then, for instance: Releases, 1.0.1, verify it on meter-001; roll it out in waves of 10,50,100 with a"
  say "pause of 10s and a limit of 5 failures. Every ninth device finds a bad checksum, so the rollout pauses"
  say "itself; the first page says what to do. $admin stays there until you press Ctrl-C."
  wait "$depot_pid"
}

reported() { [ "$("$moult" depot device list "$work/packages" --json 2>/dev/null | grep -o '"device"' | wc -l)" -ge "$1" ]; }

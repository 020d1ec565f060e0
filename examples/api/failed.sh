#!/bin/sh
# failed.sh -- which devices of a product failed, over the API with curl: prints their names, tags each with
# "look-at-it", and writes the events of the depot to events.csv.
#
# Set SERVER (URL of the admin server), MOULT_TOKEN (verbs read and tag) and PRODUCT (hash of the product's key).
set -eu
: "${SERVER:?}" "${MOULT_TOKEN:?}" "${PRODUCT:?}"
base=$SERVER/api/v1

# The token is in no list of processes: curl reads it from its configuration.
ask() {
  printf 'header = "Authorization: Bearer %s"\n' "$MOULT_TOKEN" | curl -sS --fail-with-body -K - "$@"
}

cursor=
while :; do
  page=$(ask -G "$base/products/$PRODUCT/devices" --data-urlencode filter=state:failed -d limit=500 \
    ${cursor:+--data-urlencode cursor="$cursor"})
  printf '%s\n' "$page" | grep -o '"device":"[^"]*"' | sed 's/.*:"//; s/"$//' || true
  cursor=$(printf '%s' "$page" | sed -n 's/.*"next":"\([^"]*\)".*/\1/p')
  [ -n "$cursor" ] || break
done

# Many at once are a task.
task=$(ask "$base/products/$PRODUCT/devices/bulk" -H 'Content-Type: application/json' \
  -d '{"filter":"state:failed","tag":["look-at-it"]}' | sed -n 's/.*"id":"\([^"]*\)".*/\1/p')
until ask "$base/tasks/$task" | grep '"state":"done"' >/dev/null; do sleep 1; done

ask -o events.csv "$base/events/export?format=csv"

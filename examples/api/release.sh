#!/bin/sh
# release.sh RECIPE -- what a CI job does with a release: pack it, upload it, verify it on a bench device, begin a
# rollout with 1 % of the fleet, and wait for the verdict of that wave.
#
# Set SERVER (URL of the admin server), MOULT_TOKEN (verbs read, upload, verify and rollout), PRODUCT (hash of the
# product's key), BENCH (name of a device on the bench) and KEY (private key). It exits with 0 only if the first wave
# went well; the other waves open by themselves.
set -eu
: "${SERVER:?}" "${MOULT_TOKEN:?}" "${PRODUCT:?}" "${BENCH:?}" "${KEY:?}"
recipe=${1:?usage: release.sh RECIPE}
moult=${MOULT:-moult}
waves=${WAVES:-1,10,50,100}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

api() { "$moult" depot api "$@" --server "$SERVER" --progress none; }

# field NAME: its value in the JSON object that comes in
field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p"; }

"$moult" pack "$recipe" -k "$KEY" -o "$work/release.upd"
file=$(api upload "$work/release.upd" --json | field file)
release=$(api "/products/$PRODUCT/releases" | grep -F "\"$file\"" | field id)
echo "release $release: $file"

job=$(api POST "/releases/$release/verify" name="$BENCH" | field id)
if [ -n "$job" ]; then
  state=$(api wait "/jobs/$job" state=succeeded,failed,reverted,cancelled,superseded --timeout "${BENCH_TIME:-1800}")
  [ "$state" = succeeded ] || {
    echo "the bench device $BENCH: $state" >&2
    exit 1
  }
fi
echo "verified on $BENCH"

rollout=$(api POST "/products/$PRODUCT/rollouts" release="$release" waves="$waves" limit=1 | field id)
state=$(api wait "/rollouts/$rollout" state=soaking,waiting,finished,paused,cancelled --timeout "${WAVE_TIME:-86400}")
case $state in
  soaking | waiting | finished) echo "rollout $rollout: the first wave went well" ;;
  *)
    echo "rollout $rollout is $state: $SERVER/rollouts/$rollout" >&2
    exit 1
    ;;
esac

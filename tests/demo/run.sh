#!/usr/bin/env bash
# The demo, to its end, and every count of it against an independent count: builds the release binary unless DEMO_BIN names one.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=../interop/lib.sh
source "$here/../interop/lib.sh"
[ -n "${DEMO_BIN:-}" ] || (cd "$here/../.." && cargo build --release)
DEMO_BIN=${DEMO_BIN:-${CARGO_TARGET_DIR:-$here/../../target}/release/mainstem}
work=$(mktemp -d "${TMPDIR:-/tmp}/mainstem-demo.XXXXXX")
trap 'end_children; rm -rf "$work"' EXIT

"$DEMO_BIN" demo --exit --data "$work/data" --listen 127.0.0.1:0 --http 127.0.0.1:0 </dev/null >"$work/demo.out" ||
  { cat "$work/demo.out"; exit 1; }
tail -n 5 "$work/demo.out"

start_broker "$DEMO_BIN" "$work" --listen 127.0.0.1:0
MAINSTEM_BOOTSTRAP_SERVER=$(cat "$work/upstream")
export MAINSTEM_BOOTSTRAP_SERVER
consume() { "$DEMO_BIN" consume "$1" --from earliest --exit --output json; }
consume access-log | python3 "$here/check.py" lines
consume access-log-per-minute | python3 "$here/check.py" counts
kill "$mainstem" && wait "$mainstem"
"$DEMO_BIN" verify "$work/data"

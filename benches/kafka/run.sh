#!/usr/bin/env bash
# Runs Apache Kafka and Mainstem side by side on this machine, in turn, and prints their ratios:
#
#   run.sh                       every row of the comparison, as it is recorded in benches/README.md
#   run.sh --quick               the same with little load: does it still run?
#   run.sh --row produce-100     only this row (may repeat); `run.sh --list` names them
#   run.sh --rounds 5            how often each side is measured
#   run.sh --record FILE         appends what was measured, a JSON object a line; `run.sh --table FILE` prints it again
#
# BENCH_BIN names a binary to measure instead of building one (profile `dist`). Apache Kafka and its tools come from Maven
# Central through tests/interop/install.sh; data goes into $TMPDIR, which should be on the disk that is meant.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$here/../..
case " $* " in
  *" --list "* | *" --table "* | *" --help "*) ;;
  *)
    "$root/tests/interop/install.sh" broker
    [ -n "${BENCH_BIN:-}" ] || (cd "$root" && cargo build --quiet --profile dist --package mainstem)
    ;;
esac
export BENCH_BIN=${BENCH_BIN:-${CARGO_TARGET_DIR:-$root/target}/dist/mainstem}
PYTHONDONTWRITEBYTECODE=1 exec python3 "$here/main.py" "$@"

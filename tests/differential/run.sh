#!/usr/bin/env bash
# Sends the same sequences of requests to Apache Kafka and to Mainstem, and ends with 'N passed, N failed'.
#
#   run.sh                    the usual seeds
#   run.sh 0..2000            these
#   run.sh 17                 this one
#   run.sh --table [SEEDS]    and a table of what was asked: API, version, answers that agree and that differ
#
# DIFFERENTIAL_SUITE names the built suite to use instead of building one, DIFFERENTIAL_KAFKA a Kafka that runs already.
# Kafka comes from Maven Central into ${INTEROP_CACHE:-~/.cache/mainstem-interop}: one node, on free ports of loopback.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$root/tests/interop
# shellcheck source=../interop/lib.sh
source "$here/lib.sh"
export INTEROP_CACHE=${INTEROP_CACHE:-$HOME/.cache/mainstem-interop}
work=$(mktemp -d "${TMPDIR:-/tmp}/mainstem-differential.XXXXXX")
clean_up() {
  end_children
  rm -rf "$work"
}
trap clean_up EXIT

if [ "${1:-}" = --table ]; then
  export DIFFERENTIAL_TABLE=1
  shift
fi
[ $# -eq 0 ] || export DIFFERENTIAL_SEEDS=$1
if [ -z "${DIFFERENTIAL_KAFKA:-}" ]; then
  start_kafka "$work" ""
  DIFFERENTIAL_KAFKA=$(cat "$work/upstream")
fi
export DIFFERENTIAL_KAFKA

command=(cargo test --quiet --package mainstem --test differential --)
[ -z "${DIFFERENTIAL_SUITE:-}" ] || command=("$DIFFERENTIAL_SUITE")
(cd "$root" && timeout -k 5 1500 "${command[@]}" --show-output) >"$work/out" 2>&1 </dev/null ||
  echo "FAIL the suite" >>"$work/out"
if grep -q ^FAIL "$work/out"; then cat "$work/out"; fi
[ -z "${DIFFERENTIAL_TABLE:-}" ] || sed -n '/^API  /,/^$/p' "$work/out"
grep -E '^test result' "$work/out" || true
passed=$(sed -nE 's/^test result: .* ([0-9]+) passed;.*/\1/p' "$work/out") failed=$(sed -nE 's/^test result: .* ([0-9]+) failed;.*/\1/p' "$work/out")
echo "${passed:-0} passed, ${failed:-1} failed"
[ "${failed:-1}" -eq 0 ] && [ "${passed:-0}" -gt 0 ]

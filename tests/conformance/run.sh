#!/usr/bin/env bash
# Runs the suite of our client on Mainstem and on the newest Apache Kafka 3.9 and 4, and ends with 'N passed, N failed'.
#
#   run.sh                    all three
#   run.sh mainstem kafka-4   only these
#
# CONFORMANCE_SUITE names the built suite to use instead of building one.
# The Kafkas come from Maven Central into ${INTEROP_CACHE:-~/.cache/mainstem-interop}, one node each, on free ports of loopback.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$root/tests/interop
# shellcheck source=../interop/lib.sh
source "$here/lib.sh"
export INTEROP_CACHE=${INTEROP_CACHE:-$HOME/.cache/mainstem-interop}
brokers=("$@")
[ ${#brokers[@]} -gt 0 ] || brokers=(mainstem kafka-3 kafka-4)
work=$(mktemp -d "${TMPDIR:-/tmp}/mainstem-conformance.XXXXXX")
clean_up() {
  end_children
  if [ -n "${KEEP:-}" ]; then echo "kept: $work"; else rm -rf "$work"; fi
}
trap clean_up EXIT

command=(cargo test --quiet --package mainstem --test conformance --)
[ -z "${CONFORMANCE_SUITE:-}" ] || command=("$CONFORMANCE_SUITE")
# Most of a test is waiting: more of them than there are cores.
command+=(--test-threads 6 --show-output)

# suite BROKER [NAME=VALUE...]: runs the tests with these variables.
suite() {
  local broker=$1
  shift
  echo "==== $broker"
  (cd "$root" && env "$@" timeout -k 5 900 "${command[@]}") \
    >"$work/$broker.out" 2>"$work/$broker.err" </dev/null || echo "FAIL $broker: the suite" >>"$work/$broker.out"
  grep -hE '^SKIPPED' "$work/$broker.out" | sort | uniq -c || true
  grep -E '^test result' "$work/$broker.out" || true
  if grep -q ^FAIL "$work/$broker.out"; then tail -n 80 "$work/$broker.out" "$work/$broker.err"; fi
}

# The suite on Apache Kafka: VERSION of versions.env is in the part of install.sh.
kafka() {
  local broker=$1 part=$2 address topic=conformance-transactions
  shift 2
  "$here/install.sh" modern "$part"
  mkdir -p "$work/$broker"
  INTEROP_BROKER=$part start_kafka "$work/$broker" "" group.consumer.min.session.timeout.ms=6000 \
    group.consumer.session.timeout.ms=6000 group.consumer.min.heartbeat.interval.ms=300 group.consumer.heartbeat.interval.ms=300 \
    log.cleaner.backoff.ms=100
  address=$(cat "$work/$broker/upstream")
  timeout 120 "$INTEROP_CACHE/modern/venv/bin/python" "$root/tests/conformance/transactions.py" "$address" "$topic"
  suite "$broker" "CONFORMANCE_BOOTSTRAP=$address" "CONFORMANCE_TRANSACTIONS=$topic" "$@"
  kill "${children[-1]}"
}

for broker in "${brokers[@]}"; do
  case $broker in
    mainstem) suite mainstem ;;
    # The newer protocol of groups is a preview in Kafka 3.9.
    kafka-3) kafka kafka-3 broker3 CONFORMANCE_WITHOUT=consumer-groups ;;
    kafka-4) kafka kafka-4 broker ;;
    *) sed -n 's/^# \{0,1\}//; 2,6p' "$0" >&2; exit 2 ;;
  esac
done
# sum passed|failed: over cargo's result lines; a suite that did not get so far has failed.
sum() { cat "$work"/*.out | sed -nE "s/^test result: .* ([0-9]+) $1;.*/\\1/p" | awk '{ sum += $1 } END { print sum + 0 }'; }
passed=$(sum passed) failed=$(sum failed)
broken=$(grep -L '^test result' "$work"/*.out | wc -l)
echo "$passed passed, $((failed + broken)) failed"
[ "$failed" -eq 0 ] && [ "$broken" -eq 0 ] && [ "$passed" -gt 0 ]

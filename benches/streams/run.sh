#!/usr/bin/env bash
# The same programs in Kafka Streams on Apache Kafka, and in Mainstem's DSL on Mainstem, in two processes and in one, on the
# same records: equal results, and records per CPU second of broker and application together, turn by turn.
#
#   benches/streams/run.sh                           # all programs, with values of 100 B and 1 KiB, 2 rounds
#   benches/streams/run.sh --quick                   # the same with few records, 1 round
#   benches/streams/run.sh --program map --bytes 100 # these alone; both may repeat
#   benches/streams/run.sh --help                    # everything else
#   BENCH_BIN=path/to/mainstem BENCH_EXAMPLE=path/to/streams BENCH_BESIDE=path/to/beside benches/streams/run.sh
#                                                    # what is built already
#
# WRAP=COMMAND runs each measurement under that command, such as `taskset --cpu-list 0,1`.
# What it needs (Java, Maven, jars, confluent-kafka for Python) is installed as for the interoperation tests.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$here/../..
cache=${INTEROP_CACHE:-$HOME/.cache/mainstem-interop}
"$root/tests/interop/install.sh" modern broker streams

if [ -z "${BENCH_BIN:-}" ] || [ -z "${BENCH_EXAMPLE:-}" ] || [ -z "${BENCH_BESIDE:-}" ]; then
  (cd "$root" && cargo build --release -p mainstem -p mainstem-processor --bin mainstem --example streams --example beside)
  target=${CARGO_TARGET_DIR:-$root/target}/release
fi
export BENCH_BIN=${BENCH_BIN:-${target:-}/mainstem} BENCH_EXAMPLE=${BENCH_EXAMPLE:-${target:-}/examples/streams}
export BENCH_BESIDE=${BENCH_BESIDE:-${target:-}/examples/beside}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export BENCH_WORK=$work BENCH_CLASSES=$work/classes BENCH_JARS=$cache/streams/jars
javac -Xlint:all,-processing,-classfile -Werror -proc:none -d "$BENCH_CLASSES" -cp "$BENCH_JARS/*" "$here/Programs.java"

# What it shares with the comparison of the brokers is there.
export PYTHONPATH=$here/../kafka PYTHONDONTWRITEBYTECODE=1
"$cache/modern/venv/bin/python" "$here/main.py" "$@"

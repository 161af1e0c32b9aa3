#!/usr/bin/env bash
# The same random input for Kafka Streams (its TopologyTestDriver, which takes no broker) and for our processor: counts, windows of
# all kinds with records that come late, what is held back until windows close, and joins. Both must come to the same results, and
# the comparison must find faults that are planted in them. Real flights, joined with their airports, and real readings of two
# sensors must give both what DuckDB computes. What differs and is meant stands in docs/streams-differences.md.
# Ends with 'N passed, N failed'.
#
#   run.sh                       the usual seeds
#   run.sh --seeds 8..200        these
#   run.sh --only sliding        only cases with this in their names
#
# ORACLE_BINARY names the built example `oracle` of mainstem-processor to use instead of building one; KEEP=1 keeps the scenes.
# What it needs (Java, Maven, jars, DuckDB for Python) is installed as for the interoperation tests.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
suite=$root/tests/oracle
if [ "${1:-}" = --help ]; then sed -n 's/^# \{0,1\}//; 2,14p' "$0" && exit 0; fi

work=$(mktemp -d "${TMPDIR:-/tmp}/mainstem-oracle.XXXXXX")
clean_up() { if [ -n "${KEEP:-}" ]; then echo "kept: $work"; else rm -rf "$work"; fi; }
trap clean_up EXIT

export INTEROP_CACHE=${INTEROP_CACHE:-$HOME/.cache/mainstem-interop} PYTHONDONTWRITEBYTECODE=1
"$root/tests/interop/install.sh" streams-test duckdb
export ORACLE_JARS=$INTEROP_CACHE/streams-test/jars ORACLE_CLASSES=$work/classes
javac -Xlint:all,-processing,-classfile -Werror -proc:none -d "$ORACLE_CLASSES" -cp "$ORACLE_JARS/*" "$suite"/java/*.java

if [ -z "${ORACLE_BINARY:-}" ]; then
  (cd "$root" && cargo build --quiet --package mainstem-processor --example oracle)
  ORACLE_BINARY=$root/target/debug/examples/oracle
fi
export ORACLE_BINARY
timeout -k 5 600 "$INTEROP_CACHE/duckdb/venv/bin/python" "$suite/main.py" "$@" "$work"

#!/usr/bin/env bash
# The crash tests: the power is cut, processes are killed, and everything that was promised must still be there.
#
#   tests/crash/run.sh              a slice, as CI runs it: three seeds, printed; twenty kills of the real binary
#                                   with each appender; the suite of storage through mapped segments
#   tests/crash/run.sh SEEDS        so many seeds
#   tests/crash/run.sh SEEDS all    at every write and every sync, and again at each of the recovery; minutes a seed
#
# CRASH_SEED=N begins with that seed, KILLS=N kills so often: a failure says which seed it was.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export CRASH_SEED=${CRASH_SEED:-$((RANDOM * 32768 + RANDOM))}
export CRASH_SEEDS=${1:-3} CRASH_PERCENT=10 CRASH_AGAIN=3
if [ "${2:-}" = all ]; then
  CRASH_PERCENT=100 CRASH_AGAIN=100
fi
echo "crash: seeds $CRASH_SEED to $((CRASH_SEED + CRASH_SEEDS - 1))"
# Optimised: the same time checks several times as many cuts.
cargo test --release -p mainstem-storage --test power_cut -- --nocapture
# The suite of storage once more, through mapped segments on the machine's own disk.
LOG_APPEND=map cargo test -p mainstem-storage --lib
# The real binary, with both appenders: kill -9, and the power of a loop device, where there is one.
KILLS=${KILLS:-20} cargo test -p mainstem --test kill -- --nocapture --test-threads=1

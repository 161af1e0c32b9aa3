#!/bin/bash
# System calls of the broker for each Produce and each Fetch request, and how often each byte of the records passes
# through user space, as strace sees it. Counts, not times: the machine's load changes little. Debian and root for what is
# missing, or strace and Python 3.
#
#   benches/syscalls/run.sh
#   RECORDS=1000000 SIZE=100 benches/syscalls/run.sh
#   BROKER=path/to/mainstem benches/syscalls/run.sh   # what is built already
set -euo pipefail
cd "$(dirname "$0")/../.."

for program in strace python3; do
  command -v $program >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $program >/dev/null
done

mainstem=${BROKER:-}
if [ -z "$mainstem" ]; then
  cargo build --release -p mainstem
  mainstem=target/release/mainstem
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 benches/syscalls/count.py "$mainstem" "$work" "${RECORDS:-200000}" "${SIZE:-1000}"

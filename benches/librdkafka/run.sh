#!/bin/bash
# Our client beside librdkafka, on the same broker with the same settings: records per CPU second of the client's own
# process, turn by turn. Debian and root for what is missing, or librdkafka with its headers and a C compiler.
#
#   benches/librdkafka/run.sh            # 3 rounds
#   ROUNDS=5 RECORDS=4000000 benches/librdkafka/run.sh
#   BROKER=path/to/mainstem OURS=path/to/client benches/librdkafka/run.sh   # what is built already
set -euo pipefail
cd "$(dirname "$0")/../.."

rounds=${ROUNDS:-3}
records=${RECORDS:-3000000}
partitions=6
work=$(mktemp -d)
broker_pid=
finish() {
  [ -z "$broker_pid" ] || { kill "$broker_pid" && wait "$broker_pid" || true; }
  rm -rf "$work"
}
trap finish EXIT

if ! echo '#include <librdkafka/rdkafka.h>' | cc -E - >/dev/null 2>&1; then
  apt-get update -qq
  apt-get install -y -qq librdkafka-dev gcc >/dev/null
fi
cc -O2 -Wall -Wextra -o "$work/librdkafka" benches/librdkafka/client.c -lrdkafka

mainstem=${BROKER:-}
if [ -z "$mainstem" ]; then
  cargo build --release -p mainstem
  mainstem=target/release/mainstem
fi
ours=${OURS:-}
if [ -z "$ours" ]; then
  ours=$(cargo bench --no-run --message-format=json -p mainstem-client --bench client |
    sed -n 's/.*"executable":"\([^"]*\/client-[^"]*\)".*/\1/p' | tail -1)
fi

"$mainstem" serve --data "$work/data" --listen 127.0.0.1:0 --http 127.0.0.1:0 --durability os --output json \
  --set log.retention.bytes=536870912 >"$work/start.json" 2>"$work/broker.log" &
broker_pid=$!
for _ in $(seq 100); do [ -s "$work/start.json" ] && break; sleep 0.1; done
address=$(sed -n 's/.*"kafka":"\([^"]*\)".*/\1/p' "$work/start.json")

rate() { sed -n 's/.*records_per_cpu_second \([0-9]*\).*/\1/p'; }
# Smallest, middle, largest.
spread() { sort -n | awk '{ v[NR] = $1 } END { printf "%d (%d to %d)", v[int((NR + 1) / 2)], v[1], v[NR] }'; }

for bytes in 100 1000; do
  count=$((bytes == 100 ? records : records / 5))
  for round in $(seq "$rounds"); do
    for side in ours librdkafka; do
      topic="$side-$bytes-$round"
      program=$([ $side = ours ] && echo "$ours" || echo "$work/librdkafka")
      "$mainstem" topic create "$topic" --partitions $partitions -b "$address" >/dev/null
      "$program" produce "$address" "$topic" "$count" "$bytes" | rate >>"$work/produce-$bytes-$side"
      "$program" consume "$address" "$topic" "$count" $partitions 2>/dev/null | rate >>"$work/consume-$bytes-$side"
      "$mainstem" topic delete "$topic" -b "$address" >/dev/null
    done
  done
done

echo "records per CPU second of the client, $rounds rounds, $partitions partitions, idempotent, acks=all, linger 5 ms, 128 KiB:"
for way in produce consume; do
  for bytes in 100 1000; do
    us=$(spread <"$work/$way-$bytes-ours")
    them=$(spread <"$work/$way-$bytes-librdkafka")
    ratio=$(paste "$work/$way-$bytes-ours" "$work/$way-$bytes-librdkafka" | awk '{ printf "%.2f\n", $1 / $2 }' |
      sort -n | awk '{ v[NR] = $1 } END { printf "%.2f (%.2f to %.2f)", v[int((NR + 1) / 2)], v[1], v[NR] }')
    echo "$way of $bytes B: ours $us, librdkafka $them, ratio $ratio"
  done
done

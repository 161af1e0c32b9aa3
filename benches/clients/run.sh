#!/bin/bash
# Our client beside librdkafka and Kafka's own client for Java, on the same broker with the same settings, turn by turn:
# records per CPU second of the client's own process, latency at a moderate load, calls of malloc. Prints the tables of
# benches/README.md. Debian and root for what is missing, or librdkafka with its headers, a C compiler and a JDK.
#
#   benches/clients/run.sh                                       # 3 rounds of everything
#   ROUNDS=5 RECORDS=4000000 CODECS=lz4 WAYS=consume benches/clients/run.sh
#   BROKER=path/to/mainstem OURS=path/to/client benches/clients/run.sh   # what is built already
set -euo pipefail
cd "$(dirname "$0")/../.."

rounds=${ROUNDS:-3}
records=${RECORDS:-2000000}
codecs=${CODECS:-none lz4}
ways=${WAYS:-produce consume latency allocations}
partitions=6
per_millisecond=20
sides="ours librdkafka java"
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
cc -O2 -Wall -Wextra -o "$work/librdkafka" benches/clients/librdkafka.c -lrdkafka -lpthread
tests/interop/install.sh java4 >"$work/install.log"
jars="${INTEROP_CACHE:-$HOME/.cache/mainstem-interop}/java4/jars/*"
javac -cp "$jars" -d "$work" benches/clients/Client.java

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

# Values are cut out of a real access log, so that there is something to compress.
zcat tests/data/apache_access.log.gz | tr -d '\n' | head -c 4000000 >"$work/payloads" || true

"$mainstem" serve --data "$work/data" --listen 127.0.0.1:0 --http 127.0.0.1:0 --durability os --output json \
  --set log.retention.bytes=536870912 >"$work/start.json" 2>"$work/broker.log" &
broker_pid=$!
for _ in $(seq 100); do [ -s "$work/start.json" ] && break; sleep 0.1; done
address=$(sed -n 's/.*"kafka":"\([^"]*\)".*/\1/p' "$work/start.json")

# Two processors are few: the collector with the fewest threads of its own costs the least of them.
client() {
  local side=$1
  shift
  case $side in
    ours) "$ours" "$@" 2>>"$work/err" ;;
    librdkafka) "$work/librdkafka" "$@" 2>>"$work/err" ;;
    java)
      java -Xms512m -Xmx512m -XX:+UseSerialGC -Dorg.slf4j.simpleLogger.defaultLogLevel=error \
        -cp "$work:$jars" Client "$@" 2>>"$work/err"
      ;;
  esac
}
create() { "$mainstem" topic create "$1" --partitions $partitions -b "$address" >/dev/null; }
delete() { "$mainstem" topic delete "$1" -b "$address" >/dev/null; }
# field NAME: its value in what a client says.
field() { sed -n "s/.*$1 \([0-9]*\).*/\1/p"; }

turn() {
  local bytes=$1 count=$2 codec=$3 round=$4 side
  if [[ $ways == *consume* ]]; then
    create "read-$bytes-$codec-$round"
    client ours produce "$address" "read-$bytes-$codec-$round" "$count" "$bytes" "$codec" "$work/payloads" >/dev/null
  fi
  for side in $sides; do
    if [[ $ways == *produce* ]]; then
      create "$side"
      client $side produce "$address" "$side" "$count" "$bytes" "$codec" "$work/payloads" >"$work/said"
      field records_per_cpu_second <"$work/said" >>"$work/produce, $bytes B, $codec#$side"
      field allocated_bytes_per_record <"$work/said" >>"$work/bytes-produce-$bytes-$codec"
      delete "$side"
    fi
    if [[ $ways == *consume* ]]; then
      client $side consume "$address" "read-$bytes-$codec-$round" "$count" $partitions >"$work/said"
      field records_per_cpu_second <"$work/said" >>"$work/consume, $bytes B, $codec#$side"
      field allocated_bytes_per_record <"$work/said" >>"$work/bytes-consume-$bytes-$codec"
    fi
  done
  [[ $ways != *consume* ]] || delete "read-$bytes-$codec-$round"
}

latency() {
  local codec=$1 side
  for side in $sides; do
    create "$side"
    client $side latency "$address" "$side" $((per_millisecond * 4000)) 100 "$codec" "$work/payloads" $per_millisecond >"$work/said"
    field p50_us <"$work/said" >>"$work/latency p50, µs, $codec#$side"
    field p99_us <"$work/said" >>"$work/latency p99, µs, $codec#$side"
    field records_per_cpu_second <"$work/said" >>"$work/at that load, $codec#$side"
    delete "$side"
  done
}

# Calls of malloc, calloc and realloc for each record of the second half of a run: what a run of twice the length has more.
calls() {
  local side=$1
  shift
  : >"$work/err"
  LD_PRELOAD=/usr/lib/$(uname -m)-linux-gnu/libmemusage.so client "$side" "$@" >/dev/null
  sed 's/\x1b\[[0-9;]*m//g' "$work/err" | awk '/(malloc|calloc|realloc)\|/ { split($0, f, "|"); split(f[2], n, " "); sum += n[1] } END { print sum }'
}
allocations() {
  local way=$1 codec=$2 side count once twice
  for side in ours librdkafka; do
    for count in 200000 400000; do
      create "$side-$count"
      client ours produce "$address" "$side-$count" "$count" 100 "$codec" "$work/payloads" >/dev/null
    done
    if [ "$way" = produce ]; then
      once=$(calls $side produce "$address" "$side-200000" 200000 100 "$codec" "$work/payloads")
      twice=$(calls $side produce "$address" "$side-400000" 400000 100 "$codec" "$work/payloads")
    else
      once=$(calls $side consume "$address" "$side-200000" 200000 $partitions)
      twice=$(calls $side consume "$address" "$side-400000" 400000 $partitions)
    fi
    awk -v way="$way, 100 B, $codec" -v side=$side -v once="$once" -v twice="$twice" \
      'BEGIN { printf "| malloc per record, %s, %s | %.4f |\n", way, side, (twice - once) / 200000 }' >>"$work/allocations"
    delete "$side-200000"
    delete "$side-400000"
  done
}

for codec in $codecs; do
  for round in $(seq "$rounds"); do
    turn 100 "$records" "$codec" "$round"
    turn 1000 $((records / 5)) "$codec" "$round"
    [[ $ways != *latency* ]] || latency "$codec"
  done
  if [[ $ways == *allocations* ]]; then
    allocations produce "$codec"
    allocations consume "$codec"
  fi
done

# Smallest, middle, largest.
spread() { sort -n | awk -v f="$1" '{ v[NR] = $1 } END { printf f " (" f " to " f ")", v[int((NR + 1) / 2)], v[1], v[NR] }'; }
ratio() { paste "$work/$1#$2" "$work/$1#$3" | awk '{ printf "%.2f\n", $1 / $2 }' | spread %.2f; }
row() {
  printf '| %s |' "$1"
  for side in $sides; do printf ' %s |' "$(spread %d <"$work/$1#$side")"; done
  printf ' %s | %s |\n' "$(ratio "$1" ours librdkafka)" "$(ratio "$1" ours java)"
}

echo "$rounds rounds, $partitions partitions, idempotent, acks=all, linger 5 ms, 128 KiB; records per CPU second unless said:"
echo
echo "| | ours | librdkafka | Java | ours / librdkafka | ours / Java |"
echo "|---|--:|--:|--:|--:|--:|"
for codec in $codecs; do
  for what in "produce, 100 B, $codec" "produce, 1000 B, $codec" "consume, 100 B, $codec" "consume, 1000 B, $codec" \
    "at that load, $codec" "latency p50, µs, $codec" "latency p99, µs, $codec"; do
    [ ! -s "$work/$what#ours" ] || row "$what"
  done
done
echo
[ ! -s "$work/allocations" ] || cat "$work/allocations"
for file in "$work"/bytes-*; do
  [ ! -s "$file" ] || echo "| bytes allocated per record, ${file##*/bytes-}, Java | $(spread %d <"$file") |"
done

#!/usr/bin/env bash
# What 50,000 partitions cost on one node: they are created by the protocol, and the broker is stopped and started again.
#
#   run.sh              builds the binary
#   run.sh BINARY       uses this one
#
# Says for an empty directory and for 50,000 partitions: milliseconds from the start to the first connection, milliseconds
# until a client of its own process has the metadata of all, resident memory, and CPU in ten idle seconds.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
binary=${1:-$root/target/release/mainstem}
[ $# -gt 0 ] || (cd "$root" && cargo build --release --quiet)
data=$(mktemp -d "${TMPDIR:-/tmp}/mainstem-partitions.XXXXXX")
port=${PORT:-39192} broker=
trap '[ -z "$broker" ] || kill "$broker" 2>/dev/null || true; rm -rf "$data"' EXIT

millis() { date +%s%3N; }
status() { awk -v name="$1:" '$1 == name { print $2 }' "/proc/$broker/status"; }
ticks() { awk '{ print $14 + $15 }' "/proc/$broker/stat"; }

start() {
  local begun
  begun=$(millis)
  "$binary" serve --data "$data/log" --listen "127.0.0.1:$port" --http "127.0.0.1:$((port + 1))" >"$data/out" 2>&1 &
  broker=$!
  until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    kill -0 "$broker" 2>/dev/null || { tail -n 3 "$data/out" >&2; exit 1; }
    sleep 0.002
  done
  echo -n "$1: listens after $(($(millis) - begun)) ms"
  begun=$(millis)
  "$binary" topic list --bootstrap-server "127.0.0.1:$port" >/dev/null
  echo -n ", metadata of all after $(($(millis) - begun)) ms more"
}

stop() {
  local begun
  begun=$(millis)
  kill "$broker"
  wait "$broker" || true
  broker=
  echo "$1: stops in $(($(millis) - begun)) ms"
}

idle() {
  local begun
  begun=$(ticks)
  sleep 10
  echo ", resident $(status VmRSS) KiB, idle for ten seconds $((($(ticks) - begun) * 10)) ms of CPU"
}

start "no partitions"
idle
begun=$(millis)
for topic in 1 2 3 4 5; do
  "$binary" topic create --bootstrap-server "127.0.0.1:$port" --partitions 10000 "many-$topic" >/dev/null
done
echo "50,000 partitions created in $(($(millis) - begun)) ms"
stop "50,000 partitions"
for _ in 1 2 3; do
  start "50,000 partitions"
  idle
  stop "50,000 partitions"
done

# Shared by the scripts of this folder: child processes that end with the script, and waiting for what they say.
# shellcheck shell=bash

children=()
end_children() {
  for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
  for child in "${children[@]}"; do wait "$child" 2>/dev/null || true; done
}
trap end_children EXIT

# wait_for SECONDS WHAT COMMAND...: until the command succeeds; fails at once when the newest child has died.
wait_for() {
  local tries=$(($1 * 10)) what=$2
  shift 2
  until "$@" 2>/dev/null; do
    tries=$((tries - 1))
    if [ "$tries" -le 0 ] || ! kill -0 "${children[-1]}" 2>/dev/null; then
      echo "$what: never came" >&2
      return 1
    fi
    sleep 0.1
  done
}

accepts() { (exec 3<>"/dev/tcp/${1%:*}/${1##*:}"); }

# A port that nobody uses at the moment, for programs that cannot choose one themselves.
free_port() {
  python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# start_proxy FOLDER [FRAMES]: sets `proxy` to its HOST:PORT; it forwards to the address in FOLDER/upstream.
start_proxy() {
  python3 "$here/wire/record.py" --upstream "$1/upstream" --seen "$1/seen" ${2:+--frames "$2"} >"$1/proxy.port" &
  children+=($!)
  wait_for 10 "the recording proxy" test -s "$1/proxy.port"
  proxy=127.0.0.1:$(cat "$1/proxy.port")
}

# start_kafka FOLDER ADVERTISED [NAME=VALUE...]: Apache Kafka, its address in FOLDER/upstream. Where it is to advertise none, its
# own; $INTEROP_BROKER may name another part of install.sh.
start_kafka() {
  local folder=$1 advertised=$2 port
  shift 2
  port=$(free_port)
  "$here/install.sh" "${INTEROP_BROKER:-broker}"
  "$here/kafka.sh" "$folder/kafka" "$port" "$(free_port)" "advertised.listeners=PLAINTEXT://${advertised:-127.0.0.1:$port}" num.partitions=4 "$@" >"$folder/kafka.log" 2>&1 &
  children+=($!)
  wait_for 120 "Apache Kafka" accepts "127.0.0.1:$port"
  echo "127.0.0.1:$port" >"$folder/upstream"
}

# start_broker BINARY FOLDER ARGUMENT...: mainstem, `mainstem` is its process, its address is in FOLDER/upstream.
start_broker() {
  local binary=$1 folder=$2
  shift 2
  "$binary" serve --data "$folder/data" --http 127.0.0.1:0 --output json "$@" \
    >"$folder/server.out" 2>"$folder/server.err" </dev/null &
  mainstem=$!
  children+=("$mainstem")
  wait_for 30 "mainstem" grep -q kafka "$folder/server.out" || { cat "$folder/server.err" >&2; return 1; }
  python3 -c 'import json, sys; print(json.loads(sys.stdin.readline())["kafka"])' <"$folder/server.out" >"$folder/upstream"
}

#!/usr/bin/env bash
# Runs the Java cases, or a member of a group, with the client in FOLDER: run.sh CLIENT FOLDER ARGUMENT...
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
client=$1 folder=$2
shift 2
# What runs for seconds is not worth compiling twice; the heap holds the cases' largest record a few times over.
exec java -Xmx1500m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$folder/classes:$folder/jars/*" \
  -Dorg.slf4j.simpleLogger.defaultLogLevel="${KAFKA_LOG_LEVEL:-warn}" \
  interop.Main --client "$client" --log "$here/../../data/apache_access.log.gz" "$@"

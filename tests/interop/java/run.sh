#!/usr/bin/env bash
# Compiles the Java cases against the client in FOLDER and runs them: run.sh CLIENT FOLDER ARGUMENT...
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
client=$1 folder=$2
shift 2
classes=$folder/classes
rm -rf "$classes"
javac -Xlint:all,-processing,-classfile -Werror -proc:none -d "$classes" -cp "$folder/jars/*" "$here"/src/*.java
exec java -Xmx1500m -cp "$classes:$folder/jars/*" -Dorg.slf4j.simpleLogger.defaultLogLevel="${KAFKA_LOG_LEVEL:-warn}" \
  interop.Main --client "$client" --log "$here/../../data/apache_access.log.gz" "$@"

#!/usr/bin/env bash
# Installs the clients of versions.env into the cache folder, each once: `install.sh kcat old modern next go node java3 java4 broker broker3 streams streams-test duckdb`.
# A finished part leaves a stamp that names its versions, so a second run costs nothing and needs no network.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=versions.env
source "$here/versions.env"
cache=${INTEROP_CACHE:-$HOME/.cache/mainstem-interop}
mkdir -p "$cache"

# apt_needs COMMAND PACKAGE...: installs the packages unless the command is there.
apt_needs() {
  local command=$1
  shift
  command -v "$command" >/dev/null && return
  echo "installing $*" >&2
  if [ -z "${apt_updated:-}" ]; then
    apt-get -qq update >&2
    apt_updated=1
  fi
  DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 install -y --no-install-recommends "$@" >/dev/null </dev/null
}

# once NAME STAMP FUNCTION: runs the function unless the folder NAME holds the stamp.
once() {
  local name=$1 stamp=$2 function=$3
  [ "$(cat "$cache/$name/stamp" 2>/dev/null)" = "$stamp" ] && return
  echo "installing $name: $stamp" >&2
  rm -rf "${cache:?}/$name"
  mkdir -p "$cache/$name"
  "$function" "$cache/$name"
  echo "$stamp" >"$cache/$name/stamp"
}

codecs=("python-snappy==$PYTHON_SNAPPY" "lz4==$PYTHON_LZ4" "zstandard==$PYTHON_ZSTANDARD")

# The machine's own python3 may come without venv or pip: Debian ships them apart.
new_venv() {
  python3 -m venv --help >/dev/null 2>&1 && python3 -c 'import ensurepip' 2>/dev/null || apt_needs "no such command" python3-venv
  python3 -m venv "$1/venv"
}

modern() {
  new_venv "$1"
  "$1/venv/bin/pip" install -q "confluent-kafka==$CONFLUENT_KAFKA" "kafka-python==$KAFKA_PYTHON_2" "${codecs[@]}"
}

old() {
  new_venv "$1"
  "$1/venv/bin/pip" install -q "confluent-kafka==$CONFLUENT_KAFKA_OLD"
}

next() {
  new_venv "$1"
  "$1/venv/bin/pip" install -q "kafka-python==$KAFKA_PYTHON_3" "aiokafka==$AIOKAFKA" "${codecs[@]}"
}

# jars FOLDER ARTIFACT VERSION: the artifact and all that it needs at run time.
jars() {
  mvn -q -B -ntp -Dstyle.color=never -f "$here/java/pom.xml" \
    "org.apache.maven.plugins:maven-dependency-plugin:$MAVEN_DEPENDENCY_PLUGIN:copy-dependencies" \
    "-DoutputDirectory=$1/jars" -DincludeScope=runtime \
    "-Dkafka.artifact=$2" "-Dkafka.version=$3" "-Dslf4j.version=$SLF4J" </dev/null >&2
}

java_client() {
  apt_needs javac default-jdk-headless
  apt_needs mvn maven
  jars "$1" kafka-clients "$2"
  "$here/java/compile.sh" "$1" "${2%%.*}" >&2
}

# The module says which Go it needs; Debian's own is older.
go_clients() {
  apt_needs go golang-go
  local needed
  needed=$(sed -n 's/^go //p' "$here/go/go.mod")
  (cd "$here/go" && go list ./... >/dev/null) || { echo "the clients of Go need Go $needed, here is $(go version)" >&2; return 1; }
  (cd "$here/go" && go build -o "$1/" ./franz ./sarama ./kafkago) </dev/null >&2
}

# Folders that a program is made of are part of its stamp, so that an edit builds anew.
sum_of() { (cd "$here/$1" && find . -type f -not -path './node_modules/*' -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -c1-16); }

node_client() {
  apt_needs node nodejs
  apt_needs npm npm
  cp "$here"/node/package*.json "$here/node/.npmrc" "$1/"
  (cd "$1" && npm ci --ignore-scripts --no-fund --no-audit --loglevel=error) </dev/null >&2
}

java3() { java_client "$1" "$JAVA_CLIENT_3"; }
java4() { java_client "$1" "$JAVA_CLIENT_4"; }

# The newest Kafka before 4, for tests/conformance.
broker3() {
  apt_needs javac default-jdk-headless
  apt_needs mvn maven
  jars "$1" kafka_2.13 "$KAFKA_BROKER_3"
}

broker() {
  apt_needs javac default-jdk-headless
  apt_needs mvn maven
  jars "$1" kafka_2.13 "$KAFKA_BROKER"
  # The performance tools are a jar of their own.
  jars "$1" kafka-tools "$KAFKA_BROKER"
}

# Kafka Streams, for benches/streams.
streams() {
  apt_needs javac default-jdk-headless
  apt_needs mvn maven
  jars "$1" kafka-streams "$KAFKA_BROKER"
}

# Kafka Streams with its TopologyTestDriver, for tests/oracle.
streams_test() {
  apt_needs javac default-jdk-headless
  apt_needs mvn maven
  jars "$1" kafka-streams-test-utils "$KAFKA_BROKER"
}

# What computes independently what processors do, for tests/oracle.
duckdb() {
  new_venv "$1"
  "$1/venv/bin/pip" install -q "duckdb==$DUCKDB"
}

for part in "$@"; do
  case $part in
    none) ;;
    kcat) apt_needs kcat kcat ;;
    modern) once modern "confluent-kafka $CONFLUENT_KAFKA, kafka-python $KAFKA_PYTHON_2, ${codecs[*]}" modern ;;
    old) once old "confluent-kafka $CONFLUENT_KAFKA_OLD" old ;;
    next) once next "kafka-python $KAFKA_PYTHON_3, aiokafka $AIOKAFKA, ${codecs[*]}" next ;;
    go) once go "$(sum_of go)" go_clients ;;
    node) once node "$(sum_of node)" node_client ;;
    java3) once java3 "kafka-clients $JAVA_CLIENT_3, slf4j-simple $SLF4J, $(sum_of java)" java3 ;;
    java4) once java4 "kafka-clients $JAVA_CLIENT_4, slf4j-simple $SLF4J, $(sum_of java)" java4 ;;
    streams) once streams "kafka-streams $KAFKA_BROKER, slf4j-simple $SLF4J" streams ;;
    streams-test) once streams-test "kafka-streams-test-utils $KAFKA_BROKER, slf4j-simple $SLF4J" streams_test ;;
    duckdb) once duckdb "duckdb $DUCKDB" duckdb ;;
    broker3) once broker3 "kafka $KAFKA_BROKER_3, slf4j-simple $SLF4J" broker3 ;;
    broker) once broker "kafka $KAFKA_BROKER, slf4j-simple $SLF4J" broker ;;
    *)
      echo "install.sh: unknown part $part" >&2
      exit 2
      ;;
  esac
done

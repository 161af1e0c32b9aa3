#!/usr/bin/env bash
# Compiles the Java cases against the client in FOLDER/jars into FOLDER/classes: compile.sh FOLDER MAJOR. The folder src3 or src4 holds
# what only one of them has.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$1 major=$2
rm -rf "$folder/classes"
javac -Xlint:all,-processing,-classfile -Werror -proc:none -d "$folder/classes" -cp "$folder/jars/*" "$here"/src/*.java "$here/src$major"/*.java

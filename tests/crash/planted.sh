#!/usr/bin/env bash
# Plants each bug of tests/crash/planted in a copy of the tree and demands that the power cuts find it.
#
#   tests/crash/planted.sh            all of them
#   tests/crash/planted.sh 03 07      these
#
# Ends with 'N found, M missed' and fails where one was missed or a patch no longer applies.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$copy" 2>/dev/null || true
patches=$(cd tests/crash/planted && ls ./*.patch | sed 's|^\./||')
export CARGO_TARGET_DIR=$copy/target CRASH_SEED=${CRASH_SEED:-1} CRASH_SEEDS=${CRASH_SEEDS:-2}
found=0 missed=()

build() { cargo test -q -p mainstem-storage --test power_cut --no-run; }
crash() { cargo test -q -p mainstem-storage --test power_cut -- --nocapture power_cut_at_any_event; }

cd "$copy"
build
crash >"$copy/clean.log" 2>&1 || { echo "the tree fails without any planted bug:" >&2; tail -n 30 "$copy/clean.log" >&2; exit 1; }
echo "without a bug: $(grep -c '^seed .*: ' "$copy/clean.log") seeds pass"
for patch in $patches; do
  name=${patch%.patch}
  [ $# -eq 0 ] || [[ " $* " == *" ${name%%-*} "* ]] || continue
  patch -s -p1 <"tests/crash/planted/$patch" || { missed+=("$name: does not apply"); continue; }
  if ! build 2>"$copy/build.log"; then
    missed+=("$name: does not compile")
    tail -n 20 "$copy/build.log" >&2
  elif crash >"$copy/run.log" 2>&1; then
    missed+=("$name")
  else
    found=$((found + 1))
    echo "$name: found, $(grep -m1 -E '^seed [0-9]+, life' "$copy/run.log" || grep -m1 -A1 panicked "$copy/run.log" | tail -n1)"
  fi
  patch -s -R -p1 <"tests/crash/planted/$patch"
done
echo "$found found, ${#missed[@]} missed"
[ $((found + ${#missed[@]})) -gt 0 ] || { echo "no bug of that number: give two digits, such as 07" >&2; exit 1; }
[ ${#missed[@]} -eq 0 ] || { printf 'missed: %s\n' "${missed[@]}"; exit 1; }

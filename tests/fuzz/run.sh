#!/usr/bin/env bash
# Runs every fuzz target for a time: tests/fuzz/run.sh [seconds per target] [target...]
# Needs a nightly compiler and cargo-fuzz. What is found lies in tests/fuzz/artifacts.
set -euo pipefail
seconds="${1:-60}"
shift || true
cd "$(dirname "$0")"

command -v cargo-fuzz >/dev/null || { echo "cargo-fuzz is missing: cargo install cargo-fuzz" >&2; exit 2; }
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cargo +nightly fuzz list --fuzz-dir .)

failed=()
for target in "${targets[@]}"; do
    echo "== $target, $seconds s"
    # A single input may take ten seconds at most and two gigabytes.
    nice -n 15 cargo +nightly fuzz run --fuzz-dir . "$target" -- \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=4096 -print_final_stats=1 -verbosity=0 ||
        failed+=("$target")
done
[ ${#failed[@]} -eq 0 ] || { echo "failed: ${failed[*]}" >&2; exit 1; }

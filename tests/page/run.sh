#!/usr/bin/env bash
# The page at / in a headless Chromium, beside a broker under load: builds the binary unless PAGE_BIN names one.
# PAGE_SHOTS=FOLDER keeps the screenshots.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if ! command -v chromedriver >/dev/null || ! command -v chromium >/dev/null; then
  echo "installing chromium"
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 install -y --no-install-recommends \
    chromium chromium-driver fonts-dejavu-core >/dev/null
fi
[ -n "${PAGE_BIN:-}" ] || (cd "$here/../.." && cargo build --release)
PAGE_BIN=$(realpath "${PAGE_BIN:-${CARGO_TARGET_DIR:-$here/../../target}/release/mainstem}")
work=$(mktemp -d "${TMPDIR:-/tmp}/mainstem-page.XXXXXX")
trap 'rm -rf "$work"' EXIT
timeout 240 python3 "$here/check.py" "$PAGE_BIN" "$work"

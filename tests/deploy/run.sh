#!/usr/bin/env bash
# What deploy/ holds, against the tools that read it: Prometheus (Debian's) scrapes the real binary under load, and every
# query of the rules and dashboards is asked. Builds the binary unless DEPLOY_BIN names one.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
python=/usr/bin/python3
missing=()
command -v promtool >/dev/null && command -v prometheus >/dev/null || missing+=(prometheus)
command -v systemd-analyze >/dev/null || missing+=(systemd)
"$python" -c 'import yaml' 2>/dev/null || missing+=(python3 python3-yaml)
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing ${missing[*]}"
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 install -y --no-install-recommends "${missing[@]}" >/dev/null
fi
[ -n "${DEPLOY_BIN:-}" ] || (cd "$root" && cargo build --release)
DEPLOY_BIN=$(realpath "${DEPLOY_BIN:-${CARGO_TARGET_DIR:-$root/target}/release/mainstem}")
work=$(mktemp -d "${TMPDIR:-/tmp}/mainstem-deploy.XXXXXX")
trap 'rm -rf "$work"' EXIT

echo "-- the unit"
mkdir "$work/unit"
sed "s|/usr/local/bin/mainstem|$DEPLOY_BIN|" "$root/deploy/systemd/mainstem.service" >"$work/unit/mainstem.service"
systemd-analyze verify --man=no "$work/unit/mainstem.service"
systemd-analyze security --offline=true --threshold=15 --no-pager "$root/deploy/systemd/mainstem.service" | tail -n 1

echo "-- the rules"
(
  cd "$root/deploy/prometheus"
  promtool check config --lint-fatal prometheus.yml
  promtool check rules --lint-fatal alerts.yml
  promtool test rules alerts.test.yml
)

echo "-- the files"
"$python" "$here/files.py"

echo "-- a broker under load"
timeout 240 "$python" "$here/scrape.py" "$DEPLOY_BIN" "$work"

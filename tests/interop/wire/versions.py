"""Tells which versions of each API went by, and the client that used the highest: `versions.py SEEN`."""

import collections
import json
import sys

used = collections.defaultdict(dict)
for row in map(json.loads, open(sys.argv[1])):
    used[row["api"]].setdefault(row["version"], row["client"])
for api, versions in sorted(used.items()):
    top = max(versions)
    print(f"{api:22} {' '.join(map(str, sorted(versions))):24} v{top} by {versions[top]}")

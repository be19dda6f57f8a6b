#!/usr/bin/env python3
"""Every suite that README.md says holds a promise is one that the tests run.

usage: promises.py README.md BUILD

Prints TAP: one case a row of the table below "What you can rely on".
"""

import json
import re
import subprocess
import sys


def rows(text):
    """[(promise, [suite])]; `the same` is what the row above has."""
    section = text.split("## What you can rely on\n")[1].split("\n## ")[0]
    found, last = [], []
    for promise, holders in re.findall(r"^\| (.+) \| (.+) \|$", section, re.MULTILINE)[1:]:
        last = re.findall(r"`([a-z0-9_-]+)`", holders) if holders != "the same" else last
        found.append((promise, last))
    return found


def main():
    with open(sys.argv[1], encoding="utf-8") as readme:
        promises = rows(readme.read())
    listing = subprocess.run(
        ["meson", "introspect", "--tests", sys.argv[2]], stdout=subprocess.PIPE, check=True
    )
    known = {test["name"] for test in json.loads(listing.stdout)}
    print(f"1..{len(promises)}")
    failed = len(promises) == 0
    for number, (promise, suites) in enumerate(promises, 1):
        missing = [s for s in suites if s not in known]
        good = suites and not missing
        failed |= not good
        print(f"{'ok' if good else 'not ok'} {number} - {promise[:60].replace('#', '')}")
        for name in missing:
            print(f"# there is no suite {name}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""What a run of a build with coverage has reached.

usage: coverage.py [--lines] [--least LAYER=PERCENT]... BUILD

Asks gcov for every object of BUILD that was run, adds up what several programs ran of
the same source, and prints a table per file and totals. A branch is counted once for
each direction of each condition. --lines prints each line with a branch that was not
taken. Exit status 1 when less than PERCENT of the branches of LAYER, core or fs, were.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2]
# The other direction is a bug of a caller, or cannot happen, and the comment says why.
NOT_COUNTED = re.compile(r"\bassert\(|/\*\s*unreachable:")


class File:
    def __init__(self):
        self.lines = collections.Counter()
        self.branches = {}


def ask_gcov(gcda):
    out = subprocess.run(
        ["gcov", "--json-format", "--stdout", "--branch-probabilities", gcda],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=gcda.parent,
        check=False,
    ).stdout
    return [json.loads(line) for line in out.splitlines() if line.startswith(b"{")]


def name_of(report, path):
    full = pathlib.Path(report["current_working_directory"], path).resolve()
    if not full.is_relative_to(SOURCE):
        return None
    name = str(full.relative_to(SOURCE))
    return name if name.startswith(("core/", "fs/")) else None


def take(files, report):
    for source in report["files"]:
        name = name_of(report, source["file"])
        if name is None:
            continue
        file = files[name]
        seen = collections.Counter()
        for line in source["lines"]:
            number = line["line_number"]
            file.lines[number] += line["count"]
            for branch in line["branches"]:
                # one line can be in several functions: gcov lists them one by one
                key = (number, line.get("function_name", ""), seen[number])
                seen[number] += 1
                file.branches[key] = file.branches.get(key, 0) + branch["count"]


def collect(build):
    files = collections.defaultdict(File)
    gcda = [p.resolve() for p in build.rglob("*.gcda")]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for reports in pool.map(ask_gcov, gcda):
            for report in reports:
                take(files, report)
    return files


class Sum:
    def __init__(self):
        self.lines = self.lines_run = self.branches = self.taken = self.left_out = 0

    def add(self, other):
        for key, value in vars(other).items():
            setattr(self, key, getattr(self, key) + value)

    def line_rate(self):
        return 100.0 * self.lines_run / self.lines if self.lines else 100.0

    def branch_rate(self):
        return 100.0 * self.taken / self.branches if self.branches else 100.0


def judge(name, file):
    """Sum of a file, and its lines with a branch that was never taken."""
    text = (SOURCE / name).read_text(encoding="utf-8").splitlines()
    total = Sum()
    total.lines = len(file.lines)
    total.lines_run = sum(count > 0 for count in file.lines.values())
    missed = collections.Counter()
    for (number, _, _), count in file.branches.items():
        if NOT_COUNTED.search(text[number - 1]):
            total.left_out += count == 0
            continue
        total.branches += 1
        total.taken += count > 0
        missed[number] += count == 0
    missed.update({n: 0 for n, count in file.lines.items() if count == 0})
    return total, [(n, k, text[n - 1].strip()) for n, k in sorted(missed.items())
                   if k > 0 or file.lines[n] == 0]


def print_row(name, total):
    print(f"{name:<24} {total.lines_run:>6}/{total.lines:<6} {total.line_rate():6.1f} %"
          f" {total.taken:>7}/{total.branches:<6} {total.branch_rate():6.1f} %")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--lines", action="store_true")
    parser.add_argument("--least", action="append", default=[])
    parser.add_argument("build", type=pathlib.Path)
    arguments = parser.parse_args()
    files = collect(arguments.build)
    totals = {"core": Sum(), "fs": Sum()}
    print(f"{'file':<24} {'lines':>13} {'':>8} {'branches':>14}")
    for name in sorted(files):
        total, missed = judge(name, files[name])
        layer = name.split("/", maxsplit=1)[0]
        totals[layer].add(total)
        print_row(name, total)
        if arguments.lines:
            for number, count, text in missed:
                print(f"    {name}:{number}: {count or 'not run'}: {text}")
    for layer, total in totals.items():
        print_row(layer, total)
    core, fs = totals["core"], totals["fs"]
    if core.branches == 0:
        print("nothing was run", file=sys.stderr)
        return 1
    print(f"#= coverage: core {core.line_rate():.1f} % of lines, {core.branch_rate():.1f} % of "
          f"{core.branches} branches ({core.left_out} not counted); fs {fs.line_rate():.1f} % "
          f"of lines, {fs.branch_rate():.1f} % of {fs.branches} branches ({fs.left_out} not "
          "counted)")
    status = 0
    for layer, percent in (least.split("=") for least in arguments.least):
        if totals[layer].branch_rate() < float(percent):
            print(f"less than {percent} % of the branches of {layer}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())

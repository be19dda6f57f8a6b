#!/usr/bin/env python3
"""Run the test programs of a meson build directory and count single test cases.

usage: run.py [--jobs N] [--suite NAME]... [--test NAME]... [--tmp DIR] [--patient]
              [--label TEXT] BUILD

Reads what `meson introspect --tests` lists, gives each program a TMPDIR of its own (in
DIR, or /tmp), ends it after its timeout, reads its TAP, and prints what failed with the
command that repeats it. With --patient no program is ended, and its figures are printed
when it ends as well. A program that crashes, exits nonzero without a failed case, leaves a mount,
or reports no case at all counts as one failure. The last line is
`N passed, N failed, N skipped`; exit status 1 when something failed.

Before it stands a table of the suites with their counts. Below each suite are its figures:
the lines that its programs print with `#= ` in front.
"""

import argparse
import concurrent.futures
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

RESULT = re.compile(r"^(not )?ok\b\s*\d*\s*-?\s*(.*?)\s*$")
SKIP = re.compile(r"#\s*skip\b\s*(.*)$", re.IGNORECASE)
FIGURE = re.compile(r"^#= (.*)$", re.MULTILINE)
NOTHING = re.compile(r"^1\.\.0\s*#\s*skip\b\s*(.*)$", re.IGNORECASE | re.MULTILINE)
PLAN = re.compile(r"^\s*1\.\.(\d+)")


class Outcome:
    def __init__(self, name):
        self.name = name
        self.passed = 0
        self.failed = []
        self.skipped = []
        self.seconds = 0.0
        self.output = ""


def count_cases(outcome, text, status):
    planned, said = None, "" # what a case has said last: of one that is skipped, why
    for line in text.splitlines():
        plan = PLAN.match(line)
        result = RESULT.match(line)
        if plan:
            planned = int(plan.group(1))
        elif result:
            bad, name = result.groups()
            skip = SKIP.search(name)
            if skip:
                case = skip.group(1) or name
                outcome.skipped.append(f"{case}: {said}" if said else case)
            elif bad:
                outcome.failed.append(name)
            else:
                outcome.passed += 1
            said = ""
        else:
            said = line.strip("# ")
    nothing = NOTHING.search(text)
    if nothing and status == 0:
        outcome.skipped.append(nothing.group(1) or "the whole program")
    seen = outcome.passed + len(outcome.failed) + len(outcome.skipped)
    if seen == 0:
        outcome.failed.append(f"(no test case was reported; {describe(status)})")
    elif planned is not None and seen < planned:
        outcome.failed.append(f"(ended after {seen} of {planned}; {describe(status)})")
    elif status != 0 and not outcome.failed:
        outcome.failed.append(f"({describe(status)} although no case failed)")


def describe(status):
    if status is None:
        return "timed out"
    if status < 0:
        return "killed by " + signal.Signals(-status).name
    return f"exit status {status}"


def mounts_below(directory):
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as mounts:
        points = [line.split()[1] for line in mounts]
    return [p for p in points if p.startswith(directory + "/")]


def clean_up(directory):
    """Unmount what a test left; say what it was."""
    left = mounts_below(directory)
    for point in reversed(left):
        for command in (["umount", "-l", point], ["fusermount3", "-uz", point]):
            if subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0:
                break
    if not mounts_below(directory):
        shutil.rmtree(directory, ignore_errors=True)
    return left


def run_one(test, options):
    outcome = Outcome(test["name"])
    tmp = tempfile.mkdtemp(prefix="pt-", dir=options.tmp)
    os.chmod(tmp, 0o755)
    started = time.monotonic()
    try:
        process = subprocess.Popen(
            test["cmd"],
            env={**os.environ, **test["env"], "TMPDIR": tmp},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        outcome.failed.append(f"(cannot be started: {error})")
        clean_up(tmp)
        return outcome
    try:
        output, _ = process.communicate(
            timeout=None if options.patient else test["timeout"]
        )
        status = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        clean_up(tmp)
        output, _ = process.communicate()
        status = None
    outcome.seconds = time.monotonic() - started
    outcome.output = output.decode("utf-8", "replace")
    count_cases(outcome, outcome.output, status)
    left = clean_up(tmp)
    if left:
        outcome.failed.append(f"(left mounted: {' '.join(left)})")
    return outcome


def repeat_command(test):
    keep = ("PF_", "CMOCKA_", "ASAN_", "UBSAN_", "TSAN_")
    env = {k: v for k, v in os.environ.items() if k.startswith(keep)}
    env.update(test["env"])
    words = [f"{k}={shlex.quote(v)}" for k, v in sorted(env.items())]
    return " ".join(words + [shlex.quote(c) for c in test["cmd"]])


def print_figures(outcome):
    for figure in FIGURE.findall(outcome.output):
        print(f"        {figure}", flush=True)


def print_table(label, rows):
    """rows: [(test, outcome)]. A test's own suite is the first that it names."""
    suites = {}
    for test, outcome in rows:
        suites.setdefault(test["suite"][0].split(":")[-1], []).append(outcome)
    print(f"{label}:")
    print(f"    {'suite':<12} programs  passed  failed  skipped  seconds")
    for suite, outcomes in sorted(suites.items()):
        print(
            f"    {suite:<12} {len(outcomes):8}  {sum(o.passed for o in outcomes):6}  "
            f"{sum(len(o.failed) for o in outcomes):6}  "
            f"{sum(len(o.skipped) for o in outcomes):7}  "
            f"{sum(o.seconds for o in outcomes):7.0f}"
        )
        for outcome in outcomes:
            print_figures(outcome)


def wanted_tests(options):
    listing = subprocess.run(
        ["meson", "introspect", "--tests", options.build],
        stdout=subprocess.PIPE,
        check=True,
    )
    tests = json.loads(listing.stdout)
    suites = {f"pagefs:{s}" for s in options.suite} | set(options.suite)
    if suites or options.test:
        tests = [t for t in tests if suites & set(t["suite"]) or t["name"] in options.test]
    # whoever is given the longest time takes the longest: those must not come last
    return sorted(tests, key=lambda t: -t["timeout"])


def print_outcome(label, test, outcome):
    print(
        f"{label} {outcome.name}: {outcome.passed} passed, "
        f"{len(outcome.failed)} failed, {len(outcome.skipped)} skipped "
        f"({outcome.seconds:.1f} s)",
        flush=True,
    )
    for case in outcome.skipped:
        print(f"    skipped: {case}")
    if outcome.failed:
        for line in outcome.output.splitlines():
            print(f"    | {line}")
        for case in outcome.failed:
            print(f"    FAILED: {outcome.name}: {case}")
        print(f"    repeat: {repeat_command(test)}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--suite", action="append", default=[])
    parser.add_argument("--test", action="append", default=[])
    parser.add_argument("--tmp", default="/tmp")
    parser.add_argument("--patient", action="store_true")
    parser.add_argument("--label", default="")
    parser.add_argument("build")
    options = parser.parse_args()
    tests = wanted_tests(options)
    rows = []
    if not tests:
        print(f"{options.label}: no tests are declared")
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        running = {pool.submit(run_one, test, options): test for test in tests}
        for future in concurrent.futures.as_completed(running):
            rows.append((running[future], future.result()))
            print_outcome(options.label, *rows[-1])
            if options.patient:
                print_figures(rows[-1][1])
    print_table(options.label, rows)
    outcomes = [outcome for _, outcome in rows]
    passed = sum(o.passed for o in outcomes)
    failed = sum(len(o.failed) for o in outcomes) + (not tests)
    skipped = sum(len(o.skipped) for o in outcomes)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

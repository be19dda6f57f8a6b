#!/usr/bin/env python3
"""Run the examples of README.md or of the manual and compare the output.

usage: tour.py README.md | pagefs.1

Of README.md a console block that follows the line `<!-- tested -->` is run, of the manual
what is displayed in EXAMPLES. All blocks run in one bash, in an empty directory (but for
`tests`, a link to those of the README), with the freshly built pagefs first in PATH.
`$ ` starts a command, `> ` goes on with it, everything else is expected output, stdout and
stderr as a terminal would show them. A line `...` stands for any lines. Prints TAP: one
case a command.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

MARK = "@@@ end of command %d @@@"
END = re.compile(r"^@@@ end of command \d+ @@@$")


def blocks(text):
    block = r"<!-- tested -->\n```console\n(.*?)^```$"
    if text.startswith("."):
        text = re.split(r"^\.Sh ", text.split("\n.Sh EXAMPLES\n")[1], flags=re.MULTILINE)[0]
        block = r"^\.Bd -literal\n(.*?)^\.Ed$"
    return re.findall(block, text, re.DOTALL | re.MULTILINE)


def steps(block):
    """[(command, [expected line])]"""
    result = []
    for line in block.splitlines():
        if line.startswith("$ "):
            result.append((line[2:], []))
        elif line.startswith("> ") and result and not result[-1][1]:
            result[-1] = (result[-1][0] + "\n" + line[2:], [])
        elif result:
            result[-1][1].append(line)
        else:
            raise SystemExit(f"output before a command: {line}")
    return result


def matches(expected, got):
    pattern = "".join(
        "(?:.*\n)*?" if line == "..." else re.escape(line) + "\n" for line in expected
    )
    return re.fullmatch(pattern, "".join(line + "\n" for line in got)) is not None


def run(commands, directory):
    """Output and exit status of each, all in one shell."""
    script = "exec 2>&1\n"
    for number, command in enumerate(commands):
        script += f"{command}\nprintf '\\n{MARK % number}\\n'\n"
    path = os.path.dirname(os.environ["PF_TEST_PAGEFS"]) + ":" + os.environ["PATH"]
    env = {**os.environ, "PATH": path, "LC_ALL": "C", "PS1": "$ "}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=directory,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=False,
        timeout=100,
    )
    outputs, current = [], []
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        if END.match(line):
            if current and current[-1] == "":
                current.pop()
            outputs.append(current)
            current = []
        else:
            current.append(re.sub(r"^bash: line \d+: ", "bash: ", line))
    return outputs


def main():
    with open(sys.argv[1], encoding="utf-8") as text:
        tour = [step for block in blocks(text.read()) for step in steps(block)]
    print(f"1..{len(tour)}")
    if not tour:
        return 1
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        for number, (command, _) in enumerate(tour, 1):
            print(f"ok {number} - {command.splitlines()[0]} # SKIP cannot open /dev/fuse")
        return 0
    directory = tempfile.mkdtemp(prefix="pt-tour-")
    tests = os.path.join(os.path.dirname(os.path.abspath(sys.argv[1])), "tests")
    os.symlink(tests, os.path.join(directory, "tests"))
    failed = 0
    try:
        outputs = run([command for command, _ in tour], directory)
    finally:
        point = os.path.join(directory, "p")
        if os.path.ismount(point):
            subprocess.run(["fusermount3", "-uz", point], check=False)
        shutil.rmtree(directory, ignore_errors=True)
    for number, (command, expected) in enumerate(tour, 1):
        got = outputs[number - 1] if number <= len(outputs) else ["(the shell ended)"]
        name = command.splitlines()[0].replace("#", "\\#")
        if matches(expected, got):
            print(f"ok {number} - {name}")
            continue
        failed += 1
        print(f"not ok {number} - {name}")
        for label, lines in (("expected", expected), ("got", got)):
            print(f"# {label}:")
            for line in lines:
                print(f"#     {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

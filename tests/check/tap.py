"""The main of a test in Python: each case in an empty directory of its own, as TAP."""
import subprocess
import tempfile


class Skip(Exception):
    """Raised by a case that cannot be tried here; its text says why."""


def run(cases):
    """cases: [(name, function of the directory)]. The exit status of the program."""
    failed = 0
    print(f"1..{len(cases)}")
    for number, (name, case) in enumerate(cases, 1):
        with tempfile.TemporaryDirectory() as directory:
            try:
                case(directory)
                print(f"ok {number} - {name}", flush=True)
            except Skip as reason:
                print(f"ok {number} - {name} # SKIP {reason}", flush=True)
            except (AssertionError, subprocess.SubprocessError, ValueError) as error:
                failed += 1
                print(f"not ok {number} - {name}\n# {error!r}", flush=True)
    return failed != 0


def named(functions):
    """Cases of functions whose names say what they claim."""
    return [(function.__name__, function) for function in functions]

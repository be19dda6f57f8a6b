#!/usr/bin/env python3
"""pagefs check while it works: progress, SIGUSR1, SIGINT.

A check of a sample takes milliseconds. To hold it in the middle, it writes its findings
into a pipe that nobody reads until the signals are sent.
"""
import fcntl
import json
import os
import pty
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time

PIPE_BYTES = 8192
PAGEFS = os.environ["PF_TEST_PAGEFS"]


def database(directory):
    """medium with a bit changed in every page: many findings, and all are walked."""
    path = os.path.join(directory, "db.v3")
    for extension in (".v3", ".v3edgemeta"):
        shutil.copy(os.path.join(os.environ["PF_TEST_DATA"], "medium" + extension),
                    path[:-3] + extension)
    with open(path, "r+b") as file:
        pages = (os.path.getsize(path) - 112) // 4096 + 1
        for page in range(2, pages):
            file.seek(112 + (page - 1) * 4096 + 9)
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ 1]))
    return path


class Held:
    """A check whose output waits."""

    def __init__(self, path, stderr=subprocess.PIPE, options=()):
        environment = dict(os.environ, TERM="xterm")
        self.process = subprocess.Popen([PAGEFS, "check", *options, path],
                                        stdout=subprocess.PIPE, stderr=stderr,
                                        pipesize=PIPE_BYTES, env=environment)
        end = time.monotonic() + 30
        while self.held_bytes() < PIPE_BYTES:
            if time.monotonic() > end or self.process.poll() is not None:
                raise AssertionError("the pipe was never filled")
            time.sleep(0.01)

    def held_bytes(self):
        answer = fcntl.ioctl(self.process.stdout, termios.FIONREAD, b"\0\0\0\0")
        return struct.unpack("i", answer)[0]

    def send(self, number):
        self.process.send_signal(number)
        time.sleep(0.3)

    def finish(self):
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


def sigint_cancels_with_status_32(path):
    held = Held(path)
    held.send(signal.SIGINT)
    status, _, err = held.finish()
    assert status == 32, status
    assert err.decode().endswith(": cancelled\n"), err
    assert err.count(b"\n") == 1, err


def a_cancelled_report_is_whole_json(path):
    held = Held(path, options=["--json"])
    held.send(signal.SIGTERM)
    status, out, _ = held.finish()
    report = json.loads(out)
    assert status == 32 and report["exit_status"] == 32
    assert report["summary"] is None and report["error"] == "cancelled"
    assert len(report["findings"]) > 10


def a_second_sigint_ends_it_at_once(path):
    held = Held(path)
    held.send(signal.SIGINT)
    held.send(signal.SIGINT)
    assert held.process.wait(timeout=10) == -signal.SIGINT
    held.process.communicate()


def sigusr1_prints_progress_and_harms_nothing(path):
    held = Held(path)
    held.send(signal.SIGUSR1)
    status, out, err = held.finish()
    assert status == 4, status
    assert err.startswith(b"pagefs: checking: ") and err.count(b"\n") == 1, err
    assert b"\nfindings " in out


def progress_is_shown_on_a_terminal_and_goes_away(path):
    master, slave = pty.openpty()
    held = Held(path, stderr=slave)
    os.close(slave)
    time.sleep(1.2)
    held.finish()
    shown = os.read(master, 65536).decode()
    os.close(master)
    assert "checking: " in shown and "%" in shown, shown
    assert shown.endswith("\r\x1b[K"), shown
    assert "\n" not in shown, shown


def nothing_is_shown_elsewhere(path):
    held = Held(path)
    time.sleep(1.2)
    assert held.finish()[2] == b""


def main():
    tests = [sigint_cancels_with_status_32, a_cancelled_report_is_whole_json,
             a_second_sigint_ends_it_at_once, sigusr1_prints_progress_and_harms_nothing,
             progress_is_shown_on_a_terminal_and_goes_away, nothing_is_shown_elsewhere]
    print(f"1..{len(tests)}")
    failed = 0
    for number, test in enumerate(tests, 1):
        with tempfile.TemporaryDirectory() as directory:
            try:
                test(database(directory))
                print(f"ok {number} - {test.__name__}", flush=True)
            except (AssertionError, subprocess.TimeoutExpired) as error:
                failed += 1
                print(f"not ok {number} - {test.__name__}\n# {error!r}", flush=True)
    return failed != 0


raise SystemExit(main())

#!/usr/bin/env python3
"""pagefs check while it works: progress, SIGUSR1, SIGINT.

A check of a sample takes milliseconds. To hold it in the middle, it writes its findings
into a pipe that nobody reads until the signals are sent, and have been taken: the thread
that takes them does so one after the other, so the answer to a SIGUSR1 is behind all that
came before it. Nothing here hopes that some time is enough.
"""
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import time

import tap

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


def signal_is_in(process, field, number):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        signals = [int(line.split()[1], 16) for line in file if line.startswith(field)]
    return signals[0] >> (number - 1) & 1


def is_pending(process, number):
    return signal_is_in(process, "ShdPnd", number)


class Held:
    """A check whose output waits."""

    def __init__(self, path, stderr=subprocess.PIPE, options=()):
        environment = dict(os.environ, TERM="xterm")
        self.process = subprocess.Popen([PAGEFS, "check", *options, path],
                                        stdout=subprocess.PIPE, stderr=stderr,
                                        pipesize=PIPE_BYTES, env=environment)
        end = time.monotonic() + 30
        while self.held_bytes() < PIPE_BYTES or not self.is_held():
            if time.monotonic() > end or self.process.poll() is not None:
                raise AssertionError("the pipe was never filled")
            time.sleep(0.01)

    def held_bytes(self):
        answer = fcntl.ioctl(self.process.stdout, termios.FIONREAD, b"\0\0\0\0")
        return struct.unpack("i", answer)[0]

    def is_held(self):
        """A pipe that is just full holds nobody yet."""
        with open(f"/proc/{self.process.pid}/wchan", encoding="ascii") as file:
            return "pipe" in file.read()

    def send(self, number):
        """Return when the signal was taken."""
        self.process.send_signal(number)
        wait_until(lambda: not is_pending(self.process, number), f"signal {number} to be taken")

    def send_and_settle(self, number):
        """Return when what the signal does is done; the line that says how far it is."""
        self.send(number)
        self.process.send_signal(signal.SIGUSR1)
        return read_until(self.process.stderr.fileno(), b"\n")

    def finish(self):
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


def wait_until(condition, what):
    end = time.monotonic() + 60
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("waited a minute for " + what)
        time.sleep(0.002)


def read_until(descriptor, part):
    got = b""
    end = time.monotonic() + 60
    while part not in got:
        if not select.select([descriptor], [], [], end - time.monotonic())[0]:
            raise AssertionError(f"waited a minute for {part!r} after {got!r}")
        got += os.read(descriptor, 65536)
    return got


def on_a_terminal(path, columns=0):
    """columns 0: it does not say how many."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    held = Held(path, stderr=slave)
    os.close(slave)
    return held, master


def sigint_cancels_with_status_32(path):
    held = Held(path)
    assert held.send_and_settle(signal.SIGINT).startswith(b"pagefs: checking: ")
    status, _, err = held.finish()
    assert status == 32, status
    assert err.decode().endswith(": cancelled\n"), err
    assert err.count(b"\n") == 1, err


def a_cancelled_report_is_whole_json(path):
    for number in (signal.SIGTERM, signal.SIGHUP):
        held = Held(path, options=["--json"])
        held.send_and_settle(number)
        status, out, _ = held.finish()
        report = json.loads(out)
        assert status == 32 and report["exit_status"] == 32
        assert report["summary"] is None and report["error"] == "cancelled"
        assert len(report["findings"]) > 10


def a_cancelled_repair_has_changed_nothing(path):
    with open(path, "rb") as file:
        before = file.read()
    held = Held(path, options=["--repair", "--free-leaked"])
    held.send_and_settle(signal.SIGTERM)
    status, _, err = held.finish()
    assert status == 32 and err.endswith(b": cancelled\n"), (status, err)
    with open(path, "rb") as file:
        assert file.read() == before
    assert sorted(os.listdir(os.path.dirname(path))) == ["db.v3", "db.v3edgemeta"]


def a_second_sigint_ends_it_at_once(path):
    held = Held(path)
    held.send_and_settle(signal.SIGINT)
    held.process.send_signal(signal.SIGINT)
    assert held.process.wait(timeout=60) == -signal.SIGINT
    held.process.communicate()


def sigusr1_prints_progress_and_harms_nothing(path):
    held = Held(path)
    held.process.send_signal(signal.SIGUSR1)
    line = read_until(held.process.stderr.fileno(), b"\n")
    status, out, err = held.finish()
    assert status == 4, status
    assert line.startswith(b"pagefs: checking: ") and line.count(b"\n") == 1, line
    assert err == b"" and b"\nfindings " in out, err


def progress_is_shown_on_a_terminal_and_goes_away(path):
    held, master = on_a_terminal(path)
    shown = read_until(master, b" left")
    held.finish()
    shown = (shown + os.read(master, 65536)).decode()
    os.close(master)
    assert "checking: " in shown and "%, " in shown and " MB/s, " in shown, shown
    assert shown.endswith("\r\x1b[K"), shown
    assert "\n" not in shown, shown


def full_pipe():
    reading, writing = os.pipe()
    filled = fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    os.write(writing, b"x" * filled)
    return reading, writing, filled


def nothing_is_shown_elsewhere(path):
    """For longer than it takes to be shown on a terminal; nor when there is nothing left
    to do but to print, nor more than fits on the line."""
    held = Held(path)
    reading, writing, filled = full_pipe()
    quiet_master, slave = pty.openpty()
    sample = os.path.join(os.environ["PF_TEST_DATA"], "small.v3")
    with subprocess.Popen([PAGEFS, "check", sample], stdout=writing, stderr=slave,
                          env=dict(os.environ, TERM="xterm")) as quiet:
        os.close(writing)
        other, master = on_a_terminal(path, columns=20)
        shown = read_until(master, b"\r\x1b[Kchecking: ")
        shown += read_until(master, b"\r\x1b[K")
        other.process.send_signal(signal.SIGINT)
        other.process.communicate()
        os.close(master)
        quiet.send_signal(signal.SIGUSR1)
        wait_until(lambda: not is_pending(quiet, signal.SIGUSR1), "it to be taken")
        assert os.read(reading, filled) == b"x" * filled
        assert b"\nclean" in read_until(reading, b"\nclean")
        assert quiet.wait(timeout=60) == 0
    os.set_blocking(quiet_master, False)
    os.write(slave, b"END")
    assert os.read(quiet_master, 99) == b"END"
    for descriptor in (reading, slave, quiet_master):
        os.close(descriptor)
    assert len(shown.split(b"\r\x1b[K")[1]) == 19, shown
    assert held.finish()[2] == b""


def time_left_is_told_in_minutes_where_it_is_long(path):
    os.truncate(path, 112 + 4096 * (1 << 24))
    held = Held(path)
    held.process.send_signal(signal.SIGUSR1)
    line = read_until(held.process.stderr.fileno(), b"\n")
    held.process.send_signal(signal.SIGINT)
    held.process.communicate()
    assert re.fullmatch(rb"pagefs: checking: 0%, \d+ of \d+ pages, \d+ MB/s, \d+ min left\n",
                        line), line


def a_repair_that_waits_for_the_lock_can_be_cancelled(path):
    shutil.copy(os.path.join(os.environ["PF_TEST_DATA"], "medium.v3"), path) # whole
    with open(path, "rb") as other:
        fcntl.flock(other, fcntl.LOCK_SH) # looking is allowed
        with subprocess.Popen([PAGEFS, "check", "--repair", "--free-leaked", path],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            said = process.stderr.fileno()
            wait_until(lambda: signal_is_in(process, "SigBlk", signal.SIGUSR1), "it to start")
            end = time.monotonic() + 60
            lines = b""
            while b"pagefs: repairing: " not in lines: # it looks first
                assert time.monotonic() < end and process.poll() is None, lines
                process.send_signal(signal.SIGUSR1)
                if select.select([said], [], [], 0.02)[0]:
                    lines += os.read(said, 4096)
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=60)
            assert process.returncode == 36, process.returncode
            assert err.endswith(b": cancelled\n"), err


def report_and_progress_share_a_terminal(path):
    """A report on the same terminal is whole, and the same whatever the terminal can do."""
    expected = subprocess.run([PAGEFS, "check", path], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, check=False).stdout
    for term in ({"TERM": "xterm"}, {"TERM": "dumb"}, {}):
        environment = {k: v for k, v in os.environ.items() if k != "TERM"}
        master, slave = pty.openpty()
        with subprocess.Popen([PAGEFS, "check", path], stdout=slave, stderr=slave,
                              env=environment | term) as process:
            os.close(slave)
            got = b""
            try:
                while part := os.read(master, 65536):
                    got += part
            except OSError: # the other end is closed
                pass
            assert process.wait(timeout=60) == 4
        os.close(master)
        got = re.sub(rb"\r\x1b\[K(pagefs: )?checking: [^\r\n]*\r\x1b\[K", b"", got)
        assert got.replace(b"\r\n", b"\n").startswith(expected), (term, got[-300:])


TESTS = [sigint_cancels_with_status_32, a_cancelled_report_is_whole_json,
         a_cancelled_repair_has_changed_nothing, a_second_sigint_ends_it_at_once,
         sigusr1_prints_progress_and_harms_nothing,
         progress_is_shown_on_a_terminal_and_goes_away, nothing_is_shown_elsewhere,
         time_left_is_told_in_minutes_where_it_is_long,
         a_repair_that_waits_for_the_lock_can_be_cancelled,
         report_and_progress_share_a_terminal]


def main():
    return tap.run([(test.__name__, lambda directory, test=test: test(database(directory)))
                    for test in TESTS])


raise SystemExit(main())

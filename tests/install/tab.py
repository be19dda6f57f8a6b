#!/usr/bin/env python3
"""What an interactive shell makes of a line when Tab is pressed at its end.

usage: tab.py bash|zsh COMPLETION LINE...

Runs the shell on a terminal of its own in the current directory, in which it leaves a
few files, with nothing but this completion loaded, and prints each line as it is then.
"""

import os
import pty
import sys
import threading
import time

PATIENCE_S = 30

SHELLS = {
    "bash": (
        ["bash", "--norc", "--noprofile", "-i"],
        ". ./completion\n"
        "given() { printf '%s\\n' \"$READLINE_LINE\" > line.new; command mv line.new line\n"
        "READLINE_LINE=; }\n"
        "bind -x '\"\\C-t\": given'; bind 'set enable-bracketed-paste off'\n",
        "\t\x14",
    ),
    "zsh": (
        ["zsh", "-f", "-i"],
        "fpath=($PWD/functions $fpath); autoload -U compinit; compinit -D -u\n"
        "given() { zle complete-word; print -r -- \"$BUFFER\" > line.new\n"
        "command mv line.new line; BUFFER=; }\n"
        "zle -N given; bindkey '^T' given\n",
        "\x14",
    ),
}


def drain(terminal, said):
    while True:
        try:
            said.append(os.read(terminal, 65536))
        except OSError:
            return


def ask(terminal, text):
    """The line after Tab, or None."""
    if os.path.exists("line"):
        os.unlink("line")
    os.write(terminal, text.encode())
    end = time.monotonic() + PATIENCE_S
    while not os.path.exists("line"):
        if time.monotonic() > end:
            return None
        time.sleep(0.01)
    with open("line", encoding="utf-8") as line:
        return line.read().rstrip("\n")


def main():
    arguments, setup, keys = SHELLS[sys.argv[1]]
    os.makedirs("functions")
    os.symlink(sys.argv[2], "functions/_pagefs")
    os.symlink(sys.argv[2], "completion")
    child, terminal = pty.fork()
    if child == 0:
        os.environ["TERM"] = "vt100"
        os.execvp(arguments[0], arguments)
    said = []
    threading.Thread(target=drain, args=(terminal, said), daemon=True).start()
    os.write(terminal, setup.encode())
    for text in sys.argv[3:]:
        line = ask(terminal, text + keys)
        if line is None:
            sys.exit(b"".join(said).decode("utf-8", "replace"))
        print(line)
    os.write(terminal, b"\x15exit\n")
    os.waitpid(child, 0)


if __name__ == "__main__":
    main()

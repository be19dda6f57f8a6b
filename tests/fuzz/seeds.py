#!/usr/bin/env python3
"""Write the inputs that the fuzzers start from: seeds.py SAMPLES OUT

SAMPLES is tests/data. Makes OUT/NAME/* for each fuzzer NAME. What the fuzzers found from
there on, minimised, is in corpus/; these are made anew by scripts/fuzz, which costs less
than keeping them.
"""

import pathlib
import struct
import sys

PAGE, HEADER, MOST_PAGES = 4096, 112, 40


def patches_of(data, pages):
    """The bytes that are not zero, in steps of 16: page, place, length, bytes."""
    out = bytearray()
    for page in range(pages + 1):
        start = 0 if page == 0 else HEADER + (page - 1) * PAGE
        body = data[start : start + (HEADER if page == 0 else PAGE)]
        place = 0
        while place * 16 < len(body):
            if not any(body[place * 16 : place * 16 + 16]):
                place += 1
                continue
            end = place
            while end - place < 15 and any(body[end * 16 : end * 16 + 16]):
                end += 1
            piece = body[place * 16 : end * 16].rstrip(b"\0")
            out += bytes([page, place, len(piece)]) + piece
            place = end
    return bytes(out)


def part(body):
    return struct.pack(">H", len(body)) + body


def image(data, pages=None, tail=0):
    """A part of input.h; None when it does not fit one."""
    pages = pages if pages is not None else max(2, (len(data) - HEADER + PAGE - 1) // PAGE + 1)
    if pages > MOST_PAGES:
        return None
    body = bytes([pages - 2, tail]) + patches_of(data, pages - 1)
    return part(body) if len(body) < 65536 else None


def trunk(self_id, nxt, number, total, leaves):
    return (
        b"PFTRUNK\1"
        + struct.pack(">QQQQII", self_id, nxt, number, total, len(leaves), 0)
        + bytes(8)  # the sum: an odd tail asks for it
        + b"".join(struct.pack(">Q", leaf) for leaf in leaves)
    )


def with_lists(pages, trunks):
    """A file without a graph; trunks: (id, next, number, total, leaves)."""
    data = bytearray(HEADER + (pages - 1) * PAGE)
    data[:16] = bytes.fromhex("53514C544746000300000004") + struct.pack(">I", 7)
    struct.pack_into(">I", data, 32, 1)
    struct.pack_into(">QQI", data, 88, trunks[0][0] if trunks else 0, pages, PAGE)
    for t in trunks:
        at = HEADER + (t[0] - 1) * PAGE
        body = trunk(*t)
        data[at : at + len(body)] = body
    return bytes(data)


LISTS = {
    "fresh": with_lists(2, []),
    "none": with_lists(12, []),
    "one": with_lists(12, [(5, 0, 1, 4, [6, 7, 9])]),
    "lone": with_lists(12, [(11, 0, 1, 1, [])]),
    "two": with_lists(30, [(20, 5, 2, 9, [21, 22, 28, 29]), (5, 0, 1, 4, [6, 7, 9])]),
    "three": with_lists(30, [(3, 20, 9, 6, []), (20, 5, 2, 5, [2]), (5, 0, 1, 3, [6, 7])]),
    "last": with_lists(10, [(9, 0, 7, 3, [8, 7])]),
    "cycle": with_lists(12, [(5, 5, 1, 4, [6, 7, 9])]),
    "twice": with_lists(12, [(5, 0, 1, 4, [6, 7, 6])]),
    "wrong-total": with_lists(12, [(5, 0, 1, 9, [6, 7, 9])]),
    "out-of-range": with_lists(12, [(5, 0, 1, 4, [6, 7, 12])]),
    "deep": with_lists(30, [(20, 5, 2, 4, [21]), (5, 0, 1, 2, [99])]),
}

OPERATIONS = [
    b"",
    bytes([0] * 12),
    bytes([0, 4, 7, 4, 5, 4, 3, 9, 1, 2, 9, 1, 0]),
    bytes([1, 30, 2, 5, 5, 6, 3, 2, 0, 9, 1, 0, 9, 1, 1, 0, 8, 0]),
    bytes([4, 10, 4, 9, 4, 8, 9, 1, 0, 9, 1, 0, 9, 0, 0, 7, 5, 0, 9, 5]) + b"hello",
    bytes([6, 6, 0, 6, 6, 2, 4, 6, 8, 2, 9, 1, 4, 9, 0, 1, 3, 7, 9, 1, 2]),
]


def store_seeds(samples):
    for name, data in LISTS.items():
        for i, operations in enumerate(OPERATIONS):
            for mode in (0, 2, 3):
                yield f"{name}-{i}-{mode}", image(data, None, 1) + bytes([8, mode]) + operations
    for name, data in samples.items():
        body = image(data)
        if body:
            for mode in (0, 2, 3):
                yield f"{name}-{mode}", body + bytes([8, mode]) + OPERATIONS[3]


def replay_seeds():
    header = bytes([1, 0, 0])
    sector = bytes([100, 0, 40]) + bytes(37) + b"changed"
    record = bytes([0, 1]) + bytes([0, 0, 0, 0, 0, 9]) + bytes([5, 10]) + sector + bytes([0])
    longer = bytes([0, 0, 0, 0, 0, 0, 95, 2, 70])
    for name in ("none", "one", "two"):
        for i, body in enumerate((b"", record, record * 3, longer, record + longer + record)):
            for flags in (0, 1, 9):
                yield f"{name}-{i}-{flags}", image(LISTS[name], None, 1) + bytes(
                    [flags]
                ) + header + body
    for kind in (165, 195, 230):
        tail = bytes([kind, 3, 9, 9])
        yield f"damage-{kind}", image(LISTS["two"], None, 1) + b"\0" + header + record * 2 + tail


def graph_seeds(samples):
    for name, data in samples.items():
        body = image(data)
        if body:
            yield name, body
            meta = b"V3EDGE\0\0" + struct.pack("<QI", 4, 1)
            yield name + "-meta", body + meta + struct.pack("<I", sum(meta))


def page_seeds(samples):
    for name in ("small", "synth39", "onenode", "ext_last"):
        data = samples[name]
        for page in range(2, min(12, 1 + len(data) // PAGE)):
            at = HEADER + (page - 1) * PAGE
            yield f"{name}-{page}", bytes([page]) + data[at : at + PAGE].rstrip(b"\0")


COMMANDS = [
    b"4 7 10-19\n", b"7", b"0-18446744073709551615", b"18446744073709551616", b"5-3", b"007",
    b"1\t2\v3\f4\r\n", b"-", b"1-", b"-1", b"3 4 5 6-9 20", b"\0", b"", b" \n", b"4  contiguous",
    b"16777217", b"free", b"free!", b"allocated\n", b"pinned", b"+1", b"-1", b"0", b"max",
    b"deadBEEF00112233", b"sync", b"checkpoint", b"shrink", b"rebuild-freelist", b"check",
    b"cancel", b"1 " * 300,
]

OPTIONS = [
    b"rw", b"ro", b"scratch", b"require_rw", b"create", b"create=10", b"max_pages=2",
    b"sync=none", b"sync=commit,walk", b"hide_actions,allow_other", b"uid=0,gid=4294967295",
    b"umask=0777", b"umask=8", b"noatime,x-systemd.automount", b"remount", b"a=b=c,,,=",
    b"ro,scratch", b"create,ro",
]


def node_seeds():
    names = (b"alloc", b"7", b"299", b"300", b"state", b"a", b"007", b"18446744073709551616")
    for kind in range(0, 64):
        for page in (0, 7, 2**55 - 1):
            if page and kind % 5:
                continue
            ino = (page << 8 | kind) & (2**64 - 1)
            yield f"{kind}-{page}", struct.pack(">QQ", ino, kind * 37) + names[kind % len(names)]


def write(out, name, seeds):
    directory = out / name
    directory.mkdir(parents=True, exist_ok=True)
    for seed, data in seeds:
        (directory / seed).write_bytes(data)


def main():
    samples = {p.stem: p.read_bytes() for p in sorted(pathlib.Path(sys.argv[1]).glob("*.v3"))}
    out = pathlib.Path(sys.argv[2])
    write(out, "store", store_seeds(samples))
    write(out, "replay", replay_seeds())
    write(out, "walk", graph_seeds(samples))
    write(out, "graphpage", page_seeds(samples))
    write(out, "node", node_seeds())
    write(
        out,
        "command",
        ((f"{i}-{n}", bytes([i]) + c) for i in range(10) for n, c in enumerate(COMMANDS)),
    )
    write(out, "options", ((str(n), o) for n, o in enumerate(OPTIONS)))


if __name__ == "__main__":
    main()

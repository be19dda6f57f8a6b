#!/usr/bin/env python3
"""pagefs check of large files, within a limit of memory and of time.

The graph of the large file is made here: as many node pages as asked for, one record
each, in a file of which hardly a page is more than a hole. Memory is limited as address
space: first to what a check of `small` just needs, then to that and so much a page.
"""
import json
import os
import resource
import shutil
import subprocess
import sys
import time

import tap
from v3read import HEADER, PAGE, xor_sum

PAGEFS = os.environ["PF_TEST_PAGEFS"]
DATA = os.environ["PF_TEST_DATA"]
FULL = "PF_TEST_FULL" in os.environ
NODE_PAGES = 1000000 if FULL else 40000  # 4 GB, 160 MB
SPARSE_PAGES = 1000001 if FULL else 100001
FAN_OUT = 252
BYTES_A_PAGE = 6
FIXED_BYTES = 1 << 20  # what small is too small to fill: the heap is not that exact


def be(value, size):
    return value.to_bytes(size, "big")


def index_page(page_id, leaf, keys, values, following=0):
    if leaf:
        body = b"".join(be(k, 8) + be(v, 8) for k, v in zip(keys, values))
        body += be(following, 8)
    else:
        body = b"".join(be(k, 8) for k in keys) + b"".join(be(v, 8) for v in values)
    head = be(page_id, 8) + bytes([leaf, 0]) + be(len(keys), 2)
    total = xor_sum(head + bytes(20) + body, 0, 0)
    return head + be(total, 4) + bytes(16) + body


def node_page(page_id, node_id):
    record = b"\0" + bytes(4) + bytes(7)
    head = be(page_id, 8) + bytes(8) + be(1, 2) + be(len(record), 2) + be(node_id, 8)
    total = xor_sum(head + bytes(4) + record, 0, 0)
    return head + be(total, 4) + record


def make_graph(path, node_pages):
    """Node pages 2 ..., then leaves, then the levels above. Only the beginning of each
    page is written: the rest are holes."""
    def put(file, page_id, data):
        os.pwrite(file, data, HEADER + (page_id - 1) * PAGE)

    small = open(os.path.join(DATA, "small.v3"), "rb").read(HEADER)
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    for node in range(node_pages):
        put(file, 2 + node, node_page(2 + node, node + 1))
    level = [(node + 1, 2 + node) for node in range(node_pages)]  # first key, page
    page_id, leaf, height = 2 + node_pages, 1, 0
    while leaf or len(level) > 1:
        above = []
        for at in range(0, len(level), FAN_OUT):
            part = level[at:at + FAN_OUT]
            keys = [key for key, _ in part]
            more = leaf and at + FAN_OUT < len(level)
            put(file, page_id, index_page(page_id, leaf, keys if leaf else keys[1:],
                                          [page for _, page in part],
                                          page_id + 1 if more else 0))
            above.append((keys[0], page_id))
            page_id += 1
        level, leaf, height = above, 0, height + 1
    header = bytearray(small)
    header[16:24] = be(node_pages, 8)
    header[48:56] = bytes(8)
    header[80:88] = be(level[0][1], 8)
    header[96:104] = be(page_id, 8)
    header[108:112] = be(height, 4)
    os.pwrite(file, header, 0)
    os.ftruncate(file, HEADER + (page_id - 1) * PAGE)
    os.close(file)
    return page_id


def check(path, *options, limit, seconds=60):
    """Exit status, report (None: it had none), seconds; limit: bytes of address space."""
    def confine():
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    began = time.monotonic()
    done = subprocess.run([PAGEFS, "check", "--json", *options, path], check=False,
                          capture_output=True, preexec_fn=confine, timeout=seconds)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        report = None
    return done.returncode, report, time.monotonic() - began


def smallest(directory):
    """A copy of small, and the least address space in which it is checked."""
    path = os.path.join(directory, "small.v3")
    for extension in (".v3", ".v3edgemeta"):
        shutil.copyfile(os.path.join(DATA, "small" + extension), path[:-3] + extension)
    low, high = 1 << 20, 1 << 30
    assert check(path, limit=high)[0] == 0
    while high - low > 1 << 16:
        middle = (low + high) // 2
        if check(path, limit=middle)[0] == 0:
            high = middle
        else:
            low = middle
    return path, high


def a_large_graph_costs_few_bytes_a_page(directory):
    _, floor = smallest(directory)
    path = os.path.join(directory, "db.v3")
    pages = make_graph(path, NODE_PAGES)
    size = os.path.getsize(path)
    limit = floor + FIXED_BYTES + BYTES_A_PAGE * pages
    status, report, took = check(path, limit=limit)
    assert status == 0 and report["findings"] == [], report
    summary = report["summary"]
    assert summary["nodes"] == NODE_PAGES and summary["in_use"] == pages
    assert summary["pages_read"] < 1.1 * pages
    print(f"# {size / 1e9:.1f} GB, {pages} pages in {(limit - floor) >> 20} MB over the "
          f"{floor >> 20} MB of small: {took:.1f} s, {size / took / 1e6:.0f} MB/s, "
          f"{summary['pages_read'] / pages:.2f} reads a page")
    status, _, _ = check(path, limit=floor)
    assert status != 0 or BYTES_A_PAGE * pages < FIXED_BYTES, "the limit limits nothing"


def a_total_near_the_limit_costs_nothing(directory):
    path, floor = smallest(directory)
    for total in (2 ** 32, 2 ** 51 - 1, 2 ** 63, 2 ** 64 - 1):
        with open(path, "r+b") as file:
            file.seek(96)
            file.write(be(total, 8))
        for options in ((), ("--repair", "--dry-run"), ("--repair", "--free-leaked")):
            status, report, _ = check(path, *options, limit=floor + FIXED_BYTES,
                                      seconds=10)
            assert status & 4 and status < 32, (total, options, status)
        assert report["summary"]["total_pages"] == total


def leaked_pages_of_a_sparse_file_are_freed(directory):
    path, floor = smallest(directory)
    with open(path, "r+b") as file:
        file.seek(96)
        file.write(be(SPARSE_PAGES, 8))
        file.truncate(HEADER + (SPARSE_PAGES - 1) * PAGE)
    limit = floor + (64 << 20)  # a portion of half a million pages, and its journal
    status, report, took = check(path, "--repair", "--free-leaked", limit=limit)
    leaked = SPARSE_PAGES - 23
    assert status == 1 and report["repair"]["freed_pages"] == leaked, report
    again = report["again"]["summary"]
    assert again["leaked"] == 0 and again["free"] == leaked and again["in_use"] == 23
    print(f"# {leaked} pages freed in {took:.1f} s, within 64 MB")


def is_sanitized():
    with open(PAGEFS, "rb") as file:
        program = file.read()
    return b"__asan_init" in program or b"__tsan_init" in program


def main():
    if is_sanitized():
        print("1..0 # SKIP a sanitizer needs more address space than there is")
        return 0
    return tap.run(tap.named([
        a_large_graph_costs_few_bytes_a_page, a_total_near_the_limit_costs_nothing,
        leaked_pages_of_a_sparse_file_are_freed]))


sys.exit(main())

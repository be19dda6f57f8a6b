#!/usr/bin/env python3
"""A file broken on purpose for every kind of finding.

Each is checked as lines and as JSON, which changes nothing; a dry run promises what the
repair then does; what can be repaired is clean afterwards, by pagefs and by v3read.py,
and the rest is left as it is.
"""
import hashlib
import json
import os
import shutil
import subprocess
import tempfile

import tap
from v3read import HEADER, PAGE, V3File, need, xor_sum

PAGEFS = os.environ["PF_TEST_PAGEFS"]
DATA = os.environ["PF_TEST_DATA"]
EDGE_ROOT, NODE_ROOT, FREE_HEAD, TOTAL = 48, 80, 88, 96
CLEAN, REPAIRED, LEFT, FAILED = 0, 1, 4, 8


class Broken:
    """A sample in memory, to be changed."""

    def __init__(self, sample):
        self.bytes = bytearray(read(os.path.join(DATA, sample + ".v3")))
        side = os.path.join(DATA, sample + ".v3edgemeta")
        self.meta = read(side) if os.path.exists(side) else None
        self.journal = self.wal = None

    def at(self, page, offset=0):
        return HEADER + (page - 1) * PAGE + offset

    def get(self, offset, size=8):
        return int.from_bytes(self.bytes[offset:offset + size], "big")

    def put(self, offset, value, size=8):
        self.bytes[offset:offset + size] = value.to_bytes(size, "big")

    def flip(self, page, offset, bit=1):
        self.bytes[self.at(page, offset)] ^= bit

    def append(self, pages):
        first = self.get(TOTAL)
        self.bytes += bytes(pages * PAGE)
        self.put(TOTAL, first + pages)
        return first

    def sum_index(self, page):
        at = self.at(page)
        count = self.get(at + 10, 2)
        data = bytes(self.bytes[at:at + 40 + 16 * count])  # of leaves and others alike
        self.put(at + 12, xor_sum(data[:12] + bytes(20) + data[32:], 0, 0), 4)

    def sum_node(self, page):
        at = self.at(page)
        data = bytes(self.bytes[at:at + 32 + self.get(at + 18, 2)])
        self.put(at + 28, xor_sum(data[:28] + bytes(4) + data[32:], 0, 0), 4)

    def leaf_value(self, leaf, index, value):
        self.put(self.at(leaf, 40 + 16 * index), value)
        self.sum_index(leaf)

    def write(self, directory):
        for file in os.listdir(directory):
            os.unlink(os.path.join(directory, file))
        path = os.path.join(directory, "db.v3")
        for name, data in ((path, self.bytes), (path[:-3] + ".v3edgemeta", self.meta),
                           (path + "-journal", self.journal),
                           (path[:-3] + ".v3wal", self.wal)):
            if data is not None:
                with open(name, "wb") as file:
                    file.write(data)
        return path


def read(path):
    with open(path, "rb") as file:
        return file.read()


def trunk(page, following, number, total, leaves):
    """Without its sum, which needs XXH3: for lists that are broken anyhow."""
    data = b"PFTRUNK\x01"
    for value in (page, following, number, total):
        data += value.to_bytes(8, "big")
    data += len(leaves).to_bytes(4, "big") + bytes(12)
    return data + b"".join(leaf.to_bytes(8, "big") for leaf in leaves)


def small():
    return Broken("small"), V3File(os.path.join(DATA, "small.v3"))


def pages_of(ours, kind):
    return sorted(page for page, use in ours.use.items() if use == kind)


def header_total_too_low():
    b, _ = small()
    b.put(TOTAL, 10)
    return b


def header_total_impossible():
    b, _ = small()
    b.put(TOTAL, 2 ** 64 - 1)
    return b


def header_node_count():
    b, _ = small()
    b.put(16, 2 ** 63)
    return b


def header_height():
    b, _ = small()
    b.put(108, 4, 4)
    return b


def header_page_size():
    b, _ = small()
    b.put(104, 8192, 4)
    return b


def header_side_file():
    b, _ = small()
    b.meta = b.meta[:-1] + bytes([b.meta[-1] ^ 1])
    return b


def size_longer():
    b, _ = small()
    b.bytes += bytes(PAGE)
    return b


def size_shorter():
    b, _ = small()
    b.put(TOTAL, 2 ** 40)
    return b


def tree_foreign_page():
    b, ours = small()
    page = pages_of(ours, "node")[0]
    b.bytes[b.at(page):b.at(page) + 64] = os.urandom(64)
    return b


def tree_keys_out_of_order():
    b, ours = small()
    leaf = pages_of(ours, "node-leaf")[0]
    at = b.at(leaf, 32)
    b.bytes[at:at + 8], b.bytes[at + 16:at + 24] = (b.bytes[at + 16:at + 24],
                                                    b.bytes[at:at + 8])
    b.sum_index(leaf)
    return b


def tree_leaf_chain():
    b, ours = small()
    leaf = pages_of(ours, "node-leaf")[0]
    b.put(b.at(leaf, 32 + 16 * b.get(b.at(leaf, 10), 2)), 7)
    b.sum_index(leaf)
    return b


def tree_packed_slots():
    b = Broken("synth39")
    ours = V3File(os.path.join(DATA, "synth39.v3"))
    b.put(b.at(pages_of(ours, "edge-packed")[0], 4), 999, 2)
    return b


def tree_chain_cycle():
    b = Broken("synth39")
    ours = V3File(os.path.join(DATA, "synth39.v3"))
    pages = pages_of(ours, "edge-chain")
    for page in pages:
        if b.get(b.at(page, 8)) == 0:
            b.put(b.at(page, 8), pages[0])
    return b


def tree_root_itself():
    b, _ = small()
    b.put(NODE_ROOT, 2 ** 64 - 2)
    return b


def checksum_of_a_node_page():
    b, ours = small()
    b.flip(pages_of(ours, "node")[0], 31)
    return b


def checksum_of_a_leaf():
    b, ours = small()
    b.flip(pages_of(ours, "edge-leaf")[0], 15)
    return b


def dangling_value():
    b, ours = small()
    b.leaf_value(pages_of(ours, "edge-leaf")[0], 0, 2 ** 50)
    return b


def dangling_after_a_cut():
    b, _ = small()
    del b.bytes[-2 * PAGE:]
    return b


def cross_linked_value():
    b, ours = small()
    leaf = pages_of(ours, "edge-leaf")[0]
    b.leaf_value(leaf, 0, pages_of(ours, "node-leaf")[0])
    return b


def leaked_pages():
    b, _ = small()
    b.append(3)
    return b


def free_list_of_nothing():
    b, _ = small()
    b.put(FREE_HEAD, b.append(2))
    return b


def free_list_head_out_of_range():
    b, _ = small()
    b.put(FREE_HEAD, 2 ** 64 - 1)
    return b


def free_list_wrong_sum():
    b, _ = small()
    page = b.append(4)
    data = trunk(page, 0, 1, 3, [page + 1, page + 2])
    b.bytes[b.at(page):b.at(page) + len(data)] = data
    b.put(FREE_HEAD, page)
    return b


def free_but_used():
    """A list that pagefs made, of pages that the graph is then given."""
    b, _ = small()
    with tempfile.TemporaryDirectory() as directory:
        b.append(3)
        path = b.write(directory)
        subprocess.run([PAGEFS, "check", "--repair", "--free-leaked", path], check=False,
                       stdout=subprocess.DEVNULL)
        b.bytes = bytearray(read(path))
    ours = V3File(os.path.join(DATA, "small.v3"))
    free = ours.total + 1
    old = pages_of(ours, "edge")[0]
    b.bytes[b.at(free):b.at(free) + PAGE] = b.bytes[b.at(old):b.at(old) + PAGE]
    for leaf in pages_of(ours, "edge-leaf"):
        for i in range(b.get(b.at(leaf, 10), 2)):
            if b.get(b.at(leaf, 40 + 16 * i)) == old:
                b.leaf_value(leaf, i, free)
    return b


def journal_of_another_file():
    b, _ = small()
    b.journal = b"PFJRNL\0\1" + os.urandom(504) + bytes(512)
    return b


def journal_of_the_crate():
    b, _ = small()
    b.wal = b"V3WAL\0\0\0" + bytes(92)
    return b


def journal_of_the_crate_and_a_total_too_low():
    b = header_total_too_low()
    b.wal = b""
    return b


NO = ()
PLAIN = ("--repair",)
FREE = ("--repair", "--free-leaked")
DISCARD = ("--repair", "--discard-journal")
# the class that must be found, the check's status, the repair that helps (or none), and
# what it ends with
CASES = [
    (header_total_too_low, "header", LEFT, PLAIN, REPAIRED),
    (header_total_impossible, "header", LEFT, NO, LEFT),
    (header_node_count, "header", LEFT, NO, LEFT),
    (header_height, "header", LEFT, NO, LEFT),
    (header_page_size, "header", LEFT, NO, LEFT),
    (header_side_file, "header", LEFT, NO, LEFT),
    (size_longer, "size", LEFT, PLAIN, REPAIRED),
    (size_shorter, "size", LEFT, NO, LEFT),
    (tree_foreign_page, "tree", LEFT, NO, LEFT),
    (tree_keys_out_of_order, "tree", LEFT, NO, LEFT),
    (tree_leaf_chain, "tree", LEFT, NO, LEFT),
    (tree_packed_slots, "tree", LEFT, NO, LEFT),
    (tree_chain_cycle, "cross-linked", LEFT, NO, LEFT),
    (tree_root_itself, "dangling", LEFT, NO, LEFT),
    (checksum_of_a_node_page, "checksum", LEFT, NO, LEFT),
    (checksum_of_a_leaf, "checksum", LEFT, NO, LEFT),
    (dangling_value, "dangling", LEFT, NO, LEFT),
    (dangling_after_a_cut, "size", LEFT, NO, LEFT),
    (cross_linked_value, "cross-linked", LEFT, NO, LEFT),
    (leaked_pages, "leaked", CLEAN, FREE, REPAIRED),
    (free_list_of_nothing, "free-list", LEFT, PLAIN, REPAIRED),
    (free_list_head_out_of_range, "free-list", LEFT, PLAIN, REPAIRED),
    (free_list_wrong_sum, "free-list", LEFT, FREE, REPAIRED),
    (free_but_used, "free-but-used", LEFT, PLAIN, REPAIRED),
    (journal_of_another_file, "journal", LEFT, DISCARD, REPAIRED),
    (journal_of_the_crate, "journal", LEFT, NO, LEFT),
    (journal_of_the_crate_and_a_total_too_low, "journal", LEFT, NO, FAILED | LEFT),
]
FOLLOWED = {"tree", "checksum", "dangling", "cross-linked", "free-but-used"}


def state_of(directory):
    return {name: hashlib.sha256(read(os.path.join(directory, name))).hexdigest()
            for name in os.listdir(directory)}


def run(*options):
    return subprocess.run([PAGEFS, "check", *options], capture_output=True, check=False,
                          timeout=60)


def check_json(path, *options):
    done = run("--json", *options, path)
    report = json.loads(done.stdout)
    need(report["exit_status"] == done.returncode, done)
    if shutil.which("jq"):
        subprocess.run(["jq", "-e", ".exit_status"], input=done.stdout, check=True,
                       stdout=subprocess.DEVNULL)
    return done.returncode, report


def lines_and_json_agree(path, report):
    lines = run(path).stdout.decode("ascii").splitlines()
    finding_lines = [line for line in lines if line.startswith(("page ", "pages "))]
    pages = 0
    for finding in report["findings"]:
        leaked = finding["class"] == "leaked"
        pages += finding["pages"] if leaked and finding["pages"] <= 10000 else 1
        if leaked:
            continue
        head = f"page {finding['page']}: {finding['class']}: expected {finding['expected']}"
        need(any(line.startswith(head) for line in finding_lines), head, lines)
    need(len(finding_lines) == pages, pages, lines)


def finding_is_there(report, kind):
    found = [finding for finding in report["findings"] if finding["class"] == kind]
    need(found, kind, report["findings"])
    for finding in found:
        need(kind in ("leaked",) or (finding["expected"] and finding["found"]), finding)
        need(kind not in FOLLOWED or finding["path"].split(" ")[0] in ("node", "edge"),
             finding)
    need(report["summary"]["by_class"][kind] == len(found), found)


def repair_keeps_its_promise(path, directory, options, expected):
    before = state_of(directory)
    dry = run(*options, "--dry-run", path)
    need(state_of(directory) == before, "a dry run changed something")
    would = [line[7:] for line in dry.stdout.decode().splitlines()
             if line.startswith("would: ")]
    wet = run(*options, path)
    did = [line[8:] for line in wet.stdout.decode().splitlines()
           if line.startswith("repair: ")]
    need(wet.returncode == expected, wet)
    need(would == did, would, did)
    need(dry.returncode == (expected if expected & FAILED else LEFT), dry)
    return before


def one_case(case, directory):
    make, kind, status, options, repaired = case
    path = make().write(directory)
    before = state_of(directory)
    got, report = check_json(path)
    need(got == status, got, report)
    finding_is_there(report, kind)
    lines_and_json_agree(path, report)
    need(state_of(directory) == before, "a check changed something")
    for other in (PLAIN, FREE, DISCARD):
        check_json(path, *other, "--dry-run")
    need(state_of(directory) == before, "a dry run changed something")
    repair_keeps_its_promise(path, directory, options or PLAIN, repaired)
    if repaired != REPAIRED:
        need(state_of(directory) == before, "a repair that is none changed something")
        return
    got, report = check_json(path)
    need(got == CLEAN and report["summary"]["finding_count"] ==
         report["summary"]["by_class"]["leaked"], report)
    V3File(path)


raise SystemExit(tap.run([
    (case[0].__name__, lambda directory, case=case: one_case(case, directory))
    for case in CASES]))

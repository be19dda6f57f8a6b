#!/usr/bin/env python3
"""pagefs check against v3read.py, which never saw its code.

Figures and kinds of all pages of the samples; and that freeing what is leaked, or
repairing what is stale, leaves the graph as the program that wrote it read it.
"""
import json
import os
import shutil
import subprocess

import tap
from v3read import V3File, need

PAGEFS = os.environ["PF_TEST_PAGEFS"]
DATA = os.environ["PF_TEST_DATA"]
# total_pages, in use, leaked: the published table
TABLE = {"empty": (0, 2, 0), "onenode": (4, 4, 0), "small": (23, 23, 0),
         "medium": (1276, 1261, 15), "ext_last": (6, 6, 0), "stale": (0, 68, 0),
         "wal_stale": (0, 4, 0), "synth39": (29, 10, 19)}
HAS_ITS_EDGES = set(TABLE) - {"wal_stale", "synth39"}  # the first has them in its log


def copy(name, directory):
    """In the place of the last one, and of its side files."""
    for file in os.listdir(directory):
        if file.startswith("db."):
            os.unlink(os.path.join(directory, file))
    for file in os.listdir(DATA):
        if file.split(".")[0] == name:
            target = os.path.join(directory, "db." + file.split(".", 1)[1])
            shutil.copyfile(os.path.join(DATA, file), target)
    return os.path.join(directory, "db.v3")


def check(path, *options):
    done = subprocess.run([PAGEFS, "check", "--json", *options, path],
                          stdout=subprocess.PIPE, check=False, timeout=60)
    report = json.loads(done.stdout)
    assert report["exit_status"] == done.returncode
    return done.returncode, report


def leaked_of(report):
    return [finding["page"] + i for finding in report["findings"]
            if finding["class"] == "leaked" for i in range(finding["pages"])]


def figures_of_every_sample(directory):
    for name, (total, in_use, leaked) in TABLE.items():
        path = copy(name, directory)
        ours = V3File(path)
        status, report = check(path)
        summary = report["summary"]
        need((int.from_bytes(ours.header[96:104], "big"), len(ours.use),
              len(ours.leaked())) == (total, in_use, leaked), name, "the table")
        need(summary["in_use"] == in_use and summary["leaked"] == leaked, name)
        need(leaked_of(report) == ours.leaked(), name, "which are leaked")
        need(summary["nodes"] == len(ours.nodes), name, "nodes")
        need(summary["edges"] == sum(map(len, ours.out.values())), name, "edges")
        need(summary["right_total"] == max(ours.total, ours.file_pages), name, "total")
        need(status == (4 if name in ("stale", "wal_stale") else 0), name, status)
        manifest = os.path.join(DATA, name + ".manifest")
        if name in HAS_ITS_EDGES:
            ours.check_manifest(manifest)


def kinds_of_every_page(directory):
    """As pages.tsv has them."""
    if not os.path.exists("/dev/fuse"):
        raise tap.Skip("no /dev/fuse")
    for name in ("small", "medium", "stale", "synth39", "ext_last"):
        path = copy(name, directory)
        ours = V3File(path)
        if ours.total < ours.file_pages:
            check(path, "--repair")
            ours = V3File(path)
        point = os.path.join(directory, "p")
        os.makedirs(point, exist_ok=True)
        subprocess.run([PAGEFS, "-o", "ro,walk", path, point], check=True,
                       stderr=subprocess.DEVNULL)
        try:
            with open(os.path.join(point, "pages.tsv"), encoding="ascii") as file:
                lines = [line.split() for line in file][1:]
        finally:
            subprocess.run(["fusermount3", "-u", point], check=True)
        kinds = {int(line[0]): line[3] for line in lines}
        for page_id in range(ours.total):
            need(kinds[page_id] == ours.use.get(page_id, "unknown"), name, page_id)


def freeing_the_leaks_leaves_nodes_and_edges(directory):
    for name in ("medium", "synth39"):
        path = copy(name, directory)
        before = V3File(path)
        leaked = before.leaked()
        status, report = check(path, "--repair", "--free-leaked")
        need(status == 1 and report["repair"]["freed_pages"] == len(leaked), name)
        after = V3File(path)
        need(sorted(after.free) == leaked and after.leaked() == [], name, "free list")
        need((after.nodes, after.out, after.incoming, after.use) ==
             (before.nodes, before.out, before.incoming, before.use), name, "graph")
        for page_id in before.use:
            need(page_id < 2 or before.page(page_id) == after.page(page_id), page_id)
        need(len(after.bytes) == len(before.bytes), name, "size")
        if name in HAS_ITS_EDGES:
            after.check_manifest(os.path.join(DATA, name + ".manifest"))
        need(check(path)[0] == 0, name, "second check")


def repairing_stale_leaves_nodes_and_edges(directory):
    path = copy("stale", directory)
    before = V3File(path)
    status, report = check(path, "--repair")
    need(status == 1 and report["again"]["summary"]["finding_count"] == 0, status)
    after = V3File(path)
    need(after.total == 68 and after.bytes[112:] == before.bytes[112:], "bytes")
    after.check_manifest(os.path.join(DATA, "stale.manifest"))


raise SystemExit(tap.run(tap.named([
    figures_of_every_sample, kinds_of_every_page, freeing_the_leaks_leaves_nodes_and_edges,
    repairing_stale_leaves_nodes_and_edges])))

"""A V3 file, read by the facts of its format alone: pages in use, free pages, the graph.

Written without a look at core/, and strict: what is not exactly as the format says raises
Bad. So it can be the judge of files that are meant to be sound, and of nothing else.
"""
import os
import struct
from functools import reduce
from operator import xor

PAGE = 4096
HEADER = 112
NONE = 2 ** 64 - 1
TRUNK_MAGIC = b"PFTRUNK\x01"
BLOCK_LEAVES = 505


class Bad(AssertionError):
    """The file breaks a rule."""


def need(condition, *what):
    if not condition:
        raise Bad(*what)


def be(data, at, size):
    return int.from_bytes(data[at:at + size], "big")


def signed(value):
    return value - 2 ** 64 if value >= 2 ** 63 else value


def xor_sum(data, zero_from, zero_to):
    """The low 32 bits of 5A5A5A5A5A5A5A5A, xor all bytes, xor all their indexes."""
    kept = data[:zero_from] + data[zero_to:]
    return reduce(xor, kept, reduce(xor, range(len(data)), 0x5A5A5A5A))


def varint(data, at):
    value = shift = 0
    while True:
        need(at < len(data) and shift < 64, "varint")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        shift += 7
        at += 1
        if byte < 0x80:
            return value & NONE, at


def unzigzag(value):
    return value >> 1 ^ -(value & 1)


class V3File:
    """use: page id -> what it is; nodes: id -> data; out, incoming: id -> neighbours."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = file.read()
        self.header = self.bytes[:HEADER]
        need(self.header[:8] == bytes.fromhex("53514c5447460003"), "magic")
        self.total = max(be(self.header, 96, 8), 2)
        self.free_head = be(self.header, 88, 8)
        self.file_pages = max(2, 1 + (max(len(self.bytes) - HEADER, 0) + PAGE - 1) // PAGE)
        self.use = {0: "header", 1: "reserved"}
        self.nodes, self.out, self.incoming = {}, {}, {}
        if be(self.header, 104, 4) == PAGE:
            self.walk(path)
        self.free = self.free_list()

    def page(self, page_id):
        need(2 <= page_id < self.file_pages, "no such page", page_id)
        at = HEADER + (page_id - 1) * PAGE
        return self.bytes[at:at + PAGE].ljust(PAGE, b"\0")

    def claim(self, page_id, kind, again=False):
        old = self.use.get(page_id)
        need(old is None or (again and old == kind), "used twice", page_id, old, kind)
        self.page(page_id)
        self.use[page_id] = kind

    # ---- the trees ----

    def walk(self, path):
        node_root = be(self.header, 80, 8)
        edge_root = be(self.header, 48, 8)
        edge_root = self.side_root(path, edge_root)
        keys_of = {}
        for key, page_id in self.tree(node_root, "node"):
            keys_of.setdefault(page_id, set()).add(key)
        for page_id, keys in keys_of.items():
            self.node_page(page_id, keys)
        for key, page_id in self.tree(edge_root, "edge"):
            self.cluster(key, page_id)

    def side_root(self, path, root):
        side = os.path.splitext(path)[0] + ".v3edgemeta"
        if not os.path.exists(side):
            return root
        with open(side, "rb") as file:
            meta = file.read()
        need(len(meta) == 24 and meta[:8] == b"V3EDGE\0\0", "side file")
        side_root, _, total = struct.unpack("<QII", meta[8:])
        need(total == sum(meta[:20]), "sum of the side file")
        need(root in (0, NONE, side_root), "two edge trees: not of a sound sample")
        return side_root

    def tree(self, root, name):
        if root in (0, NONE):
            return []
        pairs, leaves = [], []
        level = [root]
        for _ in range(10):
            below = []
            for page_id in level:
                page, count = self.index(page_id, name)
                if page[8] == 1:
                    leaves.append((page_id, be(page, 32 + 16 * count, 8)))
                    pairs += [(be(page, 32 + 16 * i, 8), be(page, 40 + 16 * i, 8))
                              for i in range(count)]
                else:
                    below += [be(page, 32 + 8 * count + 8 * i, 8)
                              for i in range(count + 1)]
            need(not leaves or not below, "leaves on two levels")
            level = below
        need(not level, "too deep")
        need([n for _, n in leaves] == [p for p, _ in leaves[1:]] + [0], "leaf chain")
        keys = [key for key, _ in pairs]
        need(all(a < b for a, b in zip(keys, keys[1:])), "key order")
        return pairs

    def index(self, page_id, name):
        page = self.page(page_id)
        count = be(page, 10, 2)
        leaf = page[8]
        need(be(page, 0, 8) == page_id and leaf in (0, 1) and count <= 252, "index page")
        length = 32 + 16 * count + 8 if leaf else 32 + 8 * count + 8 * (count + 1)
        need(be(page, 12, 4) == xor_sum(page[:length], 12, 32), "index sum", page_id)
        self.claim(page_id, name + ("-leaf" if leaf else "-internal"))
        return page, count

    # ---- nodes ----

    def node_page(self, page_id, keys):
        self.claim(page_id, "node")
        page = self.page(page_id)
        used = be(page, 18, 2)
        need(be(page, 0, 8) == page_id and used <= PAGE - 32, "node page", page_id)
        need(be(page, 28, 4) == xor_sum(page[:32 + used], 28, 32), "node sum", page_id)
        body, at, found = page[32:32 + used], 0, set()
        for _ in range(be(page, 16, 2)):
            node_id, deleted, data, offset, at = self.record(page, body, at)
            if node_id not in keys or deleted:
                continue
            found.add(node_id)
            self.nodes[signed(node_id)] = self.blob(offset, data) if offset else data
        need(at == used and found == keys, "records", page_id, keys - found)

    @staticmethod
    def record(page, body, at):
        delta, at = varint(body, at)
        flags = be(body, at, 4)
        at += 4
        fields = []
        for _ in range(7):
            value, at = varint(body, at)
            fields.append(value)
        node_id = (be(page, 20, 8) + delta) & NONE
        length = fields[2]
        if length & 0x8000:
            return node_id, flags & 1, length & 0x7FFF, be(body, at, 8), at + 8
        need(length <= 64 and at + length <= len(body), "inline data")
        return node_id, flags & 1, body[at:at + length], 0, at + length

    def blob(self, offset, length):
        need((offset - HEADER) % PAGE == 0 and offset + length <= len(self.bytes), "blob")
        first = 1 + (offset - HEADER) // PAGE
        for page_id in range(first, first + (length + PAGE - 1) // PAGE):
            self.claim(page_id, "blob")
        return self.bytes[offset:offset + length]

    # ---- edges ----

    def cluster(self, key, page_id):
        page = self.page(page_id)
        if page[:4] == b"V3EP":
            self.claim(page_id, "edge-packed", again=True)
            self.decode(key, self.slot(page, key))
        elif page[:4] == b"V3EC":
            data = b""
            while page_id != 0:
                self.claim(page_id, "edge-chain")
                page = self.page(page_id)
                need(page[:4] == b"V3EC" and be(page, 4, 4) <= PAGE - 16, "chain page")
                data += page[16:16 + be(page, 4, 4)]
                page_id = be(page, 8, 8)
            self.decode(key, data)
        else:
            self.claim(page_id, "edge")
            self.decode(key, page)

    @staticmethod
    def slot(page, key):
        for i in range(be(page, 4, 2)):
            at = 8 + 16 * i
            if tree_key(signed(be(page, at, 8)), page[at + 8]) == key:
                start, length = be(page, at + 10, 2), be(page, at + 12, 2)
                return page[start:start + length]
        raise Bad("no slot", key)

    def decode(self, key, data):
        need(data[0] == 3 and data[14] == 1, "a compressed cluster of version 3")
        source, direction = signed(be(data, 1, 8)), data[9]
        need(tree_key(source, direction) == key, "cluster of another node")
        count, end = be(data, 10, 4), 19 + be(data, 15, 4)
        ids, at, last = [], 19, 0
        while at < end:
            delta, at = varint(data, at)
            last += unzigzag(delta)
            ids.append(last)
        need(len(ids) == count, "ids of a cluster", len(ids), count)
        for _ in range(count):
            at += 4 + be(data, at + 2, 2)
        need(at <= len(data), "cluster too long")
        (self.incoming if direction else self.out)[source] = ids

    # ---- the free list ----

    def free_list(self):
        ids, trunk, number, total = [], self.free_head, None, None
        while trunk != 0:
            page = self.page(trunk)
            count = be(page, 40, 4)
            need(page[:8] == TRUNK_MAGIC and be(page, 8, 8) == trunk, "trunk", trunk)
            need(count <= BLOCK_LEAVES and be(page, 44, 4) == 0, "leaf count", trunk)
            need(number is None or be(page, 24, 8) < number, "block number", trunk)
            total = be(page, 32, 8) if total is None else total
            number = be(page, 24, 8)
            ids += [be(page, 56 + 8 * i, 8) for i in reversed(range(count))] + [trunk]
            trunk = be(page, 16, 8)
            need(len(ids) <= self.total, "cycle")
        need(total in (None, len(ids)) and len(set(ids)) == len(ids), "free total")
        need(all(2 <= i < min(self.total, self.file_pages) for i in ids), "free id")
        need(not set(ids) & set(self.use), "free but used")
        return ids

    def leaked(self):
        free = set(self.free)
        return [i for i in range(2, max(self.total, self.file_pages))
                if i not in self.use and i not in free]

    def check_manifest(self, path):
        """Nodes and neighbours are those that the crate read from this file."""
        live = {}
        with open(path, encoding="ascii") as file:
            for line in file:
                kind, *rest = line.split()
                if kind == "N":
                    live[int(rest[0])] = rest[1:3]
                elif kind == "D":
                    need(int(rest[0]) not in self.nodes, "deleted node is there", rest)
                elif kind in "OI":
                    lists = self.out if kind == "O" else self.incoming
                    ids = sorted(int(i) for i in rest[1].split(","))
                    need(sorted(lists[int(rest[0])]) == ids, "neighbours", line)
        need(live.keys() == self.nodes.keys(), "other nodes than the manifest's")
        for node_id, words in live.items():
            text = b"".join(bytes([len(w)]) + w.encode() for w in words)
            need(self.nodes[node_id].startswith(text), "node", node_id)


def tree_key(source, direction):
    return direction << 62 | ((source << 1 ^ source >> 63) & 0x3FFFFFFFFFFFFFFF)

/* rows_durable.c: allocations that survive a power cut, by clients of the mount, against
 * the least that such an answer can cost, and against databases without a mount. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "clients.h"
#include "mounts.h"
#include "peers.h"

enum { PAGE_COUNT = 64, REUSED_COUNT = 1000000 };

/* What an answer needs beyond the floor: by strace -c, perf stat, and rdtsc around the
 * calls (one client on ext4, lower quartile of 4,000). */
static const char page_limit[] =
    "As many syncs as the floor, as long ones. A client alone waits for 18 system calls "
    "of the daemon instead of 11 and 12,700 instructions of its own instead of 4,000 "
    "(20,000 for a reused page: the sum of a whole trunk), and after a sync nothing of "
    "it "
    "is in the processor's caches: between the sync and the reply 23 us pass for a new "
    "page (11 to make the file longer, 6 to look at name, size and header once more, 2 "
    "to "
    "write the header) and 12 us for a reused one, for the floor 0.3 us; 4 us before it "
    "go to the name of who opens `alloc`. The order durable, applied, acknowledged asks "
    "for the most of it. With 32 clients: 8,700 instructions an allocation in user mode "
    "against 3,500, and 37,300 in the kernel against 30,500.";

static void against_floor(const struct bench *b, const char *page, unsigned count,
                          struct clients ours, struct clients floor)
{
    char what[64];
    const struct comparison c = compare(b, (struct side){clients_turn, &ours},
                                        (struct side){clients_turn, &floor});

    (void)snprintf(what, sizeof(what), "a %s page, %u client%s", page, count,
                   count == 1 ? "" : "s");
    table_limit(page_limit);
    table_ratio(what, "floor", &c, 1.15);
}

static void against_peer(const struct bench *b, const struct peer *peer, unsigned count,
                         struct clients ours)
{
    char what[64], file[64], path[BENCH_PATH];
    struct clients theirs = {
        .name = peer->name, .count = count, .operate = peer->transact};

    (void)snprintf(what, sizeof(what), "a new page, %u client%s", count,
                   count == 1 ? "" : "s");
    (void)snprintf(file, sizeof(file), "%s.db", peer->name);
    bench_path(b, file, path);
    void *const database = peer->open(path);
    for (unsigned i = 0; i < count; i++)
        theirs.self[i] = peer->connect(database);
    const struct comparison c = compare(b, (struct side){clients_turn, &ours},
                                        (struct side){clients_turn, &theirs});
    for (unsigned i = 0; i < count; i++)
        peer->disconnect(theirs.self[i]);
    peer->close(database);
    /* "faster" alone, "far ahead" in company */
    if (count == 1)
        table_limit(
            "The floor is slower than this, too: "
            "the kernel carries three requests (open, read, close) to another process "
            "and back, where a library writes and syncs in its caller's.");
    table_ratio(what, peer->title, &c, count == 1 ? 1.0 : 0.5);
}

/* Pages that are reused: more than the clients can take in all turns. */
static void free_pages(const struct mount *m)
{
    char path[BENCH_PATH], text[32];
    const int length = snprintf(text, sizeof(text), "2-%d\n", REUSED_COUNT - 1);

    mount_path(m, "free", path);
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd == -1 || write(fd, text, (size_t)length) != length || close(fd) != 0)
        die_errno("%s", path);
}

static void floor_rows(const struct bench *b, bool reused)
{
    static const unsigned counts[] = {1, 8, 32};
    struct mount ours = reused ? mount_pagefs(b, "reused", REUSED_COUNT, NULL)
                               : mount_pagefs(b, "new", PAGE_COUNT, NULL);
    struct mount null = mount_null(b, PAGE_COUNT);
    char alloc[BENCH_PATH], floor[BENCH_PATH];

    if (reused)
        free_pages(&ours);
    mount_path(&ours, "alloc", alloc);
    mount_path(&null, "floor", floor);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        against_floor(b, reused ? "reused" : "new", counts[i],
                      clients_of("alloc", counts[i], clients_read_file, alloc),
                      clients_of("floor", counts[i], clients_read_file, floor));
    mount_end(&null);
    mount_end(&ours);
}

static void peer_rows(const struct bench *b, const struct peer *peer)
{
    static const unsigned counts[] = {1, 8};
    char alloc[BENCH_PATH];

    if (peer->transact == NULL) {
        table_skipped(peer->title, "its library was not found when this was built");
        return;
    }
    struct mount ours = mount_pagefs(b, peer->name, PAGE_COUNT, NULL);
    mount_path(&ours, "alloc", alloc);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        against_peer(b, peer, counts[i],
                     clients_of("alloc", counts[i], clients_read_file, alloc));
    mount_end(&ours);
}

void rows_durable(const struct bench *b)
{
    table_group("Durable allocation: open(alloc), read, close");
    floor_rows(b, false);
    floor_rows(b, true);
    for (size_t i = 0; i < PEER_COUNT; i++)
        peer_rows(b, &peers[i]);
}

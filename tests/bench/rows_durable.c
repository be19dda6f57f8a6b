/* rows_durable.c: allocations that survive a power cut, by clients of the mount, against
 * the least that such an answer can cost, and against databases without a mount. */
#include <stdio.h>

#include "clients.h"
#include "mounts.h"
#include "peers.h"

enum { PAGE_COUNT = 64 };

static void against_floor(const struct bench *b, unsigned count, struct clients ours,
                          struct clients floor)
{
    char what[64];
    const struct comparison c = compare(b, (struct side){clients_turn, &ours},
                                        (struct side){clients_turn, &floor});

    (void)snprintf(what, sizeof(what), "durable allocation, %u client%s", count,
                   count == 1 ? "" : "s");
    table_ratio(what, "floor", &c, 1.15);
}

static void against_peer(const struct bench *b, const struct peer *peer, unsigned count,
                         struct clients ours)
{
    char what[64], path[BENCH_PATH];
    struct clients theirs = {
        .name = peer->name, .count = count, .operate = peer->transact};

    (void)snprintf(what, sizeof(what), "durable allocation, %u client%s", count,
                   count == 1 ? "" : "s");
    bench_path(b, peer->name, path);
    void *const database = peer->open(path);
    for (unsigned i = 0; i < count; i++)
        theirs.self[i] = peer->connect(database);
    const struct comparison c = compare(b, (struct side){clients_turn, &ours},
                                        (struct side){clients_turn, &theirs});
    for (unsigned i = 0; i < count; i++)
        peer->disconnect(theirs.self[i]);
    peer->close(database);
    /* "faster" alone, "far ahead" in company */
    table_ratio(what, peer->title, &c, count == 1 ? 1.0 : 0.5);
}

void rows_durable(const struct bench *b)
{
    static const unsigned floor_counts[] = {1, 8, 32}, peer_counts[] = {1, 8};
    struct mount ours = mount_pagefs(b, "durable", PAGE_COUNT, NULL);
    struct mount null = mount_null(b, PAGE_COUNT);
    char alloc[BENCH_PATH], floor[BENCH_PATH];

    table_group("Durable allocation: open(alloc), read, close");
    mount_path(&ours, "alloc", alloc);
    mount_path(&null, "floor", floor);
    for (size_t i = 0; i < sizeof(floor_counts) / sizeof(floor_counts[0]); i++)
        against_floor(b, floor_counts[i],
                      clients_of("alloc", floor_counts[i], clients_read_file, alloc),
                      clients_of("floor", floor_counts[i], clients_read_file, floor));
    mount_end(&null);
    for (size_t p = 0; p < PEER_COUNT; p++) {
        if (peers[p].transact == NULL) {
            table_skipped(peers[p].title,
                          "its library was not found when this was built");
            continue;
        }
        for (size_t i = 0; i < sizeof(peer_counts) / sizeof(peer_counts[0]); i++)
            against_peer(b, &peers[p], peer_counts[i],
                         clients_of("alloc", peer_counts[i], clients_read_file, alloc));
    }
    mount_end(&ours);
}

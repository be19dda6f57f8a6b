/* peers.h: databases that commit one row a transaction, durably, in this process. */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

enum { PEER_SQLITE, PEER_LMDB, PEER_COUNT };

/* Everything but transact() dies on failure. All pointers NULL: not built in. */
struct peer {
    const char *name;  /* of its files */
    const char *title; /* in the table */
    void *(*open)(const char *path);
    void *(*connect)(void *database);  /* one a client */
    int (*transact)(void *connection); /* 0 or an errno */
    void (*disconnect)(void *connection);
    void (*close)(void *database);
};

extern const struct peer peers[PEER_COUNT];

#endif

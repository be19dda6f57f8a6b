/* client.h: one client's state, and what the parts of its work share: client.c takes and
 * gives pages, client_acts.c does everything else that can be done with them. */
#ifndef TEST_STRESS_CLIENT_H
#define TEST_STRESS_CLIENT_H

#include "stress.h"

enum { CLIENT_TEXT = 8192, CLIENT_ACTS = 7 };

struct client {
    struct stress *s;
    unsigned number;
    int root; /* the mountpoint */
    uint64_t rng;
    uint64_t held[STRESS_HOARD];
    size_t held_count;
    char text[CLIENT_TEXT];
};

/* One write: 0 or the errno of open or write. */
int client_put(struct client *c, const char *path, const char *text);
/* All of a small file, in c->text. */
int client_get(struct client *c, const char *path);
int client_read(struct client *c, int fd);
/* pages/`id`/`name`; the number and a newline. Each valid until its next call. */
const char *client_path(uint64_t id, const char *name);
const char *client_decimal(uint64_t id);

/* One of the pages held; there must be one. */
uint64_t client_page(struct client *c);
/* Odd pages are pinned, even ones are taken by number: to write `allocated` to a page
 * that somebody has got and pinned in the meantime would unpin it. */
bool client_may_pin(uint64_t id);

/* Use a page held, or look at the tree; `which` is less than CLIENT_ACTS. */
void client_act(struct client *c, uint64_t which);
/* What takes long: a snapshot, a listing, a word to `ctl`. */
void client_act_seldom(struct client *c);

#endif

#include "last_error.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Kept as facts and put into words when somebody reads: successes are frequent. */
struct last_error {
    pthread_mutex_t lock; /* guards what follows */
    struct node node;
    char words[COMMAND_WORDS_SIZE];
    uint64_t bad_id;
    pf_err err;
};

struct last_error *last_error_new(void)
{
    struct last_error *const last = calloc(1, sizeof(*last));

    if (last != NULL)
        pthread_mutex_init(&last->lock, NULL);
    return last;
}

void last_error_free(struct last_error *last)
{
    if (last == NULL)
        return;
    pthread_mutex_destroy(&last->lock);
    free(last);
}

void last_error_note(struct last_error *last, struct node node, const char *words,
                     uint64_t bad_id, pf_err err)
{
    pthread_mutex_lock(&last->lock);
    last->err = err;
    if (err != PF_OK) {
        last->node = node;
        last->bad_id = bad_id;
        const size_t length = strnlen(words, COMMAND_WORDS_SIZE - 1);
        memcpy(last->words, words, length);
        last->words[length] = '\0';
    }
    pthread_mutex_unlock(&last->lock);
}

static const char *sentence(const struct node_row *row, pf_err err)
{
    if (err == PF_E_INVALID &&
        row->syntax != NULL) /* unreachable: who has a parser, has a syntax, too */
        return row->syntax;
    if (err == PF_E_NO_SPACE && row->no_space != NULL)
        return row->no_space;
    if (err == PF_E_RANGE && row->too_many != NULL)
        return row->too_many;
    return pf_err_text(err);
}

void last_error_render(struct last_error *last, struct text *out)
{
    char path[NODE_PATH_SIZE];

    pthread_mutex_lock(&last->lock);
    if (last->err == PF_OK) {
        text_str(out, "ok\n");
    } else {
        node_path(last->node, path);
        text_str(out, path);
        if (last->bad_id != LAST_ERROR_NO_ID) {
            text_str(out, " ");
            text_u64(out, last->bad_id);
        } else if (last->words[0] != '\0') {
            text_str(out, " ");
            text_str(out, last->words);
        }
        text_str(out, ": ");
        text_str(out, sentence(node_row(last->node.kind), last->err));
        text_str(out, " (");
        text_str(out, strerrorname_np(pf_err_errno(last->err)));
        text_str(out, ")\n");
    }
    pthread_mutex_unlock(&last->lock);
}

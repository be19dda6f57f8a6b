#include "handle.h"

#include <stdlib.h>
#include <string.h>

#include "stream.h"

struct handle *handle_new(struct node node, uint64_t total_pages)
{
    struct handle *const handle = calloc(1, sizeof(*handle));

    if (handle == NULL)
        return NULL;
    handle->node = node;
    handle->row = node_row(node.kind);
    handle->total_pages = total_pages;
    if (handle->row->content == NODE_IS_STREAM) {
        handle->stream = stream_new(node);
        if (handle->stream == NULL) {
            free(handle);
            return NULL;
        }
    }
    pthread_mutex_init(&handle->lock, NULL);
    return handle;
}

void handle_free(struct handle *handle)
{
    if (handle == NULL)
        return;
    /* the last reply left the lock before it was sent; this makes that visible here */
    pthread_mutex_lock(&handle->lock);
    pthread_mutex_unlock(&handle->lock);
    pthread_mutex_destroy(&handle->lock);
    stream_free(handle->stream);
    text_free(&handle->snapshot);
    free(handle);
}

size_t handle_carry_get(struct handle *handle, char *buffer)
{
    pthread_mutex_lock(&handle->lock);
    const size_t length = handle->carry_length;
    memcpy(buffer, handle->carry, length);
    pthread_mutex_unlock(&handle->lock);
    return length;
}

void handle_carry_set(struct handle *handle, const char *token, size_t length)
{
    pthread_mutex_lock(&handle->lock);
    if (length > 0)
        memcpy(handle->carry, token, length);
    handle->carry_length = length;
    pthread_mutex_unlock(&handle->lock);
}

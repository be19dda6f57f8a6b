#include "handle.h"

#include <stdlib.h>
#include <string.h>

#include "stream.h"

struct handles {
    pthread_mutex_t lock;
    struct handle *first;
};

struct handles *handles_new(void)
{
    struct handles *const handles = calloc(1, sizeof(*handles));

    if (handles != NULL)
        pthread_mutex_init(&handles->lock, NULL);
    return handles;
}

void handles_free(struct handles *handles)
{
    if (handles == NULL)
        return;
    for (struct handle *h = handles->first; h != NULL; h = handles->first)
        handle_free(handles, h);
    pthread_mutex_destroy(&handles->lock);
    free(handles);
}

static void list_add(struct handles *handles, struct handle *handle)
{
    pthread_mutex_lock(&handles->lock);
    handle->next = handles->first;
    if (handle->next != NULL)
        handle->next->previous = handle;
    handles->first = handle;
    pthread_mutex_unlock(&handles->lock);
}

static void list_remove(struct handles *handles, struct handle *handle)
{
    pthread_mutex_lock(&handles->lock);
    if (handle->next != NULL)
        handle->next->previous = handle->previous;
    if (handle->previous != NULL)
        handle->previous->next = handle->next;
    else
        handles->first = handle->next;
    pthread_mutex_unlock(&handles->lock);
}

struct handle *handle_new(struct handles *handles, struct node node, uint64_t total_pages,
                          const struct actor *actor)
{
    struct handle *const handle = malloc(sizeof(*handle));

    if (handle == NULL)
        return NULL;
    *handle = (struct handle){.node = node,
                              .row = node_row(node.kind),
                              .total_pages = total_pages,
                              .actor = *actor};
    if (handle->row->content == NODE_IS_STREAM) {
        handle->stream = stream_new(node, &handle->actor);
        if (handle->stream == NULL) {
            free(handle);
            return NULL;
        }
    }
    pthread_mutex_init(&handle->lock, NULL);
    list_add(handles, handle);
    return handle;
}

void handle_free(struct handles *handles, struct handle *handle)
{
    list_remove(handles, handle);
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

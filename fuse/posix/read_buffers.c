#include "fuse/posix/read_buffers.h"

#include <stdbool.h>
#include <stdlib.h>

#include "common/mem.h"
#include "fuse/posix/posix_mount.h"

#define LARGE_BYTES ((size_t)64 << 10) /* smaller ones malloc has at hand */

void read_buffers_init(struct read_buffers *all)
{
    *all = (struct read_buffers){.lock = PTHREAD_MUTEX_INITIALIZER};
}

void read_buffers_free(struct read_buffers *all)
{
    while (all->count)
        free(all->kept[--all->count]);
    pthread_mutex_destroy(&all->lock);
}

static bool is_kept(size_t size)
{
    return size >= LARGE_BYTES && size <= POSIX_IO_MAX_BYTES;
}

char *read_buffer_take(struct read_buffers *all, size_t size)
{
    if (!is_kept(size))
        return mem_alloc(size);
    pthread_mutex_lock(&all->lock);
    char *bytes = all->count ? all->kept[--all->count] : NULL;
    pthread_mutex_unlock(&all->lock);
    return bytes ? bytes : mem_alloc(POSIX_IO_MAX_BYTES);
}

void read_buffer_give(struct read_buffers *all, char *bytes, size_t size)
{
    pthread_mutex_lock(&all->lock);
    bool keeps = is_kept(size) && all->count < READ_BUFFERS_KEPT;
    if (keeps)
        all->kept[all->count++] = bytes;
    pthread_mutex_unlock(&all->lock);
    if (!keeps)
        free(bytes);
}

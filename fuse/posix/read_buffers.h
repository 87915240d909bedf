/* Buffers for what is read: fresh pages for each request cost twice as much as all else that a read takes. Any
 * thread. */
#ifndef CAIRN_FUSE_POSIX_READ_BUFFERS_H
#define CAIRN_FUSE_POSIX_READ_BUFFERS_H

#include <pthread.h>
#include <stddef.h>

#define READ_BUFFERS_KEPT 4 /* of POSIX_IO_MAX_BYTES each; a busy machine's cores have no use for more */

struct read_buffers {
    pthread_mutex_t lock;
    size_t count;
    char *kept[READ_BUFFERS_KEPT];
};

void read_buffers_init(struct read_buffers *all);
void read_buffers_free(struct read_buffers *all);
char *read_buffer_take(struct read_buffers *all, size_t size);             /* as big as that, or bigger; not cleared */
void read_buffer_give(struct read_buffers *all, char *bytes, size_t size); /* size: as it was taken */

#endif

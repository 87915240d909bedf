/* Threads that copy one file each at a time. A full queue makes copy_pool_add wait, so memory stays bounded. */
#ifndef CAIRN_CLIENT_FS_COPY_POOL_H
#define CAIRN_CLIENT_FS_COPY_POOL_H

#include "client/fs/item.h"

#define COPY_THREADS_MAX 256

struct copy_pool;

struct copy_pool *copy_pool_start(int threads, void (*job)(struct item *src, struct item *target, void *arg),
                                  void *arg);
void copy_pool_add(struct copy_pool *p, const struct item *src, const struct item *target); /* copies both */
void copy_pool_wait(struct copy_pool *p); /* until all that was added is done */
void copy_pool_stop(struct copy_pool *p); /* waits, then frees; NULL is fine */

#endif

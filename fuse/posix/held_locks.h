/* The locks that programs of this mount have, as the namenode granted them: a namenode that is started again has
 * forgotten them, and is told. They outlive the process that serves (keeper_memory.h). Not thread-safe. */
#ifndef CAIRN_FUSE_POSIX_HELD_LOCKS_H
#define CAIRN_FUSE_POSIX_HELD_LOCKS_H

#include <stdatomic.h>
#include <stddef.h>

#include "client/lib/posix.h"

#define HELD_LOCKS_MAX 16384 /* one more is granted, too, and not set again */

/* A process that dies while it changes them leaves one twice, but none out. */
struct held_locks { /* {0} is empty */
    _Atomic uint32_t count;
    struct posix_lock items[HELD_LOCKS_MAX];
};

/* What was granted; POSIX_LOCK_NONE: let go. It replaces what the same owner had in its range. Locks of whole files and
 * of ranges do not see each other. */
void held_locks_set(struct held_locks *h, const struct posix_lock *lock);
bool held_locks_have(const struct held_locks *h, const struct posix_lock *lock); /* as it is */
/* Who has a range of it that was locked through this handle? */
bool held_locks_owner(const struct held_locks *h, uint64_t inode, uint64_t handle, uint64_t *ret);
void held_locks_end_file(struct held_locks *h, uint64_t inode);

#endif

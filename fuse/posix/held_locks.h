/* The locks that programs of this mount have on one file, as the namenode granted them: a namenode that is started
 * again has forgotten them, and is told. Not thread-safe. */
#ifndef CAIRN_FUSE_POSIX_HELD_LOCKS_H
#define CAIRN_FUSE_POSIX_HELD_LOCKS_H

#include <stddef.h>

#include "client/lib/posix.h"

struct held_locks { /* {0} is empty */
    struct posix_lock *items;
    size_t count, capacity;
};

/* What was granted; POSIX_LOCK_NONE: let go. It replaces what the same owner had in its range. Locks of whole files and
 * of ranges do not see each other. */
void held_locks_set(struct held_locks *h, const struct posix_lock *lock);
void held_locks_clear(struct held_locks *h); /* and frees */

#endif

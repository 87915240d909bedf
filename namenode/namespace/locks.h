/* Locks on files: flock's, of whole files, and fcntl's, of ranges. The two do not see each other. A core: no I/O, no
 * clock, no waiting of its own; guarded by the namenode's lock. In memory only.
 *
 * Whoever holds a lock is (session, owner). A new lock replaces what the same owner has in its range, so a range may be
 * split, and neighbours of one type become one. */
#ifndef CAIRN_NAMENODE_NAMESPACE_LOCKS_H
#define CAIRN_NAMENODE_NAMESPACE_LOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"
#include "common/err.h"

#define LOCKS_PER_INODE_MAX 4096
#define LOCKS_MAX           262144

struct locks;

enum lock_type { LOCK_SHARED = 0, LOCK_EXCLUSIVE = 1, LOCK_NONE = 2 }; /* the protocol's numbers */
struct file_lock {
    uint64_t session, owner;
    uint64_t start, end; /* the last byte */
    uint32_t pid;
    uint8_t type;
    bool whole; /* flock's */
};

struct locks *locks_new(void);
void locks_free(struct locks *l); /* NULL is fine */
size_t locks_count(const struct locks *l);

/* Is a lock of somebody else in the way? The first one by its start. */
bool locks_conflict(const struct locks *l, uint64_t inode, const struct file_lock *want, struct file_lock *ret);
/* Nothing is in the way (LOCK_NONE: never). ERR_NO_LOCKS: there are too many, nothing has changed. */
int locks_set(struct locks *l, uint64_t inode, const struct file_lock *lock, struct err *reterr) MUST_CHECK;
/* All that a session has on one file: it has closed that. True if there were some. */
bool locks_end_file(struct locks *l, uint64_t session, uint64_t inode);
/* All of a session's. Calls back for each inode that had some. */
void locks_end_session(struct locks *l, uint64_t session, void (*on_freed)(void *context, uint64_t inode),
                       void *context);

/* ---- who waits: for finding circles among fcntl's locks ---- */
struct lock_wait {
    uint64_t inode;
    struct file_lock want;
};
/* Would its waiting close a circle, if all of `waiting` wait? */
bool locks_deadlock(const struct locks *l, const struct lock_wait *want, const struct lock_wait *waiting, size_t count);

#endif

/* Who writes which file, and since when nothing was heard of him. A lease belongs to a client name, not to a
 * connection; one client has many files. A core: time comes in, no I/O, guarded by the namenode's lock. It lives in
 * memory only; start-up rebuilds it from the store's index of open files. */
#ifndef CAIRN_NAMENODE_NAMESPACE_LEASES_H
#define CAIRN_NAMENODE_NAMESPACE_LEASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct leases;

/* retry_ms: the hard limit of leases taken over for a recovery. */
struct leases *leases_new(uint64_t soft_limit_ms, uint64_t hard_limit_ms, uint64_t retry_ms);
void leases_free(struct leases *l); /* NULL is fine */

/* The file is `holder`'s now (moved from another holder if it was that one's); the lease counts as renewed. */
void leases_add(struct leases *l, const char *holder, uint64_t inode, uint64_t now_ms);
/* The namenode itself holds the file now, under a name of its own, while the last block is recovered. */
void leases_add_recovering(struct leases *l, const char *holder, uint64_t inode, uint64_t now_ms);
void leases_remove(struct leases *l, uint64_t inode); /* unknown is fine; a holder without files is forgotten */
void leases_renew(struct leases *l, const char *holder, uint64_t now_ms); /* unknown is fine */
/* The holder's last connection has closed. died: not as idle ones are closed, so that its process must be gone: the
 * lease counts as past the soft limit at once. Either way the hard limit becomes the soft one. Renewing takes both
 * back. */
void leases_disconnected(struct leases *l, const char *holder, bool died); /* unknown is fine */

const char *leases_holder(const struct leases *l, uint64_t inode); /* NULL; good until the next change */
bool leases_soft_expired(const struct leases *l, const char *holder, uint64_t now_ms); /* an unknown holder's has */
bool leases_is_recovering(const struct leases *l, uint64_t inode, uint64_t now_ms);    /* for less than retry_ms */
/* Files of leases past the hard limit. The leases count as renewed afterwards, so that one that cannot be released
 * at once comes again later. */
size_t leases_take_expired(struct leases *l, uint64_t now_ms, uint64_t *ret_inodes, size_t ret_max);
size_t leases_file_count(const struct leases *l);
size_t leases_holder_count(const struct leases *l);

#endif

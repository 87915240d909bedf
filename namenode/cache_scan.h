/* Follows the cache directives to files and blocks: what they need, what is there, and what datanodes shall take into
 * their memory. Reads a snapshot, without the namenode's lock; takes it in short steps to hand over what it found. */
#ifndef CAIRN_NAMENODE_CACHE_SCAN_H
#define CAIRN_NAMENODE_CACHE_SCAN_H

#include "namenode/namenode.h"
#include "namenode/namespace/cache_pools.h"

/* What one path needs at replication 1; nothing if it leads nowhere. Takes no lock: may block for long directories. */
void cache_scan_path(struct namenode *nn, const char *path, struct cache_needed *ret);
/* All directives; or only if any has changed since the last scan. Without the lock. */
void cache_scan_all(struct namenode *nn);
void cache_scan_changed(struct namenode *nn);

#endif

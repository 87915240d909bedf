/* Replicas that the namenode wants in this node's memory: mapped and locked, so that whoever reads them finds them in
 * the page cache. Bounded by dfs.datanode.max.locked.memory. Any thread may call. */
#ifndef CAIRN_DATANODE_STORE_BLOCK_CACHE_H
#define CAIRN_DATANODE_STORE_BLOCK_CACHE_H

#include "datanode/store/block_store.h"

struct block_cache;
struct block_cache *block_cache_new(struct block_store *store, uint64_t max_bytes); /* store is borrowed */
void block_cache_free(struct block_cache *c);                                       /* NULL is fine */

/* Reads the replica: takes its time. 0 if it is there already. ERR_NO_SPACE: over the bound, or over what the system
 * lets this process lock; ERR_BAD_STATE: it is not finalized. */
int block_cache_add(struct block_cache *c, uint64_t block_id, struct err *reterr) MUST_CHECK;
bool block_cache_has(struct block_cache *c, uint64_t block_id);
void block_cache_remove(struct block_cache *c, uint64_t block_id); /* unknown is fine */
uint64_t block_cache_max_bytes(const struct block_cache *c);
uint64_t block_cache_used_bytes(struct block_cache *c);
size_t block_cache_ids(struct block_cache *c, uint64_t **ret); /* free() it */

#endif

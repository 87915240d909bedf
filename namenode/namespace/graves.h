/* Blocks that were edited out of their files and have been replaced. Who opened such a file before the edit still reads
 * them, so they stay known to the block map, and on the datanodes, for a while (cairn.namenode.edit.grace). In the
 * store they have their record 'b' and a mark 'g'; what a start finds marked is freed at once. Guarded by the
 * namenode's lock. */
#ifndef CAIRN_NAMENODE_NAMESPACE_GRAVES_H
#define CAIRN_NAMENODE_NAMESPACE_GRAVES_H

#include "namenode/namespace/files.h"

struct graves;
int graves_load(struct store *s, uint64_t grace_ms, struct graves **ret, struct err *reterr) MUST_CHECK;
void graves_free(struct graves *g); /* NULL is fine */
void graves_add(struct graves *g, uint64_t block_id, uint64_t now_ms);
/* Frees a bounded number of those whose grace is over. *ret_more: there were more of them. */
int graves_step(struct namenode *nn, uint64_t now_ms, bool *ret_more, struct err *reterr) MUST_CHECK;

#endif

/* Between the files of history.h only. */
#ifndef CAIRN_NAMENODE_NAMESPACE_HISTORY_INTERNAL_H
#define CAIRN_NAMENODE_NAMESPACE_HISTORY_INTERNAL_H

#include "namenode/namespace/block_ids.h"
#include "namenode/namespace/history.h"
#include "namenode/namespace/keys.h"

/* The directory's newest live snapshot that is not newer than `id`; 0: none. */
uint64_t history_live_up_to(const struct fsdir *dir, uint64_t inode, uint64_t id);

/* Into the batch: the version and what finds it; or both out of it. */
void version_put(struct txn *t, const struct key *key, uint64_t tag, const struct version *v);
void version_delete(struct txn *t, const struct key *key, uint64_t tag, const struct version *v);

/* *ret 0: there was no such entry. as_of 0: now. */
int history_child_id(struct txn *t, uint64_t parent, const char *name, uint64_t as_of, uint64_t *ret,
                     struct err *reterr);

/* The version of an inode, as found under a key of table 'I' at the iterator; NULL if there is none there. */
int version_inode_at(struct txn *t, struct store_iter *it, uint64_t id, struct inode **ret, struct err *reterr);

/* What readers of a snapshot see of a file that was being written: a finished one of the length known then. */
void history_settle(struct inode *n);

#endif

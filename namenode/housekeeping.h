/* The namenode's background thread: time passes for the block manager and the leases, deleted trees are taken
 * apart, parked calls get their answer. It holds the lock for one bounded step at a time. */
#ifndef CAIRN_NAMENODE_HOUSEKEEPING_H
#define CAIRN_NAMENODE_HOUSEKEEPING_H

#include "common/err.h"
#include "namenode/namenode.h"
#include "namenode/namespace/history.h"

/* Leases of the files that were open when the namenode last stopped: reads only the store's index of them. */
int leases_load(struct namenode *nn, uint64_t now_ms, struct err *reterr) MUST_CHECK;

int housekeeping_start(struct namenode *nn, pthread_t *ret_thread, struct err *reterr) MUST_CHECK;
void housekeeping_stop(struct namenode *nn, pthread_t thread);

/* Where the reaper is: it goes on from there, since seeking from the start would pass all that it has deleted. */
struct reaper {
    struct history_cursor history;
    uint64_t cursor;              /* next cut-off inode */
    uint64_t directory;           /* whose children were left over by the last step; 0: none */
    char after[KEY_NAME_MAX + 1]; /* the last of them that is gone */
    bool is_summing;              /* a step is under way, without the lock */
};
/* One step of taking apart what was deleted; lock held. *ret_more false: there is nothing left. Lets the lock go for a
 * while if quotas want a sum. */
int reap_step(struct namenode *nn, bool *ret_more, struct err *reterr) MUST_CHECK;
/* The first steps at once, so that whoever deleted little finds it given back to quotas; the lock is held throughout.
 */
void reap_little(struct namenode *nn);

/* A key for delegation tokens if it is time for a new one, and what has expired goes; bounded. Under the lock. */
int housekeeping_tokens(struct namenode *nn, struct err *reterr) MUST_CHECK;

#endif

/* A bounded number of threads that run tasks, first come first served. Tasks are embedded in what they work
 * on, so submitting cannot fail for lack of memory; whoever submits bounds how many there are. */
#ifndef CAIRN_COMMON_POOL_H
#define CAIRN_COMMON_POOL_H

#include "common/err.h"

struct pool;
struct pool_task {
    void (*run)(struct pool_task *t); /* owns the task: it may free it */
    struct pool_task *next;
};

/* Threads are named `name`. ERR_*: no thread could be started. */
int pool_new(const char *name, int threads, struct pool **ret, struct err *reterr) MUST_CHECK;
void pool_submit(struct pool *p, struct pool_task *t); /* any thread, pool threads too; not after pool_free */
void pool_free(struct pool *p);                        /* runs what is queued, then joins; NULL is fine */

#endif

/* The segments of shared memory that local clients have with this datanode, and which of their slots stands for which
 * block: when a block goes away or changes, its slots lose their VALID bit, and clients stop using the files they were
 * given. Any thread. */
#ifndef CAIRN_DATANODE_SERVE_SHM_REGISTRY_H
#define CAIRN_DATANODE_SERVE_SHM_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

struct shm_registry;
struct shm_id {
    int64_t hi, lo;
};

struct shm_registry *shm_registry_new(void);
void shm_registry_free(struct shm_registry *r); /* nobody uses it any more; NULL is fine */

/* A new segment. *ret_fd is the caller's to close once it is passed on. */
int shm_registry_add(struct shm_registry *r, struct shm_id *ret_id, int *ret_fd, struct err *reterr) MUST_CHECK;
void shm_registry_remove(struct shm_registry *r, struct shm_id id);

/* ERR_INVALID_REQUEST: there is no such segment or slot, the slot is taken, or its client has not marked it valid. */
int shm_registry_register(struct shm_registry *r, struct shm_id id, int32_t index, uint64_t block_id, bool in_memory,
                          struct err *reterr) MUST_CHECK;
int shm_registry_unregister(struct shm_registry *r, struct shm_id id, int32_t index, struct err *reterr);
/* The block is not kept in memory any more. */
void shm_registry_unanchor(struct shm_registry *r, uint64_t block_id);
void shm_registry_invalidate(struct shm_registry *r, uint64_t block_id);

#endif

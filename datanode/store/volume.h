/* One data directory: a storage with an id of its own, in Hadoop's layout.
 *
 *     DIR/in_use.lock                                    held while a daemon uses it
 *     DIR/current/VERSION                                who we are: storageID, clusterID, datanodeUuid
 *     DIR/current/POOL/current/VERSION                   whose blocks these are: namespaceID, cTime, blockpoolID
 *     DIR/current/POOL/current/finalized/subdirX/subdirY replicas by bits 16-20 and 8-12 of the block id
 *     DIR/current/POOL/current/rbw                       replicas being written
 *     DIR/current/POOL/tmp                               copies coming in, and files about to be deleted; emptied at
 * start
 *
 * Opened by one thread; after that paths and ids are immutable, counters atomic. */
#ifndef CAIRN_DATANODE_STORE_VOLUME_H
#define CAIRN_DATANODE_STORE_VOLUME_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

#define STORAGE_ID_MAX    64
#define POOL_ID_MAX       128
#define UUID_MAX          64
#define DN_LAYOUT_VERSION (-57)

struct pool_identity { /* what the namenode says in versionRequest */
    char pool_id[POOL_ID_MAX];
    char cluster_id[POOL_ID_MAX];
    uint32_t namespace_id;
    uint64_t ctime_ms;
};

struct volume {
    char *dir;        /* as configured, without prefix */
    char *pool;       /* DIR/current/POOL/; NULL until the pool is open */
    int storage_type; /* HDFS__STORAGE_TYPE_PROTO__* */
    int lock_fd;
    char storage_id[STORAGE_ID_MAX]; /* "DS-<uuid>" */
    char datanode_uuid[UUID_MAX];    /* as found in VERSION, "" if there is none yet */
    char cluster_id[POOL_ID_MAX];    /* the same */
    int64_t reserved_bytes;          /* left to others */
    _Atomic int64_t used_bytes;      /* of our files, as if each replica had its own */
    _Atomic int64_t shared_bytes;    /* of those, what is counted more than once: store_links.c */
    _Atomic int64_t promised_bytes;  /* to replicas being written */
    _Atomic int64_t replica_count;
    _Atomic bool failed;
    int64_t failed_at_ms; /* wall clock */
};
struct volume_space {
    int64_t capacity_bytes, used_bytes, free_bytes, other_bytes; /* free: for new replicas */
};

struct volume_choice { /* where new replicas go: in turn, or rather where there is room */
    bool by_space;
    int64_t equal_bytes; /* volumes whose free space differs by less are taken in turn */
    double preference;   /* share of new replicas for those with more free space */
};

/* spec: "/dir", "file:///dir", "[SSD]/dir". Creates the directory, locks it, reads its identity. ERR_BUSY: another
 * daemon has it. */
int volume_open(const char *spec, int64_t reserved_bytes, struct volume **ret, struct err *reterr) MUST_CHECK;
/* Writes the identity where there is none yet, makes the pool's folders, and empties tmp.
 * ERR_BAD_STATE: the directory belongs to another cluster, namespace or datanode. */
int volume_open_pool(struct volume *v, const struct pool_identity *pool, const char *datanode_uuid,
                     struct err *reterr) MUST_CHECK;
void volume_free(struct volume *v);

int volume_space(const struct volume *v, struct volume_space *ret, struct err *reterr) MUST_CHECK;
/* Can it still be written and read? */
int volume_probe(const struct volume *v, struct err *reterr) MUST_CHECK;
static inline bool volume_ok(const struct volume *v)
{
    return !atomic_load(&v->failed);
}
/* Bytes that a replica takes, meta file included. */
int64_t replica_footprint(uint64_t block_bytes);

/* Where a replica's files are. A path that would not fit is cut, and then opening it fails. */
enum replica_place { PLACE_FINALIZED, PLACE_RBW, PLACE_TMP };
void volume_data_path(const struct volume *v, enum replica_place place, uint64_t block_id, char out[PATH_MAX]);
void volume_meta_path(const struct volume *v, enum replica_place place, uint64_t block_id, uint64_t gen_stamp,
                      char out[PATH_MAX]);
void volume_place_dir(const struct volume *v, enum replica_place place, uint64_t block_id, char out[PATH_MAX]);

void uuid_new(char out[UUID_MAX]);

#endif

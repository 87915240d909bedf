/* Reads every finalized replica once in a while, slowly, and holds it against its checksums and its XXH3 digest, so
 * that rot is found while there are other replicas. One thread for all volumes, each of which gets the rate. */
#ifndef CAIRN_DATANODE_STORE_SCRUBBER_H
#define CAIRN_DATANODE_STORE_SCRUBBER_H

#include "datanode/store/block_store.h"

struct scrubber;
struct scrubber_options {
    struct block_store *store;
    int64_t period_ms;        /* between the beginnings of two rounds */
    int64_t bytes_per_second; /* per volume */
    /* Called on the thread that looks. io_error: the disk would not give the bytes, else they are wrong. */
    void (*on_bad)(void *context, const struct replica_view *replica, size_t storage_index, bool io_error,
                   const char *why);
    void (*on_good)(void *context);
    void *context;
};
int scrubber_start(const struct scrubber_options *options, struct scrubber **ret, struct err *reterr) MUST_CHECK;
void scrubber_stop(struct scrubber *s); /* NULL is fine */
/* Somebody had trouble reading this: it is looked at soon. Any thread. */
void scrubber_suspect(struct scrubber *s, uint64_t block_id);
/* The same at once, by the caller, if there is no scrubber. */
void replica_look_at(const struct scrubber_options *options, uint64_t block_id, const _Atomic bool *stopping);

/* One replica, now, as fast as it goes (or at the rate). 0: good, or changed meanwhile; ERR_CHECKSUM: it is not what
 * was written; ERR_REPLICA_NOT_FOUND; ERR_NO_MEMORY: it could not be looked at; else the disk's error. */
int replica_verify(struct block_store *s, uint64_t block_id, int64_t bytes_per_second, const _Atomic bool *stopping,
                   size_t *ret_storage, struct err *reterr) MUST_CHECK;

#endif

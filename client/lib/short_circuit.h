/* Replicas of datanodes on this host, as open files that the datanode passed over its UNIX socket, kept open for the
 * next reader. A slot of shared memory says for each whether it may still be used (proto/shm_slot.h). Any thread. */
#ifndef CAIRN_CLIENT_LIB_SHORT_CIRCUIT_H
#define CAIRN_CLIENT_LIB_SHORT_CIRCUIT_H

#include "client/lib/dfs.h"
#include "common/digest.h"

struct short_circuit;

struct local_replica { /* immutable for its users */
    int data_fd, meta_fd;
    enum checksum_type type;
    uint32_t bytes_per_checksum;
};
#define LOCAL_META_HEADER_BYTES 7 /* before the first checksum in the meta file */

struct short_circuit *short_circuit_new(struct dfs *fs); /* fs is borrowed */
void short_circuit_free(struct short_circuit *s);        /* no replica is in use any more; NULL is fine */

/* A reference. Any error means: read over the network. */
int short_circuit_open(struct short_circuit *s, const struct dfs_block *b, const struct dfs_datanode *d,
                       struct local_replica **ret, struct err *reterr) MUST_CHECK;
void short_circuit_close(struct short_circuit *s, struct local_replica *r);
bool short_circuit_is_valid(const struct local_replica *r);
/* It could not be read: nobody shall get it any more. The reference stays. */
void short_circuit_forget(struct short_circuit *s, struct local_replica *r);
/* The whole data file in memory, valid until the reference is closed. */
int short_circuit_map(struct short_circuit *s, struct local_replica *r, const uint8_t **ret_base, size_t *ret_bytes,
                      struct err *reterr) MUST_CHECK;
bool short_circuit_skips_checksums(const struct short_circuit *s);

#endif

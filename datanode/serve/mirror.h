/* Being a writer to another datanode: the next node of a pipeline, or the target of a copy. */
#ifndef CAIRN_DATANODE_SERVE_MIRROR_H
#define CAIRN_DATANODE_SERVE_MIRROR_H

#include "datanode/serve/xfer.h"

/* "ip:port" as Java's DatanodeID says it, which is what firstBadLink must be. */
void datanode_xfer_address(const Hdfs__DatanodeIDProto *id, char out[NET_ADDRESS_MAX]);
/* nodes: in the pipeline behind us, for the timeouts. */
int mirror_connect(const struct datanode *dn, const Hdfs__DatanodeIDProto *to, size_t nodes, int *ret_fd,
                   struct err *reterr) MUST_CHECK;
/* A connection that was kept after a block went through it, or -1; and keeping one: *fd becomes -1, if it is kept. */
int mirror_take(const struct datanode *dn, const Hdfs__DatanodeIDProto *to, size_t nodes);
void mirror_keep(const struct datanode *dn, const Hdfs__DatanodeIDProto *to, int *fd);

/* A whole replica to targets[0] and on from there. client_name "": replication, nobody answers; else the target answers
 * when it has everything, and that is waited for. *ret_bytes: what was sent. Takes as long as it takes. */
struct transfer {
    const Hdfs__ExtendedBlockProto *block; /* its stamp and number of bytes are replaced by the replica's own */
    const char *client_name;
    Hdfs__DatanodeInfoProto **targets;
    size_t target_count;
    const Hdfs__StorageTypeProto *storage_types; /* one per target, or NULL */
    char **storage_ids;                          /* one per target, or NULL */
};
int transfer_replica(struct datanode *dn, const struct transfer *t, struct arena *a, struct err *reterr) MUST_CHECK;

#endif

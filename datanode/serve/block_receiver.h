/* Receives a block's packets: verifies, forwards and stores each in one pass, and answers with acknowledgements. */
#ifndef CAIRN_DATANODE_SERVE_BLOCK_RECEIVER_H
#define CAIRN_DATANODE_SERVE_BLOCK_RECEIVER_H

#include "datanode/serve/xfer.h"
#include "datanode/store/replica_writer.h"

enum receive_end {
    RECEIVE_FINALIZE, /* the last packet finalizes the replica */
    RECEIVE_TO_RBW,   /* it becomes a replica being written, with visible_bytes */
};
struct receive_args {
    struct xfer *x;                /* whose connection the packets come on */
    struct replica_writer *writer; /* taken over */
    uint64_t block_id;
    struct meta_header sent; /* the checksums that come with the packets */
    int mirror_fd;           /* the next node; -1 = none. Not closed here. */
    int nodes_behind;        /* for timeouts */
    bool acks;               /* a client writes: it is told of every packet */
    /* Not NULL: the next node has not answered the set-up of the pipeline yet, and packets may come all the same.
     * Called once: with its answer, or with NULL if it is lost or the block cannot be received here. It tells the
     * client; < 0: there will be no pipeline. */
    int (*on_setup)(void *context, const Hdfs__BlockOpResponseProto *answer, bool next_is_lost);
    void *setup_context;
    const Hdfs__BlockOpResponseProto *answer; /* NULL, or to be sent to the client, with what there is to say by then */
    const Hdfs__DatanodeIDProto *source;      /* a copy of this datanode's replica comes; or NULL */
    enum receive_end end;
    uint64_t visible_bytes;
    struct throttle *throttle;      /* or NULL */
    int (*on_wait)(struct xfer *x); /* called now and then while it takes long; or NULL */
    bool drop_behind;               /* the page cache shall not fill with it */
    const char *delete_hint;        /* for the report; or NULL */
    bool report;                    /* RECEIVED to the namenode */
    bool report_unasked;            /* nobody waits for it */
    int packet_fd;                  /* where the packets come from; normally x->fd */
};
/* 0: the whole block came and was stored. Else the writer has been released: what may go on is still there, the rest is
 * deleted. Errors are logged, and told upstream if there are acks. */
int block_receive(const struct receive_args *args) MUST_CHECK;

#endif

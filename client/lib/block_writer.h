/* One block on its way into a pipeline of datanodes, with repair of the pipeline when a datanode is lost.
 *
 * There is no thread behind it: packets go into the socket as the writer brings them, and what comes back is read on
 * the way. That saves two wake-ups per packet, and the kernel's buffers keep the bytes moving in the meantime. Silence
 * is broken by block_writer_idle, which the lease renewer calls. One thread at a time (the file's lock). */
#ifndef CAIRN_CLIENT_LIB_BLOCK_WRITER_H
#define CAIRN_CLIENT_LIB_BLOCK_WRITER_H

#include "client/lib/lost_nodes.h"
#include "client/lib/write_calls.h"
#include "client/lib/write_packet.h"

struct block_writer;

struct block_writer_options {
    const struct open_file *file; /* borrowed */
    struct packet_pool *pool;     /* borrowed; sent packets go back there */
    struct lost_nodes *lost;      /* borrowed; is added to */
    uint32_t replication;
    int64_t block_bytes;
    bool flushed; /* readers rely on what is written: replace nodes that are lost */
    /* The whole block is at hand: it is sent right behind the op that sets up the pipeline. Nothing is repaired then:
     * after the first failure, whose node is among `lost`, the block has to be given up. */
    bool hurries;
    /* The namenode is ours, and the block is for an edit, which believes that what all of its datanodes acknowledged is
     * there: their reports may be a little late. To others, who appends too soon would be a writer without them. */
    bool reports_may_wait;
};

/* A new block. previous: NULL or the one before with its final length. */
int block_writer_create(const struct block_writer_options *options, const struct dfs_block *previous,
                        struct block_writer **ret, struct err *reterr) MUST_CHECK;
/* A new block that was allotted already. On failure the node that could not be reached is among options->lost, and the
 * block is the caller's to give up. */
int block_writer_begin(const struct block_writer_options *options, const struct dfs_block *allotted,
                       struct block_writer **ret, struct err *reterr) MUST_CHECK;
/* The last block of a file opened for append; its length is in `last`. */
int block_writer_append(const struct block_writer_options *options, const struct dfs_block *last,
                        struct block_writer **ret, struct err *reterr) MUST_CHECK;

/* Takes the packet, sends it, and returns when the kernel has it and no more than the window is unacknowledged.
 * Every error is final. */
int block_writer_send(struct block_writer *w, struct write_packet *packet, struct err *reterr) MUST_CHECK;
/* Until all that was sent is acknowledged by all nodes. */
int block_writer_wait(struct block_writer *w, struct err *reterr) MUST_CHECK;
/* Waits for everything and ends the block: `last` (empty, taken) is the packet that says so. */
int block_writer_end(struct block_writer *w, struct write_packet *last, struct err *reterr) MUST_CHECK;
void block_writer_flushed(struct block_writer *w); /* from now on options.flushed */
void block_writer_idle(struct block_writer *w);    /* never blocks; keeps the connection alive */
/* id, generation, acknowledged length, nodes; borrowed. */
const struct dfs_block *block_writer_block(const struct block_writer *w);
void block_writer_free(struct block_writer *w); /* drops the connection; NULL is fine */

#endif

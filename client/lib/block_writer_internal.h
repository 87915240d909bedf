/* What block_writer.c (which nodes, which block) and block_stream.c (packets and acknowledgements on one connection)
 * share. */
#ifndef CAIRN_CLIENT_LIB_BLOCK_WRITER_INTERNAL_H
#define CAIRN_CLIENT_LIB_BLOCK_WRITER_INTERNAL_H

#include "client/lib/block_writer.h"

#define ACK_MAX_BYTES 8192
#define BAD_UNKNOWN   SIZE_MAX

struct block_writer {
    struct block_writer_options o;
    struct dfs *fs;
    struct arena arena;     /* of block */
    struct dfs_block block; /* bytes: acknowledged */
    bool appended;
    int fd;
    bool keeps;     /* the connection may be used again after the block */
    bool setup_due; /* in a hurry: the set-up has not been answered yet */
    bool is_kept;   /* ditto: it was kept from another block, and nothing was heard on it yet */
    struct write_packet *head, *tail,
        *unsent;              /* unacknowledged, oldest first; unsent: first not wholly in the socket */
    size_t queued, unsent_at; /* bytes of `unsent` in the socket */
    int64_t bytes_sent;       /* largest offset ever given to a socket */
    int64_t sent_ms, progress_ms;
    unsigned recoveries; /* since the last acknowledgement */
    bool retried_whole;  /* ditto: tried again with all nodes */
    uint8_t acks[ACK_MAX_BYTES];
    size_t ack_bytes;
};

/* Why the pipeline does not work any more, and whose fault it is. */
struct trouble {
    size_t bad;
    struct err why;
};

/* As much as the socket takes, without waiting. */
int block_stream_send(struct block_writer *w, struct trouble *t) MUST_CHECK;
/* Sends everything and waits until at most `unacked` packets are left; acknowledged ones go back to the pool. */
int block_stream_pump(struct block_writer *w, size_t unacked, struct trouble *t) MUST_CHECK;
/* The oldest packet is done with. */
void block_stream_acked(struct block_writer *w);

#endif

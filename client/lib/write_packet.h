/* A packet of a block on its way to the datanodes: filled by the writer, kept until all nodes acknowledged it. */
#ifndef CAIRN_CLIENT_LIB_WRITE_PACKET_H
#define CAIRN_CLIENT_LIB_WRITE_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "common/digest.h"
#include "common/err.h"
#include "proto/packet.h"

struct write_packet {
    struct write_packet *next;
    int64_t seqno, offset; /* in the block */
    uint32_t data_bytes, capacity;
    bool last, sync;
    uint8_t *data;
    uint8_t *checksums; /* in front of the data */
    uint8_t *head;      /* set when sealed: the header, with the checksums right behind it */
    size_t head_bytes;  /* of header and checksums */
};

/* What the settings say. ERR_CONFIG; ERR_ILLEGAL_ARGUMENT: chunks do not divide the block size (0: any will do). */
int packet_checksum_choose(const struct config *c, int64_t block_bytes, uint32_t *ret_chunk_bytes,
                           enum checksum_type *ret, struct err *reterr) MUST_CHECK;

/* Packets of one file all have room for the same number of bytes; used ones are kept, since memory touched before is
 * faster, until the pool is trimmed. One thread at a time. */
struct packet_pool {
    uint32_t data_max, bytes_per_checksum;
    enum checksum_type type;
    struct write_packet *spare;
    size_t spare_count;
};
/* Of the setting; but a short block's packets need not have room for a long one's. */
uint32_t packet_bytes_for(const struct config *c, uint64_t block_bytes);
void packet_pool_init(struct packet_pool *p, uint32_t packet_bytes, uint32_t bytes_per_checksum,
                      enum checksum_type type);
void packet_pool_free(struct packet_pool *p);
void packet_pool_trim(struct packet_pool *p); /* keeps what a writer needs that goes on now and then */
struct write_packet *packet_take(struct packet_pool *p, int64_t offset); /* empty; capacity is data_max */
void packet_give_back(struct packet_pool *p, struct write_packet *packet);
/* Computes checksums and header; data and seqno do not change afterwards. */
void packet_seal(const struct packet_pool *p, struct write_packet *packet, int64_t seqno);

#endif

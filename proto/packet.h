/* The header in front of every packet of a block's data stream:
 *
 *     i32 packet length = 4 + checksums + data     (counts itself, not the header)
 *     i16 header length
 *     PacketHeaderProto, then the checksums, then the data
 *
 * PacketHeaderProto's fields are of fixed width, so it is encoded and decoded here by hand: no allocation,
 * and 31 bytes may always be read at once. Pure functions, except packet_header_read. */
#ifndef CAIRN_PROTO_PACKET_H
#define CAIRN_PROTO_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

#define PACKET_MAX_BYTES           (16u << 20) /* packet length + header length, as Hadoop bounds it */
#define PACKET_HEADER_MIN_BYTES    31          /* 4 + 2 + 25: the shortest there is */
#define PACKET_HEADER_MAX_BYTES    33          /* the longest we write: with syncBlock */
#define PACKET_HEADER_ACCEPT_BYTES 256         /* the longest we accept: room for fields we do not know */
#define PACKET_SEQNO_HEARTBEAT     (-1)
#define PACKET_SEQNO_UNKNOWN       (-2) /* in acknowledgements: out of band */

struct packet_header {
    int64_t offset_in_block;
    int64_t seqno;
    uint32_t checksum_bytes; /* follow the header */
    uint32_t data_bytes;     /* follow the checksums */
    bool last_in_block;
    bool sync_block; /* fsync before acknowledging */
};

/* Writes the whole header into `out`; returns its length, 31 or 33. checksum_bytes + data_bytes must fit
 * PACKET_MAX_BYTES. */
size_t packet_header_encode(const struct packet_header *h, uint8_t out[PACKET_HEADER_MAX_BYTES]);

/* Decodes the header at the front of `in`. Returns how many bytes it took (> 0; the checksums begin there), 0
 * if more are needed, or ERR_PROTOCOL. On success checksum_bytes + data_bytes <= PACKET_MAX_BYTES. */
int packet_header_decode(struct slice in, struct packet_header *ret, struct err *reterr) MUST_CHECK;

/* Reads exactly the header from a blocking socket. ERR_CLOSED, ERR_TIMEOUT, ERR_PROTOCOL. */
int packet_header_read(int fd, struct packet_header *ret, struct err *reterr) MUST_CHECK;

#endif

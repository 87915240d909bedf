/* Whole packets from a socket, with few calls: reads what is there and hands out what is complete. The buffer grows
 * with what has really arrived, up to one largest packet, and is filled with whole packets if all are of one size. */
#ifndef CAIRN_DATANODE_SERVE_PACKET_STREAM_H
#define CAIRN_DATANODE_SERVE_PACKET_STREAM_H

#include "proto/packet.h"

struct packet_stream {
    int fd;
    uint8_t *base;
    size_t capacity, start, end; /* [start, end) is not handed out yet */
    size_t missing;              /* of the packet at the front, once that is known */
    size_t last;                 /* how large the one before was */
};
struct packet {
    struct packet_header header;
    struct slice raw; /* header, checksums, data: as it came */
    const uint8_t *checksums, *data;
};

void packet_stream_init(struct packet_stream *s, int fd);
void packet_stream_free(struct packet_stream *s);
/* 1 and a packet, borrowed until the next fill; 0: more must be read; ERR_PROTOCOL. */
int packet_stream_next(struct packet_stream *s, struct packet *ret, struct err *reterr) MUST_CHECK;
/* Reads once; waits as long as the socket's timeout. ERR_CLOSED, ERR_TIMEOUT. */
int packet_stream_fill(struct packet_stream *s, struct err *reterr) MUST_CHECK;
/* The same without waiting: 0 also if nothing is there. */
int packet_stream_fill_now(struct packet_stream *s, struct err *reterr) MUST_CHECK;

#endif

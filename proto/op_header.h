/* Requests and answers of block transfer, outside of packets: "u16 28, u8 opcode, message" one way, "message"
 * the other, where each message is preceded by its size as a varint. Blocking sockets with timeouts set by
 * the caller. */
#ifndef CAIRN_PROTO_OP_HEADER_H
#define CAIRN_PROTO_OP_HEADER_H

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/err.h"

#define OP_VERSION           28
#define OP_MESSAGE_MAX_BYTES (1u << 20) /* any op, answer or acknowledgement */
#define OP_CLONES_MAX        256        /* at once */

enum op_code {
    OP_WRITE_BLOCK = 80,
    OP_READ_BLOCK = 81,
    OP_READ_METADATA = 82,
    OP_REPLACE_BLOCK = 83,
    OP_COPY_BLOCK = 84,
    OP_BLOCK_CHECKSUM = 85,
    OP_TRANSFER_BLOCK = 86,
    OP_REQUEST_SHORT_CIRCUIT_FDS = 87,
    OP_RELEASE_SHORT_CIRCUIT_FDS = 88,
    OP_REQUEST_SHORT_CIRCUIT_SHM = 89,
    OP_BLOCK_GROUP_CHECKSUM = 90,
    OP_CUSTOM = 127,
    OP_CLONE_BLOCKS = 200, /* Cairn's own: proto/cairn/clone.proto */
};
const char *op_name(uint8_t opcode); /* "READ_BLOCK"; "unknown" */

/* The three bytes in front of an op. ERR_CLOSED: the peer is done (between ops that is normal); ERR_TIMEOUT;
 * ERR_PROTOCOL: another version; ERR_UNSUPPORTED: a SASL handshake, which we do not do. The opcode may be one that is
 * not in the list. */
int op_header_read(int fd, uint8_t *ret_opcode, struct err *reterr) MUST_CHECK;
void op_pack(struct buf *to, enum op_code opcode, const ProtobufCMessage *message); /* appended */
/* Header and message in one write. */
int op_write(int fd, enum op_code opcode, const ProtobufCMessage *message, struct err *reterr) MUST_CHECK;

/* One delimited message, exactly: nothing after it is read. It lives in the arena.
 * ERR_PROTOCOL: larger than OP_MESSAGE_MAX_BYTES or malformed; ERR_CLOSED, ERR_TIMEOUT. */
int delimited_read(int fd, const ProtobufCMessageDescriptor *type, struct arena *a, ProtobufCMessage **ret,
                   struct err *reterr) MUST_CHECK;
int delimited_write(int fd, const ProtobufCMessage *message, struct err *reterr) MUST_CHECK;

#endif

#include "proto/op_header.h"

#include <errno.h>
#include <sys/socket.h>

#include "common/net.h"
#include "common/rd.h"
#include "common/wr.h"
#include "proto/message.h"

#define SASL_MAGIC         0xDEAD /* the first half of DE AD BE EF, where the version should be */
#define VARINT32_MAX_BYTES 5

const char *op_name(uint8_t opcode)
{
    switch (opcode) {
    case OP_WRITE_BLOCK: return "WRITE_BLOCK";
    case OP_READ_BLOCK: return "READ_BLOCK";
    case OP_READ_METADATA: return "READ_METADATA";
    case OP_REPLACE_BLOCK: return "REPLACE_BLOCK";
    case OP_COPY_BLOCK: return "COPY_BLOCK";
    case OP_BLOCK_CHECKSUM: return "BLOCK_CHECKSUM";
    case OP_TRANSFER_BLOCK: return "TRANSFER_BLOCK";
    case OP_REQUEST_SHORT_CIRCUIT_FDS: return "REQUEST_SHORT_CIRCUIT_FDS";
    case OP_RELEASE_SHORT_CIRCUIT_FDS: return "RELEASE_SHORT_CIRCUIT_FDS";
    case OP_REQUEST_SHORT_CIRCUIT_SHM: return "REQUEST_SHORT_CIRCUIT_SHM";
    case OP_BLOCK_GROUP_CHECKSUM: return "BLOCK_GROUP_CHECKSUM";
    case OP_CUSTOM: return "CUSTOM";
    case OP_CLONE_BLOCKS: return "CLONE_BLOCKS";
    default: return "unknown";
    }
}

int op_header_read(int fd, uint8_t *ret_opcode, struct err *reterr)
{
    uint8_t bytes[3];
    int rc = net_read_full(fd, bytes, sizeof bytes, reterr);
    if (rc < 0)
        return rc;
    unsigned version = bytes[0] << 8 | bytes[1];
    if (version == SASL_MAGIC)
        return err_set(reterr, ERR_UNSUPPORTED,
                       "the peer starts a SASL handshake, which is not supported: unset "
                       "dfs.data.transfer.protection and "
                       "dfs.encrypt.data.transfer there");
    if (version != OP_VERSION)
        return err_set(reterr, ERR_PROTOCOL, "data transfer version %u, expected %d", version, OP_VERSION);
    *ret_opcode = bytes[2];
    return 0;
}

void op_pack(struct buf *to, enum op_code opcode, const ProtobufCMessage *message)
{
    wr_u16be(to, OP_VERSION);
    wr_u8(to, (uint8_t)opcode);
    message_pack_delimited(to, message);
}

int op_write(int fd, enum op_code opcode, const ProtobufCMessage *message, struct err *reterr)
{
    AUTO(buf_free) struct buf out = {0};
    op_pack(&out, opcode, message);
    return net_write_full(fd, out.base, out.len, reterr);
}

int delimited_write(int fd, const ProtobufCMessage *message, struct err *reterr)
{
    AUTO(buf_free) struct buf out = {0};
    message_pack_delimited(&out, message);
    return net_write_full(fd, out.base, out.len, reterr);
}

/* The size, without reading past it: a look at what is there, then exactly its bytes. */
static int size_read(int fd, uint32_t *ret_size, struct err *reterr)
{
    uint8_t head[VARINT32_MAX_BYTES];
    ssize_t there;
    do
        there = recv(fd, head, sizeof head, MSG_PEEK);
    while (there < 0 && errno == EINTR);
    size_t len = 0;
    for (ssize_t i = 0; i < there && !len; i++)
        if (!(head[i] & 0x80))
            len = (size_t)i + 1;
    int rc = 0;
    if (len) {
        rc = net_read_full(fd, head, len, reterr);
    } else { /* not all of it has come yet, or an error or the end, which the read will name */
        do {
            if (len == sizeof head)
                return err_set(reterr, ERR_PROTOCOL, "the size of a message is not a varint");
            rc = net_read_full(fd, head + len, 1, reterr);
        } while (rc == 0 && head[len++] & 0x80);
    }
    if (rc < 0)
        return rc;
    struct rd rd = rd_of((struct slice){head, len});
    uint64_t size = rd_varint(&rd);
    if (size > OP_MESSAGE_MAX_BYTES)
        return err_set(reterr, ERR_PROTOCOL, "a message of %llu bytes exceeds %u", (unsigned long long)size,
                       OP_MESSAGE_MAX_BYTES);
    *ret_size = (uint32_t)size;
    return 0;
}

int delimited_read(int fd, const ProtobufCMessageDescriptor *type, struct arena *a, ProtobufCMessage **ret,
                   struct err *reterr)
{
    uint32_t size = 0;
    int rc = size_read(fd, &size, reterr);
    if (rc < 0)
        return err_prefix(reterr, rc, "%s", type->short_name);
    uint8_t *bytes = arena_try_alloc(a, size);
    if (!bytes)
        return err_set(reterr, ERR_PROTOCOL, "%s of %u bytes does not fit the bound of its request", type->short_name,
                       size);
    rc = size ? net_read_full(fd, bytes, size, reterr) : 0;
    if (rc < 0)
        return err_prefix(reterr, rc, "%s", type->short_name);
    return message_unpack(type, (struct slice){bytes, size}, a, ret, reterr);
}

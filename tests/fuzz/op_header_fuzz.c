/* What a datanode reads from a new connection: version, opcode, and the message that goes with it. */
#include <sys/socket.h>

#include "cairn/clone.pb-c.h"
#include "common/net.h"
#include "hdfs/data_transfer.pb-c.h"
#include "proto/message.h"
#include "proto/op_header.h"
#include "tests/fuzz/fuzz.h"

static const struct {
    uint8_t opcode;
    const ProtobufCMessageDescriptor *type;
} op_types[] = {
    {OP_WRITE_BLOCK, &hdfs__op_write_block_proto__descriptor},
    {OP_READ_BLOCK, &hdfs__op_read_block_proto__descriptor},
    {OP_REPLACE_BLOCK, &hdfs__op_replace_block_proto__descriptor},
    {OP_COPY_BLOCK, &hdfs__op_copy_block_proto__descriptor},
    {OP_BLOCK_CHECKSUM, &hdfs__op_block_checksum_proto__descriptor},
    {OP_TRANSFER_BLOCK, &hdfs__op_transfer_block_proto__descriptor},
    {OP_CLONE_BLOCKS, &cairn__op_clone_blocks_proto__descriptor},
    {OP_REQUEST_SHORT_CIRCUIT_FDS, &hdfs__op_request_short_circuit_access_proto__descriptor},
};

FUZZ_SEEDS(op_header)
{
    char pool[] = "BP-1-10.0.0.1-5", client[] = "DFSClient_1", none[] = "", ip[] = "10.0.0.2";
    Hdfs__ExtendedBlockProto block = HDFS__EXTENDED_BLOCK_PROTO__INIT;
    block.poolid = pool;
    block.blockid = 1073741825;
    block.generationstamp = 1001;
    Hdfs__TokenProto token = HDFS__TOKEN_PROTO__INIT;
    token.kind = token.service = none;
    Hdfs__BaseHeaderProto base = HDFS__BASE_HEADER_PROTO__INIT;
    base.block = &block;
    base.token = &token;
    Hdfs__ClientOperationHeaderProto header = HDFS__CLIENT_OPERATION_HEADER_PROTO__INIT;
    header.baseheader = &base;
    header.clientname = client;
    Hdfs__OpReadBlockProto read = HDFS__OP_READ_BLOCK_PROTO__INIT;
    read.header = &header;
    read.len = 1 << 20;
    Hdfs__DatanodeIDProto id = HDFS__DATANODE_IDPROTO__INIT;
    id.ipaddr = id.hostname = id.datanodeuuid = ip;
    Hdfs__DatanodeInfoProto node = HDFS__DATANODE_INFO_PROTO__INIT, *targets[] = {&node, &node};
    node.id = &id;
    Hdfs__ChecksumProto checksum = HDFS__CHECKSUM_PROTO__INIT;
    Hdfs__OpWriteBlockProto write_op = HDFS__OP_WRITE_BLOCK_PROTO__INIT;
    write_op.header = &header;
    write_op.targets = targets;
    write_op.n_targets = 2;
    write_op.requestedchecksum = &checksum;
    write_op.stage = HDFS__OP_WRITE_BLOCK_PROTO__BLOCK_CONSTRUCTION_STAGE__PIPELINE_SETUP_CREATE;
    AUTO(buf_free) struct buf out = {0};
    buf_append(&out, "\0\034Q", 3); /* 28, READ_BLOCK */
    message_pack_delimited(&out, &read.base);
    fuzz_seed(seeds, out.base, out.len);
    buf_clear(&out);
    buf_append(&out, "\0\034P", 3); /* 28, WRITE_BLOCK */
    message_pack_delimited(&out, &write_op.base);
    fuzz_seed(seeds, out.base, out.len);
    Cairn__CloneProto clone = CAIRN__CLONE_PROTO__INIT, *clones[] = {&clone, &clone};
    Cairn__OpCloneBlocksProto clone_op = CAIRN__OP_CLONE_BLOCKS_PROTO__INIT;
    clone_op.pool_id = ip;
    clone_op.client_name = client;
    clone_op.clone = clones;
    clone_op.n_clone = 2;
    buf_clear(&out);
    op_pack(&out, OP_CLONE_BLOCKS, &clone_op.base);
    fuzz_seed(seeds, out.base, out.len);
}

FUZZ_RUN(op_header)
{
    int fds[2];
    if (in.len > 100000 || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
        return;
    struct err err;
    uint8_t opcode;
    struct arena a;
    arena_init(&a, 1 << 20);
    if (net_write_full(fds[0], in.base, in.len, &err) == 0) {
        shutdown(fds[0], SHUT_WR);
        ProtobufCMessage *message;
        if (op_header_read(fds[1], &opcode, &err) == 0)
            for (size_t i = 0; i < ARRAY_COUNT(op_types); i++)
                if (op_types[i].opcode == opcode && delimited_read(fds[1], op_types[i].type, &a, &message, &err) == 0) {
                    AUTO(buf_free) struct buf out = {0};
                    message_pack(&out, message);
                }
    }
    arena_free(&a);
    close(fds[0]);
    close(fds[1]);
}

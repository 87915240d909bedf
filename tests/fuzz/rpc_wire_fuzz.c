/* The headers around a call, both ways, and every kind of message behind them that a namenode or datanode
 * takes. */
#include "hdfs/admin.pb-c.h"
#include "hdfs/client_datanode.pb-c.h"
#include "hdfs/client_namenode.pb-c.h"
#include "hdfs/datanode_namenode.pb-c.h"
#include "proto/message.h"
#include "rpc/wire.h"
#include "tests/fuzz/fuzz.h"

static const ProtobufCMessageDescriptor *const wire_types[] = {
    &hdfs__create_request_proto__descriptor,
    &hdfs__add_block_request_proto__descriptor,
    &hdfs__get_additional_datanode_request_proto__descriptor,
    &hdfs__update_pipeline_request_proto__descriptor,
    &hdfs__set_acl_request_proto__descriptor,
    &hdfs__set_xattr_request_proto__descriptor,
    &hdfs__add_erasure_coding_policies_request_proto__descriptor,
    &hdfs__list_cache_directives_request_proto__descriptor,
    &hdfs__report_bad_blocks_request_proto__descriptor,
    &hdfs__heartbeat_request_proto__descriptor,
    &hdfs__block_report_request_proto__descriptor,
    &hdfs__block_received_and_deleted_request_proto__descriptor,
    &hdfs__commit_block_synchronization_request_proto__descriptor,
    &hdfs__init_replica_recovery_request_proto__descriptor,
    &hdfs__generic_refresh_request_proto__descriptor,
    &hdfs__heartbeat_response_proto__descriptor,
    &hdfs__get_listing_response_proto__descriptor,
    &hdfs__get_block_locations_response_proto__descriptor,
    &hdfs__get_snapshot_diff_report_listing_response_proto__descriptor,
    &hrpc__rpc_sasl_proto__descriptor,
    &hrpc__ipc_connection_context_proto__descriptor,
};

FUZZ_SEEDS(rpc_wire)
{
    AUTO(buf_free) struct buf out = {0};
    const uint8_t id[16] = "0123456789abcde";
    char src[] = "/a/b", holder[] = "me";
    Hdfs__FsPermissionProto perm = HDFS__FS_PERMISSION_PROTO__INIT;
    Hdfs__CreateRequestProto create = HDFS__CREATE_REQUEST_PROTO__INIT;
    create.src = src;
    create.clientname = holder;
    create.masked = &perm;
    uint8_t type = 0;
    buf_append(&out, &type, 1);
    message_pack(&out, &create.base);
    fuzz_seed(seeds, out.base, out.len);
    buf_clear(&out);
    rpc_frame_request(&out, 77, 1, (struct slice){id, 16}, "some.Protocol", "create", &create.base);
    fuzz_seed(seeds, out.base + 4, out.len - 4);
    buf_clear(&out);
    struct rpc_echo echo = {77, 1, {id, 16}};
    rpc_frame_error(&out, &echo, RPC_STATUS(ERROR), RPC_DETAIL(ERROR_APPLICATION), "java.io.IOException",
                    "text\n\tat X");
    fuzz_seed(seeds, out.base + 4, out.len - 4);
}

FUZZ_RUN(rpc_wire)
{
    struct rpc_request_header request;
    struct rpc_method_header method;
    struct rpc_response_header response;
    struct err err;
    char text[64];
    if (in.len == 0)
        return;
    struct slice rest = {in.base + 1, in.len - 1};
    if (rpc_request_header_decode(rest, &request, &err) == 0 && request.client_id.len > RPC_CLIENT_ID_MAX_BYTES)
        abort();
    (void)!rpc_method_header_decode(rest, &method, &err);
    if (rpc_response_header_decode(rest, &response, &err) == 0) {
        rpc_text_copy(text, sizeof text, response.text);
        if (strlen(text) >= sizeof text)
            abort();
    }
    struct arena a;
    ProtobufCMessage *message;
    arena_init(&a, 4 << 20);
    if (message_unpack(wire_types[in.base[0] % ARRAY_COUNT(wire_types)], rest, &a, &message, &err) == 0) {
        AUTO(buf_free) struct buf out = {0};
        message_pack(&out, message);
    }
    arena_free(&a);
}

/* Every request that the namenode's port takes, of clients, datanodes and operators, through the server to the real
 * handlers, on a real store with one datanode. An input is a list of calls: which method (those of ClientProtocol come
 * first), two bytes of length, and that many bytes as its request message. Whatever they are, the server answers all of
 * them. */
#include <sys/socket.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/net.h"
#include "hdfs/client_namenode.pb-c.h"
#include "namenode/blocks/blocks.h"
#include "namenode/blocks/datanode_events.h"
#include "namenode/housekeeping.h"
#include "namenode/namespace/cache_pools.h"
#include "namenode/namespace/detached.h"
#include "namenode/namespace/edit_turns.h"
#include "namenode/namespace/graves.h"
#include "namenode/namespace/leases.h"
#include "namenode/namespace/tokens.h"
#include "namenode/namespace/txn.h"
#include "namenode/namespace/writers.h"
#include "namenode/seam.h"
#include "namenode/serve/admin.h"
#include "namenode/serve/namenode_calls.h"
#include "namenode/serve/park.h"
#include "namenode/serve/posix_state.h"
#include "proto/message.h"
#include "rpc/reconfigure.h"
#include "rpc/rpc_server.h"
#include "rpc/wire.h"
#include "tests/fuzz/fuzz.h"

#define CALLS_FUZZ_SERVICES   (5 + ADMIN_SERVICES)
#define CALLS_FUZZ_CALLS_MAX  32
#define CALLS_FUZZ_DEPTH_MAX  4
#define CALLS_FUZZ_INPUTS_MAX 2000 /* then the namespace begins anew */

static struct calls_fuzz {
    char folder[64];
    struct config *config;
    struct namenode nn;
    struct reaper reaper;
    struct rpc_server *server;
    int inputs;
} * calls_fuzz;

static void calls_fuzz_services(struct namenode *nn, struct rpc_service ret[CALLS_FUZZ_SERVICES])
{
    ret[0] = client_calls_service(nn);
    ret[1] = datanode_calls_service(nn);
    ret[2] = datanode_lifeline_service(nn);
    ret[3] = namenode_calls_service(nn);
    admin_services(nn, ret + 4);
    ret[4 + ADMIN_SERVICES] = posix_calls_service(nn);
}

static size_t calls_fuzz_method_count(void)
{
    struct rpc_service services[CALLS_FUZZ_SERVICES];
    size_t count = 0;
    calls_fuzz_services(NULL, services);
    for (size_t i = 0; i < CALLS_FUZZ_SERVICES; i++)
        count += services[i].method_count;
    return count;
}

/* Of all methods, one after another. */
static const struct rpc_method *calls_fuzz_method(size_t index, const char **ret_protocol)
{
    struct rpc_service services[CALLS_FUZZ_SERVICES];
    size_t i = 0;
    calls_fuzz_services(NULL, services);
    for (; index >= services[i].method_count; i++)
        index -= services[i].method_count;
    *ret_protocol = services[i].protocol;
    return &services[i].methods[index];
}

static void calls_fuzz_end(void)
{
    struct calls_fuzz *f = STEAL(calls_fuzz);
    if (!f)
        return;
    rpc_server_stop(f->server);
    reconfiguration_free(f->nn.reconfiguration);
    journal_stop(f->nn.journal);
    blocks_free(f->nn.blocks);
    parked_free(f->nn.parked);
    posix_state_close(&f->nn);
    detached_free(f->nn.detached);
    edit_turns_free(f->nn.edit_turns);
    graves_free(f->nn.graves);
    writers_free(f->nn.writers);
    cache_pools_free(f->nn.cache_pools);
    tokens_free(f->nn.tokens);
    leases_free(f->nn.leases);
    fsdir_free(f->nn.dir);
    store_close(f->nn.store);
    config_free(f->config);
    if (file_remove_tree(f->folder, NULL))
        abort();
    free(f);
}

static void calls_fuzz_datanode(struct calls_fuzz *f, uint64_t now_ms)
{
    struct arena a;
    struct datanode *node = NULL;
    struct datanode_commands commands;
    struct full_report report;
    struct datanode_registration r = {.uuid = "node",
                                      .ip = "127.0.0.1",
                                      .hostname = "localhost",
                                      .software_version = "3.4.1",
                                      .xfer_port = 9866,
                                      .ipc_port = 9867};
    struct storage_report s = {.uuid = "DS-1", .type = 1, .capacity_bytes = 1ull << 50, .remaining_bytes = 1ull << 49};
    struct heartbeat h = {.storages = &s, .storage_count = 1};
    arena_init(&a, 1 << 20);
    if (blocks_register(f->nn.blocks, &r, now_ms, &node, NULL) ||
        blocks_heartbeat(f->nn.blocks, node, &h, now_ms, &a, &commands, NULL) ||
        blocks_report_begin(f->nn.blocks, node, "DS-1", 1, 0, now_ms, &report, NULL) ||
        blocks_report_end(f->nn.blocks, &report, now_ms, NULL))
        abort();
    blocks_safe_mode(f->nn.blocks, SAFE_MODE_FORCE_EXIT, now_ms);
    arena_free(&a);
}

static void calls_fuzz_begin(void)
{
    struct calls_fuzz *f = calls_fuzz = mem_new(struct calls_fuzz);
    struct namenode *nn = &f->nn;
    struct fsdir_options o;
    struct blocks_options options;
    struct blocks_seam seam = namespace_seam(nn);
    uint64_t now_ms = (uint64_t)clock_mono_ms();
    char path[128];
    static bool ends;
    log_set_level(LOG_LEVEL_ERROR);
    snprintf(f->folder, sizeof f->folder, "/tmp/cairn-calls-fuzz-XXXXXX");
    if (!mkdtemp(f->folder))
        abort();
    snprintf(path, sizeof path, "%s/meta", f->folder);
    nn->config = f->config = config_new();
    nn->stopping = true; /* no call is parked: there is nobody to take it up again */
    nn->reaper = &f->reaper;
    pthread_mutex_init(&nn->lock, NULL);
    pthread_cond_init(&nn->housekeeping_wake, NULL);
    nn->ids = (struct namenode_ids){"/a", "/a", 1, 1}; /* what the seeds have */
    admin_open(nn);
    fsdir_options_from_config(&o, f->config);
    o.superuser = "root";
    blocks_options_from_config(&options, f->config);
    options.pool_id = nn->ids.block_pool_id;
    if (store_open(path, &nn->store, NULL) || journal_start(nn->store, NULL, &nn->journal, NULL) ||
        fsdir_open(nn->store, nn->journal, &o, 1, &nn->dir, NULL) ||
        cache_pools_load(nn->store, &nn->cache_pools, NULL) ||
        config_set(f->config, "dfs.namenode.delegation.token.always-use", "true", "fuzz", NULL) ||
        tokens_load(nn->store, f->config, &nn->tokens, NULL) || housekeeping_tokens(nn, NULL))
        abort();
    nn->leases = leases_new(60000, 1200000, 30000);
    nn->writers = writers_new();
    nn->detached = detached_new();
    nn->edit_turns = edit_turns_new();
    if (graves_load(nn->store, 0, &nn->graves, NULL))
        abort();
    nn->parked = parked_new();
    if (posix_state_open(nn, NULL))
        abort();
    nn->blocks = blocks_new(&options, &seam, now_ms);
    calls_fuzz_datanode(f, now_ms);
    struct rpc_service services[CALLS_FUZZ_SERVICES];
    calls_fuzz_services(nn, services);
    struct rpc_server_options server = {.listen = {"127.0.0.1", 0},
                                        .loops = 1,
                                        .pool_threads = 1,
                                        .services = services,
                                        .service_count = CALLS_FUZZ_SERVICES};
    if (rpc_server_start(&server, &f->server, NULL))
        abort();
    if (!ends)
        atexit(calls_fuzz_end);
    ends = true;
}

/* ---- frames ---- */

static void calls_fuzz_frame(struct buf *to, int32_t id, size_t index, struct slice body)
{
    const char *protocol;
    const char *method = calls_fuzz_method(index, &protocol)->name;
    const uint8_t client[16] = "calls-fuzz-12345";
    Hdfs__MsyncRequestProto empty = HDFS__MSYNC_REQUEST_PROTO__INIT;
    size_t begin = to->len;
    rpc_frame_request(to, id, 0, (struct slice){client, 16}, protocol, method, &empty.base);
    to->len--; /* the empty message's length */
    for (size_t left = body.len;; left >>= 7) {
        uint8_t byte = (uint8_t)((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
        buf_append(to, &byte, 1);
        if (left <= 0x7f)
            break;
    }
    buf_append(to, body.base, body.len);
    uint32_t len = (uint32_t)(to->len - begin - 4);
    for (int i = 0; i < 4; i++)
        to->base[begin + (size_t)i] = (uint8_t)(len >> (24 - 8 * i));
}

static void calls_fuzz_frames(struct buf *to, struct slice in)
{
    size_t methods = calls_fuzz_method_count();
    for (int32_t id = 0; in.len >= 3 && id < CALLS_FUZZ_CALLS_MAX; id++) {
        size_t len = (size_t)(in.base[1] | in.base[2] << 8), taken = len < in.len - 3 ? len : in.len - 3;
        calls_fuzz_frame(to, id, in.base[0] % methods, (struct slice){in.base + 3, taken});
        in = (struct slice){in.base + 3 + taken, in.len - 3 - taken};
    }
}

/* ---- seeds: each method with what its message requires ---- */

static ProtobufCMessage *calls_fuzz_message(struct arena *a, const ProtobufCMessageDescriptor *type, int depth)
{
    ProtobufCMessage *m = arena_zalloc(a, type->sizeof_message);
    type->message_init(m);
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &type->fields[i];
        void *at = (char *)m + f->offset;
        if (f->label != PROTOBUF_C_LABEL_REQUIRED)
            continue;
        if (f->type == PROTOBUF_C_TYPE_STRING)
            *(const char **)at = strstr(f->name, "lient") || !strcmp(f->name, "holder") ? "me"
                                 : !strcmp(f->name, "softwareVersion")                  ? "3.4.1"
                                                                                        : "/a";
        else if (f->type == PROTOBUF_C_TYPE_MESSAGE && depth < CALLS_FUZZ_DEPTH_MAX)
            *(ProtobufCMessage **)at = calls_fuzz_message(a, f->descriptor, depth + 1);
        else if (f->type == PROTOBUF_C_TYPE_ENUM)
            *(int *)at = ((const ProtobufCEnumDescriptor *)f->descriptor)->values[0].value;
        else if (f->type == PROTOBUF_C_TYPE_UINT64 || f->type == PROTOBUF_C_TYPE_INT64)
            *(uint64_t *)at = !strcmp(f->name, "blockSize")                                       ? 1 << 20
                              : strstr(f->name, "parent") && !strcmp(type->package_name, "cairn") ? INODE_ROOT
                                                                                                  : 1;
        else if (f->type == PROTOBUF_C_TYPE_UINT32 || f->type == PROTOBUF_C_TYPE_INT32)
            *(uint32_t *)at = 1;
    }
    return m;
}

FUZZ_SEEDS(namenode_calls)
{
    struct arena a;
    AUTO(buf_free) struct buf calls = {0};
    size_t methods = calls_fuzz_method_count();
    arena_init(&a, 1 << 22);
    for (size_t i = 0; i < methods; i++) {
        const char *protocol;
        AUTO(buf_free) struct buf body = {0};
        message_pack(&body, calls_fuzz_message(&a, calls_fuzz_method(i, &protocol)->request, 0));
        const uint8_t head[] = {(uint8_t)i, (uint8_t)body.len, (uint8_t)(body.len >> 8)};
        buf_append(&calls, head, sizeof head);
        buf_append(&calls, body.base, body.len);
        if (i % 3 != 2 && i + 1 < methods)
            continue;
        fuzz_seed(seeds, calls.base, calls.len);
        buf_clear(&calls);
    }
    arena_free(&a);
}

FUZZ_RUN(namenode_calls)
{
    struct err err;
    int fd;
    if (calls_fuzz && calls_fuzz->inputs >= CALLS_FUZZ_INPUTS_MAX)
        calls_fuzz_end();
    if (!calls_fuzz)
        calls_fuzz_begin();
    calls_fuzz->inputs++;
    struct net_address address = {"127.0.0.1", rpc_server_port(calls_fuzz->server)};
    if (net_connect(&address, NULL, 5000, &fd, &err) < 0)
        return; /* out of ports for a moment */
    net_set_timeouts(fd, 20000, 20000);
    struct linger reset = {1, 0}; /* no TIME_WAIT: there are thousands of these */
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    AUTO(buf_free) struct buf out = {0};
    Hrpc__IpcConnectionContextProto context = HRPC__IPC_CONNECTION_CONTEXT_PROTO__INIT;
    Hrpc__UserInformationProto user = HRPC__USER_INFORMATION_PROTO__INIT;
    user.effectiveuser = (char *)(in.len && in.base[0] & 0x80 ? "nobody" : "root");
    context.userinfo = &user;
    buf_append(&out, "hrpc\x09\0\0", 7);
    rpc_frame_request(&out, RPC_CALL_CONTEXT, -1, (struct slice){0}, NULL, NULL, &context.base);
    calls_fuzz_frames(&out, in);
    if (net_write_full(fd, out.base, out.len, &err) == 0) {
        shutdown(fd, SHUT_WR);
        char bytes[4096];
        ssize_t n;
        while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0)
            ;
        if (n < 0 && errno == EAGAIN)
            abort(); /* it hangs */
    }
    close(fd);
}

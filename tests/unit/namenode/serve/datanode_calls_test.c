/* DatanodeProtocol over a real connection: our RPC server and client, a block manager with a small store of its own. */
#include "../../check.h"

#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/mem.h"
#include "hdfs/client_namenode.pb-c.h"
#include "hdfs/datanode_namenode.pb-c.h"
#include "namenode/blocks/blocks.h"
#include "namenode/journal/journal.h"
#include "namenode/journal/store.h"
#include "namenode/namenode.h"
#include "proto/block_list.h"
#include "rpc/rpc_client.h"
#include "rpc/rpc_server.h"

#define FIRST_ID 1073741825u
#define BLOCKS   5000

struct fixture {
    char folder[64];
    struct namenode nn;
    struct config *config;
    struct rpc_server *server;
    struct rpc_client *client;
    struct arena arena;
    struct block_recovery recovered;
    uint64_t scan_at;
};

/* ---- a store: BLOCKS complete blocks of 1000 bytes, stamp 1000 ---- */

static bool lookup(void *context, uint64_t id, struct block_record *ret)
{
    if (id < FIRST_ID || id >= FIRST_ID + BLOCKS)
        return false;
    *ret = (struct block_record){
        .block_id = id, .gen_stamp = 1000, .bytes = 1000, .replication = 1, .state = BLOCK_COMPLETE};
    return true;
}
static void *scan_open(void *context)
{
    return context;
}
static void scan_seek(void *scan, uint64_t id)
{
    ((struct fixture *)scan)->scan_at = id < FIRST_ID ? FIRST_ID : id;
}
static bool scan_next(void *scan, struct block_record *ret)
{
    return lookup(scan, ((struct fixture *)scan)->scan_at++, ret);
}
static void scan_close(void *scan)
{
}
static uint64_t total(void *context)
{
    return BLOCKS;
}
static void on_min_replicas(void *context, uint64_t id)
{
}
static int on_recovered(void *context, const struct block_recovery *r, uint64_t now_ms, uint64_t *ret_seq,
                        struct err *reterr)
{
    struct fixture *f = context;
    if (r->new_gen_stamp != 77)
        return err_set(reterr, ERR_IO, "The recovery id %d does not match", (int)r->new_gen_stamp);
    f->recovered = *r;
    *ret_seq = 0;
    return 0;
}

/* ---- the daemon around it ---- */

static int set_up(void **state)
{
    log_set_level(LOG_LEVEL_ERROR);
    struct fixture *f = mem_new(struct fixture);
    snprintf(f->folder, sizeof f->folder, "/tmp/datanode_calls_test.XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    f->config = config_new();
    struct err e;
    f->nn.config = f->config;
    f->nn.ids =
        (struct namenode_ids){.cluster_id = "CID-1", .block_pool_id = "BP-1", .namespace_id = 4711, .created_ms = 99};
    pthread_mutex_init(&f->nn.lock, NULL);
    assert_int_equal(store_open(f->folder, &f->nn.store, &e), 0);
    assert_int_equal(journal_start(f->nn.store, NULL, &f->nn.journal, &e), 0);
    struct blocks_options o;
    blocks_options_from_config(&o, f->config);
    o.seed = 1;
    o.pool_id = "BP-1";
    struct blocks_seam seam = {.context = f,
                               .lookup = lookup,
                               .scan_open = scan_open,
                               .scan_seek = scan_seek,
                               .scan_next = scan_next,
                               .scan_close = scan_close,
                               .total_complete_blocks = total,
                               .on_min_replicas = on_min_replicas,
                               .on_recovered = on_recovered};
    f->nn.blocks = blocks_new(&o, &seam, (uint64_t)clock_mono_ms());
    struct rpc_service services[] = {datanode_calls_service(&f->nn)};
    struct rpc_server_options so = {.listen = {.host = "127.0.0.1"}, .services = services, .service_count = 1};
    assert_int_equal(rpc_server_start(&so, &f->server, &e), 0);
    struct net_address address = {.host = "127.0.0.1", .port = rpc_server_port(f->server)};
    struct rpc_client_options co = {.addresses = &address,
                                    .address_count = 1,
                                    .user = "hdfs",
                                    .protocol = "org.apache.hadoop.hdfs.server.protocol.DatanodeProtocol"};
    assert_int_equal(rpc_client_new(&co, &f->client, &e), 0);
    arena_init(&f->arena, 64 << 20);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    rpc_client_free(f->client);
    rpc_server_stop(f->server);
    blocks_free(f->nn.blocks);
    journal_stop(f->nn.journal);
    store_close(f->nn.store);
    config_free(f->config);
    arena_free(&f->arena);
    assert_int_equal(file_remove_tree(f->folder, NULL), 0);
    free(f);
    return 0;
}

/* ---- a datanode ---- */

struct registration {
    Hdfs__DatanodeIDProto id;
    Hdfs__StorageInfoProto storage;
    Hdfs__BlockKeyProto key;
    Hdfs__ExportedBlockKeysProto keys;
    Hdfs__DatanodeRegistrationProto r;
};
static Hdfs__DatanodeRegistrationProto *registration(struct registration *x)
{
    hdfs__datanode_idproto__init(&x->id);
    x->id.ipaddr = (char *)"127.0.0.7";
    x->id.hostname = (char *)"node7";
    x->id.datanodeuuid = (char *)"uuid-7";
    x->id.xferport = 9866;
    x->id.infoport = 9864;
    x->id.ipcport = 9867;
    hdfs__storage_info_proto__init(&x->storage);
    x->storage.layoutversion = (uint32_t)-57;
    x->storage.namespceid = 4711;
    x->storage.clusterid = (char *)"CID-1";
    x->storage.ctime = 99;
    hdfs__block_key_proto__init(&x->key);
    hdfs__exported_block_keys_proto__init(&x->keys);
    x->keys.currentkey = &x->key;
    hdfs__datanode_registration_proto__init(&x->r);
    x->r.datanodeid = &x->id;
    x->r.storageinfo = &x->storage;
    x->r.keys = &x->keys;
    x->r.softwareversion = (char *)"3.4.1";
    return &x->r;
}

static void *call(struct fixture *f, const char *method, const void *request, const ProtobufCMessageDescriptor *type)
{
    ProtobufCMessage *response = NULL;
    struct err e = {0};
    int rc = rpc_client_call(f->client, method, request, type, &f->arena, &response, &e);
    if (rc)
        fail_msg("%s: %s", method, e.text);
    return response;
}
static void call_fails(struct fixture *f, const char *method, const void *request,
                       const ProtobufCMessageDescriptor *type, int code, const char *text)
{
    ProtobufCMessage *response = NULL;
    struct err e = {0};
    assert_int_equal(rpc_client_call(f->client, method, request, type, &f->arena, &response, &e), code);
    if (!strstr(e.text, text))
        fail_msg("%s: '%s' lacks '%s'", method, e.text, text);
}

static Hdfs__DatanodeRegistrationProto *do_register(struct fixture *f, Hdfs__DatanodeRegistrationProto *r)
{
    Hdfs__RegisterDatanodeRequestProto request = HDFS__REGISTER_DATANODE_REQUEST_PROTO__INIT;
    request.registration = r;
    Hdfs__RegisterDatanodeResponseProto *response =
        call(f, "registerDatanode", &request, &hdfs__register_datanode_response_proto__descriptor);
    return response->registration;
}
static Hdfs__HeartbeatResponseProto *do_heartbeat(struct fixture *f, Hdfs__DatanodeRegistrationProto *r)
{
    Hdfs__DatanodeStorageProto storage = HDFS__DATANODE_STORAGE_PROTO__INIT;
    storage.storageuuid = (char *)"DS-7";
    Hdfs__StorageReportProto report = HDFS__STORAGE_REPORT_PROTO__INIT, *reports = &report;
    report.storageuuid = (char *)"DS-7";
    report.storage = &storage;
    report.has_capacity = report.has_remaining = report.has_dfsused = true;
    report.capacity = 1 << 30;
    report.remaining = 1 << 29;
    report.dfsused = 1 << 20;
    Hdfs__HeartbeatRequestProto request = HDFS__HEARTBEAT_REQUEST_PROTO__INIT;
    request.registration = r;
    request.n_reports = 1;
    request.reports = &reports;
    request.has_requestfullblockreportlease = true;
    request.requestfullblockreportlease = true;
    return call(f, "sendHeartbeat", &request, &hdfs__heartbeat_response_proto__descriptor);
}
static void report_request(struct fixture *f, Hdfs__DatanodeRegistrationProto *r, size_t count, uint64_t first,
                           struct block_list *list, Hdfs__BlockReportRequestProto *ret)
{
    for (size_t i = 0; i < count; i++) {
        struct block_list_entry e = {.block_id = first + i, .length_bytes = 1000, .gen_stamp = 1000, .xxh3 = i + 1};
        block_list_add(list, &e);
    }
    Hdfs__StorageBlockReportProto **reports = arena_array(&f->arena, Hdfs__StorageBlockReportProto *, 1);
    reports[0] = arena_new(&f->arena, Hdfs__StorageBlockReportProto);
    hdfs__storage_block_report_proto__init(reports[0]);
    reports[0]->storage = arena_new(&f->arena, Hdfs__DatanodeStorageProto);
    hdfs__datanode_storage_proto__init(reports[0]->storage);
    reports[0]->storage->storageuuid = (char *)"DS-7";
    block_list_fill(list, reports[0], &f->arena);
    hdfs__block_report_request_proto__init(ret);
    ret->registration = r;
    ret->blockpoolid = (char *)"BP-1";
    ret->n_reports = 1;
    ret->reports = reports;
}

static void version_is_told(void **state)
{
    Hdfs__VersionRequestProto request = HDFS__VERSION_REQUEST_PROTO__INIT;
    Hdfs__VersionResponseProto *v = call(*state, "versionRequest", &request, &hdfs__version_response_proto__descriptor);
    assert_string_equal(v->info->blockpoolid, "BP-1");
    assert_string_equal(v->info->storageinfo->clusterid, "CID-1");
    assert_int_equal(v->info->storageinfo->namespceid, 4711);
    assert_int_equal((int32_t)v->info->storageinfo->layoutversion, -67);
    assert_string_equal(v->info->softwareversion, "3.4.1");
    assert_int_equal(v->info->capabilities & 1, 1);
}

static void registration_keeps_a_loopback_address_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct registration x;
    assert_string_equal(do_register(f, registration(&x))->datanodeid->ipaddr, "127.0.0.7");
    x.id.ipaddr = (char *)"10.1.2.3"; /* not where the call came from */
    assert_string_equal(do_register(f, &x.r)->datanodeid->ipaddr, "127.0.0.1");
    const struct datanode_info *n = blocks_datanode_by_uuid(f->nn.blocks, "uuid-7");
    assert_string_equal(n->ip, "127.0.0.1");
    assert_string_equal(n->hostname, "node7");
    assert_int_equal(n->ipc_port, 9867);
}

static void foreign_and_ancient_datanodes_are_refused(void **state)
{
    struct fixture *f = *state;
    struct registration x;
    Hdfs__RegisterDatanodeRequestProto request = HDFS__REGISTER_DATANODE_REQUEST_PROTO__INIT;
    request.registration = registration(&x);
    const ProtobufCMessageDescriptor *type = &hdfs__register_datanode_response_proto__descriptor;
    x.storage.clusterid = (char *)"CID-other";
    call_fails(f, "registerDatanode", &request, type, ERR_UNREGISTERED_NODE, "CID-other");
    registration(&x);
    x.r.softwareversion = (char *)"1.2.1";
    call_fails(f, "registerDatanode", &request, type, ERR_INCORRECT_VERSION, "1.2.1");
    registration(&x);
    x.id.xferport = 70000;
    call_fails(f, "registerDatanode", &request, type, ERR_ILLEGAL_ARGUMENT, "70000");
    registration(&x);
    x.id.datanodeuuid = (char *)"";
    call_fails(f, "registerDatanode", &request, type, ERR_ILLEGAL_ARGUMENT, "uuid");
}

static void unknown_datanode_is_told_to_register(void **state)
{
    struct registration x;
    Hdfs__HeartbeatResponseProto *h = do_heartbeat(*state, registration(&x));
    assert_int_equal(h->n_cmds, 1);
    assert_int_equal(h->cmds[0]->cmdtype, HDFS__DATANODE_COMMAND_PROTO__TYPE__RegisterCommand);
    assert_int_equal(h->hastatus->state, HDFS__NNHASTATUS_HEARTBEAT_PROTO__STATE__ACTIVE);
}

static void reports_end_safe_mode_and_strangers_are_deleted(void **state)
{
    struct fixture *f = *state;
    struct registration x;
    do_register(f, registration(&x));
    uint64_t lease = do_heartbeat(f, &x.r)->fullblockreportleaseid;
    assert_int_not_equal(lease, 0);
    assert_true(blocks_in_safe_mode(f->nn.blocks));

    struct block_list list = {0};
    Hdfs__BlockReportRequestProto request;
    report_request(f, &x.r, BLOCKS + 10, FIRST_ID, &list, &request); /* ten of them nobody knows */
    Hdfs__BlockReportContextProto context = HDFS__BLOCK_REPORT_CONTEXT_PROTO__INIT;
    context.totalrpcs = 1;
    context.has_leaseid = true;
    context.leaseid = lease + 2;
    request.context = &context;
    call_fails(f, "blockReport", &request, &hdfs__block_report_response_proto__descriptor, ERR_BAD_REPORT_LEASE,
               "lease");
    context.leaseid = lease;
    Hdfs__BlockReportResponseProto *r =
        call(f, "blockReport", &request, &hdfs__block_report_response_proto__descriptor);
    assert_int_equal(r->cmd->cmdtype, HDFS__DATANODE_COMMAND_PROTO__TYPE__FinalizeCommand);
    block_list_free(&list);

    while (blocks_tick(f->nn.blocks, (uint64_t)clock_mono_ms()))
        ;
    assert_false(blocks_in_safe_mode(f->nn.blocks));
    assert_int_equal(blocks_live_replicas(f->nn.blocks, FIRST_ID + BLOCKS - 1), 1);
    journal_written(f->nn.journal); /* what is to be deleted may follow from a change that is not on the disk yet */
    uint64_t syncs = journal_stats(f->nn.journal).syncs;
    Hdfs__HeartbeatResponseProto *h = do_heartbeat(f, &x.r);
    assert_true(journal_stats(f->nn.journal).syncs > syncs);
    assert_int_equal(h->n_cmds, 1);
    assert_int_equal(h->cmds[0]->blkcmd->action, HDFS__BLOCK_COMMAND_PROTO__ACTION__INVALIDATE);
    assert_int_equal(h->cmds[0]->blkcmd->n_blocks, 10);
    assert_string_equal(h->cmds[0]->blkcmd->blockpoolid, "BP-1");
    journal_written(f->nn.journal);
    syncs = journal_stats(f->nn.journal).syncs;
    assert_int_equal(do_heartbeat(f, &x.r)->n_cmds, 0);
    assert_int_equal(journal_stats(f->nn.journal).syncs, syncs); /* that need not wait */
}

static void broken_report_is_refused(void **state)
{
    struct fixture *f = *state;
    struct registration x;
    do_register(f, registration(&x));
    struct block_list list = {0};
    Hdfs__BlockReportRequestProto request;
    report_request(f, &x.r, 100, FIRST_ID, &list, &request);
    request.reports[0]->numberofblocks = 101; /* one more than there is */
    call_fails(f, "blockReport", &request, &hdfs__block_report_response_proto__descriptor, ERR_IO, "");
    request.reports[0]->numberofblocks = 100;
    request.blockpoolid = (char *)"BP-2";
    call_fails(f, "blockReport", &request, &hdfs__block_report_response_proto__descriptor, ERR_IO, "BP-2");
    block_list_free(&list);
}

static void received_deleted_and_bad(void **state)
{
    struct fixture *f = *state;
    struct registration x;
    do_register(f, registration(&x));
    Hdfs__BlockProto block = HDFS__BLOCK_PROTO__INIT;
    block.blockid = FIRST_ID;
    block.genstamp = 1000;
    block.has_numbytes = true;
    block.numbytes = 1000;
    Hdfs__ReceivedDeletedBlockInfoProto info = HDFS__RECEIVED_DELETED_BLOCK_INFO_PROTO__INIT, *infos = &info;
    info.block = &block;
    info.status = HDFS__RECEIVED_DELETED_BLOCK_INFO_PROTO__BLOCK_STATUS__RECEIVED;
    Hdfs__StorageReceivedDeletedBlocksProto storage = HDFS__STORAGE_RECEIVED_DELETED_BLOCKS_PROTO__INIT,
                                            *storages = &storage;
    storage.storageuuid = (char *)"DS-7";
    storage.n_blocks = 1;
    storage.blocks = &infos;
    Hdfs__BlockReceivedAndDeletedRequestProto request = HDFS__BLOCK_RECEIVED_AND_DELETED_REQUEST_PROTO__INIT;
    request.registration = &x.r;
    request.blockpoolid = (char *)"BP-1";
    request.n_blocks = 1;
    request.blocks = &storages;
    const ProtobufCMessageDescriptor *type = &hdfs__block_received_and_deleted_response_proto__descriptor;
    call(f, "blockReceivedAndDeleted", &request, type);
    assert_int_equal(blocks_live_replicas(f->nn.blocks, FIRST_ID), 1);

    Hdfs__ExtendedBlockProto extended = HDFS__EXTENDED_BLOCK_PROTO__INIT;
    extended.poolid = (char *)"BP-1";
    extended.blockid = FIRST_ID;
    extended.generationstamp = 1000;
    Hdfs__DatanodeInfoProto node = HDFS__DATANODE_INFO_PROTO__INIT, *nodes = &node;
    node.id = &x.id;
    Hdfs__TokenProto token = HDFS__TOKEN_PROTO__INIT;
    token.kind = token.service = (char *)"";
    Hdfs__LocatedBlockProto located = HDFS__LOCATED_BLOCK_PROTO__INIT, *locateds = &located;
    located.b = &extended;
    located.blocktoken = &token;
    located.n_locs = 1;
    located.locs = &nodes;
    Hdfs__ReportBadBlocksRequestProto bad = HDFS__REPORT_BAD_BLOCKS_REQUEST_PROTO__INIT;
    bad.n_blocks = 1;
    bad.blocks = &locateds;
    call(f, "reportBadBlocks", &bad, &hdfs__report_bad_blocks_response_proto__descriptor);
    assert_int_equal(blocks_live_replicas(f->nn.blocks, FIRST_ID), 0);

    info.status = HDFS__RECEIVED_DELETED_BLOCK_INFO_PROTO__BLOCK_STATUS__DELETED;
    call(f, "blockReceivedAndDeleted", &request, type);
    struct block_location l[2];
    assert_int_equal(blocks_locations(f->nn.blocks, FIRST_ID, NULL, l, 2), 0);
}

static void recovery_result_reaches_the_namespace(void **state)
{
    struct fixture *f = *state;
    Hdfs__ExtendedBlockProto block = HDFS__EXTENDED_BLOCK_PROTO__INIT;
    block.poolid = (char *)"BP-1";
    block.blockid = FIRST_ID;
    block.generationstamp = 1000;
    Hdfs__CommitBlockSynchronizationRequestProto request = HDFS__COMMIT_BLOCK_SYNCHRONIZATION_REQUEST_PROTO__INIT;
    request.block = &block;
    request.newgenstamp = 77;
    request.newlength = 12;
    request.closefile = true;
    const ProtobufCMessageDescriptor *type = &hdfs__commit_block_synchronization_response_proto__descriptor;
    call_fails(f, "commitBlockSynchronization", &request, type, ERR_SAFE_MODE, "safe mode");
    blocks_safe_mode(f->nn.blocks, SAFE_MODE_LEAVE, 0);
    call(f, "commitBlockSynchronization", &request, type);
    assert_int_equal(f->recovered.new_bytes, 12);
    assert_true(f->recovered.close_file);
    request.newgenstamp = 78;
    call_fails(f, "commitBlockSynchronization", &request, type, ERR_IO, "recovery id 78");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(version_is_told),
        TEST(registration_keeps_a_loopback_address_of_its_own),
        TEST(foreign_and_ancient_datanodes_are_refused),
        TEST(unknown_datanode_is_told_to_register),
        TEST(reports_end_safe_mode_and_strangers_are_deleted),
        TEST(broken_report_is_refused),
        TEST(received_deleted_and_bad),
        TEST(recovery_result_reaches_the_namespace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What the namenode asks for, and for how long that counts. */
#include "tests/unit/check.h"

#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/net.h"
#include "datanode/report/reporter_impl.h"
#include "datanode/store/block_cache.h"
#include "datanode/store/replica_writer.h"

static const struct pool_identity identity = {"BP-1", "CID-1", 42, 1000};
static char folder[64];
static struct datanode dn;
static struct reporter reporter;

/* The only thread for commands has something else to do. */
static struct pool_task busy;
static sem_t go_on, read_on;

/* The disk is slow. */
int mlock(const void *base, size_t len)
{
    (void)base, (void)len;
    sem_wait(&read_on);
    return 0;
}

static void wait_for_go(struct pool_task *task)
{
    (void)task;
    sem_wait(&go_on);
}

static int setup(void **state)
{
    struct err why;
    (void)state;
    strcpy(folder, "/tmp/commands_test.XXXXXX");
    assert_non_null(mkdtemp(folder));
    struct block_store_options o = {.data_dirs = folder};
    if (block_store_open(&o, &dn.store, &why) < 0 || block_store_open_pool(dn.store, &identity, &why) < 0)
        fail_msg("%s", why.text);
    reporter = (struct reporter){.dn = &dn, .changes_due_ms = NEVER_MS};
    dn.reporter = &reporter;
    pthread_mutex_init(&reporter.lock, NULL);
    pthread_mutex_init(&reporter.deletion_lock, NULL);
    pthread_cond_init(&reporter.sender_wake, NULL);
    assert_int_equal(pool_new("commands", 1, &reporter.workers, &why), 0);
    assert_int_equal(pool_new("copies", 2, &reporter.copiers, &why), 0);
    assert_int_equal(pool_new("cache", 1, &reporter.cachers, &why), 0);
    sem_init(&go_on, 0, 0);
    sem_init(&read_on, 0, 0);
    busy.run = wait_for_go;
    pool_submit(reporter.workers, &busy);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    changes_free(&reporter);
    block_store_close(dn.store);
    pthread_cond_destroy(&reporter.sender_wake);
    pthread_mutex_destroy(&reporter.deletion_lock);
    pthread_mutex_destroy(&reporter.lock);
    sem_destroy(&go_on);
    sem_destroy(&read_on);
    return file_remove_tree(folder, NULL);
}

static void make(uint64_t id)
{
    static const uint8_t bytes[16 << 20]; /* more than sockets take */
    struct replica_create c = {.block_id = id, .gen_stamp = 1001, .meta = {CHECKSUM_CRC32C, 512}};
    struct replica_writer *w;
    struct replica_view v;
    struct write_piece p = {.data = bytes, .data_bytes = sizeof bytes};
    assert_int_equal(block_store_create_rbw(dn.store, &c, &w, NULL), 0);
    assert_int_equal(replica_writer_write(w, &p, &c.meta, NULL), 0);
    assert_int_equal(replica_writer_finalize(w, false, &v, NULL), 0);
}

/* to: NULL, or where the replica is to be copied. */
static void tell(Hdfs__BlockCommandProto__Action action, uint64_t id, const struct net_address *to)
{
    Hdfs__DatanodeCommandProto command = HDFS__DATANODE_COMMAND_PROTO__INIT;
    Hdfs__BlockCommandProto blocks = HDFS__BLOCK_COMMAND_PROTO__INIT;
    Hdfs__BlockProto block = HDFS__BLOCK_PROTO__INIT, *list = &block;
    Hdfs__DatanodeInfosProto target = HDFS__DATANODE_INFOS_PROTO__INIT, *targets = &target;
    Hdfs__DatanodeInfoProto info = HDFS__DATANODE_INFO_PROTO__INIT, *infos = &info;
    Hdfs__DatanodeIDProto node = HDFS__DATANODE_IDPROTO__INIT;
    block.blockid = id;
    block.genstamp = 1001;
    blocks.action = action;
    blocks.blockpoolid = (char *)identity.pool_id;
    blocks.blocks = &list;
    blocks.n_blocks = 1;
    if (to) {
        node.ipaddr = (char *)to->host;
        node.xferport = to->port;
        node.hostname = node.datanodeuuid = (char *)"silent";
        info.id = &node;
        target.datanodes = &infos;
        target.n_datanodes = 1;
        blocks.targets = &targets;
        blocks.n_targets = 1;
    }
    command.cmdtype = HDFS__DATANODE_COMMAND_PROTO__TYPE__BlockCommand;
    command.blkcmd = &blocks;
    obey(&reporter, &command);
}

static void tell_to_delete(uint64_t id)
{
    tell(HDFS__BLOCK_COMMAND_PROTO__ACTION__INVALIDATE, id, NULL);
}

/* The namenode was restarted, say, counts the replica because it is reported, and has another one deleted for it. */
static void a_deletion_does_not_outlive_a_registration(void **state)
{
    struct replica_view v;
    (void)state;
    make(1);
    make(2);
    tell_to_delete(1);
    commands_forget(&reporter);
    tell_to_delete(2);
    sem_post(&go_on);
    pool_free(reporter.workers); /* when all is done */
    pool_free(reporter.copiers);
    pool_free(reporter.cachers);
    assert_int_equal(block_store_view(dn.store, 1, &v, NULL), 0);
    assert_int_equal(block_store_view(dn.store, 2, &v, NULL), ERR_REPLICA_NOT_FOUND);
    assert_int_equal(reporter.change_count, 1);
}

static bool is_there(uint64_t id)
{
    struct replica_view v;
    return block_store_view(dn.store, id, &v, NULL) == 0;
}

static void wait_until_gone(uint64_t id)
{
    for (int64_t until_ms = clock_mono_ms() + 20000; is_there(id) && clock_mono_ms() < until_ms;)
        clock_sleep_ms(10);
    assert_false(is_there(id));
}

/* Somebody may wait for a recovery. */
static void copies_that_hang_hold_up_nothing_else(void **state)
{
    struct net_address listen = {.host = "127.0.0.1"}; /* takes connections, and reads nothing */
    int fd;
    (void)state;
    assert_int_equal(net_listen(&listen, &fd, &listen.port, NULL), 0);
    sem_post(&go_on);
    for (uint64_t id = 1; id <= 8; id++) {
        make(id);
        tell(HDFS__BLOCK_COMMAND_PROTO__ACTION__TRANSFER, id, &listen);
    }
    make(9);
    tell_to_delete(9);
    wait_until_gone(9);
    reporter.stopping = true;
    net_closep(&fd); /* they fail */
    pool_free(reporter.workers);
    pool_free(reporter.copiers);
    pool_free(reporter.cachers);
}

static void nor_do_blocks_that_are_read_to_be_cached(void **state)
{
    Hdfs__DatanodeCommandProto command = HDFS__DATANODE_COMMAND_PROTO__INIT;
    Hdfs__BlockIdCommandProto ids = HDFS__BLOCK_ID_COMMAND_PROTO__INIT;
    uint64_t id = 1;
    (void)state;
    make(1);
    make(2);
    dn.cache = block_cache_new(dn.store, 1u << 30);
    ids.action = HDFS__BLOCK_ID_COMMAND_PROTO__ACTION__CACHE;
    ids.blockpoolid = (char *)identity.pool_id;
    ids.blockids = &id;
    ids.n_blockids = 1;
    command.cmdtype = HDFS__DATANODE_COMMAND_PROTO__TYPE__BlockIdCommand;
    command.blkidcmd = &ids;
    obey(&reporter, &command);
    tell_to_delete(2);
    sem_post(&go_on);
    wait_until_gone(2);
    sem_post(&read_on);
    pool_free(reporter.workers);
    pool_free(reporter.copiers);
    pool_free(reporter.cachers);
    assert_true(block_cache_has(dn.cache, 1));
    block_cache_free(dn.cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_deletion_does_not_outlive_a_registration, setup, teardown),
        cmocka_unit_test_setup_teardown(copies_that_hang_hold_up_nothing_else, setup, teardown),
        cmocka_unit_test_setup_teardown(nor_do_blocks_that_are_read_to_be_cached, setup, teardown),
    };
    signal(SIGPIPE, SIG_IGN); /* as the daemon does */
    return cmocka_run_group_tests(tests, NULL, NULL);
}

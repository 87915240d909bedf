/* What calls of ClientProtocol answer at their edges. */
#include "tests/unit/namenode/serve/one_call.h"

#include "common/rd.h"
#include "hdfs/client_namenode.pb-c.h"
#include "namenode/namespace/snapshots.h"
#include "namenode/serve/diff_pages.h"
#include "proto/message.h"

static int setup(void **state)
{
    int rc = fixture_setup(state);
    struct fixture *f = *state;
    blocks_safe_mode(f->nn.blocks, SAFE_MODE_FORCE_EXIT, f->now_ms);
    return rc;
}

/* The answer, in the arena; a failure fails the test. */
static const void *answer(struct fixture *f, struct arena *a, const char *method, const ProtobufCMessage *request,
                          const ProtobufCMessageDescriptor *type)
{
    static int32_t id;
    AUTO(buf_free) struct buf frame = {0};
    struct rpc_response_header h;
    ProtobufCMessage *message = NULL;
    one_call(f, id++, method, request, &frame);
    struct rd rd = rd_of(buf_slice(&frame));
    assert_int_equal(rpc_response_header_decode(rd_slice(&rd, rd_varint(&rd)), &h, ERR(f)), 0);
    assert_int_equal(h.exception_class.len, 0);
    assert_int_equal(message_unpack(type, rd_slice(&rd, rd_varint(&rd)), a, &message, ERR(f)), 0);
    return message;
}

/* ---- files of lost blocks ---- */

/* A file of one block that no datanode has. */
static void make_lost(struct fixture *f, const char *path)
{
    struct file_create_args args = {.path = path,
                                    .client_name = "writer",
                                    .client_machine = "127.0.0.1",
                                    .replication = 1,
                                    .block_bytes = 4096,
                                    .create = true,
                                    .create_parents = true};
    assert_int_equal(IN_TXN(f, ({
                                struct inode *n = NULL;
                                int rc = file_create(o, &f->root, &args, &n, ERR(f));
                                struct file_block *b = txn_add_block(t, n);
                                txn_set_block(t, n, b, b->stamp, 4096, BLOCK_COMPLETE);
                                txn_close_file(t, n);
                                rc;
                            })),
                     0);
}

static const Hdfs__CorruptFileBlocksProto *list_lost(struct fixture *f, struct arena *a, const char *path,
                                                     const char *cookie)
{
    Hdfs__ListCorruptFileBlocksRequestProto q = HDFS__LIST_CORRUPT_FILE_BLOCKS_REQUEST_PROTO__INIT;
    q.path = (char *)(uintptr_t)path;
    q.cookie = (char *)(uintptr_t)cookie;
    const Hdfs__ListCorruptFileBlocksResponseProto *all =
        answer(f, a, "listCorruptFileBlocks", &q.base, &hdfs__list_corrupt_file_blocks_response_proto__descriptor);
    return all->corrupt;
}

static void test_lost_files_are_found_behind_many_others(void **state)
{
    struct fixture *f = *state;
    struct arena a;
    char path[32];
    arena_init(&a, 1 << 20);
    for (int i = 0; i < 150; i++) {
        snprintf(path, sizeof path, "/a/%d", i);
        make_lost(f, path);
    }
    make_lost(f, "/b/f");
    make_lost(f, "/bb");
    const Hdfs__CorruptFileBlocksProto *l = list_lost(f, &a, "/b/", NULL);
    assert_int_equal(l->n_files, 1); /* clients stop at the first answer that names none */
    assert_string_equal(l->files[0], "/b/f");
    assert_int_equal(list_lost(f, &a, "/b/", l->cookie)->n_files, 0);
    l = list_lost(f, &a, "/", NULL);
    assert_int_equal(l->n_files, 100);
    assert_string_equal(l->files[99], "/a/99");
    l = list_lost(f, &a, "/", l->cookie);
    assert_int_equal(l->n_files, 52);
    assert_int_equal(list_lost(f, &a, "/", l->cookie)->n_files, 0);
    arena_free(&a);
}

/* ---- sums ---- */

static void test_a_link_is_summed_up_as_itself(void **state)
{
    struct fixture *f = *state;
    struct arena a;
    arena_init(&a, 1 << 20);
    mkdirs(f, "/d");
    assert_int_equal(IN_TXN(f, tree_symlink(t, &f->root, "/nowhere", "/d/link", false, ERR(f))), 0);
    Hdfs__GetContentSummaryRequestProto q = HDFS__GET_CONTENT_SUMMARY_REQUEST_PROTO__INIT;
    q.path = (char *)(uintptr_t) "/d/link";
    const Hdfs__GetContentSummaryResponseProto *r =
        answer(f, &a, "getContentSummary", &q.base, &hdfs__get_content_summary_response_proto__descriptor);
    assert_int_equal(r->summary->filecount, 1);
    assert_int_equal(r->summary->directorycount, 0);
    assert_int_equal(r->summary->length, 0);
    arena_free(&a);
}

/* ---- cache pools ---- */

static void test_a_pool_has_its_makers_first_group(void **state)
{
    struct fixture *f = *state;
    struct arena a;
    arena_init(&a, 1 << 20);
    user_groups_fix("root=wheel,staff;");
    user_groups_forget();
    Hdfs__AddCachePoolRequestProto q = HDFS__ADD_CACHE_POOL_REQUEST_PROTO__INIT;
    Hdfs__CachePoolInfoProto info = HDFS__CACHE_POOL_INFO_PROTO__INIT;
    info.poolname = (char *)(uintptr_t) "pool";
    q.info = &info;
    (void)answer(f, &a, "addCachePool", &q.base, &hdfs__add_cache_pool_response_proto__descriptor);
    user_groups_fix("");
    user_groups_forget();
    Hdfs__ListCachePoolsRequestProto list = HDFS__LIST_CACHE_POOLS_REQUEST_PROTO__INIT;
    list.prevpoolname = (char *)(uintptr_t) "";
    const Hdfs__ListCachePoolsResponseProto *r =
        answer(f, &a, "listCachePools", &list.base, &hdfs__list_cache_pools_response_proto__descriptor);
    assert_string_equal(r->entries[0]->info->ownername, "root");
    assert_string_equal(r->entries[0]->info->groupname, "wheel");
    arena_free(&a);
}

/* ---- differences between snapshots ---- */

static const Hdfs__SnapshotDiffReportListingProto *list_differences(struct fixture *f, struct arena *a,
                                                                    Hdfs__SnapshotDiffReportCursorProto *from)
{
    Hdfs__GetSnapshotDiffReportListingRequestProto q = HDFS__GET_SNAPSHOT_DIFF_REPORT_LISTING_REQUEST_PROTO__INIT;
    q.snapshotroot = (char *)(uintptr_t) "/d";
    q.fromsnapshot = (char *)(uintptr_t) "s";
    q.tosnapshot = (char *)(uintptr_t) "";
    q.cursor = from;
    const Hdfs__GetSnapshotDiffReportListingResponseProto *r =
        answer(f, a, "getSnapshotDiffReportListing", &q.base,
               &hdfs__get_snapshot_diff_report_listing_response_proto__descriptor);
    return r->diffreport;
}

static void assert_created(const Hdfs__SnapshotDiffReportListingProto *l, size_t i, const char *name)
{
    assert_int_equal(l->createdentries[i]->fullpath.len, strlen(name));
    assert_memory_equal(l->createdentries[i]->fullpath.data, name, strlen(name));
}

static void test_pages_of_differences_are_of_one_moment(void **state)
{
    struct fixture *f = *state;
    struct arena a;
    const char *path = NULL;
    arena_init(&a, 1 << 20);
    assert_int_equal(config_set(f->config, "dfs.namenode.snapshotdiff.listing.limit", "2", "test", ERR(f)), 0);
    mkdirs(f, "/d");
    assert_int_equal(IN_TXN(f, snapshot_allow(t, "/d", ERR(f))), 0);
    assert_int_equal(IN_TXN(f, snapshot_create(t, &f->root, "/d", "s", &path, ERR(f))), 0);
    mkdirs(f, "/d/b");
    mkdirs(f, "/d/c");
    mkdirs(f, "/d/e");
    f->nn.diff_pages = diff_pages_new();
    const Hdfs__SnapshotDiffReportListingProto *l = list_differences(f, &a, NULL);
    assert_int_equal(l->n_modifiedentries, 1);
    assert_int_equal(l->n_createdentries, 1);
    assert_created(l, 0, "b");
    mkdirs(f, "/d/a");
    l = list_differences(f, &a, l->cursor);
    assert_int_equal(l->n_modifiedentries, 0);
    assert_int_equal(l->n_createdentries, 2);
    assert_created(l, 0, "c");
    assert_created(l, 1, "e");
    assert_int_equal(l->cursor->index, -1);
    l = list_differences(f, &a, NULL); /* a listing that begins sees what is there now */
    assert_created(l, 0, "a");
    diff_pages_tick(f->nn.diff_pages, UINT64_MAX); /* and goes on, though nothing is kept any more */
    l = list_differences(f, &a, l->cursor);
    assert_created(l, 0, "b");
    assert_created(l, 1, "c");
    diff_pages_free(STEAL(f->nn.diff_pages));
    l = list_differences(f, &a, l->cursor);
    assert_created(l, 0, "e");
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lost_files_are_found_behind_many_others, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_link_is_summed_up_as_itself, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_pool_has_its_makers_first_group, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_pages_of_differences_are_of_one_moment, setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

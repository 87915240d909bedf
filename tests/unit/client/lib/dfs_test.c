/* The connection: which namenode is meant, symbolic links on the way, pages of listings, defaults. */
#include "tests/unit/check.h"

#include "client/lib/dfs.h"
#include "common/mem.h"
#include "hdfs/client_namenode.pb-c.h"
#include "rpc/rpc_client.h"
#include "rpc/rpc_server.h"

/* ---- a namenode that knows links: /link, /dots -> /real, /loop -> /loop, /away -> another file system ---- */

struct fake {
    struct rpc_server *server;
    struct dfs *fs;
    _Atomic int calls;
    char renamed[256];
};

static bool unresolved(struct rpc_call *call, const char *path)
{
    struct err why = {0};
    char text[20000];
    if (strncmp(path, "/link/", 6) == 0 || strcmp(path, "/link") == 0)
        snprintf(text, sizeof text, "/real%s\n\tat somewhere", path + 5);
    else if (strncmp(path, "/loop", 5) == 0)
        snprintf(text, sizeof text, "%s", path);
    else if (strncmp(path, "/away", 5) == 0)
        snprintf(text, sizeof text, "hdfs://elsewhere:8020/x");
    else if (strncmp(path, "/dots/", 6) == 0)
        snprintf(text, sizeof text, "/a/../real/%s", path + 6);
    else
        return false;
    err_set(&why, ERR_UNRESOLVED_PATH, "%s", text);
    rpc_call_prepare_fail_text(call, &why, text);
    rpc_call_send(call);
    return true;
}

static Hdfs__HdfsFileStatusProto *status_named(struct arena *a, const char *name)
{
    Hdfs__HdfsFileStatusProto *s = arena_new(a, Hdfs__HdfsFileStatusProto);
    hdfs__hdfs_file_status_proto__init(s);
    s->permission = arena_new(a, Hdfs__FsPermissionProto);
    hdfs__fs_permission_proto__init(s->permission);
    s->permission->perm = 040755;
    s->filetype = HDFS__HDFS_FILE_STATUS_PROTO__FILE_TYPE__IS_DIR;
    s->owner = arena_strdup(a, name); /* so that the test sees which path was asked for */
    s->group = "g";
    s->path = (ProtobufCBinaryData){strlen(name), (uint8_t *)arena_strdup(a, name)};
    return s;
}

static void serve_info(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    struct fake *f = context;
    const char *src = ((const Hdfs__GetFileInfoRequestProto *)request)->src;
    f->calls++;
    if (unresolved(call, src))
        return;
    Hdfs__GetFileInfoResponseProto response = HDFS__GET_FILE_INFO_RESPONSE_PROTO__INIT;
    if (strcmp(src, "/none") != 0)
        response.fs = status_named(rpc_call_arena(call), src);
    rpc_call_reply(call, &response.base);
}

static void serve_rename(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    struct fake *f = context;
    const Hdfs__RenameRequestProto *req = (const void *)request;
    if (unresolved(call, req->src) || unresolved(call, req->dst))
        return;
    snprintf(f->renamed, sizeof f->renamed, "%s %s", req->src, req->dst);
    Hdfs__RenameResponseProto response = HDFS__RENAME_RESPONSE_PROTO__INIT;
    response.result = 1;
    rpc_call_reply(call, &response.base);
}

#define ENTRIES 2500
static void serve_listing(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    (void)context;
    const Hdfs__GetListingRequestProto *req = (const void *)request;
    struct arena *a = rpc_call_arena(call);
    Hdfs__GetListingResponseProto response = HDFS__GET_LISTING_RESPONSE_PROTO__INIT;
    Hdfs__DirectoryListingProto list = HDFS__DIRECTORY_LISTING_PROTO__INIT;
    if (strcmp(req->src, "/liar") == 0) { /* always more, never anything */
        list.remainingentries = 5;
        response.dirlist = &list;
    } else if (strncmp(req->src, "/evil", 5) == 0) {
        list.partiallisting = arena_array(a, Hdfs__HdfsFileStatusProto *, 1);
        list.partiallisting[list.n_partiallisting++] = status_named(a, req->src + 5);
        response.dirlist = &list;
    } else if (strcmp(req->src, "/none") != 0) {
        char after[32] = "";
        if (req->startafter.len)
            memcpy(after, req->startafter.data, req->startafter.len < 31 ? req->startafter.len : 31);
        unsigned from = *after ? (unsigned)atoi(after + 1) + 1 : 0;
        list.partiallisting = arena_array(a, Hdfs__HdfsFileStatusProto *, 1000);
        for (unsigned i = from; i < ENTRIES && list.n_partiallisting < 1000; i++)
            list.partiallisting[list.n_partiallisting++] = status_named(a, arena_printf(a, "f%04u", i));
        list.remainingentries = ENTRIES - from - (unsigned)list.n_partiallisting;
        response.dirlist = &list;
    }
    rpc_call_reply(call, &response.base);
}

static void serve_defaults(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    (void)request;
    ((struct fake *)context)->calls++;
    Hdfs__FsServerDefaultsProto d = HDFS__FS_SERVER_DEFAULTS_PROTO__INIT;
    d.blocksize = 1 << 20;
    d.bytesperchecksum = 512;
    d.has_checksumtype = 1;
    d.checksumtype = HDFS__CHECKSUM_TYPE_PROTO__CHECKSUM_CRC32C;
    Hdfs__GetServerDefaultsResponseProto response = HDFS__GET_SERVER_DEFAULTS_RESPONSE_PROTO__INIT;
    response.serverdefaults = &d;
    rpc_call_reply(call, &response.base);
}

static int start(void **state)
{
    static const struct rpc_method methods[] = {
        RPC_METHOD("getFileInfo", hdfs__get_file_info, serve_info, 0),
        RPC_METHOD("rename", hdfs__rename, serve_rename, 0),
        RPC_METHOD("getListing", hdfs__get_listing, serve_listing, 0),
        RPC_METHOD("getServerDefaults", hdfs__get_server_defaults, serve_defaults, 0),
    };
    struct fake *f = mem_new(struct fake);
    struct rpc_service service = {"org.apache.hadoop.hdfs.protocol.ClientProtocol", methods, ARRAY_COUNT(methods), f};
    struct rpc_server_options options = {.listen = {"127.0.0.1", 0}, .services = &service, .service_count = 1};
    assert_int_equal(rpc_server_start(&options, &f->server, NULL), 0);
    struct config *c = config_new();
    char uri[64];
    snprintf(uri, sizeof uri, "hdfs://127.0.0.1:%u/ignored", rpc_server_port(f->server));
    assert_int_equal(dfs_connect(c, uri, "ada", &f->fs, NULL), 0);
    config_free(c);
    *state = f;
    return 0;
}

static int stop(void **state)
{
    struct fake *f = *state;
    dfs_unref(f->fs);
    rpc_server_stop(f->server);
    free(f);
    return 0;
}

static const char *resolved(struct fake *f, const char *path, struct arena *a)
{
    struct dfs_status s;
    struct err e;
    if (dfs_stat(f->fs, path, a, &s, &e) < 0)
        fail_msg("%s: %s", path, e.text);
    return s.owner;
}

static void links_are_followed(void **state)
{
    struct fake *f = *state;
    struct arena a;
    arena_init(&a, 1 << 20);
    assert_string_equal(resolved(f, "/plain", &a), "/plain");
    assert_string_equal(resolved(f, "/link/x/y", &a), "/real/x/y");
    assert_string_equal(resolved(f, "/link", &a), "/real");
    assert_string_equal(resolved(f, "/dots/x", &a), "/real/x");
    struct dfs_status s;
    assert_int_equal(dfs_stat(f->fs, "/plain", &a, &s, NULL), 0);
    assert_int_equal(s.mode, 0755); /* no type bits */
    arena_free(&a);
}

static void a_path_behind_a_link_may_be_long(void **state)
{
    struct fake *f = *state;
    struct arena a;
    char path[8000], want[8000];
    for (size_t len = 800; len < sizeof path; len += 7) {
        arena_init(&a, 1 << 20);
        memset(path, 'x', len);
        memcpy(path, "/link/", 6);
        path[len - 1] = 0;
        snprintf(want, sizeof want, "/real%s", path + 5);
        assert_string_equal(resolved(f, path, &a), want);
        arena_free(&a);
    }
}

/* Every link's path takes room: what does not fit is an error, not the end of the process. */
static void paths_behind_links_are_bounded(void **state)
{
    struct fake *f = *state;
    struct arena a;
    struct dfs_status s;
    char path[8000];
    memset(path, 'x', sizeof path);
    memcpy(path, "/loop/", 6);
    path[sizeof path - 1] = 0;
    arena_init(&a, 100000);
    assert_int_equal(dfs_stat(f->fs, path, &a, &s, NULL), ERR_NAME_TOO_LONG);
    arena_free(&a);
}

static void links_that_lead_nowhere_are_named(void **state)
{
    struct fake *f = *state;
    struct arena a;
    arena_init(&a, 1 << 20);
    struct dfs_status s;
    struct err e;
    f->calls = 0;
    assert_int_equal(dfs_stat(f->fs, "/loop/x", &a, &s, &e), ERR_UNRESOLVED_PATH);
    assert_non_null(strstr(e.text, "/loop/x"));
    assert_in_range(f->calls, 2, 40);
    assert_int_equal(dfs_stat(f->fs, "/away/x", &a, &s, &e), ERR_UNRESOLVED_PATH);
    assert_non_null(strstr(e.text, "elsewhere"));
    assert_int_equal(dfs_stat(f->fs, "/away/x", &a, &s, NULL), ERR_UNRESOLVED_PATH);
    assert_int_equal(dfs_stat(f->fs, "/none", &a, &s, &e), ERR_NOT_FOUND);
    assert_non_null(strstr(e.text, "/none"));
    arena_free(&a);
}

static void a_rename_resolves_both_folders_but_not_the_names(void **state)
{
    struct fake *f = *state;
    bool done = false;
    assert_int_equal(dfs_rename(f->fs, "/link/a", "/plain/b", &done, NULL), 0);
    assert_true(done);
    assert_string_equal(f->renamed, "/real/a /plain/b");
    assert_int_equal(dfs_rename(f->fs, "/plain/a", "/link/c/b", &done, NULL), 0);
    assert_string_equal(f->renamed, "/plain/a /real/c/b");
}

static void listings_come_in_pages(void **state)
{
    struct fake *f = *state;
    struct arena a;
    arena_init(&a, 64 << 20);
    struct dfs_listing l;
    struct err e;
    assert_int_equal(dfs_list_all(f->fs, "/dir", &a, &l, NULL), 0);
    assert_int_equal(l.count, ENTRIES);
    for (unsigned i = 0; i < ENTRIES; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%04u", i);
        assert_string_equal(l.entries[i].name, name);
    }
    assert_int_equal(dfs_list_all(f->fs, "/none", &a, &l, &e), ERR_NOT_FOUND);
    assert_int_equal(dfs_list_all(f->fs, "/liar", &a, &l, &e), ERR_PROTOCOL);
    assert_int_equal(dfs_list_all(f->fs, "/evil..", &a, &l, &e), ERR_PROTOCOL);
    assert_int_equal(dfs_list_all(f->fs, "/evil../x", &a, &l, &e), ERR_PROTOCOL);
    assert_int_equal(dfs_list_all(f->fs, "/evil/etc/passwd", &a, &l, &e), ERR_PROTOCOL);
    assert_int_equal(dfs_list_all(f->fs, "/evil...", &a, &l, &e), 0);
    arena_free(&a);
}

static void what_does_not_fit_the_arena_is_an_error(void **state)
{
    struct fake *f = *state;
    struct dfs_listing l;
    for (size_t max = 1000; max < 4 << 20; max = max * 3 / 2) {
        struct arena a;
        struct err e;
        arena_init(&a, max);
        int rc = dfs_list_all(f->fs, "/dir", &a, &l, &e);
        assert_true(rc == 0 || rc == ERR_TOO_LARGE || rc == ERR_PROTOCOL);
        arena_free(&a);
    }
}

static void defaults_are_asked_for_once(void **state)
{
    struct fake *f = *state;
    struct dfs_server_defaults d;
    f->calls = 0;
    for (int i = 0; i < 3; i++)
        assert_int_equal(dfs_get_server_defaults(f->fs, &d, NULL), 0);
    assert_int_equal(f->calls, 1);
    assert_int_equal(d.block_bytes, 1 << 20);
}

/* ---- which namenode ---- */

static int connect_with(const char *const settings[][2], size_t count, const char *uri, struct dfs **ret,
                        struct err *reterr)
{
    struct config *c = config_new();
    for (size_t i = 0; i < count; i++)
        assert_int_equal(config_set(c, settings[i][0], settings[i][1], "test", NULL), 0);
    int rc = dfs_connect(c, uri, NULL, ret, reterr);
    config_free(c);
    return rc;
}

static void uris_name_the_namenode(void **state)
{
    struct dfs *fs;
    assert_int_equal(connect_with(NULL, 0, "hdfs://nn.example", &fs, NULL), 0);
    assert_string_equal(dfs_uri(fs), "hdfs://nn.example:8020");
    dfs_unref(fs);
    const char *const set[][2] = {{"fs.defaultFS", "hdfs://other:9000/x/"}};
    assert_int_equal(connect_with(set, 1, NULL, &fs, NULL), 0);
    assert_string_equal(dfs_uri(fs), "hdfs://other:9000");
    dfs_unref(fs);
    const char *const wrong[] = {"file:///tmp", "nn:8020", "hdfs://", "hdfs:///x", "hdfs://nn:99999", "hdfs://nn:port"};
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        struct err e;
        assert_int_equal(connect_with(NULL, 0, wrong[i], &fs, &e), ERR_CONFIG);
        assert_non_null(strstr(e.text, wrong[i]));
    }
}

static void nameservices_have_several_namenodes(void **state)
{
    const char *const set[][2] = {{"dfs.nameservices", "other, prod"},
                                  {"dfs.ha.namenodes.prod", "nn1,nn2"},
                                  {"dfs.namenode.rpc-address.prod.nn1", "first:8020"},
                                  {"dfs.namenode.rpc-address.prod.nn2", "second:8021"},
                                  {"dfs.namenode.rpc-address.other", "only:8020"}};
    struct dfs *fs;
    struct err e;
    assert_int_equal(connect_with(set, 5, "hdfs://prod", &fs, NULL), 0);
    assert_string_equal(dfs_uri(fs), "hdfs://prod");
    assert_string_equal(rpc_client_address(dfs_namenode(fs))->host, "first");
    dfs_unref(fs);
    assert_int_equal(connect_with(set, 5, "hdfs://other/x", &fs, NULL), 0);
    assert_string_equal(rpc_client_address(dfs_namenode(fs))->host, "only");
    dfs_unref(fs);
    assert_int_equal(connect_with(set, 3, "hdfs://prod", &fs, &e), ERR_CONFIG);
    assert_non_null(strstr(e.text, "dfs.namenode.rpc-address.prod.nn2"));
    assert_int_equal(connect_with(set, 1, "hdfs://prod", &fs, &e), ERR_CONFIG);
    assert_non_null(strstr(e.text, "dfs.ha.namenodes.prod"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(links_are_followed, start, stop),
        cmocka_unit_test_setup_teardown(a_path_behind_a_link_may_be_long, start, stop),
        cmocka_unit_test_setup_teardown(paths_behind_links_are_bounded, start, stop),
        cmocka_unit_test_setup_teardown(links_that_lead_nowhere_are_named, start, stop),
        cmocka_unit_test_setup_teardown(a_rename_resolves_both_folders_but_not_the_names, start, stop),
        cmocka_unit_test_setup_teardown(listings_come_in_pages, start, stop),
        cmocka_unit_test_setup_teardown(what_does_not_fit_the_arena_is_an_error, start, stop),
        cmocka_unit_test_setup_teardown(defaults_are_asked_for_once, start, stop),
        cmocka_unit_test(uris_name_the_namenode),
        cmocka_unit_test(nameservices_have_several_namenodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

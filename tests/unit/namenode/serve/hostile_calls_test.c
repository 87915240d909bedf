/* Requests that no decent client sends: what they name is refused in HDFS's way, and nothing else happens. */
#include "tests/unit/namenode/namespace/fixture.h"

#include <sys/socket.h>
#include <unistd.h>

#include "common/net.h"
#include "common/rd.h"
#include "hdfs/client_namenode.pb-c.h"
#include "namenode/namespace/snapshots.h"
#include "namenode/namespace/xattr.h"
#include "proto/message.h"
#include "rpc/local_call.h"
#include "rpc/rpc_server.h"
#include "rpc/wire.h"

#define PROTOCOL       "org.apache.hadoop.hdfs.protocol.ClientProtocol"
#define IPC            "org.apache.hadoop.ipc."
#define ILLEGAL        "java.lang.IllegalArgumentException"
#define HADOOP_ILLEGAL "org.apache.hadoop.HadoopIllegalArgumentException"
#define INVALID_PATH   "org.apache.hadoop.fs.InvalidPathException"
#define IO             "java.io.IOException"

struct server {
    struct fixture *f;
    struct rpc_server *rpc;
    int fd;
    int32_t next_id;
    struct buf answer;
    char java_class[128]; /* of the last answer; "" = it succeeded */
    struct slice body;    /* of the last answer, if it succeeded */
};

static int setup(void **state)
{
    struct server *s = mem_new(struct server);
    void *fixture = NULL;
    assert_int_equal(fixture_setup(&fixture), 0);
    s->f = fixture;
    blocks_safe_mode(s->f->nn.blocks, SAFE_MODE_FORCE_EXIT, s->f->now_ms);
    struct rpc_service service = client_calls_service(&s->f->nn);
    struct rpc_server_options o = {
        .listen = {"127.0.0.1", 0}, .loops = 1, .pool_threads = 1, .services = &service, .service_count = 1};
    assert_int_equal(rpc_server_start(&o, &s->rpc, ERR(s->f)), 0);
    s->fd = -1;
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct server *s = *state;
    void *fixture = s->f;
    net_closep(&s->fd);
    rpc_server_stop(s->rpc);
    buf_free(&s->answer);
    free(s);
    return fixture_teardown(&fixture);
}

static void connect_as(struct server *s, const char *name)
{
    AUTO(buf_free) struct buf out = {0};
    struct net_address address = {"127.0.0.1", rpc_server_port(s->rpc)};
    Hrpc__IpcConnectionContextProto context = HRPC__IPC_CONNECTION_CONTEXT_PROTO__INIT;
    Hrpc__UserInformationProto user = HRPC__USER_INFORMATION_PROTO__INIT;
    net_closep(&s->fd);
    assert_int_equal(net_connect(&address, NULL, 5000, &s->fd, ERR(s->f)), 0);
    user.effectiveuser = (char *)(uintptr_t)name;
    context.userinfo = &user;
    buf_append(&out, "hrpc\x09\0\0", 7);
    rpc_frame_request(&out, RPC_CALL_CONTEXT, -1, (struct slice){0}, NULL, NULL, &context.base);
    assert_int_equal(net_write_full(s->fd, out.base, out.len, ERR(s->f)), 0);
}

/* A '~' in the request is sent as NUL. */
static const char *ask(struct server *s, const char *method, const ProtobufCMessage *request)
{
    static const uint8_t client_id[16] = "hostile-test-012";
    AUTO(buf_free) struct buf out = {0};
    uint8_t length[4];
    struct rpc_response_header h;
    if (s->fd < 0)
        connect_as(s, "root");
    rpc_frame_request(&out, s->next_id++, 0, (struct slice){client_id, 16}, PROTOCOL, method, request);
    for (size_t i = 0; i < out.len; i++)
        if (out.base[i] == '~')
            out.base[i] = 0;
    assert_int_equal(net_write_full(s->fd, out.base, out.len, ERR(s->f)), 0);
    assert_int_equal(net_read_full(s->fd, length, 4, ERR(s->f)), 0);
    size_t bytes = (size_t)length[0] << 24 | (size_t)length[1] << 16 | (size_t)length[2] << 8 | length[3];
    buf_clear(&s->answer);
    assert_int_equal(net_read_full(s->fd, buf_reserve(&s->answer, bytes), bytes, ERR(s->f)), 0);
    s->answer.len = bytes;
    struct rd rd = rd_of(buf_slice(&s->answer));
    struct slice head = rd_slice(&rd, rd_varint(&rd));
    assert_int_equal(rpc_response_header_decode(head, &h, ERR(s->f)), 0);
    rpc_text_copy(s->java_class, sizeof s->java_class, h.exception_class);
    s->body = s->java_class[0] ? (struct slice){0} : rd_slice(&rd, rd_varint(&rd));
    assert_false(rd.bad);
    return s->java_class;
}

/* ---- single calls ---- */

static const char *make_directory(struct server *s, const char *path)
{
    Hdfs__MkdirsRequestProto q = HDFS__MKDIRS_REQUEST_PROTO__INIT;
    Hdfs__FsPermissionProto mode = HDFS__FS_PERMISSION_PROTO__INIT;
    mode.perm = 0777;
    q.src = (char *)(uintptr_t)path;
    q.masked = &mode;
    q.createparent = true;
    return ask(s, "mkdirs", &q.base);
}

static const char *delete_all(struct server *s, const char *path)
{
    Hdfs__DeleteRequestProto q = HDFS__DELETE_REQUEST_PROTO__INIT;
    q.src = (char *)(uintptr_t)path;
    q.recursive = true;
    return ask(s, "delete", &q.base);
}

static const char *create_file(struct server *s, const char *path, const char *client)
{
    Hdfs__FsPermissionProto mode = HDFS__FS_PERMISSION_PROTO__INIT;
    Hdfs__CreateRequestProto q = HDFS__CREATE_REQUEST_PROTO__INIT;
    mode.perm = 0644;
    q.src = (char *)(uintptr_t)path;
    q.clientname = (char *)(uintptr_t)client;
    q.masked = &mode;
    q.createflag = HDFS__CREATE_FLAG_PROTO__CREATE;
    q.createparent = true;
    q.replication = 1;
    q.blocksize = 4096;
    return ask(s, "create", &q.base);
}

static const char *rename_to(struct server *s, const char *path)
{
    Hdfs__RenameRequestProto q = HDFS__RENAME_REQUEST_PROTO__INIT;
    q.src = (char *)(uintptr_t) "/some";
    q.dst = (char *)(uintptr_t)path;
    return ask(s, "rename", &q.base);
}

static const char *rename2_to(struct server *s, const char *path)
{
    Hdfs__Rename2RequestProto q = HDFS__RENAME2_REQUEST_PROTO__INIT;
    q.src = (char *)(uintptr_t) "/some";
    q.dst = (char *)(uintptr_t)path;
    return ask(s, "rename2", &q.base);
}

static const char *link_at(struct server *s, const char *path)
{
    Hdfs__CreateSymlinkRequestProto q = HDFS__CREATE_SYMLINK_REQUEST_PROTO__INIT;
    Hdfs__FsPermissionProto mode = HDFS__FS_PERMISSION_PROTO__INIT;
    mode.perm = 0777;
    q.target = (char *)(uintptr_t) "/some";
    q.link = (char *)(uintptr_t)path;
    q.dirperm = &mode;
    q.createparent = true;
    return ask(s, "createSymlink", &q.base);
}

/* ---- tests ---- */

/* Behind a NUL a C string ends: "/a<NUL>b" must never mean "/a". */
static void test_nul_in_a_name(void **state)
{
    struct server *s = *state;
    assert_string_equal(make_directory(s, "/kept/below"), "");
    assert_string_equal(delete_all(s, "/kept~x"), IPC "RpcServerException");
    assert_true(look(s->f, "/kept/below").exists);
    assert_string_equal(make_directory(s, "/new~x"), IPC "RpcServerException");
    assert_false(look(s->f, "/new").exists);
    assert_string_equal(delete_all(s, "/kept"), "");
    assert_false(look(s->f, "/kept").exists);
}

static const char *long_path(char *out, size_t len, size_t components)
{
    memset(out, 'a', len);
    for (size_t i = 0; i < components; i++)
        out[i * (len / components)] = '/';
    out[len] = 0;
    return out;
}

/* As HDFS: the length, and that it can be a path at all, is looked at first; then the name. */
static void test_names_of_what_is_made(void **state)
{
    static char text[9000];
    static const struct {
        const char *path, *java_class;
    } names[] = {{"", ILLEGAL},           {"relative", INVALID_PATH}, {"/a//b", INVALID_PATH}, {"//a", INVALID_PATH},
                 {"/../x", INVALID_PATH}, {"/a/./b", INVALID_PATH},   {"/a:b", INVALID_PATH}};
    const char *(*const makers[])(struct server *, const char *) = {make_directory, rename_to, rename2_to, link_at};
    struct server *s = *state;
    assert_string_equal(make_directory(s, "/some/thing"), "");
    for (size_t m = 0; m < ARRAY_COUNT(makers); m++) {
        for (size_t i = 0; i < ARRAY_COUNT(names); i++)
            assert_string_equal(makers[m](s, names[i].path), names[i].java_class);
        assert_string_equal(makers[m](s, long_path(text, 8001, 100)), IO);
        assert_string_equal(makers[m](s, long_path(text, 4004, 1001)), IO);
    }
    for (size_t i = 0; i < ARRAY_COUNT(names); i++)
        assert_string_equal(create_file(s, names[i].path, "me"), names[i].java_class);
    assert_string_equal(create_file(s, long_path(text, 8001, 100), "me"), IO);
    assert_string_equal(make_directory(s, "//"), ""); /* slashes at the end do not count */
    assert_string_equal(make_directory(s, "/x//"), "");
    assert_true(look(s->f, "/x").is_dir);
    assert_true(look(s->f, "/some/thing").is_dir);
}

/* The way behind a symbolic link travels in the exception's text, and is not cut there. */
static void test_a_long_way_behind_a_link(void **state)
{
    static char path[7000], there[7000];
    struct server *s = *state;
    Hdfs__GetFileInfoRequestProto q = HDFS__GET_FILE_INFO_REQUEST_PROTO__INIT;
    assert_string_equal(link_at(s, "/link"), "");
    for (size_t len = 800; len < 6000; len += 37) {
        memcpy(path, "/link", 5);
        long_path(path + 5, len, 100);
        snprintf(there, sizeof there, "/some%s", path + 5);
        q.src = path;
        assert_string_equal(ask(s, "getFileInfo", &q.base), "org.apache.hadoop.hdfs.protocol.UnresolvedPathException");
        assert_non_null(memmem(s->answer.base, s->answer.len, there, strlen(there)));
    }
    Hdfs__GetLinkTargetRequestProto target = HDFS__GET_LINK_TARGET_REQUEST_PROTO__INIT;
    long_path(path + 5, 2000, 100);
    snprintf(there, sizeof there, "/some%s", path + 5);
    target.path = path;
    assert_string_equal(ask(s, "getLinkTarget", &target.base), "");
    assert_non_null(memmem(s->answer.base, s->answer.len, there, strlen(there)));
}

/* WebHDFS's calls have no connection, but threads of their own: what may block is done at once. */
static void test_rename_into_a_quota_without_a_connection(void **state)
{
    struct server *s = *state;
    struct arena a;
    ProtobufCMessage *answer = NULL;
    Hdfs__SetQuotaRequestProto quota = HDFS__SET_QUOTA_REQUEST_PROTO__INIT;
    Hdfs__RenameRequestProto q = HDFS__RENAME_REQUEST_PROTO__INIT;
    assert_string_equal(make_directory(s, "/limited"), "");
    assert_string_equal(make_directory(s, "/dir/below"), "");
    quota.path = (char *)(uintptr_t) "/limited";
    quota.namespacequota = 100;
    quota.storagespacequota = INT64_MAX; /* stays as it is */
    assert_string_equal(ask(s, "setQuota", &quota.base), "");
    q.src = (char *)(uintptr_t) "/dir";
    q.dst = (char *)(uintptr_t) "/limited/dir";
    struct rpc_local_call call = {.user = "root",
                                  .client_ip = "127.0.0.1",
                                  .protocol = PROTOCOL,
                                  .method = "rename",
                                  .request = &q.base,
                                  .response_type = &hdfs__rename_response_proto__descriptor};
    arena_init(&a, 1 << 20);
    assert_int_equal(rpc_server_call(s->rpc, &call, &a, &answer, ERR(s->f)), 0);
    assert_true(((Hdfs__RenameResponseProto *)answer)->result);
    assert_true(look(s->f, "/limited/dir/below").is_dir);
    arena_free(&a);
}

static ProtobufCMessage *body_of(struct server *s, const ProtobufCMessageDescriptor *type, struct arena *a)
{
    ProtobufCMessage *m = NULL;
    assert_string_equal(s->java_class, "");
    assert_int_equal(message_unpack(type, s->body, a, &m, ERR(s->f)), 0);
    return m;
}

/* As many and as large attributes as an inode may have. */
static int burden(struct fixture *f, struct txn *t, const char *path)
{
    static uint8_t value[16000];
    char name[12];
    int rc = 0;
    for (int i = 0; !rc && i < 32; i++) {
        snprintf(name, sizeof name, "%d", i);
        struct xattr x = {XATTR_USER, name, true, {value, sizeof value}};
        rc = tree_set_xattr(t, &f->root, path, &x, XATTR_FLAG_CREATE, ERR(f));
    }
    return rc;
}

/* What was read on the way must not leave a page without an entry: a client would ask for it for ever. */
static void test_listing_below_burdened_directories(void **state)
{
    enum { DEPTH = 70 };
    struct server *s = *state;
    struct arena a;
    char path[2 * DEPTH + 8] = "";
    arena_init(&a, 1 << 20);
    for (int i = 0; i < DEPTH; i++) {
        strcat(path, "/d");
        mkdirs(s->f, path);
        assert_int_equal(IN_TXN(s->f, burden(s->f, t, path)), 0);
    }
    strcat(path, "/x");
    mkdirs(s->f, path);
    path[2 * DEPTH + 1] = 'y';
    mkdirs(s->f, path);
    path[2 * DEPTH] = 0;
    Hdfs__GetListingRequestProto q = HDFS__GET_LISTING_REQUEST_PROTO__INIT;
    q.src = path;
    ask(s, "getListing", &q.base);
    const Hdfs__GetListingResponseProto *r = (void *)body_of(s, &hdfs__get_listing_response_proto__descriptor, &a);
    assert_true(r->dirlist->n_partiallisting > 0);
    char *paths[] = {path};
    Hdfs__GetBatchedListingRequestProto b = HDFS__GET_BATCHED_LISTING_REQUEST_PROTO__INIT;
    b.paths = paths;
    b.n_paths = 1;
    ask(s, "getBatchedListing", &b.base);
    const Hdfs__GetBatchedListingResponseProto *l =
        (void *)body_of(s, &hdfs__get_batched_listing_response_proto__descriptor, &a);
    assert_int_equal(l->n_listings, 1);
    assert_true(l->listings[0]->n_partiallisting > 0);
    arena_free(&a);
}

/* A directory may have 65536 snapshots, and as of one of them millions of names that came later: nobody waits for those
 * who list them. */
static void test_snapshots_are_listed_without_the_lock(void **state)
{
    struct server *s = *state;
    struct fixture *f = s->f;
    struct arena a;
    arena_init(&a, 1 << 20);
    mkdirs(f, "/d/below");
    assert_int_equal(IN_TXN(f, snapshot_allow(t, "/d", ERR(f))), 0);
    for (int i = 0; i < 3; i++) {
        const char *path = NULL, *names[] = {"one", "three", "two"};
        assert_int_equal(IN_TXN(f, snapshot_create(t, &f->root, "/d", names[i], &path, ERR(f))), 0);
    }
    Hdfs__GetSnapshotListingRequestProto q = HDFS__GET_SNAPSHOT_LISTING_REQUEST_PROTO__INIT;
    q.snapshotroot = (char *)(uintptr_t) "/d";
    alarm(60); /* of a test that waits for the lock */
    namenode_lock(&f->nn);
    ask(s, "getSnapshotListing", &q.base);
    const Hdfs__GetSnapshotListingResponseProto *r =
        (void *)body_of(s, &hdfs__get_snapshot_listing_response_proto__descriptor, &a);
    assert_int_equal(r->snapshotlist->n_snapshotlisting, 3);
    assert_memory_equal(r->snapshotlist->snapshotlisting[1]->dirstatus->path.data, "three", 5);
    Hdfs__GetListingRequestProto l = HDFS__GET_LISTING_REQUEST_PROTO__INIT;
    l.src = (char *)(uintptr_t) "/d/.snapshot/one";
    ask(s, "getListing", &l.base);
    const Hdfs__GetListingResponseProto *names = (void *)body_of(s, &hdfs__get_listing_response_proto__descriptor, &a);
    assert_int_equal(names->dirlist->n_partiallisting, 1);
    assert_memory_equal(names->dirlist->partiallisting[0]->path.data, "below", 5);
    namenode_unlock(&f->nn);
    alarm(0);
    arena_free(&a);
}

/* What is kept of a request is bounded: no name of a client, nor one in an ACL, has megabytes. */
static void test_huge_names(void **state)
{
    struct server *s = *state;
    enum { BYTES = 1 << 20 };
    AUTO(mem_freep) char *huge = memset(mem_zalloc(BYTES + 1), 'x', BYTES);
    Hdfs__RenewLeaseRequestProto renew = HDFS__RENEW_LEASE_REQUEST_PROTO__INIT;
    Hdfs__SetAclRequestProto acl = HDFS__SET_ACL_REQUEST_PROTO__INIT;
    Hdfs__AclEntryProto entry = HDFS__ACL_ENTRY_PROTO__INIT, *entries[] = {&entry};
    Hdfs__SetOwnerRequestProto owner = HDFS__SET_OWNER_REQUEST_PROTO__INIT;
    assert_string_equal(make_directory(s, "/d"), "");
    assert_string_equal(create_file(s, "/d/f", huge), ILLEGAL);
    renew.clientname = huge;
    assert_string_equal(ask(s, "renewLease", &renew.base), ILLEGAL);
    assert_int_equal(writers_count(s->f->nn.writers), 0);
    acl.src = owner.src = (char *)(uintptr_t) "/d";
    acl.aclspec = entries;
    acl.n_aclspec = 1;
    entry.type = HDFS__ACL_ENTRY_PROTO__ACL_ENTRY_TYPE_PROTO__USER;
    entry.scope = HDFS__ACL_ENTRY_PROTO__ACL_ENTRY_SCOPE_PROTO__DEFAULT;
    entry.permissions = HDFS__ACL_ENTRY_PROTO__FS_ACTION_PROTO__READ;
    entry.name = huge;
    assert_string_equal(ask(s, "setAcl", &acl.base), "org.apache.hadoop.hdfs.protocol.AclException");
    assert_string_equal(ask(s, "modifyAclEntries", &acl.base), "org.apache.hadoop.hdfs.protocol.AclException");
    owner.groupname = huge;
    assert_string_equal(ask(s, "setOwner", &owner.base), ILLEGAL);
    owner.username = huge;
    assert_string_equal(ask(s, "setOwner", &owner.base), ILLEGAL);
}

/* The folder that metasave writes to has files that the next start needs. */
static void test_metasave_spares_the_folder(void **state)
{
    static const char *const names[] = {"VERSION", "in_use.lock", "formatting", "meta", "", ".", "..", "../x", "a/b"};
    struct server *s = *state;
    struct err e;
    AUTO(buf_free) struct buf text = {0};
    char path[128];
    Hdfs__MetaSaveRequestProto q = HDFS__META_SAVE_REQUEST_PROTO__INIT;
    snprintf(path, sizeof path, "%s/VERSION", s->f->folder);
    assert_int_equal(file_write_atomic(path, "mine", 4, 0600, &e), 0);
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        q.filename = (char *)(uintptr_t)names[i];
        assert_string_equal(ask(s, "metaSave", &q.base), ILLEGAL);
    }
    assert_int_equal(file_read(path, 100, &text, &e), 0);
    assert_string_equal(buf_cstr(&text), "mine");
    q.filename = (char *)(uintptr_t) "saved.txt";
    assert_string_equal(ask(s, "metaSave", &q.base), "");
}

/* Arguments are looked at before the file is looked for. */
static void test_numbers_and_lists(void **state)
{
    struct server *s = *state;
    Hdfs__GetBlockLocationsRequestProto where = HDFS__GET_BLOCK_LOCATIONS_REQUEST_PROTO__INIT;
    Hdfs__TruncateRequestProto truncate = HDFS__TRUNCATE_REQUEST_PROTO__INIT;
    Hdfs__ConcatRequestProto concat = HDFS__CONCAT_REQUEST_PROTO__INIT;
    char *source = (char *)(uintptr_t) "/f";
    where.src = truncate.src = concat.trg = (char *)(uintptr_t) "/not/there";
    where.offset = (uint64_t)-1;
    assert_string_equal(ask(s, "getBlockLocations", &where.base), ILLEGAL);
    where.offset = 0;
    where.length = 1ull << 63;
    assert_string_equal(ask(s, "getBlockLocations", &where.base), ILLEGAL);
    where.length = 1;
    assert_string_equal(ask(s, "getBlockLocations", &where.base), "java.io.FileNotFoundException");
    truncate.clientname = (char *)(uintptr_t) "me";
    truncate.newlength = (uint64_t)-1;
    assert_string_equal(ask(s, "truncate", &truncate.base), HADOOP_ILLEGAL);
    assert_string_equal(ask(s, "concat", &concat.base), ILLEGAL);
    concat.srcs = &source;
    concat.n_srcs = 1;
    assert_string_equal(ask(s, "concat", &concat.base), "java.io.FileNotFoundException");
    concat.trg = (char *)(uintptr_t) "";
    assert_string_equal(ask(s, "concat", &concat.base), ILLEGAL);
    concat.trg = (char *)(uintptr_t) "/.reserved/raw/f";
    assert_string_equal(ask(s, "concat", &concat.base), IO);
    concat.trg = source;
    source = (char *)(uintptr_t) "/.reserved/.inodes/16385";
    assert_string_equal(ask(s, "concat", &concat.base), IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nul_in_a_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_of_what_is_made, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_long_way_behind_a_link, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rename_into_a_quota_without_a_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(test_listing_below_burdened_directories, setup, teardown),
        cmocka_unit_test_setup_teardown(test_snapshots_are_listed_without_the_lock, setup, teardown),
        cmocka_unit_test_setup_teardown(test_numbers_and_lists, setup, teardown),
        cmocka_unit_test_setup_teardown(test_huge_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_metasave_spares_the_folder, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

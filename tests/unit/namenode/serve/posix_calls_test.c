/* PosixProtocol through the real RPC: two mounts and the client's functions on one namenode without datanodes. */
#include "tests/unit/namenode/namespace/fixture.h"

#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>

#include "client/lib/posix.h"
#include "common/clock.h"
#include "common/log.h"
#include "namenode/blocks/datanode_events.h"
#include "namenode/namespace/quota.h"
#include "namenode/namespace/writers.h"
#include "namenode/serve/op.h"
#include "rpc/rpc_client.h"
#include "rpc/rpc_server.h"

#define MEMORY_MAX (16u << 20)

struct mounts {
    struct fixture *f;
    struct rpc_server *server;
    pthread_t housekeeper;
    struct dfs *one, *two;
    struct arena a;
    struct err err;
};

static void start(struct mounts *m)
{
    struct fixture *f = m->f;
    struct rpc_service services[] = {client_calls_service(&f->nn), posix_calls_service(&f->nn)};
    struct rpc_server_options o = {.listen = {"127.0.0.1", 0},
                                   .loops = 1,
                                   .pool_threads = 1,
                                   .services = services,
                                   .service_count = ARRAY_COUNT(services),
                                   .on_connection_closed = op_connection_closed,
                                   .on_connection_closed_context = &f->nn};
    f->nn.stopping = false;
    blocks_safe_mode(f->nn.blocks, SAFE_MODE_FORCE_EXIT, f->now_ms);
    assert_int_equal(housekeeping_start(&f->nn, &m->housekeeper, &m->err), 0);
    assert_int_equal(rpc_server_start(&o, &m->server, &m->err), 0);
}

static void stop(struct mounts *m)
{
    housekeeping_stop(&m->f->nn, m->housekeeper);
    rpc_server_stop(m->server);
}

static struct dfs *mount(struct mounts *m, const char *user)
{
    struct dfs *fs = NULL;
    char uri[64];
    snprintf(uri, sizeof uri, "hdfs://127.0.0.1:%u", rpc_server_port(m->server));
    assert_int_equal(dfs_connect(m->f->config, uri, user, &fs, &m->err), 0);
    return fs;
}

static void open_mounts(struct mounts *m)
{
    m->one = mount(m, "root");
    m->two = mount(m, "root");
}

static void close_mounts(struct mounts *m)
{
    dfs_unref(m->one);
    dfs_unref(m->two);
}

static int set_up(void **state)
{
    struct mounts *m = mem_new(struct mounts);
    void *f = NULL;
    log_set_level(LOG_LEVEL_ERROR);
    fixture_setup(&f);
    m->f = f;
    arena_init(&m->a, MEMORY_MAX);
    start(m);
    open_mounts(m);
    *state = m;
    return 0;
}

static int tear_down(void **state)
{
    struct mounts *m = *state;
    void *f = m->f;
    close_mounts(m);
    stop(m);
    arena_free(&m->a);
    free(m);
    return fixture_teardown(&f);
}

/* The port is another one afterwards, so mounts come anew, too. */
static void restart(struct mounts *m)
{
    close_mounts(m);
    stop(m);
    fixture_reopen(m->f);
    start(m);
    open_mounts(m);
}

static uint64_t session_of(struct mounts *m, struct dfs *fs)
{
    struct posix_session s;
    assert_int_equal(posix_open_session(fs, 0, NULL, &s, &m->err), 0);
    assert_int_equal(s.expires_ms, 90000);
    return s.session;
}

static struct posix_make how(uint64_t parent, const char *name, uint32_t mode)
{
    return (struct posix_make){
        .parent = parent, .name = name, .mode = mode, .umask = 022, .owner = "ann", .group = "staff"};
}

static struct posix_attr make(struct mounts *m, uint64_t session, uint64_t parent, const char *name, uint32_t mode)
{
    struct posix_make args = how(parent, name, mode);
    struct posix_attr attr;
    bool made = false;
    assert_int_equal(posix_make(m->one, session, &args, &m->a, &attr, &made, &m->err), 0);
    assert_true(made);
    return attr;
}

static void for_the_superuser_only(void **state)
{
    struct mounts *m = *state;
    struct dfs *ann = mount(m, "ann");
    struct posix_attr attr;
    struct posix_session s;
    assert_int_equal(posix_getattr(ann, POSIX_ROOT, &m->a, &attr, &m->err), ERR_ACCESS);
    assert_int_equal(posix_open_session(ann, 0, NULL, &s, &m->err), ERR_ACCESS);
    dfs_unref(ann);
}

static void names_and_attributes(void **state)
{
    struct mounts *m = *state;
    struct posix_attr attr, other;
    struct posix_make args = how(POSIX_ROOT, "link", S_IFLNK | 0777);
    bool made = false;
    struct posix_attr dir = make(m, 0, POSIX_ROOT, "d", S_IFDIR | 0777);
    assert_int_equal(dir.mode, S_IFDIR | 0755);
    assert_int_equal(dir.nlink, 2);
    assert_int_equal(dir.parent, POSIX_ROOT);
    assert_int_equal(posix_lookup(m->two, POSIX_ROOT, "d", &m->a, &attr, &m->err), 0);
    assert_int_equal(attr.id, dir.id);
    assert_int_equal(posix_lookup(m->two, dir.id, "..", &m->a, &attr, &m->err), 0);
    assert_int_equal(attr.id, POSIX_ROOT);
    assert_int_equal(posix_lookup(m->two, dir.id, "none", &m->a, &attr, &m->err), 0);
    assert_int_equal(attr.id, 0);
    args.target = "../where";
    assert_int_equal(posix_make(m->one, 0, &args, &m->a, &attr, &made, &m->err), 0);
    assert_string_equal(attr.target, "../where");
    assert_int_equal(attr.size, 8);
    struct posix_attr tty = make(m, 0, dir.id, "tty", S_IFCHR | 0666);
    assert_int_equal(tty.mode, S_IFCHR | 0644);

    struct posix_set set = {.what = POSIX_SET_MODE | POSIX_SET_OWNER | POSIX_SET_MTIME | POSIX_SET_ATIME_NOW,
                            .mode = 04711,
                            .owner = "1000",
                            .mtime_ns = 1234567890};
    assert_int_equal(posix_setattr(m->one, 0, tty.id, &set, &m->a, &attr, &m->err), 0);
    assert_int_equal(attr.mode, S_IFCHR | 04711);
    assert_int_equal(attr.mtime_ns, 1234567890);
    assert_true(attr.atime_ns >= tty.atime_ns && attr.atime_ns == attr.ctime_ns);
    assert_string_equal(attr.owner, "1000");
    assert_string_equal(attr.group, "staff");
    assert_int_equal(posix_getattr(m->two, tty.id, &m->a, &other, &m->err), 0);
    assert_int_equal(other.ctime_ns, attr.ctime_ns);

    struct dfs_status status; /* to HDFS it is an empty file */
    assert_int_equal(dfs_stat(m->two, "/d/tty", &m->a, &status, &m->err), 0);
    assert_int_equal(status.type, DFS_FILE);
    assert_int_equal(status.length, 0);
    assert_int_equal(status.mode, 0711);
    struct dfs_blocks blocks;
    assert_int_equal(dfs_block_locations(m->two, "/d/tty", 0, 100, &m->a, &blocks, &m->err), 0);
    assert_int_equal(blocks.count, 0);
}

static void errors_are_errnos(void **state)
{
    struct mounts *m = *state;
    struct posix_attr attr, dir = make(m, 0, POSIX_ROOT, "d", S_IFDIR | 0755), replaced;
    struct posix_attr file = make(m, 0, dir.id, "f", S_IFREG | 0644);
#define ERRNO_OF(call) err_to_errno(call)
    assert_int_equal(ERRNO_OF(posix_getattr(m->one, 12345678, &m->a, &attr, &m->err)), ESTALE);
    assert_int_equal(ERRNO_OF(posix_lookup(m->one, file.id, "x", &m->a, &attr, &m->err)), ENOTDIR);
    assert_int_equal(ERRNO_OF(posix_link(m->one, 0, NULL, dir.id, dir.id, "x", &m->a, &attr, &m->err)), EPERM);
    assert_int_equal(ERRNO_OF(posix_link(m->one, 0, NULL, file.id, dir.id, "f", &m->a, &attr, &m->err)), EEXIST);
    assert_int_equal(ERRNO_OF(posix_unlink(m->one, 0, NULL, dir.id, "x", false, false, &m->a, &attr, &m->err)), ENOENT);
    assert_int_equal(ERRNO_OF(posix_unlink(m->one, 0, NULL, POSIX_ROOT, "d", false, false, &m->a, &attr, &m->err)),
                     EISDIR);
    assert_int_equal(ERRNO_OF(posix_unlink(m->one, 0, NULL, POSIX_ROOT, "d", true, false, &m->a, &attr, &m->err)),
                     ENOTEMPTY);
    assert_int_equal(ERRNO_OF(posix_unlink(m->one, 0, NULL, dir.id, "f", false, true, &m->a, &attr, &m->err)), EINVAL);
    assert_int_equal(ERRNO_OF(posix_unlink(m->one, 77, NULL, dir.id, "f", false, true, &m->a, &attr, &m->err)), ESTALE);
    struct posix_rename into_itself = {POSIX_ROOT, dir.id, "d", "x", 0, false};
    assert_int_equal(ERRNO_OF(posix_rename(m->one, 0, &into_itself, &m->a, &attr, &replaced, &m->err)), EINVAL);
    char long_name[300];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = 0;
    assert_int_equal(ERRNO_OF(posix_lookup(m->one, dir.id, long_name, &m->a, &attr, &m->err)), ENAMETOOLONG);
    blocks_safe_mode(m->f->nn.blocks, SAFE_MODE_ENTER, m->f->now_ms);
    assert_int_equal(ERRNO_OF(posix_unlink(m->one, 0, NULL, dir.id, "f", false, false, &m->a, &attr, &m->err)), EROFS);
    assert_int_equal(posix_getattr(m->one, file.id, &m->a, &attr, &m->err), 0);
}

static void pages_of_a_directory(void **state)
{
    struct mounts *m = *state;
    struct posix_page page;
    char after[16] = "", name[16];
    size_t seen = 0;
    struct posix_attr dir = make(m, 0, POSIX_ROOT, "d", S_IFDIR | 0755);
    for (int i = 0; i < 25; i++) {
        snprintf(name, sizeof name, "f%02d", i);
        make(m, 0, dir.id, name, S_IFREG | 0644);
    }
    do {
        assert_int_equal(posix_readdir(m->two, dir.id, *after ? after : NULL, 10, &m->a, &page, &m->err), 0);
        for (size_t i = 0; i < page.count; i++, seen++) {
            snprintf(name, sizeof name, "f%02zu", seen);
            assert_string_equal(page.entries[i].name, name);
            assert_int_equal(page.entries[i].attr.mode, S_IFREG | 0644);
        }
        assert_true(page.count);
        snprintf(after, sizeof after, "%s", page.entries[page.count - 1].name);
    } while (page.more);
    assert_int_equal(seen, 25);
    assert_int_equal(posix_readdir(m->two, dir.id, "f24", 10, &m->a, &page, &m->err), 0);
    assert_int_equal(page.count, 0);
    assert_false(page.more);
}

static void a_look_goes_on_behind_the_name(void **state)
{
    struct mounts *m = *state;
    struct posix_attr attr, dir = make(m, 0, POSIX_ROOT, "d", S_IFDIR | 0755);
    struct posix_page next;
    char name[16];
    for (int i = 0; i < 25; i++) {
        snprintf(name, sizeof name, "f%02d", i);
        make(m, 0, dir.id, name, S_IFREG | 0644);
    }
    assert_int_equal(posix_lookup_ahead(m->two, dir.id, "f10", 3, &m->a, &attr, &next, &m->err), 0);
    assert_true(attr.id && next.count == 3 && next.more);
    assert_string_equal(next.entries[0].name, "f11");
    assert_string_equal(next.entries[2].name, "f13");
    assert_int_equal(next.entries[2].attr.mode, S_IFREG | 0644);
    assert_int_equal(posix_lookup_ahead(m->two, dir.id, "f22x", 2, &m->a, &attr, &next, &m->err), 0);
    assert_true(!attr.id && next.count == 2 && !next.more); /* to the end */
    assert_string_equal(next.entries[0].name, "f23");
    assert_int_equal(posix_lookup_ahead(m->two, dir.id, "z", 2, &m->a, &attr, &next, &m->err), 0);
    assert_true(!attr.id && next.count == 0 && !next.more);
    assert_int_equal(posix_lookup_ahead(m->two, dir.id, "f10", 0, &m->a, &attr, &next, &m->err), 0);
    assert_true(attr.id && next.count == 0 && next.more); /* nobody asked */
    assert_int_equal(posix_lookup_ahead(m->two, 12345678, "f10", 5, &m->a, &attr, &next, &m->err), ERR_STALE);
}

static void links_and_renames(void **state)
{
    struct mounts *m = *state;
    struct posix_attr attr, replaced, file = make(m, 0, POSIX_ROOT, "f", S_IFREG | 0644);
    assert_int_equal(posix_link(m->one, 0, NULL, file.id, POSIX_ROOT, "g", &m->a, &attr, &m->err), 0);
    assert_int_equal(attr.nlink, 2);
    assert_true(attr.ctime_ns > file.ctime_ns);
    struct posix_attr other = make(m, 0, POSIX_ROOT, "h", S_IFREG | 0644);
    struct posix_rename over = {POSIX_ROOT, POSIX_ROOT, "h", "g", 0, false};
    assert_int_equal(posix_rename(m->one, 0, &over, &m->a, &attr, &replaced, &m->err), 0);
    assert_int_equal(attr.id, other.id);
    assert_int_equal(replaced.id, file.id);
    assert_int_equal(replaced.nlink, 1);
    struct posix_rename swap = {POSIX_ROOT, POSIX_ROOT, "f", "g", POSIX_RENAME_EXCHANGE, false};
    assert_int_equal(posix_rename(m->one, 0, &swap, &m->a, &attr, &replaced, &m->err), 0);
    assert_int_equal(posix_lookup(m->two, POSIX_ROOT, "f", &m->a, &attr, &m->err), 0);
    assert_int_equal(attr.id, other.id);
    assert_int_equal(posix_unlink(m->one, 0, NULL, POSIX_ROOT, "f", false, false, &m->a, &attr, &m->err), 0);
    assert_int_equal(attr.nlink, 0);
    struct posix_rename plain = {POSIX_ROOT, POSIX_ROOT, "g", "i", POSIX_RENAME_NOREPLACE, false};
    assert_int_equal(posix_rename(m->one, 0, &plain, &m->a, &attr, &replaced, &m->err), 0);
    assert_int_equal(replaced.id, 0);
}

static uint64_t id_in(struct mounts *m, uint64_t parent, const char *name)
{
    struct posix_attr attr;
    assert_int_equal(posix_lookup(m->one, parent, name, &m->a, &attr, &m->err), 0);
    return attr.id;
}

static void a_folder_takes_anothers_place(void **state)
{
    struct mounts *m = *state;
    struct dfs *ann = mount(m, "ann"), *bob = mount(m, "bob");
    uint64_t d = make(m, 0, POSIX_ROOT, "d", S_IFDIR | 0777).id; /* ann's */
    uint64_t zone = make(m, 0, d, "zone", S_IFDIR | 0777).id, made = make(m, 0, d, "made", S_IFDIR | 0777).id;
    make(m, 0, made, "part-00000", S_IFREG | 0644);
    assert_int_equal(posix_replace(bob, "/d/zone", "/d/made", "/d/aside", &m->err), ERR_ACCESS);
    assert_int_equal(posix_replace(ann, "/d/none", "/d/made", "/d/aside", &m->err), ERR_NOT_FOUND);
    assert_int_equal(posix_replace(ann, "/d/zone", "/d/none", "/d/aside", &m->err), ERR_NOT_FOUND);
    assert_int_equal(posix_replace(ann, "/d/zone", "/d/made", "/d/made", &m->err), ERR_EXISTS);
    assert_int_equal(posix_replace(ann, "/d/zone", "/d/made", "/d/zone/aside", &m->err), ERR_ILLEGAL_ARGUMENT);
    assert_int_equal(posix_replace(ann, "", "", "", &m->err), ERR_ILLEGAL_ARGUMENT);
    assert_int_equal(id_in(m, d, "zone"), zone); /* half of it did not happen */
    assert_int_equal(posix_replace(ann, "/d/zone", "/d/made", "/d/aside", &m->err), 0);
    assert_int_equal(id_in(m, d, "zone"), made);
    assert_int_equal(id_in(m, d, "aside"), zone);
    assert_int_equal(id_in(m, d, "made"), 0);
    dfs_unref(ann);
    dfs_unref(bob);
}

static void nobody_elses_folder_is_replaced_where_it_is_sticky(void **state)
{
    struct mounts *m = *state;
    struct dfs *bob = mount(m, "bob");
    struct posix_set open_to_all = {.what = POSIX_SET_MODE, .mode = 01777};
    struct posix_attr attr;
    uint64_t d = make(m, 0, POSIX_ROOT, "d", S_IFDIR | 0777).id, zone = make(m, 0, d, "zone", S_IFDIR | 0755).id;
    assert_int_equal(posix_setattr(m->one, 0, d, &open_to_all, &m->a, &attr, &m->err), 0);
    assert_int_equal(dfs_mkdirs(bob, "/d/made", 0755, false, &m->err), 0);
    assert_int_equal(posix_replace(bob, "/d/zone", "/d/made", "/d/aside", &m->err), ERR_ACCESS);
    assert_int_equal(id_in(m, d, "zone"), zone);
    dfs_unref(bob);
}

/* As the next process of a mount makes them, when the one before has died: done once, and answered as they were. */
static void calls_are_made_again(struct mounts *m, struct dfs *fs, uint64_t ret[4])
{
    struct rpc_call_id ids[4] = {{"mount", 1}, {"mount", 2}, {"mount", 3}, {"mount", 4}};
    struct posix_make mkdir = how(POSIX_ROOT, "d", S_IFDIR | 0755);
    struct posix_rename move = {POSIX_ROOT, POSIX_ROOT, "d", "e", POSIX_RENAME_NOREPLACE, false, &ids[2]};
    struct posix_attr attr, replaced;
    bool made = false;
    mkdir.call_id = &ids[0];
    assert_int_equal(posix_make(fs, 0, &mkdir, &m->a, &attr, &made, &m->err), 0);
    assert_true(made);
    ret[0] = attr.id;
    assert_int_equal(posix_link(fs, 0, &ids[1], ret[3], POSIX_ROOT, "g", &m->a, &attr, &m->err), 0);
    ret[1] = attr.id;
    assert_int_equal(posix_rename(fs, 0, &move, &m->a, &attr, &replaced, &m->err), 0);
    ret[2] = attr.id;
    assert_int_equal(posix_unlink(fs, 0, &ids[3], POSIX_ROOT, "g", false, false, &m->a, &attr, &m->err), 0);
    assert_int_equal(attr.id, ret[3]);
}

static void what_another_process_did_is_not_done_again(void **state)
{
    struct mounts *m = *state;
    uint64_t first[4] = {0}, again[4] = {0};
    first[3] = again[3] = make(m, 0, POSIX_ROOT, "f", S_IFREG | 0644).id;
    calls_are_made_again(m, m->one, first);
    calls_are_made_again(m, m->two, again);
    assert_memory_equal(first, again, sizeof first);
    restart(m);
    calls_are_made_again(m, m->one, again);
    assert_memory_equal(first, again, sizeof first);
}

static void a_directory_moves_between_quotas(void **state)
{
    struct mounts *m = *state;
    struct posix_attr attr, replaced, in = make(m, 0, POSIX_ROOT, "in", S_IFDIR | 0755);
    struct posix_attr dir = make(m, 0, POSIX_ROOT, "d", S_IFDIR | 0755);
    make(m, 0, dir.id, "f", S_IFREG | 0644);
    namenode_lock(&m->f->nn);
    int rc = IN_TXN(m->f, tree_set_quota(t, &m->f->root, "/in", 3, QUOTA_LEAVE, 0, &m->err));
    namenode_unlock(&m->f->nn);
    assert_int_equal(rc, 0);
    struct posix_rename into = {POSIX_ROOT, in.id, "d", "d", 0, false}, back = {in.id, POSIX_ROOT, "d", "d", 0, false};
    assert_int_equal(posix_rename(m->one, 0, &into, &m->a, &attr, &replaced, &m->err), 0);
    struct quota_usage used;
    struct txn t;
    namenode_lock(&m->f->nn);
    txn_begin(&t, m->f->nn.dir, 0);
    rc = quota_usage_read(&t, in.id, &used, &m->err);
    txn_end(&t);
    namenode_unlock(&m->f->nn);
    assert_int_equal(rc, 0);
    assert_int_equal(used.names, 3);
    struct posix_make one_more = how(in.id, "x", S_IFREG | 0644);
    bool made;
    assert_int_equal(err_to_errno(posix_make(m->one, 0, &one_more, &m->a, &attr, &made, &m->err)), EDQUOT);
    assert_int_equal(posix_rename(m->one, 0, &back, &m->a, &attr, &replaced, &m->err), 0);
    assert_int_equal(posix_make(m->one, 0, &one_more, &m->a, &attr, &made, &m->err), 0);
}

static void a_new_file_is_open_for_its_client(void **state)
{
    struct mounts *m = *state;
    struct posix_make args = how(POSIX_ROOT, "f", S_IFREG | 0644);
    struct posix_attr attr, again;
    bool made = false, closed = false;
    args.open_for_writing = args.existing_is_fine = true;
    assert_int_equal(posix_make(m->one, 0, &args, &m->a, &attr, &made, &m->err), 0);
    assert_true(made && attr.is_being_written);
    namenode_lock(&m->f->nn);
    const char *holder = leases_holder(m->f->nn.leases, attr.id);
    bool is_its_own = holder && !strcmp(holder, dfs_client_name(m->one));
    namenode_unlock(&m->f->nn);
    assert_true(is_its_own);
    assert_int_equal(posix_make(m->two, 0, &args, &m->a, &again, &made, &m->err), 0);
    assert_false(made);
    assert_int_equal(again.id, attr.id);
    struct posix_session s; /* what is done for the writer later is its own doing, too, whatever it is called in logs */
    assert_int_equal(posix_open_session(m->one, 0, "a mount", &s, &m->err), 0);
    namenode_lock(&m->f->nn);
    uint64_t writer = sessions_of_writer(m->f->nn.sessions, dfs_client_name(m->one));
    namenode_unlock(&m->f->nn);
    assert_int_equal(writer, s.session);
    assert_int_equal(dfs_recover_lease(m->two, "/f", &closed, &m->err), 0);
    assert_true(closed);
    assert_int_equal(posix_getattr(m->two, attr.id, &m->a, &again, &m->err), 0);
    assert_false(again.is_being_written);
}

/* ---- sessions ---- */

static void what_is_held_survives_a_restart(void **state)
{
    struct mounts *m = *state;
    struct posix_session s;
    struct posix_attr attr, file = make(m, 0, POSIX_ROOT, "f", S_IFREG | 0644);
    uint64_t session = session_of(m, m->one);
    assert_int_equal(posix_unlink(m->one, session, NULL, POSIX_ROOT, "f", false, true, &m->a, &attr, &m->err), 0);
    assert_int_equal(attr.nlink, 0);
    restart(m);
    assert_int_equal(posix_open_session(m->one, session, NULL, &s, &m->err), 0);
    assert_int_equal(s.session, session);
    assert_int_equal(posix_getattr(m->one, file.id, &m->a, &attr, &m->err), 0);
    assert_int_equal(attr.nlink, 0);
    assert_int_equal(posix_release(m->one, session, &file.id, 1, &m->err), 0);
    assert_int_equal(posix_getattr(m->one, file.id, &m->a, &attr, &m->err), ERR_STALE);
    assert_int_equal(posix_close_session(m->one, session, &m->err), 0);
    assert_int_equal(posix_close_session(m->one, session, &m->err), 0); /* it is gone, as was to be */
    assert_int_equal(posix_open_session(m->one, session, NULL, &s, &m->err), ERR_STALE);
    assert_int_not_equal(session_of(m, m->one), session);
}

static struct posix_attr open_file(struct mounts *m, struct dfs *fs, uint64_t session, uint64_t id, uint64_t number)
{
    struct posix_handles h = {.opened = number};
    struct posix_attr attr;
    assert_int_equal(posix_open(fs, session, id, &h, &m->a, &attr, &m->err), 0);
    return attr;
}

static void remove_file(struct mounts *m, const char *name)
{
    struct posix_attr attr;
    assert_int_equal(posix_unlink(m->one, 0, NULL, POSIX_ROOT, name, false, false, &m->a, &attr, &m->err), 0);
}

static void what_another_has_open_is_held_for_it(void **state)
{
    struct mounts *m = *state;
    struct posix_attr attr;
    uint64_t session = session_of(m, m->two), closed[] = {0, 0};
    struct posix_attr f = make(m, 0, POSIX_ROOT, "f", S_IFREG), g = make(m, 0, POSIX_ROOT, "g", S_IFREG);
    open_file(m, m->two, session, f.id, 7);
    remove_file(m, "f");
    assert_int_equal(posix_getattr(m->two, f.id, &m->a, &attr, &m->err), 0);
    assert_int_equal(attr.nlink, 0);
    closed[0] = f.id;
    struct posix_handles h = {.closed = closed, .closed_count = 1, .until = 6};
    assert_int_equal(posix_tell_closed(m->two, session, &h, &m->err), 0);
    assert_int_equal(posix_getattr(m->two, f.id, &m->a, &attr, &m->err), 0); /* it was opened after that */
    h.until = 7;
    h.opened = 8;
    assert_int_equal(posix_open(m->two, session, g.id, &h, &m->a, &attr, &m->err), 0);
    assert_int_equal(posix_getattr(m->two, f.id, &m->a, &attr, &m->err), ERR_STALE);

    struct posix_make args = how(POSIX_ROOT, "made", S_IFREG | 0644);
    struct posix_handles made_open = {.opened = 9};
    bool made = false;
    args.handles = &made_open;
    assert_int_equal(posix_make(m->two, session, &args, &m->a, &f, &made, &m->err), 0);
    remove_file(m, "made");
    assert_int_equal(posix_getattr(m->two, f.id, &m->a, &attr, &m->err), 0);
    remove_file(m, "g");

    struct posix_session s; /* another process goes on, and has only one of them open */
    struct posix_opened opened = {.ids = &g.id, .count = 1, .until = 9, .all = true};
    assert_int_equal(posix_open_session_with(m->two, session, NULL, &opened, &s, &m->err), 0);
    assert_int_equal(posix_getattr(m->two, f.id, &m->a, &attr, &m->err), ERR_STALE);
    assert_int_equal(posix_getattr(m->two, g.id, &m->a, &attr, &m->err), 0);
    assert_int_equal(posix_close_session(m->two, session, &m->err), 0);
    assert_int_equal(posix_getattr(m->two, g.id, &m->a, &attr, &m->err), ERR_STALE);
    open_file(m, m->two, session, POSIX_ROOT, 1); /* of no session any more: as if nothing was said */
}

static void what_is_open_is_said_again_to_a_namenode_that_was_started_again(void **state)
{
    struct mounts *m = *state;
    struct posix_session s;
    struct posix_attr attr, f = make(m, 0, POSIX_ROOT, "f", S_IFREG), g = make(m, 0, POSIX_ROOT, "g", S_IFREG);
    uint64_t session = session_of(m, m->two);
    open_file(m, m->two, session, f.id, 1);
    restart(m);
    struct posix_opened opened = {.ids = &f.id, .count = 1, .until = 1, .all = true};
    assert_int_equal(posix_open_session_with(m->two, session, NULL, &opened, &s, &m->err), 0);
    remove_file(m, "f");
    remove_file(m, "g");
    assert_int_equal(posix_getattr(m->two, f.id, &m->a, &attr, &m->err), 0);
    assert_int_equal(posix_getattr(m->two, g.id, &m->a, &attr, &m->err), ERR_STALE);
}

static void an_ended_session_lets_go(void **state)
{
    struct mounts *m = *state;
    struct posix_attr attr, file = make(m, 0, POSIX_ROOT, "f", S_IFREG | 0644);
    uint64_t session = session_of(m, m->one);
    struct posix_lock lock = {.id = file.id, .owner = 1, .whole = true, .type = POSIX_LOCK_EXCLUSIVE};
    bool granted = false;
    assert_int_equal(posix_lock(m->one, session, &lock, 0, &granted, NULL, &m->err), 0);
    assert_int_equal(posix_unlink(m->one, session, NULL, POSIX_ROOT, "f", false, true, &m->a, &attr, &m->err), 0);
    assert_int_equal(posix_getattr(m->one, file.id, &m->a, &attr, &m->err), 0);
    assert_int_equal(posix_close_session(m->one, session, &m->err), 0);
    assert_int_equal(posix_getattr(m->one, file.id, &m->a, &attr, &m->err), ERR_STALE);
    assert_int_equal(posix_lock(m->one, session, &lock, 0, &granted, NULL, &m->err), ERR_STALE);
}

static bool is_here(struct namenode *nn, const char *client_name)
{
    namenode_lock(nn);
    bool here = writers_is_here(nn->writers, client_name);
    namenode_unlock(nn);
    return here;
}

/* However long it has said nothing: other clients close what is idle, and come back. */
static void a_mount_whose_connection_ends_is_gone(void **state)
{
    struct mounts *m = *state;
    struct namenode *nn = &m->f->nn;
    session_of(m, m->one);
    AUTO(mem_freep) char *of_mount = mem_strdup(dfs_client_name(m->one));
    const char *const names[] = {"no mount's", of_mount};
    dfs_unref(m->one);
    m->one = mount(m, "root");
    while (is_here(nn, of_mount)) /* by the connection that has opened the session */
        ;
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        const char *name = names[i];
        namenode_lock(nn);
        leases_add(nn->leases, name, 900 + i, (uint64_t)clock_mono_ms());
        writers_seen(nn->writers, name, 1000000 + i);
        namenode_unlock(nn);
        op_connection_closed(nn, 1000000 + i, 20000, true);
        namenode_lock(nn);
        assert_int_equal(leases_soft_expired(nn->leases, name, (uint64_t)clock_mono_ms()), i);
        leases_remove(nn->leases, 900 + i);
        namenode_unlock(nn);
    }
}

struct waiting {
    struct mounts *m;
    struct dfs *fs;
    uint64_t session, cursor;
    struct posix_lock lock;
    bool granted;
    struct posix_changes changes;
    struct arena a;
    struct err err;
    int rc;
    pthread_t thread;
};

static void *await(void *arg)
{
    struct waiting *w = arg;
    w->rc = posix_await_changes(w->fs, w->session, w->cursor, 30000, &w->a, &w->changes, &w->err);
    return NULL;
}

static struct waiting *begin_waiting(struct mounts *m, struct dfs *fs, uint64_t session, uint64_t cursor,
                                     const struct posix_lock *lock, void *(*what)(void *))
{
    struct waiting *w = mem_new(struct waiting);
    *w = (struct waiting){.m = m, .fs = fs, .session = session, .cursor = cursor};
    if (lock)
        w->lock = *lock;
    arena_init(&w->a, MEMORY_MAX);
    assert_int_equal(pthread_create(&w->thread, NULL, what, w), 0);
    return w;
}

static void end_waiting(struct waiting *w)
{
    arena_free(&w->a);
    free(w);
}

static void mounts_hear_of_each_other(void **state)
{
    struct mounts *m = *state;
    struct posix_session one, two;
    struct posix_changes changes;
    assert_int_equal(posix_open_session(m->one, 0, NULL, &one, &m->err), 0);
    assert_int_equal(posix_open_session(m->two, 0, NULL, &two, &m->err), 0);
    struct waiting *w = begin_waiting(m, m->two, two.session, two.cursor, NULL, await);
    assert_int_equal(dfs_mkdirs(m->two, "/own", 0755, true, &m->err), 0); /* its own doing, by ClientProtocol */
    struct posix_attr file = make(m, one.session, POSIX_ROOT, "f", S_IFREG | 0644);
    pthread_join(w->thread, NULL);
    assert_int_equal(w->rc, 0);
    assert_false(w->changes.lost);
    assert_true(w->changes.count >= 1);
    assert_int_equal(w->changes.list[0].id, POSIX_ROOT);
    assert_string_equal(w->changes.list[0].name, "f");
    uint64_t cursor = w->changes.cursor;
    end_waiting(w);

    assert_int_equal(posix_await_changes(m->one, one.session, one.cursor, 0, &m->a, &changes, &m->err), 0);
    for (size_t i = 0; i < changes.count; i++) /* only what the other did */
        assert_true(!changes.list[i].name || !strcmp(changes.list[i].name, "own"));
    assert_true(changes.count >= 1);

    assert_int_equal(dfs_set_permission(m->one, "/f", 0600, &m->err), 0); /* HDFS clients count, too */
    bool heard = false;
    while (!heard) {
        assert_int_equal(posix_await_changes(m->two, two.session, cursor, 30000, &m->a, &changes, &m->err), 0);
        cursor = changes.cursor;
        for (size_t i = 0; i < changes.count; i++)
            heard = heard || (changes.list[i].id == file.id && !changes.list[i].name);
        assert_true(changes.count);
    }
    assert_int_equal(posix_await_changes(m->two, two.session, 5, 30000, &m->a, &changes, &m->err), 0);
    assert_true(changes.lost);
    assert_int_equal(posix_await_changes(m->two, 777, cursor, 0, &m->a, &changes, &m->err), ERR_STALE);
}

static void who_waits_is_told_that_the_session_ended(void **state)
{
    struct mounts *m = *state;
    struct posix_session s;
    assert_int_equal(posix_open_session(m->one, 0, NULL, &s, &m->err), 0);
    struct waiting *w = begin_waiting(m, m->one, s.session, s.cursor, NULL, await);
    assert_int_equal(posix_close_session(m->two, s.session, &m->err), 0);
    pthread_join(w->thread, NULL);
    assert_int_equal(w->rc, ERR_STALE); /* whether it was asked before or after */
    end_waiting(w);
}

/* ---- locks ---- */

static void *wait_for_lock(void *arg)
{
    struct waiting *w = arg;
    w->rc = posix_lock(w->fs, w->session, &w->lock, 30000, &w->granted, NULL, &w->err);
    return NULL;
}

static bool is_waiting(struct mounts *m)
{
    namenode_lock(&m->f->nn);
    bool waits = posix_is_impatient(&m->f->nn);
    namenode_unlock(&m->f->nn);
    return waits;
}

static void locks_are_waited_for(void **state)
{
    struct mounts *m = *state;
    uint64_t one = session_of(m, m->one), two = session_of(m, m->two);
    struct posix_attr file = make(m, one, POSIX_ROOT, "f", S_IFREG | 0644);
    struct posix_lock a = {.id = file.id, .owner = 1, .start = 0, .end = 9, .type = POSIX_LOCK_EXCLUSIVE, .pid = 11};
    struct posix_lock b = {.id = file.id, .owner = 1, .start = 5, .end = 20, .type = POSIX_LOCK_SHARED, .pid = 22};
    struct posix_lock there = {0}, none = a;
    bool granted = false;
    none.type = POSIX_LOCK_NONE;
    assert_int_equal(posix_lock(m->one, one, &a, 0, &granted, NULL, &m->err), 0);
    assert_true(granted);
    assert_int_equal(posix_lock(m->two, two, &b, 0, &granted, &there, &m->err), 0);
    assert_false(granted);
    assert_int_equal(there.end, 9);
    assert_int_equal(there.pid, 11);
    assert_int_equal(there.type, POSIX_LOCK_EXCLUSIVE);
    assert_int_equal(posix_test_lock(m->two, two, &b, &granted, NULL, &m->err), 0);
    assert_false(granted);
    assert_int_equal(posix_lock(m->two, two, &b, 1, &granted, NULL, &m->err), 0); /* not for long */
    assert_false(granted);

    struct waiting *w = begin_waiting(m, m->two, two, 0, &b, wait_for_lock);
    while (!is_waiting(m))
        ;
    struct posix_lock c = {.id = file.id, .owner = 1, .start = 30, .end = 40, .type = POSIX_LOCK_EXCLUSIVE};
    assert_int_equal(posix_lock(m->one, one, &none, 0, &granted, NULL, &m->err), 0);
    pthread_join(w->thread, NULL);
    assert_int_equal(w->rc, 0);
    assert_true(w->granted);
    end_waiting(w);

    assert_int_equal(posix_lock(m->one, one, &c, 0, &granted, NULL, &m->err), 0); /* each waits for the other: */
    w = begin_waiting(m, m->two, two, 0, &c, wait_for_lock);
    while (!is_waiting(m))
        ;
    assert_int_equal(posix_lock(m->one, one, &a, 30000, &granted, NULL, &m->err), ERR_DEADLOCK);
    assert_int_equal(posix_close_session(m->one, one, &m->err), 0);
    pthread_join(w->thread, NULL);
    assert_true(!w->rc && w->granted);
    end_waiting(w);
}

static void who_has_gone_gets_no_lock(void **state)
{
    struct mounts *m = *state;
    uint64_t one = session_of(m, m->one), two = session_of(m, m->two);
    struct posix_attr file = make(m, one, POSIX_ROOT, "f", S_IFREG | 0644);
    struct posix_lock lock = {.id = file.id, .owner = 1, .whole = true, .type = POSIX_LOCK_EXCLUSIVE}, none = lock;
    bool granted = false;
    none.type = POSIX_LOCK_NONE;
    assert_int_equal(posix_lock(m->one, one, &lock, 0, &granted, NULL, &m->err), 0);
    struct waiting *w = begin_waiting(m, m->two, two, 0, &lock, wait_for_lock);
    while (!is_waiting(m))
        ;
    posix_cancel(m->two);
    pthread_join(w->thread, NULL);
    assert_int_equal(w->rc, ERR_CANCELLED);
    end_waiting(w);
    dfs_unref(m->two);
    m->two = mount(m, "root");
    while (is_waiting(m))
        ;
    assert_int_equal(posix_lock(m->one, one, &none, 0, &granted, NULL, &m->err), 0);
    lock.owner = 2;
    assert_int_equal(posix_lock(m->two, two, &lock, 0, &granted, NULL, &m->err), 0);
    assert_true(granted);
}

static void converted_flocks_let_others_pass(void **state)
{
    struct mounts *m = *state;
    uint64_t one = session_of(m, m->one), two = session_of(m, m->two);
    struct posix_attr file = make(m, one, POSIX_ROOT, "f", S_IFREG | 0644);
    struct posix_lock lock = {.id = file.id, .owner = 1, .whole = true, .type = POSIX_LOCK_SHARED};
    bool granted = false;
    assert_int_equal(posix_lock(m->one, one, &lock, 0, &granted, NULL, &m->err), 0);
    assert_int_equal(posix_lock(m->two, two, &lock, 0, &granted, NULL, &m->err), 0);
    assert_true(granted);
    lock.type = POSIX_LOCK_EXCLUSIVE;
    struct waiting *w = begin_waiting(m, m->one, one, 0, &lock, wait_for_lock);
    while (!is_waiting(m))
        ;
    assert_int_equal(posix_lock(m->two, two, &lock, 0, &granted, NULL, &m->err), 0);
    assert_true(granted); /* the shared one that is to be converted has gone, no one waits for ever */
    lock.type = POSIX_LOCK_NONE;
    assert_int_equal(posix_lock(m->two, two, &lock, 0, &granted, NULL, &m->err), 0);
    pthread_join(w->thread, NULL);
    assert_true(!w->rc && w->granted);
    end_waiting(w);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(for_the_superuser_only),
        TEST(names_and_attributes),
        TEST(errors_are_errnos),
        TEST(pages_of_a_directory),
        TEST(a_look_goes_on_behind_the_name),
        TEST(links_and_renames),
        TEST(a_folder_takes_anothers_place),
        TEST(nobody_elses_folder_is_replaced_where_it_is_sticky),
        TEST(what_another_process_did_is_not_done_again),
        TEST(a_directory_moves_between_quotas),
        TEST(a_new_file_is_open_for_its_client),
        TEST(what_is_held_survives_a_restart),
        TEST(what_another_has_open_is_held_for_it),
        TEST(what_is_open_is_said_again_to_a_namenode_that_was_started_again),
        TEST(an_ended_session_lets_go),
        TEST(a_mount_whose_connection_ends_is_gone),
        TEST(mounts_hear_of_each_other),
        TEST(who_waits_is_told_that_the_session_ended),
        TEST(locks_are_waited_for),
        TEST(who_has_gone_gets_no_lock),
        TEST(converted_flocks_let_others_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

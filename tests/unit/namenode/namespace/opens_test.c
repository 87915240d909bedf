/* What is said of open files in any order, then what becomes of those that somebody removes. */
#include "tests/unit/namenode/namespace/fixture.h"

#include <sys/stat.h>

#include "namenode/namespace/nodes.h"
#include "namenode/namespace/opens.h"
#include "namenode/namespace/tree.h"

static void a_file_is_closed_up_to_a_number(void **state)
{
    struct opens *o = opens_new();
    const struct opening *list;
    opens_add(o, 1, 50, 3);
    opens_add(o, 2, 50, 3);
    opens_close(o, 1, 50, 2); /* it was opened again meanwhile */
    assert_true(opens_has(o, 1, 50));
    opens_add(o, 1, 50, 1); /* overtaken */
    opens_close(o, 1, 50, 2);
    assert_true(opens_has(o, 1, 50));
    opens_close(o, 1, 50, 3);
    assert_false(opens_has(o, 1, 50));
    assert_int_equal(opens_of(o, 50, &list), 1);
    assert_int_equal(list[0].session, 2);
    opens_close(o, 2, 50, UINT64_MAX);
    assert_false(opens_any(o, 50));
    opens_close(o, 2, 50, UINT64_MAX);
    assert_int_equal(opens_count(o), 0);
    opens_free(o);
}

static void a_session_ends_up_to_a_number(void **state)
{
    struct opens *o = opens_new();
    for (uint64_t inode = 1; inode <= 1000; inode++) {
        opens_add(o, 1, inode, inode);
        opens_add(o, 2, inode, inode);
    }
    opens_end_session(o, 1, 900);
    assert_int_equal(opens_count(o), 1100);
    assert_true(!opens_has(o, 1, 900) && opens_has(o, 1, 901) && opens_has(o, 2, 900));
    opens_end_session(o, 2, UINT64_MAX);
    opens_end_session(o, 1, UINT64_MAX);
    assert_int_equal(opens_count(o), 0);
    opens_free(o);
}

static void there_is_a_bound(void **state)
{
    struct opens *o = opens_new();
    for (uint64_t inode = 1; inode <= OPENS_MAX + 5; inode++)
        opens_add(o, 1, inode, 1);
    assert_int_equal(opens_count(o), OPENS_MAX);
    assert_false(opens_any(o, OPENS_MAX + 1));
    opens_close(o, 1, 1, 1);
    opens_add(o, 2, OPENS_MAX + 1, 1);
    assert_true(opens_any(o, OPENS_MAX + 1));
    opens_free(o);
}

/* ---- in the namespace ---- */

static struct slice name_of(const char *name)
{
    return (struct slice){(const uint8_t *)name, strlen(name)};
}

static uint64_t make(struct fixture *f, uint64_t parent, const char *name, uint32_t mode)
{
    struct node_make how = {.parent = parent,
                            .name = name_of(name),
                            .mode = mode,
                            .owner = "ann",
                            .group = "staff",
                            .replication = 1,
                            .block_bytes = 1 << 20};
    struct inode *n = NULL;
    bool made = false;
    uint64_t id = 0;
    assert_int_equal(IN_TXN(f, node_make(t, &how, &n, &made, ERR(f)) || (id = n->id, 0)), 0);
    return id;
}

static struct session *open_session(struct fixture *f)
{
    uint64_t id = 0;
    assert_int_equal(IN_TXN(f, session_put_new(f->nn.sessions, t, "s", &id, ERR(f))), 0);
    return sessions_add(f->nn.sessions, id, "s", f->now_ms);
}

static int gone(struct fixture *f, uint64_t id)
{
    struct inode *n = NULL;
    return IN_TXN(f, node_of(t, id, &n, ERR(f)));
}

static int unlink_as(struct fixture *f, uint64_t session, const char *name)
{
    struct inode *n = NULL;
    return IN_TXN(f, (t->session = session, node_unlink(t, INODE_ROOT, name_of(name), false, 0, &n, ERR(f))));
}

static int close_file(struct fixture *f, struct session *s, uint64_t id)
{
    opens_close(f->nn.dir->opens, s->id, id, UINT64_MAX);
    int rc = IN_TXN(f, session_drop_hold(f->nn.sessions, t, s, id, ERR(f)));
    if (!rc)
        session_released(s, id);
    return rc;
}

static void what_others_remove_stays_until_it_is_closed(void **state)
{
    struct fixture *f = *state;
    struct opens *o = f->nn.dir->opens;
    struct session *one = open_session(f), *two = open_session(f);
    uint64_t shared = make(f, INODE_ROOT, "shared", S_IFREG), own = make(f, INODE_ROOT, "own", S_IFREG);
    opens_add(o, one->id, shared, 1);
    opens_add(o, two->id, shared, 1);
    opens_add(o, one->id, own, 2);
    assert_int_equal(unlink_as(f, 0, "shared"), 0);
    assert_true(session_holds(one, shared) && session_holds(two, shared));
    assert_int_equal(unlink_as(f, one->id, "own"), 0); /* it says itself what is to be held */
    assert_int_equal(gone(f, own), ERR_STALE);
    assert_int_equal(close_file(f, one, shared), 0);
    assert_int_equal(gone(f, shared), 0);
    assert_int_equal(close_file(f, two, shared), 0);
    assert_int_equal(gone(f, shared), ERR_STALE);
}

static void a_folder_that_is_deleted_keeps_what_is_open(void **state)
{
    struct fixture *f = *state;
    struct session *s = open_session(f);
    bool done = false;
    uint64_t dir = make(f, INODE_ROOT, "d", S_IFDIR | 0755), file = make(f, dir, "f", S_IFREG);
    uint64_t closed = make(f, dir, "g", S_IFREG);
    char path[64];
    struct path p;
    snprintf(path, sizeof path, "/.reserved/.inodes/%llu", (unsigned long long)file);
    opens_add(f->nn.dir->opens, s->id, file, 1);
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/d", true, &done, ERR(f))), 0);
    for (int reaped = 0; reaped < 2; reaped++) {
        assert_int_equal(gone(f, file), 0);
        assert_int_equal(gone(f, closed), ERR_STALE);
        assert_int_equal(IN_TXN(f, path_resolve(t, &f->root, path, 0, &p, ERR(f))), 0);
        assert_int_equal(session_holds(s, file), reaped);
        reap_all(f);
    }
    uint64_t session = s->id;
    fixture_reopen(f);
    s = sessions_find(f->nn.sessions, session);
    assert_true(session_holds(s, file));
    assert_int_equal(close_file(f, s, file), 0);
    assert_int_equal(gone(f, file), ERR_STALE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_closed_up_to_a_number),
        cmocka_unit_test(a_session_ends_up_to_a_number),
        cmocka_unit_test(there_is_a_bound),
        cmocka_unit_test_setup_teardown(what_others_remove_stays_until_it_is_closed, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_folder_that_is_deleted_keeps_what_is_open, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

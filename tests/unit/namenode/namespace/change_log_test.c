/* The log of changes by itself, then what commits put into it. */
#include "tests/unit/namenode/namespace/fixture.h"

#include "namenode/namespace/change_log.h"
#include "namenode/namespace/links.h"
#include "namenode/namespace/nodes.h"

#include <sys/stat.h>

static void nothing_is_kept_for_nobody(void **state)
{
    struct change_log *c = change_log_new(1000);
    uint64_t cursor = change_log_cursor(c);
    change_log_add(c, 0, 5, NULL, false);
    assert_false(change_log_any(c, &cursor, 1));
    change_log_listeners(c, 1);
    change_log_add(c, 0, 5, NULL, false);
    assert_true(change_log_any(c, &cursor, 1));
    change_log_listeners(c, 0); /* whoever comes again has missed something */
    change_log_listeners(c, 1);
    struct change got[2];
    bool lost = false;
    assert_int_equal(change_log_take(c, &cursor, 1, got, 2, &lost), 0);
    assert_true(lost);
    change_log_free(c);
}

static void who_listens_hears_what_others_did(void **state)
{
    struct change_log *c = change_log_new(1000);
    struct change got[10];
    bool lost = true;
    change_log_listeners(c, 2);
    uint64_t one = change_log_cursor(c), two = one;
    change_log_add(c, 1, 5, "name", false);
    change_log_add(c, 2, 6, NULL, true);
    change_log_add(c, 0, 7, NULL, false);
    change_log_add(c, 0, 7, NULL, true); /* said again, it is one */
    assert_int_equal(change_log_take(c, &one, 1, got, 10, &lost), 2);
    assert_false(lost);
    assert_int_equal(got[0].id, 6);
    assert_int_equal(got[1].id, 7);
    assert_true(got[1].content);
    assert_int_equal(change_log_take(c, &one, 1, got, 10, &lost), 0);
    assert_int_equal(change_log_take(c, &two, 2, got, 1, &lost), 1); /* in pieces */
    assert_string_equal(got[0].name, "name");
    assert_true(change_log_any(c, &two, 2));
    assert_int_equal(change_log_take(c, &two, 2, got, 10, &lost), 1);
    assert_false(change_log_any(c, &two, 2));
    change_log_wait(c, 1);
    assert_false(change_log_wakes(c, 1));
    assert_true(change_log_wakes(c, 2));
    change_log_wait_end(c, 1);
    assert_false(change_log_wakes(c, 2));
    change_log_free(c);
}

static void who_is_late_has_lost_them(void **state)
{
    struct change_log *c = change_log_new(1000);
    struct change got;
    bool lost = false;
    change_log_listeners(c, 1);
    uint64_t cursor = change_log_cursor(c), of_before = 10, of_another = UINT64_MAX;
    for (uint64_t i = 0; i < CHANGE_LOG_MAX; i++)
        change_log_add(c, 0, i + 1, "x", false);
    uint64_t just_so = cursor;
    assert_int_equal(change_log_take(c, &just_so, 1, &got, 1, &lost), 1);
    assert_false(lost);
    change_log_add(c, 0, 1, "y", false);
    assert_int_equal(change_log_take(c, &cursor, 1, &got, 1, &lost), 0);
    assert_true(lost);
    assert_int_equal(cursor, change_log_cursor(c));
    assert_int_equal(change_log_take(c, &of_before, 1, &got, 1, &lost), 0);
    assert_true(lost);
    assert_int_equal(change_log_take(c, &of_another, 1, &got, 1, &lost), 0);
    assert_true(lost);
    change_log_free(c);
}

/* ---- commits ---- */

/* "16386/name 16387! 16388": entries, contents, attributes */
static const char *heard(struct fixture *f, uint64_t *cursor)
{
    static char text[1000];
    struct change got[50];
    bool lost;
    size_t len = 0, count = change_log_take(f->nn.dir->changes, cursor, 1, got, 50, &lost);
    assert_false(lost);
    text[0] = 0;
    for (size_t i = 0; i < count; i++)
        len += (size_t)sprintf(text + len, "%s%d%s%s%s", i ? " " : "", (int)(got[i].id - INODE_ROOT),
                               got[i].name ? "/" : "", got[i].name ? got[i].name : "", got[i].content ? "!" : "");
    return text;
}

static int write_block(struct txn *t, uint64_t id, uint64_t bytes, enum block_state state)
{
    struct inode *n = NULL;
    int rc = txn_inode(t, id, &n, NULL);
    if (rc)
        return rc;
    struct file_block *b = n->block_count ? inode_last_block(n) : txn_add_block(t, n);
    txn_set_block(t, n, b, b->stamp, bytes, state);
    return 0;
}

static void commits_tell(void **state)
{
    struct fixture *f = *state;
    bool done;
    change_log_listeners(f->nn.dir->changes, 1);
    uint64_t cursor = change_log_cursor(f->nn.dir->changes);
    mkdirs(f, "/d");
    assert_string_equal(heard(f, &cursor), "0/d 0");
    struct file_create_args args = {.path = "/d/f",
                                    .client_name = "me",
                                    .client_machine = "here",
                                    .mode = 0644,
                                    .replication = 1,
                                    .block_bytes = 1 << 20,
                                    .create = true};
    struct inode *n = NULL;
    assert_int_equal(IN_TXN(f, file_create(o, &f->root, &args, &n, ERR(f))), 0);
    uint64_t id = look(f, "/d/f").id;
    assert_string_equal(heard(f, &cursor), "1/f 1");
    assert_int_equal(IN_TXN(f, write_block(t, id, 100, BLOCK_UNDER_CONSTRUCTION)), 0);
    assert_string_equal(heard(f, &cursor), "2!");
    assert_int_equal(IN_TXN(f, write_block(t, id, 100, BLOCK_COMPLETE)), 0);
    assert_string_equal(heard(f, &cursor), ""); /* nobody can see that */
    assert_int_equal(IN_TXN(f, tree_set_permission(t, &f->root, "/d/f", 0600, ERR(f))), 0);
    assert_string_equal(heard(f, &cursor), "2");
    assert_int_equal(IN_TXN(f, tree_rename(t, &f->root, "/d/f", "/g", &done, ERR(f))), 0);
    assert_string_equal(heard(f, &cursor), "1/f 0/g 0 1 2");
    assert_int_equal(IN_TXN(f, (t->session = 1, tree_delete(t, &f->root, "/g", false, &done, ERR(f)))), 0);
    assert_string_equal(heard(f, &cursor), ""); /* its own doing */
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/none", false, &done, ERR(f))), 0);
    assert_string_equal(heard(f, &cursor), "");
    mkdirs(f, "/d/sub/deep");
    uint64_t two = 0;
    struct node_make how = {.parent = look(f, "/d/sub").id,
                            .name = {(const uint8_t *)"p", 1},
                            .mode = S_IFIFO,
                            .owner = "ann",
                            .group = "staff"};
    bool made;
    assert_int_equal(IN_TXN(f, node_make(t, &how, &n, &made, ERR(f)) || !(two = n->id)), 0);
    assert_int_equal(IN_TXN(f, node_link(t, two, INODE_ROOT, (struct slice){(const uint8_t *)"q", 1}, &n, ERR(f))), 0);
    heard(f, &cursor);
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/d", true, &done, ERR(f))), 0);
    assert_string_equal(heard(f, &cursor), "0/d 0 1");
    reap_all(f); /* nobody sees that, but that /q has one name less */
    char wanted[32];
    snprintf(wanted, sizeof wanted, "%d", (int)(two - INODE_ROOT));
    assert_string_equal(heard(f, &cursor), wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_kept_for_nobody),
        cmocka_unit_test(who_listens_hears_what_others_did),
        cmocka_unit_test(who_is_late_has_lost_them),
        cmocka_unit_test_setup_teardown(commits_tell, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

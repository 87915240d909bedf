/* Operations by inode number, with POSIX's rules, one by one. */
#include "tests/unit/namenode/namespace/node_calls.h"

#include "namenode/namespace/acl.h"
#include "namenode/namespace/snapshot_diff.h"
#include "namenode/namespace/snapshots.h"

static void every_kind_of_file(void **state)
{
    struct fixture *f = *state;
    static const uint32_t kinds[] = {S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK};
    for (int again = 0; again < 2; again++) {
        for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
            char name[2] = {(char)('a' + i), 0}, path[3] = {'/', name[0], 0};
            if (!again)
                must_make(f, INODE_ROOT, name, kinds[i] | 06751);
            struct inode n = attr_of(f, child_of(f, INODE_ROOT, name));
            assert_int_equal(inode_format(n.type), kinds[i]);
            assert_int_equal(n.mode, S_ISLNK(kinds[i]) ? 0777 : 06751);
            assert_int_equal(n.rdev, S_ISCHR(kinds[i]) || S_ISBLK(kinds[i]) ? 0x105 : 0);
            assert_int_equal(inode_nlink(&n), S_ISDIR(kinds[i]) ? 2 : 1);
            assert_string_equal(look(f, path).owner, "ann");
        }
        fixture_reopen(f);
    }
    uint64_t id;
    assert_int_equal(make(f, INODE_ROOT, "z", 0644, &id), ERR_ILLEGAL_ARGUMENT);
    assert_int_equal(make(f, INODE_ROOT, "a", S_IFREG, &id), ERR_EXISTS);
    assert_int_equal(make(f, child_of(f, INODE_ROOT, "a"), "x", S_IFREG, &id), ERR_NOT_DIR);
    assert_int_equal(make(f, 999999, "x", S_IFREG, &id), ERR_STALE);
}

static void names_have_limits(void **state)
{
    struct fixture *f = *state;
    char longest[257];
    memset(longest, 'n', 256);
    longest[256] = 0;
    uint64_t id;
    assert_int_equal(make(f, INODE_ROOT, longest, S_IFREG, &id), ERR_NAME_TOO_LONG);
    longest[255] = 0;
    assert_int_equal(make(f, INODE_ROOT, longest, S_IFREG, &id), 0);
    static const char *const bad[] = {"", "a/b", ".", ".."};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
        assert_int_equal(make(f, INODE_ROOT, bad[i], S_IFREG, &id), ERR_ILLEGAL_ARGUMENT);
    assert_int_equal(make(f, INODE_ROOT, ".snapshot", S_IFDIR, &id), ERR_HADOOP_ILLEGAL_ARGUMENT);
    assert_int_equal(make(f, INODE_ROOT, ".reserved", S_IFDIR, &id), ERR_HADOOP_ILLEGAL_ARGUMENT);
    must_make(f, INODE_ROOT, "12:30:00 \xff\n*", S_IFREG); /* whatever else is fine */
    struct node_make with_nul = {
        .parent = INODE_ROOT, .name = {(const uint8_t *)"a\0b", 3}, .mode = S_IFIFO, .owner = "ann", .group = "staff"};
    bool made;
    assert_int_equal(make_as(f, &with_nul, &id, &made), ERR_ILLEGAL_ARGUMENT);
    assert_int_equal(child_of(f, INODE_ROOT, "."), INODE_ROOT);
    assert_int_equal(child_of(f, INODE_ROOT, ".."), INODE_ROOT);
    uint64_t dir = must_make(f, INODE_ROOT, "dir", S_IFDIR);
    assert_int_equal(child_of(f, must_make(f, dir, "in", S_IFDIR), ".."), dir);
    assert_int_equal(link_to(f, 999999, dir, "x"), ERR_STALE);
}

static void modes_of_new_files(void **state)
{
    struct fixture *f = *state;
    struct node_make how = {.parent = INODE_ROOT,
                            .name = name_of("d"),
                            .mode = S_IFDIR | 02777,
                            .umask = 027,
                            .owner = "ann",
                            .group = "club",
                            .replication = 3,
                            .block_bytes = BLOCK};
    uint64_t dir, id;
    bool made;
    assert_int_equal(make_as(f, &how, &dir, &made), 0);
    assert_int_equal(attr_of(f, dir).mode, 02750);
    how = (struct node_make){.parent = dir,
                             .name = name_of("f"),
                             .mode = S_IFREG | 0666,
                             .umask = 022,
                             .owner = "bob",
                             .group = "staff",
                             .replication = 3,
                             .block_bytes = BLOCK};
    assert_int_equal(make_as(f, &how, &id, &made), 0);
    assert_int_equal(attr_of(f, id).mode, 0644);
    assert_string_equal(look(f, "/d/f").group, "club"); /* the directory's, since it is setgid */
    how.name = name_of("sub");
    how.mode = S_IFDIR | 0777;
    assert_int_equal(make_as(f, &how, &id, &made), 0);
    assert_int_equal(attr_of(f, id).mode, 02755);
    assert_int_equal(IN_TXN(f, tree_mkdirs(t, &f->root, "/d/hdfs", 0755, true, ERR(f))), 0);
    assert_int_equal(look(f, "/d/hdfs").mode, 02755);
    struct acl spec = {.count = 1, .entries = {{ACL_DEFAULT, ACL_USER, 7, "bob"}}};
    assert_int_equal(IN_TXN(f, tree_change_acl(t, &f->root, "/d", ACL_MODIFY, &spec, ERR(f))), 0);
    how.name = name_of("g"); /* default entries take the umask's place */
    how.mode = S_IFREG | 0666;
    how.umask = 077;
    assert_int_equal(make_as(f, &how, &id, &made), 0);
    assert_int_equal(attr_of(f, id).mode & 0770, 0660);
    how.existing_is_fine = true;
    uint64_t again;
    assert_int_equal(make_as(f, &how, &again, &made), 0);
    assert_false(made);
    assert_int_equal(again, id);
}

static void attributes_are_set_and_hdfs_clients_know_of_some(void **state)
{
    struct fixture *f = *state;
    uint64_t id = must_make(f, INODE_ROOT, "f", S_IFREG | 0644), dir = must_make(f, INODE_ROOT, "d", S_IFDIR | 02755);
    struct inode *n = NULL;
    struct node_set set = {.has_mode = true,
                           .mode = 06711,
                           .owner = "12345",
                           .group = "67",
                           .has_atime = true,
                           .atime_ns = 1234567890123456789,
                           .has_mtime = true,
                           .mtime_ns = 987654321};
    assert_int_equal(IN_TXN(f, node_set(t, id, &set, &n, ERR(f))), 0);
    fixture_reopen(f);
    struct inode now = attr_of(f, id);
    assert_int_equal(now.mode, 06711);
    assert_int_equal(now.atime_ns, 1234567890123456789);
    assert_int_equal(now.mtime_ns, 987654321);
    assert_int_equal(now.ctime_ns, f->now_ns - 1000000);
    assert_string_equal(look(f, "/f").owner, "12345");
    assert_int_equal(IN_TXN(f, tree_set_owner(t, &f->root, "/f", "bob", NULL, ERR(f))), 0);
    assert_int_equal(attr_of(f, id).mode, 0711); /* as chown does */
    assert_int_equal(IN_TXN(f, tree_set_permission(t, &f->root, "/d", 0700, ERR(f))), 0);
    assert_int_equal(attr_of(f, dir).mode, 02700);
    bool done = false; /* who may write a file does not get what its owner may */
    assert_int_equal(IN_TXN(f, tree_set_permission(t, &f->root, "/f", 0777, ERR(f))), 0);
    set = (struct node_set){.has_mode = true, .mode = 06777};
    assert_int_equal(IN_TXN(f, node_set(t, id, &set, &n, ERR(f))), 0);
    struct file_block *block = NULL;
    assert_int_equal(IN_TXN(f, file_append(o, &f->root, "/f", "w", "here", false, &n, &block, ERR(f))), 0);
    assert_int_equal(attr_of(f, id).mode, 06777);
    assert_int_equal(IN_TXN(f, file_recover_lease(o, &f->root, "/f", "w2", "here", &done, ERR(f))), 0);
    assert_int_equal(IN_TXN(f, file_append(o, &f->ann, "/f", "w", "here", false, &n, &block, ERR(f))), 0);
    assert_int_equal(attr_of(f, id).mode, 0777);
    set = (struct node_set){.owner = ""};
    assert_int_equal(IN_TXN(f, node_set(t, id, &set, &n, ERR(f))), ERR_ILLEGAL_ARGUMENT);
    assert_int_equal(IN_TXN(f, node_set(t, 999999, &(struct node_set){0}, &n, ERR(f))), ERR_STALE);
}

static int names_of(struct fixture *f, uint64_t id)
{
    return IN_TXN(f, ({
                      struct inode *n = NULL;
                      assert_int_equal(txn_inode(t, id, &n, ERR(f)), 0);
                      (int)txn_count_names(t, n);
                  }));
}

static void links_count(void **state)
{
    struct fixture *f = *state;
    uint64_t a = must_make(f, INODE_ROOT, "a", S_IFDIR), b = must_make(f, INODE_ROOT, "b", S_IFDIR);
    uint64_t file = must_make(f, a, "f", S_IFREG | 0644);
    assert_int_equal(link_to(f, file, b, "g"), 0);
    assert_int_equal(link_to(f, file, b, "g"), ERR_EXISTS);
    assert_int_equal(link_to(f, a, b, "dir"), ERR_PERMISSION);
    struct inode n = attr_of(f, file);
    assert_int_equal(inode_nlink(&n), 2);
    assert_int_equal(names_of(f, file), 2);
    assert_int_equal(look(f, "/b/g").id, file);
    fixture_reopen(f);
    bool done = false;
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/a", true, &done, ERR(f))), 0);
    assert_true(done);
    assert_int_equal(look(f, "/b/g").id, file); /* while its first name waits to be taken apart */
    assert_int_equal(names_of(f, file), 1);
    assert_int_equal(gone(f, file), 0);
    reap_all(f);
    n = attr_of(f, file);
    assert_int_equal(inode_nlink(&n), 1);
    assert_int_equal(n.parent, b);
    assert_int_equal(unlink_from(f, b, "g", false, NULL), 0);
    assert_int_equal(gone(f, file), ERR_STALE);
    assert_int_equal(unlink_from(f, b, "g", false, NULL), ERR_NOT_FOUND);
}

static void a_path_by_number_goes_by_a_name_that_is_there(void **state)
{
    struct fixture *f = *state;
    uint64_t a = must_make(f, INODE_ROOT, "a", S_IFDIR), file = must_make(f, a, "f", S_IFREG | 0644);
    assert_int_equal(link_to(f, file, INODE_ROOT, "g"), 0);
    bool done = false;
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/a", true, &done, ERR(f))), 0);
    char path[64];
    snprintf(path, sizeof path, "/.reserved/.inodes/%llu", (unsigned long long)file);
    assert_int_equal(IN_TXN(f, tree_set_permission(t, &f->root, path, 0600, ERR(f))), 0);
    assert_int_equal(look(f, "/g").mode, 0600);
    reap_all(f);
    assert_int_equal(look(f, path).id, file);
}

static void too_many_links(void **state)
{
    struct fixture *f = *state;
    f->nn.dir->limits.children = LINKS_MAX + 10;
    uint64_t file = must_make(f, INODE_ROOT, "f", S_IFREG | 0644);
    struct txn t;
    struct inode *root = NULL, *n = NULL;
    struct file_op o = {&f->nn, &t, f->now_ms};
    txn_begin(&t, f->nn.dir, f->now_ns);
    assert_int_equal(txn_inode(&t, INODE_ROOT, &root, ERR(f)), 0);
    assert_int_equal(txn_inode(&t, file, &n, ERR(f)), 0);
    for (int i = 1; i < LINKS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "l%d", i);
        if (i % 500 == 0) { /* the list is copied for each */
            assert_int_equal(file_commit(&o, ERR(f)), 0);
            txn_end(&t);
            txn_begin(&t, f->nn.dir, f->now_ns);
            assert_int_equal(txn_inode(&t, INODE_ROOT, &root, ERR(f)), 0);
            assert_int_equal(txn_inode(&t, file, &n, ERR(f)), 0);
        }
        assert_int_equal(txn_add_link(&t, root, name, n, ERR(f)), 0);
    }
    assert_int_equal(txn_add_link(&t, root, "one more", n, ERR(f)), ERR_TOO_MANY_LINKS);
    assert_int_equal(file_commit(&o, ERR(f)), 0);
    txn_end(&t);
    struct inode now = attr_of(f, file);
    assert_int_equal(inode_nlink(&now), LINKS_MAX);
}

static void what_is_held_lives_on(void **state)
{
    struct fixture *f = *state;
    struct session *one = open_session(f, "one"), *two = open_session(f, "two");
    uint64_t one_id = one->id, two_id = two->id;
    uint64_t file = must_make(f, INODE_ROOT, "f", S_IFREG | 0644), other = must_make(f, INODE_ROOT, "g", S_IFIFO);
    assert_int_equal(unlink_from(f, INODE_ROOT, "f", false, one), 0);
    assert_int_equal(rename_to(f, INODE_ROOT, "g", INODE_ROOT, "f", 0, one), 0); /* nothing is replaced */
    assert_int_equal(child_of(f, INODE_ROOT, "f"), other);
    struct inode n = attr_of(f, file);
    assert_int_equal(inode_nlink(&n), 0);
    char path[64];
    snprintf(path, sizeof path, "/.reserved/.inodes/%llu", (unsigned long long)file);
    assert_int_equal(IN_TXN(f, tree_set_permission(t, &f->root, path, 0600, ERR(f))), 0);
    assert_int_equal(attr_of(f, file).mode, 0600);
    assert_int_equal(IN_TXN(f, tree_set_permission(t, &f->ann, path, 0644, ERR(f))), ERR_NOT_FOUND); /* her own */
    bool done = true;
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, path, false, &done, ERR(f))), 0);
    assert_false(done); /* where names change there is no such file */
    fixture_reopen(f);
    one = sessions_find(f->nn.sessions, one_id);
    two = sessions_find(f->nn.sessions, two_id);
    assert_true(one && two && session_holds(one, file));
    assert_int_equal(attr_of(f, file).mode, 0600);

    assert_int_equal(link_to(f, file, INODE_ROOT, "again"), 0); /* and is taken away by the other */
    assert_int_equal(unlink_from(f, INODE_ROOT, "again", false, two), 0);
    assert_int_equal(release(f, one, file), 0);
    assert_int_equal(gone(f, file), 0);
    assert_int_equal(release(f, two, file), 0);
    assert_int_equal(gone(f, file), ERR_STALE);

    uint64_t many[250];
    for (size_t i = 0; i < ARRAY_COUNT(many); i++) {
        many[i] = must_make(f, INODE_ROOT, "m", S_IFREG | 0644);
        assert_int_equal(unlink_from(f, INODE_ROOT, "m", false, one), 0);
    }
    assert_int_equal(link_to(f, many[7], INODE_ROOT, "kept"), 0);
    fixture_reopen(f);
    end_session(f, one_id);
    for (size_t i = 0; i < ARRAY_COUNT(many); i++)
        assert_int_equal(gone(f, many[i]), i == 7 ? 0 : ERR_STALE);
    assert_null(sessions_find(f->nn.sessions, one_id));
    fixture_reopen(f);
    assert_null(sessions_find(f->nn.sessions, one_id));
    assert_non_null(sessions_find(f->nn.sessions, two_id));
    assert_int_not_equal(open_session(f, "three")->id, one_id); /* a number is never given out again */
}

static void a_file_is_made_without_a_name(void **state)
{
    struct fixture *f = *state;
    struct session *s = open_session(f, "s");
    uint64_t session = s->id, kept = 0, dropped = 0, other, d = must_make(f, INODE_ROOT, "d", S_IFDIR | 02755);
    assert_int_equal(IN_TXN(f, tree_set_owner(t, &f->root, "/d", NULL, "others", ERR(f))), 0);
    assert_int_equal(make_unnamed(f, d, S_IFREG | 04666, s, &kept), 0);
    assert_int_equal(make_unnamed(f, d, S_IFREG | 04666, s, &dropped), 0);
    assert_string_equal(names(f, "/d", ""), "");
    for (int again = 0; again < 2; again++) {
        struct inode n = attr_of(f, kept);
        assert_int_equal(inode_nlink(&n), 0);
        assert_int_equal(n.mode, 04644);
        s = sessions_find(f->nn.sessions, session);
        assert_true(s && session_holds(s, kept) && session_holds(s, dropped));
        if (!again)
            fixture_reopen(f);
    }
    assert_int_equal(link_to(f, kept, d, "f"), 0);
    assert_string_equal(look(f, "/d/f").group, "others");
    assert_int_equal(release(f, s, kept), 0);
    assert_int_equal(gone(f, kept), 0);
    end_session(f, session);
    assert_int_equal(gone(f, dropped), ERR_STALE);
    assert_int_equal(f->nn.dir->counters.inodes, 3);

    s = open_session(f, "s");
    assert_int_equal(make_unnamed(f, d, S_IFDIR | 0755, s, &other), ERR_ILLEGAL_ARGUMENT);
    assert_int_equal(make_unnamed(f, kept, S_IFREG | 0644, s, &other), ERR_NOT_DIR);
    assert_int_equal(make_unnamed(f, 999999, S_IFREG | 0644, s, &other), ERR_STALE);
}

static void a_silent_session_ends(void **state)
{
    struct fixture *f = *state;
    struct session *s = open_session(f, "s");
    uint64_t expiry_ms = sessions_expiry_ms(f->nn.sessions), file = must_make(f, INODE_ROOT, "f", S_IFREG);
    assert_int_equal(unlink_from(f, INODE_ROOT, "f", false, s), 0);
    assert_null(sessions_next_ended(f->nn.sessions, f->now_ms + expiry_ms));
    s->waiting = 1;
    assert_null(sessions_next_ended(f->nn.sessions, f->now_ms + 10 * expiry_ms));
    s->waiting = 0;
    assert_true(posix_tick(&f->nn, f->now_ms + expiry_ms + 1));
    assert_false(posix_tick(&f->nn, f->now_ms + expiry_ms + 1));
    assert_int_equal(gone(f, file), ERR_STALE);
    assert_int_equal(sessions_count(f->nn.sessions), 0);
}

static void an_open_file_without_a_name_is_written_on(void **state)
{
    struct fixture *f = *state;
    struct session *s = open_session(f, "writer");
    struct inode *n = NULL;
    uint64_t file = must_make(f, INODE_ROOT, "f", S_IFREG | 0644);
    assert_int_equal(IN_TXN(f, txn_inode(t, file, &n, ERR(f)) || (txn_open_file(t, n, "writer", "here"), 0)), 0);
    leases_add(f->nn.leases, "writer", file, f->now_ms);
    assert_int_equal(unlink_from(f, INODE_ROOT, "f", false, s), 0);
    struct file_ref ref = {"/f", file, "writer"};
    assert_int_equal(IN_TXN(f, file_fsync(o, &f->root, &ref, -1, ERR(f))), 0);
    bool closed = false;
    uint64_t id;
    assert_int_equal(IN_TXN(f, file_complete(o, &f->root, &ref, NULL, 0, &closed, &id, ERR(f))), 0);
    assert_true(closed);
    assert_int_equal(release(f, s, file), 0);
    assert_int_equal(IN_TXN(f, file_fsync(o, &f->root, &ref, -1, ERR(f))), ERR_NOT_FOUND);
}

static void renames_replace_as_posix_says(void **state)
{
    struct fixture *f = *state;
    uint64_t d = must_make(f, INODE_ROOT, "d", S_IFDIR), e = must_make(f, INODE_ROOT, "e", S_IFDIR);
    uint64_t file = must_make(f, INODE_ROOT, "f", S_IFREG), other = must_make(f, d, "g", S_IFREG);
    assert_int_equal(rename_to(f, INODE_ROOT, "f", INODE_ROOT, "e", 0, NULL), ERR_IS_DIR);
    assert_int_equal(rename_to(f, INODE_ROOT, "e", INODE_ROOT, "f", 0, NULL), ERR_NOT_DIR);
    assert_int_equal(rename_to(f, INODE_ROOT, "e", INODE_ROOT, "d", 0, NULL), ERR_NOT_EMPTY);
    assert_int_equal(rename_to(f, INODE_ROOT, "d", d, "x", 0, NULL), ERR_ILLEGAL_ARGUMENT);
    assert_int_equal(rename_to(f, INODE_ROOT, "none", d, "x", 0, NULL), ERR_NOT_FOUND);
    assert_int_equal(rename_to(f, INODE_ROOT, "f", d, "g", NODE_NOREPLACE, NULL), ERR_EXISTS);
    assert_int_equal(rename_to(f, INODE_ROOT, "f", d, "none", NODE_EXCHANGE, NULL), ERR_NOT_FOUND);
    assert_int_equal(rename_to(f, INODE_ROOT, "f", d, "g", 3, NULL), ERR_ILLEGAL_ARGUMENT);
    assert_int_equal(rename_to(f, INODE_ROOT, "f", d, "g", 8, NULL), ERR_ILLEGAL_ARGUMENT);
    assert_int_equal(rename_to(f, INODE_ROOT, "f", file, "x", 0, NULL), ERR_NOT_DIR);
    assert_int_equal(rename_to(f, INODE_ROOT, ".", d, "x", 0, NULL), ERR_ILLEGAL_ARGUMENT);
    assert_int_equal(rename_to(f, INODE_ROOT, "f", d, "..", 0, NULL), ERR_ILLEGAL_ARGUMENT);

    assert_int_equal(rename_to(f, INODE_ROOT, "f", d, "g", 0, NULL), 0); /* file by file */
    assert_int_equal(gone(f, other), ERR_STALE);
    assert_int_equal(child_of(f, d, "g"), file);
    assert_int_equal(rename_to(f, INODE_ROOT, "d", INODE_ROOT, "e", 0, NULL), 0); /* an empty directory by a full one */
    assert_int_equal(gone(f, e), ERR_STALE);
    assert_int_equal(child_of(f, INODE_ROOT, "e"), d);

    assert_int_equal(link_to(f, file, d, "h"), 0); /* two names of one file: nothing happens */
    assert_int_equal(rename_to(f, d, "g", d, "h", 0, NULL), 0);
    struct inode n = attr_of(f, file);
    assert_int_equal(inode_nlink(&n), 2);
    assert_int_equal(child_of(f, d, "g"), file);
    bool done = true; /* HDFS's rename replaces nothing; its other one, with leave to, leaves one name */
    assert_int_equal(IN_TXN(f, tree_rename(t, &f->root, "/e/g", "/e/h", &done, ERR(f))), 0);
    assert_false(done);
    assert_int_equal(IN_TXN(f, tree_rename2(t, &f->root, "/e/g", "/e/h", true, ERR(f))), 0);
    assert_string_equal(names(f, "/e", ""), "h");
    n = attr_of(f, file);
    assert_int_equal(inode_nlink(&n), 1);
}

static void exchanges(void **state)
{
    struct fixture *f = *state;
    uint64_t d = must_make(f, INODE_ROOT, "d", S_IFDIR), sub = must_make(f, d, "sub", S_IFDIR);
    uint64_t file = must_make(f, INODE_ROOT, "f", S_IFREG), deep = must_make(f, sub, "deep", S_IFDIR);
    assert_int_equal(rename_to(f, INODE_ROOT, "d", sub, "deep", NODE_EXCHANGE, NULL), ERR_ILLEGAL_ARGUMENT);
    assert_int_equal(rename_to(f, sub, "deep", INODE_ROOT, "d", NODE_EXCHANGE, NULL), ERR_ILLEGAL_ARGUMENT);
    assert_int_equal(rename_to(f, INODE_ROOT, "f", d, "sub", NODE_EXCHANGE, NULL), 0);
    assert_int_equal(child_of(f, INODE_ROOT, "f"), sub);
    assert_int_equal(child_of(f, d, "sub"), file);
    assert_int_equal(look(f, "/f/deep").id, deep);
    struct inode top = attr_of(f, INODE_ROOT), in = attr_of(f, d);
    assert_int_equal(inode_nlink(&top), 4);
    assert_int_equal(inode_nlink(&in), 2);
    assert_int_equal(link_to(f, file, d, "again"), 0);
    assert_int_equal(rename_to(f, d, "sub", d, "again", NODE_EXCHANGE, NULL), 0);
    assert_string_equal(names(f, "/d", ""), "again sub");
}

static void directories_are_removed_empty(void **state)
{
    struct fixture *f = *state;
    uint64_t d = must_make(f, INODE_ROOT, "d", S_IFDIR);
    uint64_t id;
    must_make(f, d, "f", S_IFREG);
    assert_int_equal(unlink_from(f, INODE_ROOT, "d", false, NULL), ERR_IS_DIR);
    assert_int_equal(unlink_from(f, INODE_ROOT, "d", true, NULL), ERR_NOT_EMPTY);
    assert_int_equal(unlink_from(f, d, "f", true, NULL), ERR_NOT_DIR);
    assert_int_equal(unlink_from(f, d, "f", false, NULL), 0);
    assert_int_equal(unlink_from(f, INODE_ROOT, "d", true, NULL), 0);
    assert_int_equal(make(f, d, "x", S_IFREG, &id), ERR_STALE);
    must_make(f, must_make(f, INODE_ROOT, "e", S_IFDIR), "sub", S_IFDIR);
    uint64_t sub = child_of(f, child_of(f, INODE_ROOT, "e"), "sub");
    bool done = false;
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/e", true, &done, ERR(f))), 0);
    assert_int_equal(make(f, sub, "x", S_IFREG, &id), ERR_STALE); /* what hangs below goes too, a bit later */
}

static void snapshots_forbid_what_they_do_for_others(void **state)
{
    struct fixture *f = *state;
    const char *path = NULL;
    uint64_t d = must_make(f, INODE_ROOT, "d", S_IFDIR), file = must_make(f, d, "f", S_IFREG);
    must_make(f, d, "sub", S_IFDIR);
    assert_int_equal(IN_TXN(f, snapshot_allow(t, "/d", ERR(f))), 0);
    assert_int_equal(IN_TXN(f, snapshot_create(t, &f->root, "/d", "s", &path, ERR(f))), 0);
    assert_int_equal(rename_to(f, INODE_ROOT, "d", INODE_ROOT, "e", 0, NULL), ERR_SNAPSHOT);
    assert_int_equal(link_to(f, file, d, "g"), 0);
    assert_int_equal(unlink_from(f, d, "f", false, NULL), 0);
    assert_string_equal(names(f, "/d", ""), "g sub");
    struct txn t;
    struct path p;
    txn_begin(&t, f->nn.dir, f->now_ns);
    assert_int_equal(path_resolve(&t, &f->root, "/d/.snapshot/s/f", PATH_SNAPSHOT, &p, ERR(f)), 0);
    assert_int_equal(path_target(&p)->id, file);
    assert_int_equal(path_resolve(&t, &f->root, "/d/.snapshot/s/g", PATH_SNAPSHOT | PATH_MAY_MISS, &p, ERR(f)), 0);
    assert_null(path_target(&p));
    txn_end(&t);
}

static const char *difference(struct fixture *f, const char *dir, const char *from)
{
    static char text[1000];
    struct txn t;
    struct arena memory;
    struct snapshot_diff d;
    size_t len = 0;
    arena_init(&memory, 1 << 20);
    txn_begin_snapshot(&t, f->nn.dir);
    assert_int_equal(snapshot_diff(&t, &f->root, dir, from, "", false, &memory, &d, ERR(f)), 0);
    txn_end(&t);
    text[0] = 0;
    for (size_t i = 0; i < d.count; i++) {
        const struct diff_node *n = &d.nodes[i];
        if (!n->is_dir)
            len += (size_t)sprintf(text + len, "M%s ", n->path);
        for (size_t k = 0; k < n->created_count; k++)
            if (!n->created[k].is_moved)
                len += (size_t)sprintf(text + len, "+%s/%s ", n->path, n->created[k].name);
        for (size_t k = 0; k < n->deleted_count; k++)
            len += (size_t)sprintf(text + len, n->deleted[k].target ? "R%s/%s>%s " : "-%s/%s ", n->path,
                                   n->deleted[k].name, n->deleted[k].target ? n->deleted[k].target : "");
    }
    arena_free(&memory);
    return text;
}

static void differences_of_snapshots_know_several_names(void **state)
{
    struct fixture *f = *state;
    const char *path = NULL;
    uint64_t out = must_make(f, INODE_ROOT, "out", S_IFDIR), d = must_make(f, INODE_ROOT, "d", S_IFDIR);
    uint64_t outside = must_make(f, out, "f", S_IFREG), two = must_make(f, d, "a", S_IFREG);
    uint64_t moved = must_make(f, d, "m", S_IFREG), linked = must_make(f, d, "l", S_IFREG);
    assert_int_equal(link_to(f, outside, d, "in"), 0);
    assert_int_equal(link_to(f, two, d, "b"), 0);
    assert_int_equal(IN_TXN(f, snapshot_allow(t, "/d", ERR(f))), 0);
    assert_int_equal(IN_TXN(f, snapshot_create(t, &f->root, "/d", "s", &path, ERR(f))), 0);
    assert_string_equal(difference(f, "/d", "s"), "");
    assert_int_equal(IN_TXN(f, tree_set_permission(t, &f->root, "/out/f", 0600, ERR(f))), 0);
    assert_string_equal(difference(f, "/d", "s"), "Min "); /* changed under its name elsewhere */
    assert_int_equal(IN_TXN(f, tree_set_permission(t, &f->root, "/d/b", 0600, ERR(f))), 0);
    assert_non_null(strstr(difference(f, "/d", "s"), "Ma "));
    assert_non_null(strstr(difference(f, "/d", "s"), "Mb "));
    assert_int_equal(unlink_from(f, d, "a", false, NULL), 0);
    assert_non_null(strstr(difference(f, "/d", "s"), "-/a ")); /* not moved to b: that was there */
    assert_int_equal(rename_to(f, d, "m", d, "n", 0, NULL), 0);
    assert_int_equal(link_to(f, moved, d, "o"), 0);
    assert_non_null(strstr(difference(f, "/d", "s"), "R/m>n "));
    assert_non_null(strstr(difference(f, "/d", "s"), "+/o "));
    assert_null(strstr(difference(f, "/d", "s"), "+/n "));
    assert_int_equal(link_to(f, linked, d, "l2"), 0);
    assert_non_null(strstr(difference(f, "/d", "s"), "+/l2 "));
}

static void what_gets_its_name_after_a_snapshot_is_not_in_it(void **state)
{
    struct fixture *f = *state;
    const char *path = NULL;
    struct session *s = open_session(f, "s");
    uint64_t file = 0, d = must_make(f, INODE_ROOT, "d", S_IFDIR);
    assert_int_equal(IN_TXN(f, snapshot_allow(t, "/d", ERR(f))), 0);
    assert_int_equal(IN_TXN(f, snapshot_create(t, &f->root, "/d", "before", &path, ERR(f))), 0);
    assert_int_equal(make_unnamed(f, d, S_IFREG | 0644, s, &file), 0);
    assert_int_equal(IN_TXN(f, snapshot_create(t, &f->root, "/d", "s", &path, ERR(f))), 0);
    assert_int_equal(link_to(f, file, d, "f"), 0);
    assert_int_equal(IN_TXN(f, tree_set_permission(t, &f->root, "/d/f", 0600, ERR(f))), 0);
    assert_string_equal(difference(f, "/d", "s"), "+/f ");
    assert_int_equal(release(f, s, file), 0);
    assert_int_equal(unlink_from(f, d, "f", false, NULL), 0);
    assert_string_equal(difference(f, "/d", "s"), "");
    assert_int_equal(gone(f, file), ERR_STALE);
    assert_int_equal(f->nn.dir->counters.inodes, 2); /* nothing is kept of it */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_kind_of_file),
        TEST(names_have_limits),
        TEST(modes_of_new_files),
        TEST(attributes_are_set_and_hdfs_clients_know_of_some),
        TEST(links_count),
        TEST(a_path_by_number_goes_by_a_name_that_is_there),
        TEST(too_many_links),
        TEST(what_is_held_lives_on),
        TEST(a_file_is_made_without_a_name),
        TEST(a_silent_session_ends),
        TEST(an_open_file_without_a_name_is_written_on),
        TEST(renames_replace_as_posix_says),
        TEST(exchanges),
        TEST(directories_are_removed_empty),
        TEST(snapshots_forbid_what_they_do_for_others),
        TEST(differences_of_snapshots_know_several_names),
        TEST(what_gets_its_name_after_a_snapshot_is_not_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* ACLs in their text form: what each change makes of them, what an inode keeps, what a child inherits, who may pass. */
#include "namenode/namespace/acl.h"
#include "namenode/namespace/snapshots.h"

#include "tests/unit/namenode/namespace/fixture.h"

static unsigned rwx_of(const char *text)
{
    return (text[0] == 'r' ? 4u : 0) | (text[1] == 'w' ? 2u : 0) | (text[2] == 'x' ? 1u : 0);
}

/* "u::rwx u:bruce:r-- d:g::---"; the names live as long as `memory`. */
static struct acl acl_of(const char *text, char memory[4096])
{
    struct acl acl = {0};
    char *at = NULL;
    snprintf(memory, 4096, "%s", text);
    for (char *word = strtok_r(memory, " ", &at); word; word = strtok_r(NULL, " ", &at)) {
        struct acl_entry *e = &acl.entries[acl.count++];
        e->scope = !strncmp(word, "d:", 2);
        word += e->scope ? 2 : 0;
        e->type = (uint8_t)(strchr("ugmo", *word) - "ugmo");
        char *name = strchr(word, ':') + 1, *rwx = strchr(name, ':');
        *rwx++ = 0;
        e->name = *name ? name : NULL;
        e->rwx = (uint8_t)rwx_of(rwx);
    }
    return acl;
}

static void append_entry(char *out, size_t max, const struct acl_entry *e)
{
    static const char *const symbols[] = {"---", "--x", "-w-", "-wx", "r--", "r-x", "rw-", "rwx"};
    size_t len = strlen(out);
    snprintf(out + len, max - len, "%s%s%c:%s:%s", len ? " " : "", e->scope ? "d:" : "", "ugmo"[e->type],
             e -> name ? e -> name : "", symbols[e->rwx]);
}

static const char *text_of(const struct acl *acl)
{
    static char out[8192];
    out[0] = 0;
    for (size_t i = 0; i < acl->count; i++)
        append_entry(out, sizeof out, &acl->entries[i]);
    return out;
}

struct change_case {
    const char *old, *change, *expected; /* expected: the ACL, or the exception's text */
};

typedef int (*change_fn)(const struct acl *old, const struct acl *change, struct acl *ret, struct err *reterr);

static void check_cases(change_fn fn, const struct change_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char old_memory[4096], change_memory[4096];
        struct acl old = acl_of(cases[i].old, old_memory), change = acl_of(cases[i].change, change_memory), made;
        struct err why = {0};
        int rc = acl_check_spec(&change, &why);
        rc = rc ? rc : fn(&old, &change, &made, &why);
        assert_true(rc == 0 || rc == ERR_ACL);
        assert_string_equal(rc ? why.text : text_of(&made), cases[i].expected);
    }
}

#define MIN      "u::rwx g::r-x o::---"
#define NO_MASK  "Invalid ACL: mask is required and cannot be deleted."
#define REQUIRED "Invalid ACL: the user, group and other entries are required."
#define TWICE    "Invalid ACL: multiple entries with same scope, type and name."

static void merge_adds_replaces_and_recomputes_masks(void **state)
{
    static const struct change_case cases[] = {
        {MIN, "u::r-- g::r-- o::r--", "u::r-- g::r-- o::r--"},
        {MIN, "u:ann:rw-", "u::rwx u:ann:rw- g::r-x m::rwx o::---"},
        {MIN, "g:dev:-w- u:ann:r--", "u::rwx u:ann:r-- g::r-x g:dev:-w- m::rwx o::---"},
        {"u::rwx u:ann:rwx g::r-x m::rwx o::---", "u:ann:r--", "u::rwx u:ann:r-- g::r-x m::r-x o::---"},
        {"u::rwx u:ann:rwx g::r-x m::r-- o::---", "u:bob:rwx", "u::rwx u:ann:rwx u:bob:rwx g::r-x m::rwx o::---"},
        {"u::rwx u:ann:rwx g::r-x m::rwx o::---", "m::r--", "u::rwx u:ann:rwx g::r-x m::r-- o::---"},
        {"u::rwx u:ann:rwx g::r-x m::r-- o::---", "d:u:bob:rw-",
         "u::rwx u:ann:rwx g::r-x m::r-- o::--- d:u::rwx d:u:bob:rw- d:g::r-x d:m::rwx d:o::---"},
        {MIN, "d:g::rw-", "u::rwx g::r-x o::--- d:u::rwx d:g::rw- d:o::---"},
        {MIN, "d:m::r--", MIN}, /* a mask alone makes no default ACL */
        {"u::rwx g::r-x m::r-x o::---", "g::rwx", "u::rwx g::rwx m::rwx o::---"},
        {MIN, "m::rw-", "u::rwx g::r-x m::rw- o::---"},
        {MIN, "", MIN},
        {MIN, "u:ann:rwx u:ann:r--", TWICE},
        {MIN, "m:ann:rwx", "Invalid ACL: this entry type must not have a name: mask:ann:rwx."},
        {MIN, "o:ann:r-x", "Invalid ACL: this entry type must not have a name: other:ann:r-x."},
        {MIN, "d:u:ann:--x d:o:bob:-w-", "Invalid ACL: this entry type must not have a name: default:other:bob:-w-."},
        {"u::rwx u:ann:rwx g::r-x m::r-- o::--- d:u::rwx d:u:ann:r-- d:g::r-x d:m::--x d:o::---", "u:ann:---",
         "u::rwx u:ann:--- g::r-x m::r-x o::--- d:u::rwx d:u:ann:r-- d:g::r-x d:m::--x d:o::---"},
    };
    check_cases(acl_merge, cases, ARRAY_COUNT(cases));
}

static void remove_drops_entries_but_no_needed_ones(void **state)
{
    static const char two[] = "u::rwx u:ann:rw- u:bob:-w- g::r-x m::rwx o::---";
    static const struct change_case cases[] = {
        {two, "u:ann:---", "u::rwx u:bob:-w- g::r-x m::rwx o::---"},
        {two, "u:ann:--- u:bob:---", "u::rwx g::r-x m::r-x o::---"},
        {two, "u:nobody:---", "u::rwx u:ann:rw- u:bob:-w- g::r-x m::rwx o::---"},
        {two, "m::---", NO_MASK},
        {two, "m::--- u:ann:--- u:bob:---", "u::rwx g::r-x o::---"},
        {two, "u::---", REQUIRED},
        {two, "g::---", REQUIRED},
        {MIN, "o::---", REQUIRED},
        {"u::rwx g::r-x o::--- d:u::r-- d:u:ann:rwx d:g::--- d:m::rwx d:o::---", "d:u:ann:---",
         "u::rwx g::r-x o::--- d:u::r-- d:g::--- d:m::--- d:o::---"},
        {"u::rwx g::r-x o::--- d:u::r-- d:g::--- d:o::---", "d:u::---",
         "u::rwx g::r-x o::--- d:u::rwx d:g::--- d:o::---"},
        {"u::rwx g::r-x o::--- d:u::r-- d:g::--- d:o::---", "d:u::--- d:g::--- d:o::---", MIN},
    };
    check_cases(acl_remove, cases, ARRAY_COUNT(cases));
}

static void replace_touches_only_the_scopes_it_names(void **state)
{
    static const char both[] = "u::rwx u:ann:rw- g::r-x m::r-- o::--- d:u::rwx d:u:ann:rw- d:g::r-x d:m::r-- d:o::---";
    static const struct change_case cases[] = {
        {both, "u::rw- g::r-- o::---", "u::rw- g::r-- o::--- d:u::rwx d:u:ann:rw- d:g::r-x d:m::r-- d:o::---"},
        {both, "d:u:bob:---", "u::rwx u:ann:rw- g::r-x m::r-- o::--- d:u::rwx d:u:bob:--- d:g::r-x d:m::r-x d:o::---"},
        {both, "u::rw- u:bob:r-- g::r-- o::--- d:g::-w-",
         "u::rw- u:bob:r-- g::r-- m::r-- o::--- d:u::rw- d:g::-w- d:o::---"},
        {both, "u::rw- u:bob:r-- g::r-- m::rwx o::---",
         "u::rw- u:bob:r-- g::r-- m::rwx o::--- d:u::rwx d:u:ann:rw- d:g::r-x d:m::r-- d:o::---"},
        {both, "u:bob:r-- g::r-- o::---", REQUIRED},
        {both, "u::rwx u:bob:r-- o::---", REQUIRED},
        {both, "u::rwx g::r-- u:bob:r--", REQUIRED},
        {both, "u::rwx g::r-- o::--- o::r--", TWICE},
    };
    check_cases(acl_replace, cases, ARRAY_COUNT(cases));
}

static void remove_default_leaves_the_access_entries(void **state)
{
    char memory[4096];
    struct acl old = acl_of("u::rwx u:ann:rw- g::r-x m::r-- o::--- d:u::rwx d:g::r-x d:o::---", memory), made;
    assert_int_equal(acl_remove_default(&old, &made, NULL), 0);
    assert_string_equal(text_of(&made), "u::rwx u:ann:rw- g::r-x m::r-- o::---");
}

/* count named users; the mask is added by the change itself. */
static void many(char *out, const char *prefix, int count, const char *base)
{
    snprintf(out, 4096, "%s", base);
    for (int i = 0; i < count; i++)
        snprintf(out + strlen(out), 4096 - strlen(out), " %su:u%02d:r--", prefix, i);
}

static void no_scope_has_more_than_32_entries(void **state)
{
    static const struct {
        const char *prefix, *base;
        int count;
        const char *expected; /* NULL: fine */
    } cases[] = {
        {"", "", 28, NULL},
        {"", "", 29, "Invalid ACL: ACL has 33 access entries, which exceeds maximum of 32."},
        {"", "", 33, "Invalid ACL: ACL has 33 access entries, which exceeds maximum of 32."},
        {"d:", "", 28, NULL},
        {"d:", "", 30, "Invalid ACL: ACL has 34 default entries, which exceeds maximum of 32."},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        char text[4096], memory[4096], old_memory[4096];
        struct acl old = acl_of(MIN, old_memory), made;
        struct err why = {0};
        many(text, cases[i].prefix, cases[i].count, cases[i].base);
        struct acl change = acl_of(text, memory);
        int rc = acl_check_spec(&change, &why);
        rc = rc ? rc : acl_merge(&old, &change, &made, &why);
        assert_int_equal(rc, cases[i].expected ? ERR_ACL : 0);
        if (cases[i].expected)
            assert_string_equal(why.text, cases[i].expected);
    }
}

/* The largest lists that pass the first check do not overflow the draft, whatever becomes of them. */
static void the_largest_lists_fit(void **state)
{
    char text[4096], memory[4096], old_text[4096], old_memory[4096];
    many(old_text, "", 28, "u::rwx g::r-x m::r-x o::--- d:u::rwx d:g::r-x d:m::r-x d:o::---");
    for (int i = 0; i < 28; i++)
        snprintf(old_text + strlen(old_text), sizeof old_text - strlen(old_text), " d:u:u%02d:r--", i);
    text[0] = 0;
    for (int i = 0; i < 64; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), " %su:v%02d:r--", i % 2 ? "d:" : "", i);
    struct acl old = acl_of(old_text, old_memory), change = acl_of(text, memory), made;
    assert_int_equal(acl_check_spec(&old, NULL), 0);
    assert_int_equal(acl_check_spec(&change, NULL), 0);
    assert_int_equal(acl_merge(&old, &change, &made, NULL), ERR_ACL);
    assert_int_equal(acl_replace(&old, &change, &made, NULL), ERR_ACL);
}

/* ---- on inodes ---- */

static int set(struct fixture *f, const struct fs_user *u, const char *path, enum acl_change change, const char *text)
{
    char memory[4096];
    struct acl spec = acl_of(text ? text : "", memory);
    return IN_TXN(f, tree_change_acl(t, u, path, change, text ? &spec : NULL, ERR(f)));
}

/* "mode: what inode.acl has" */
static const char *stored(struct fixture *f, const char *path)
{
    static char out[4096];
    struct txn t;
    struct path p;
    txn_begin(&t, f->nn.dir, f->now_ns);
    assert_int_equal(path_resolve(&t, &f->root, path, PATH_NO_FOLLOW, &p, &f->err), 0);
    const struct inode *n = path_target(&p);
    struct acl acl = {.count = n->acl_count};
    for (size_t i = 0; i < n->acl_count; i++)
        acl.entries[i] = n->acl[i];
    snprintf(out, sizeof out, "%o: %s", n->mode, text_of(&acl));
    txn_end(&t);
    return out;
}

static int create(struct fixture *f, const char *path, uint16_t masked, uint16_t unmasked)
{
    struct file_create_args args = {.path = path,
                                    .client_name = "c",
                                    .client_machine = "127.0.0.1",
                                    .mode = masked,
                                    .unmasked = unmasked,
                                    .has_unmasked = true,
                                    .replication = 1,
                                    .block_bytes = 1 << 20,
                                    .create = true};
    struct inode *n = NULL;
    return IN_TXN(f, file_create(o, &f->root, &args, &n, ERR(f)));
}

static int mkdir_as(struct fixture *f, const char *path, uint16_t masked, uint16_t unmasked)
{
    struct create_mode mode = {masked, unmasked, true};
    return IN_TXN(f, tree_mkdirs_as(t, &f->root, path, mode, true, ERR(f)));
}

static void an_inode_keeps_its_acl_over_a_restart(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/d");
    assert_int_equal(set(f, &f->root, "/d", ACL_MODIFY, "u:ann:rwx g:dev:r-- d:u:bob:r-x"), 0);
    static const char expected[] = "775: u:ann:rwx g::r-x g:dev:r-- d:u::rwx d:u:bob:r-x d:g::r-x d:m::r-x d:o::r-x";
    assert_string_equal(stored(f, "/d"), expected);
    fixture_reopen(f);
    assert_string_equal(stored(f, "/d"), expected);
    /* The group's bits of the mode are the mask now. */
    assert_int_equal(IN_TXN(f, tree_set_permission(t, &f->root, "/d", 01740, ERR(f))), 0);
    assert_int_equal(set(f, &f->root, "/d", ACL_REMOVE_DEFAULT, NULL), 0);
    assert_string_equal(stored(f, "/d"), "1740: u:ann:rwx g::r-x g:dev:r--");
    assert_int_equal(set(f, &f->root, "/d", ACL_REMOVE, NULL), 0);
    assert_string_equal(stored(f, "/d"), "1750: ");
    assert_int_equal(set(f, &f->root, "/d", ACL_SET, "u::rwx g::--- o::--x"), 0);
    assert_string_equal(stored(f, "/d"), "1701: ");
    assert_int_equal(set(f, &f->root, "/d", ACL_SET, "u::rwx u:ann:r-x g::--- o::--x"), 0);
    assert_int_equal(set(f, &f->root, "/d", ACL_SET, ""), 0); /* nothing: remove it */
    assert_string_equal(stored(f, "/d"), "1701: ");
}

static void refusals_name_the_path(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/d");
    assert_int_equal(create(f, "/f", 0644, 0666), 0);
    assert_int_equal(set(f, &f->root, "/d", ACL_REMOVE_ENTRIES, "u::---"), ERR_ACL);
    assert_string_equal(f->err.text, REQUIRED " Path: /d");
    assert_int_equal(set(f, &f->root, "/f", ACL_MODIFY, "d:u:ann:r--"), ERR_ACL);
    assert_string_equal(f->err.text, "Invalid ACL: only directories may have a default ACL. Path: /f Path: /f");
    assert_int_equal(set(f, &f->root, "/no", ACL_MODIFY, "u:ann:r--"), ERR_NOT_FOUND);
    assert_int_equal(set(f, &f->ann, "/d", ACL_MODIFY, "u:ann:r--"), ERR_ACCESS);
    f->nn.dir->acls = false;
    assert_int_equal(set(f, &f->root, "/d", ACL_REMOVE, NULL), ERR_ACL);
}

static void children_inherit_the_default_entries(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/d");
    assert_int_equal(set(f, &f->root, "/d", ACL_MODIFY, "d:u:ann:rwx d:g::rwx d:o::r-x"), 0);
    assert_int_equal(create(f, "/d/file", 0640, 0666), 0);
    assert_string_equal(stored(f, "/d/file"), "664: u:ann:rwx g::rwx");
    assert_int_equal(mkdir_as(f, "/d/sub/deep", 0700, 0770), 0);
    assert_string_equal(stored(f, "/d/sub"), "770: u:ann:rwx g::rwx d:u::rwx d:u:ann:rwx d:g::rwx d:m::rwx d:o::r-x");
    assert_string_equal(stored(f, "/d/sub/deep"), stored(f, "/d/sub"));
    f->nn.dir->posix_acl_inheritance = false;
    assert_int_equal(create(f, "/d/old", 0640, 0666), 0);
    assert_string_equal(stored(f, "/d/old"), "640: u:ann:rwx g::rwx");
    assert_int_equal(IN_TXN(f, tree_symlink(t, &f->root, "/d/file", "/d/link", false, ERR(f))), 0);
    assert_string_equal(stored(f, "/d/link"), "777: ");
}

static void a_minimal_default_acl_gives_files_only_a_mode(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/d");
    assert_int_equal(set(f, &f->root, "/d", ACL_MODIFY, "d:u::rwx d:g::rwx d:o::---"), 0);
    assert_int_equal(create(f, "/d/file", 0600, 0646), 0);
    assert_string_equal(stored(f, "/d/file"), "640: ");
    assert_int_equal(mkdir_as(f, "/d/sub", 0700, 0777), 0);
    assert_string_equal(stored(f, "/d/sub"), "770: d:u::rwx d:g::rwx d:o::---");
    /* No default ACL: the umask counts. */
    mkdirs(f, "/plain");
    assert_int_equal(create(f, "/plain/file", 0600, 0666), 0);
    assert_string_equal(stored(f, "/plain/file"), "600: ");
}

static bool may(struct fixture *f, const struct fs_user *u, unsigned access)
{
    struct txn t;
    struct path p;
    txn_begin(&t, f->nn.dir, f->now_ns);
    assert_int_equal(path_resolve(&t, &f->root, "/f", 0, &p, &f->err), 0);
    bool allowed = access_allowed(u, path_target(&p), access);
    txn_end(&t);
    return allowed;
}

static void named_entries_decide_as_far_as_the_mask_lets_them(void **state)
{
    struct fixture *f = *state;
    struct fs_user eve = {.name = "eve", .groups = {2, sizeof "staff\0dev", "staff\0dev"}}, max = {.name = "max"};
    assert_int_equal(create(f, "/f", 0604, 0604), 0);
    assert_int_equal(IN_TXN(f, tree_set_owner(t, &f->root, "/f", "bob", "staff", ERR(f))), 0);
    assert_int_equal(set(f, &f->root, "/f", ACL_MODIFY, "u:ann:rwx g:dev:rw-"), 0);
    assert_true(may(f, &f->bob, ACCESS_READ_WRITE) && !may(f, &f->bob, ACCESS_EXECUTE)); /* the owner's own bits */
    assert_true(may(f, &f->ann, ACCESS_ALL));
    assert_true(may(f, &eve, ACCESS_READ_WRITE)); /* one of the groups allows it */
    assert_false(may(f, &eve, ACCESS_EXECUTE));
    assert_true(may(f, &max, ACCESS_READ)); /* nobody we know: other */
    assert_int_equal(set(f, &f->root, "/f", ACL_MODIFY, "m::r--"), 0);
    assert_true(may(f, &f->ann, ACCESS_READ) && !may(f, &f->ann, ACCESS_WRITE));
    assert_true(may(f, &eve, ACCESS_READ) && !may(f, &eve, ACCESS_WRITE));
    /* Who is named and denied does not become "other". */
    assert_int_equal(set(f, &f->root, "/f", ACL_MODIFY, "u:ann:--- g:dev:---"), 0);
    assert_false(may(f, &f->ann, ACCESS_READ));
    assert_false(may(f, &eve, ACCESS_READ));
}

/* Who may pass into a snapshot is what was so when it was taken, whatever became of the directory. */
static void a_snapshot_keeps_the_acl_it_was_taken_with(void **state)
{
    struct fixture *f = *state;
    const char *snapshot = NULL;
    struct path p;
    mkdirs(f, "/d/sub");
    assert_int_equal(IN_TXN(f, tree_set_permission(t, &f->root, "/d", 0700, ERR(f))), 0);
    assert_int_equal(set(f, &f->root, "/d", ACL_MODIFY, "u:ann:r-x"), 0);
    assert_int_equal(IN_TXN(f, snapshot_allow(t, "/d", ERR(f))), 0);
    assert_int_equal(IN_TXN(f, snapshot_create(t, &f->root, "/d", "s", &snapshot, ERR(f))), 0);
    assert_int_equal(set(f, &f->root, "/d", ACL_SET, "u::rwx u:bob:r-x g::--- o::---"), 0);
    unsigned flags = PATH_SNAPSHOT;
    assert_int_equal(IN_TXN(f, path_resolve(t, &f->ann, "/d/sub", 0, &p, ERR(f))), ERR_ACCESS);
    assert_int_equal(IN_TXN(f, path_resolve(t, &f->bob, "/d/sub", 0, &p, ERR(f))), 0);
    assert_int_equal(IN_TXN(f, path_resolve(t, &f->ann, "/d/.snapshot/s", flags, &p, ERR(f))), 0);
    assert_int_equal(IN_TXN(f, path_resolve(t, &f->ann, "/d/.snapshot/s/sub", flags, &p, ERR(f))), 0);
    assert_int_equal(IN_TXN(f, path_resolve(t, &f->bob, "/d/.snapshot/s", flags, &p, ERR(f))), ERR_ACCESS);
    assert_int_equal(IN_TXN(f, path_resolve(t, &f->bob, "/d/.snapshot/s/sub", flags, &p, ERR(f))), ERR_ACCESS);
    assert_int_equal(IN_TXN(f, path_resolve(t, &f->ann, "/d/.snapshot/no", flags, &p, ERR(f))), ERR_ACCESS);
    assert_int_equal(IN_TXN(f, path_resolve(t, &f->ann, "/d/.snapshot", flags, &p, ERR(f))), ERR_ACCESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merge_adds_replaces_and_recomputes_masks),
        cmocka_unit_test(remove_drops_entries_but_no_needed_ones),
        cmocka_unit_test(replace_touches_only_the_scopes_it_names),
        cmocka_unit_test(remove_default_leaves_the_access_entries),
        cmocka_unit_test(no_scope_has_more_than_32_entries),
        cmocka_unit_test(the_largest_lists_fit),
        cmocka_unit_test_setup_teardown(an_inode_keeps_its_acl_over_a_restart, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(refusals_name_the_path, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(children_inherit_the_default_entries, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_minimal_default_acl_gives_files_only_a_mode, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_snapshot_keeps_the_acl_it_was_taken_with, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(named_entries_decide_as_far_as_the_mask_lets_them, fixture_setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

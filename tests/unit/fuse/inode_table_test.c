/* The names the kernel knows, without a kernel. */
#include "tests/unit/check.h"

#include <string.h>

#include "fuse/plain/inode_table.h"

static struct inode_table *table;
static struct arena arena;

static int begin(void **state)
{
    table = inode_table_new();
    arena_init(&arena, 1 << 20);
    return 0;
}

static int end(void **state)
{
    inode_table_free(table);
    arena_free(&arena);
    return 0;
}

static struct inode *root(void)
{
    return inode_of(table, 1);
}

static const char *path_of(struct inode *inode)
{
    return inode_path(table, "/base", inode, NULL, &arena);
}

static void paths_follow_a_rename_of_an_ancestor(void **state)
{
    struct inode *a = inode_lookup(table, root(), "a", 10), *b = inode_lookup(table, a, "b", 11);
    struct inode *to = inode_lookup(table, root(), "to", 12);
    assert_string_equal(path_of(b), "/base/a/b");
    assert_string_equal(inode_path(table, "", root(), NULL, &arena), "/");
    assert_string_equal(inode_path(table, "", root(), "x", &arena), "/x");
    inode_renamed(table, root(), "a", to, "new");
    assert_string_equal(path_of(b), "/base/to/new/b");
    assert_ptr_equal(inode_lookup(table, to, "new", 10), a);
    inode_forget(table, b, 1);
    inode_forget(table, a, 2);
    inode_forget(table, to, 1);
}

static void the_same_name_is_one_inode_until_it_is_forgotten(void **state)
{
    struct inode *a = inode_lookup(table, root(), "a", 10);
    assert_ptr_equal(inode_lookup(table, root(), "a", 10), a);
    assert_ptr_equal(inode_of(table, inode_number(table, a)), a);
    inode_forget(table, a, 2); /* a leak or a use after free here is the sanitizer's to find */
}

static void another_file_of_the_name_is_another_inode(void **state)
{
    struct inode *old = inode_lookup(table, root(), "a", 10);
    inode_opened(table, old);
    struct inode *new = inode_lookup(table, root(), "a", 99);
    assert_ptr_not_equal(new, old);
    assert_null(path_of(old));
    assert_true(inode_is_unlinked(table, old));
    assert_string_equal(path_of(new), "/base/a");
    assert_null(inode_closed(table, old));
    inode_unref(table, old);
    inode_forget(table, old, 1);
    inode_forget(table, new, 1);
}

static void a_target_renamed_over_loses_its_name(void **state)
{
    struct inode *from = inode_lookup(table, root(), "from", 10), *over = inode_lookup(table, root(), "over", 11);
    inode_renamed(table, root(), "from", root(), "over");
    assert_string_equal(path_of(from), "/base/over");
    assert_null(path_of(over));
    inode_renamed(table, root(), "over", root(), "over"); /* onto itself: nothing */
    assert_string_equal(path_of(from), "/base/over");
    inode_forget(table, over, 1);
    inode_forget(table, from, 1);
}

static void children_of_a_removed_directory_have_no_path(void **state)
{
    struct inode *dir = inode_lookup(table, root(), "dir", 10), *child = inode_lookup(table, dir, "child", 11);
    inode_unlinked(table, root(), "dir");
    assert_null(path_of(child));
    inode_forget(table, dir, 1); /* the child still needs it */
    inode_forget(table, child, 1);
}

static void only_open_files_are_hidden_and_only_once(void **state)
{
    struct inode *a = inode_lookup(table, root(), "a", 10);
    assert_int_equal(inode_hide(table, root(), "a"), 0);
    assert_int_equal(inode_hide(table, root(), "unknown"), 0);
    inode_opened(table, a);
    inode_opened(table, a);
    uint64_t number = inode_hide(table, root(), "a");
    assert_true(number > 0);
    inode_renamed(table, root(), "a", root(), ".hidden");
    struct dfs *remover = (struct dfs *)&number; /* anything */
    assert_true(inode_hidden(table, root(), ".hidden", remover));
    assert_int_equal(inode_hide(table, root(), ".hidden"), 0);
    assert_null(inode_closed(table, a));
    assert_ptr_equal(inode_closed(table, a), remover); /* the last one: now it is to be removed */
    inode_opened(table, a);                            /* by who came to it by its old name, just before */
    assert_null(inode_closed(table, a));
    inode_unref(table, a);
    inode_unref(table, a);
    inode_unref(table, a);
    inode_forget(table, a, 1);
}

static void one_that_is_closed_while_it_is_hidden_is_removed_at_once(void **state)
{
    struct inode *a = inode_lookup(table, root(), "a", 10);
    inode_opened(table, a);
    assert_true(inode_hide(table, root(), "a") > 0);
    assert_null(inode_closed(table, a)); /* while the namenode renames it */
    inode_unref(table, a);
    inode_renamed(table, root(), "a", root(), ".hidden");
    assert_false(inode_hidden(table, root(), ".hidden", NULL)); /* nobody is left who would remove it */
    inode_forget(table, a, 1);
    assert_false(inode_hidden(table, root(), ".forgotten", NULL));
}

static void thousands_of_names_are_found_again(void **state)
{
    enum { COUNT = 5000 };
    static struct inode *all[COUNT];
    char name[16];
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "n%d", i);
        all[i] = inode_lookup(table, root(), name, (uint64_t)i + 1);
    }
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "n%d", i);
        assert_ptr_equal(inode_lookup(table, root(), name, (uint64_t)i + 1), all[i]);
        inode_forget(table, all[i], 2);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(paths_follow_a_rename_of_an_ancestor),
        TEST(the_same_name_is_one_inode_until_it_is_forgotten),
        TEST(another_file_of_the_name_is_another_inode),
        TEST(a_target_renamed_over_loses_its_name),
        TEST(children_of_a_removed_directory_have_no_path),
        TEST(only_open_files_are_hidden_and_only_once),
        TEST(one_that_is_closed_while_it_is_hidden_is_removed_at_once),
        TEST(thousands_of_names_are_found_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

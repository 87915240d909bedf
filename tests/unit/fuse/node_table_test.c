/* Which open files the namenode holds for the mount. */
#include "fuse/posix/node.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/check.h"

/* Whoever sees too late that it had no name must not have what is written to it forgotten. */
static void test_what_was_named_is_not_held(void **state)
{
    char folder[] = "/tmp/node-table-test-XXXXXX";
    struct node_store store = {.memory = keeper_memory_new(), .known = known_names_new(0, 0)};
    assert_non_null(mkdtemp(folder));
    assert_int_equal(staging_area_open(folder, 1 << 20, &store.staging, NULL), 0);
    struct node_table *t = node_table_new(&store);
    const struct posix_attr attr = {.id = 20000, .mode = S_IFREG | 0644, .nlink = 0};
    struct node *n = node_of_attr(t, &attr, known_names_now(store.known));
    assert_true(n->is_held);
    uint32_t before = node_namings(t, n->id);
    node_named(t, n);
    assert_false(n->is_held);
    node_held(t, n->id, before);
    assert_false(n->is_held);
    node_held(t, n->id, node_namings(t, n->id)); /* it lost that name */
    assert_true(n->is_held);
    node_put(t, n);
    node_table_free(t);
    known_names_free(store.known);
    staging_area_free(store.staging);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_was_named_is_not_held)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

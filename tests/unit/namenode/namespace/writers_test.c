#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "namenode/namespace/writers.h"

struct gone {
    char names[256];
    size_t count;
};

static void on_gone(void *context, const char *name)
{
    struct gone *g = context;
    g->count++;
    if (strlen(g->names) + strlen(name) + 2 < sizeof g->names)
        strcat(strcat(g->names, name), " ");
}

static void test_gone_with_the_last_connection(void **state)
{
    struct writers *w = writers_new();
    struct gone g = {0};
    writers_seen(w, "ann", 1);
    writers_seen(w, "ann", 1);
    writers_seen(w, "ann", 2);
    writers_seen(w, "bob", 2);
    assert_int_equal(writers_count(w), 2);
    writers_closed(w, 1, on_gone, &g);
    assert_int_equal(g.count, 0);
    assert_true(writers_is_here(w, "ann"));
    writers_closed(w, 1, on_gone, &g); /* known no more */
    writers_closed(w, 2, on_gone, &g);
    assert_int_equal(g.count, 2);
    assert_non_null(strstr(g.names, "ann "));
    assert_non_null(strstr(g.names, "bob "));
    assert_false(writers_is_here(w, "ann"));
    assert_int_equal(writers_count(w), 0);
    writers_seen(w, "ann", 3);
    assert_true(writers_is_here(w, "ann"));
    writers_free(w);
}

static void test_many(void **state)
{
    struct writers *w = writers_new();
    struct gone g = {0};
    char name[32];
    for (uint64_t i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "client%d", (int)(i % 1000));
        writers_seen(w, name, i);
    }
    assert_int_equal(writers_count(w), 1000);
    for (uint64_t i = 0; i < 4000; i++)
        writers_closed(w, i, on_gone, &g);
    assert_int_equal(g.count, 0);
    for (uint64_t i = 4000; i < 5000; i++)
        writers_closed(w, i, on_gone, &g);
    assert_int_equal(g.count, 1000);
    writers_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gone_with_the_last_connection),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

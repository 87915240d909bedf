/* Sums by key in a small table, against sums in an array. */
#include "tests/unit/check.h"

#include <stdlib.h>
#include <string.h>

#include "scheduler/engine/fold_table.h"

#define KEYS 5000

static int64_t sums[KEYS], given;

static void add(void *into, const void *from)
{
    int64_t a, b;
    memcpy(&a, into, 8);
    memcpy(&b, from, 8);
    a += b;
    memcpy(into, &a, 8);
}

static void give(void *context, struct slice key, struct slice value)
{
    int64_t sum;
    char text[300] = "";
    assert_int_equal(value.len, 8);
    memcpy(&sum, value.base, 8);
    memcpy(text, key.base, key.len < sizeof text ? key.len : sizeof text - 1);
    sums[key.len > 1000 ? 0 : atoi(text)] += sum;
    given++;
}

static void records_that_do_not_fit_are_handed_on_and_none_is_lost(void **state)
{
    int64_t want[KEYS] = {0};
    struct fold_table *t = fold_table_new(64 << 10, 8, add, give, NULL);
    char key[300];
    srand(1);
    for (int i = 0; i < 200000; i++) {
        int k = 1 + rand() % (rand() % 3 ? 50 : KEYS - 1);
        int n = snprintf(key, sizeof key, "%d%*s", k, k % 200, "");
        int64_t value = rand() % 100;
        want[k] += value;
        fold_table_add(t, (struct slice){(const uint8_t *)key, (size_t)n}, &value);
    }
    assert_true(given > KEYS && given < 100000);
    uint8_t *large = calloc(1, 100 << 10);
    int64_t one = 1;
    want[0] = 2;
    fold_table_add(t, (struct slice){large, 100 << 10}, &one); /* larger than the table */
    fold_table_add(t, (struct slice){(const uint8_t *)"", 0}, &one);
    fold_table_empty(t);
    assert_memory_equal(sums, want, sizeof want);
    int64_t before = given;
    fold_table_empty(t);
    assert_int_equal(given, before);
    fold_table_free(t);
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(records_that_do_not_fit_are_handed_on_and_none_is_lost)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Sums by key in a small table, against sums in an array. */
#include "tests/unit/check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

/* ---- more keys than caches hold, of every length about those that are treated apart ---- */

#define MANY       150000
#define LENGTH_MAX 60
#define WIDE       20 /* bytes of a value: a number, and what has to stay as it was */

static int64_t seen[MANY];
static size_t value_bytes;

static size_t length_of(int i)
{
    return (size_t)i % 8 ? 3 + (size_t)i / 8 % (LENGTH_MAX - 3) : 3;
}

/* The number in three bytes, and zeros, so that keys differ only by their length or in their beginning. */
static void make_key(int i, uint8_t *key, size_t len)
{
    memset(key, 0, len);
    for (int b = 0; b < 3; b++)
        key[b] = (uint8_t)(i >> 8 * b);
}

static void add_first(void *into, const void *from)
{
    add(into, from);
    assert_memory_equal((const uint8_t *)into + 8, (const uint8_t *)from + 8, value_bytes - 8);
}

static void see(void *context, struct slice key, struct slice value)
{
    int i = key.base[0] | key.base[1] << 8 | key.base[2] << 16;
    int64_t sum;
    uint8_t want[LENGTH_MAX];
    assert_in_range(i, 0, MANY - 1);
    assert_int_equal(key.len, length_of(i));
    make_key(i, want, key.len);
    assert_memory_equal(key.base, want, key.len);
    assert_int_equal(value.len, value_bytes);
    memcpy(&sum, value.base, 8);
    seen[i] += sum;
    given++;
}

static void many_keys_of_all_lengths_at_the_end_of_memory(void **state)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED && mprotect(memory + page, page, PROT_NONE) == 0);
    for (value_bytes = 8; value_bytes <= WIDE; value_bytes += WIDE - 8) {
        struct fold_table *t = fold_table_new(64 << 20, value_bytes, add_first, see, NULL);
        int64_t value[4] = {0};
        memset(seen, 0, sizeof seen);
        given = 0;
        for (int round = 1; round <= 3; round++)
            for (int i = 0; i < MANY; i++) {
                size_t len = length_of(i);
                uint8_t *key = memory + page - len - (size_t)(i % 3 ? 0 : i % 100);
                make_key(i, key, len);
                value[0] = (int64_t)round * i;
                value[1] = value[2] = i;
                fold_table_add(t, (struct slice){key, len}, value);
            }
        fold_table_empty(t);
        assert_int_equal(given, MANY);
        for (int i = 0; i < MANY; i++)
            assert_int_equal(seen[i], 6 * (int64_t)i);
        fold_table_free(t);
    }
    munmap(memory, 2 * page);
}

static void keys_that_differ_by_trailing_zeros_alone_are_different(void **state)
{
    static const uint8_t zeros[40];
    struct fold_table *t = fold_table_new(64 << 10, 8, add, give, NULL);
    int64_t value = 1, before = given;
    for (int round = 0; round < 2; round++)
        for (size_t len = 0; len <= sizeof zeros; len++)
            fold_table_add(t, (struct slice){zeros, len}, &value);
    fold_table_empty(t);
    assert_int_equal(given - before, sizeof zeros + 1);
    fold_table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(records_that_do_not_fit_are_handed_on_and_none_is_lost),
                                       cmocka_unit_test(many_keys_of_all_lengths_at_the_end_of_memory),
                                       cmocka_unit_test(keys_that_differ_by_trailing_zeros_alone_are_different)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

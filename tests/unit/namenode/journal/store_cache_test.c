/* The cache in front of the metadata store: never an old value, never more than its bound. */
#include "namenode/journal/store_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

static bool get(struct store_cache *c, const char *key, char out[64], uint64_t *ret_turn)
{
    char *value = NULL;
    size_t len = 0;
    bool found = store_cache_get(c, key, strlen(key), &value, &len, ret_turn);
    if (found)
        snprintf(out, 64, "%.*s", (int)len, value);
    free(value);
    return found;
}

static void fill(struct store_cache *c, uint64_t turn, const char *key, const char *value)
{
    store_cache_fill(c, turn, key, strlen(key), value, strlen(value));
}

static void keeps_what_was_read(void **state)
{
    struct store_cache *c = store_cache_new(1 << 20);
    char out[64];
    uint64_t turn;
    assert_false(get(c, "key", out, &turn));
    fill(c, turn, "key", "value");
    assert_true(get(c, "key", out, &turn));
    assert_string_equal(out, "value");
    store_cache_write(c, "key", 3, "newer", 5, false);
    assert_true(get(c, "key", out, &turn));
    assert_string_equal(out, "newer");
    store_cache_write(c, "key", 3, NULL, 0, false);
    assert_false(get(c, "key", out, &turn));
    store_cache_free(c);
}

static void keeps_what_was_written_to_be_read(void **state)
{
    struct store_cache *c = store_cache_new(1 << 20);
    char out[64];
    uint64_t turn;
    store_cache_write(c, "seldom", 6, "value", 5, false);
    assert_false(get(c, "seldom", out, &turn));
    store_cache_write(c, "soon", 4, "value", 5, true);
    assert_true(get(c, "soon", out, &turn));
    assert_string_equal(out, "value");
    store_cache_write(c, "soon", 4, NULL, 0, true);
    assert_false(get(c, "soon", out, &turn));
    store_cache_free(c);
}

/* A reader without the writer's lock: what it read from the store may be older than a write since then. */
static void forgets_what_was_read_before_a_write(void **state)
{
    struct store_cache *c = store_cache_new(1 << 20);
    char out[64];
    uint64_t turn, later;
    assert_false(get(c, "key", out, &turn));
    store_cache_write(c, "key", 3, "newer", 5, false);
    fill(c, turn, "key", "older");
    assert_false(get(c, "key", out, &later));
    store_cache_free(c);
}

/* Against a plain table, with a bound that holds only some of the keys. */
static void is_never_wrong(void **state)
{
    enum { KEYS = 500, STEPS = 200000 };
    static char truth[KEYS][64];
    struct store_cache *c = store_cache_new(32 << 10);
    unsigned long hits = 0;
    memset(truth, 0, sizeof truth);
    srandom(7);
    for (int step = 0; step < STEPS; step++) {
        size_t k = (size_t)random() % KEYS;
        char key[16], out[64];
        uint64_t turn;
        snprintf(key, sizeof key, "k%zu", k);
        if (random() % 8 == 0) {
            snprintf(truth[k], sizeof truth[k], "%*d", 1 + (int)(random() % 60), step);
            store_cache_write(c, key, strlen(key), truth[k], strlen(truth[k]), step % 2);
        } else if (random() % 50 == 0) {
            truth[k][0] = 0;
            store_cache_write(c, key, strlen(key), NULL, 0, false);
        } else if (get(c, key, out, &turn)) {
            hits++;
            assert_string_equal(out, truth[k]);
        } else if (truth[k][0]) {
            fill(c, turn, key, truth[k]);
        }
    }
    assert_true(hits > STEPS / 10);
    store_cache_free(c);
}

static void refuses_what_is_too_large(void **state)
{
    struct store_cache *c = store_cache_new(1 << 20);
    char *large = calloc(1, 1 << 20), *value = NULL;
    uint64_t turn;
    size_t len;
    store_cache_fill(c, 0, "key", 3, large, 1 << 20);
    assert_false(store_cache_get(c, "key", 3, &value, &len, &turn));
    free(large);
    store_cache_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_was_read),
        cmocka_unit_test(keeps_what_was_written_to_be_read),
        cmocka_unit_test(forgets_what_was_read_before_a_write),
        cmocka_unit_test(is_never_wrong),
        cmocka_unit_test(refuses_what_is_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

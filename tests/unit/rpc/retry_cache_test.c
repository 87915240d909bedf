#include "tests/unit/check.h"

#include "rpc/retry_cache.h"

#define KEEP_MS 600000

static struct retry_key key_of(uint8_t client, int32_t call)
{
    return (struct retry_key){{client}, call};
}

static struct slice text(const char *s)
{
    return (struct slice){(const uint8_t *)s, strlen(s)};
}

static void a_success_is_replayed_for_ten_minutes(void **state)
{
    struct retry_cache *c = retry_cache_new(1 << 20, KEEP_MS, 1);
    struct retry_key k = key_of(1, 5);
    struct retry_waiter w;
    struct slice answer, done = text("done");
    assert_int_equal(retry_cache_begin(c, &k, &w, 0, &answer), RETRY_EXECUTE);
    assert_null(retry_cache_end(c, &k, &done, 1000));
    assert_int_equal(retry_cache_begin(c, &k, &w, 1000 + KEEP_MS - 1, &answer), RETRY_REPLAY);
    assert_int_equal(answer.len, 4);
    assert_memory_equal(answer.base, "done", 4);
    struct retry_key other_call = key_of(1, 6), other_client = key_of(2, 5);
    assert_int_equal(retry_cache_begin(c, &other_call, &w, 2000, &answer), RETRY_EXECUTE);
    assert_int_equal(retry_cache_begin(c, &other_client, &w, 2000, &answer), RETRY_EXECUTE);
    assert_int_equal(retry_cache_begin(c, &k, &w, 1000 + KEEP_MS, &answer), RETRY_EXECUTE);
    retry_cache_free(c);
}

static void a_failure_runs_again(void **state)
{
    struct retry_cache *c = retry_cache_new(1 << 20, KEEP_MS, 1);
    struct retry_key k = key_of(1, 5);
    struct retry_waiter w;
    struct slice answer;
    assert_int_equal(retry_cache_begin(c, &k, &w, 0, &answer), RETRY_EXECUTE);
    assert_null(retry_cache_end(c, &k, NULL, 1));
    assert_int_equal(retry_cache_begin(c, &k, &w, 2, &answer), RETRY_EXECUTE);
    retry_cache_free(c);
}

static void tries_during_the_first_wait_in_order(void **state)
{
    struct retry_cache *c = retry_cache_new(1 << 20, KEEP_MS, 1);
    struct retry_key k = key_of(1, 5);
    struct retry_waiter w[17];
    struct slice answer, done = text("");
    assert_int_equal(retry_cache_begin(c, &k, &w[0], 0, &answer), RETRY_EXECUTE);
    for (int i = 0; i < 16; i++)
        assert_int_equal(retry_cache_begin(c, &k, &w[i], 0, &answer), RETRY_WAIT);
    assert_int_equal(retry_cache_begin(c, &k, &w[16], 0, &answer), RETRY_BUSY);
    struct retry_waiter *list = retry_cache_end(c, &k, &done, 0);
    for (int i = 0; i < 16; i++, list = list->next)
        assert_ptr_equal(list, &w[i]);
    assert_null(list);
    retry_cache_free(c);
}

static void memory_is_bounded_oldest_first(void **state)
{
    enum { BOUND = 1 << 20, COUNT = 20000 };
    struct retry_cache *c = retry_cache_new(BOUND, KEEP_MS, 1);
    struct retry_waiter w;
    struct slice answer;
    uint8_t bytes[1000] = {0};
    for (int i = 0; i < COUNT; i++) {
        struct retry_key k = key_of(3, i);
        struct slice done = {bytes, sizeof bytes};
        assert_int_equal(retry_cache_begin(c, &k, &w, i, &answer), RETRY_EXECUTE);
        assert_null(retry_cache_end(c, &k, &done, i));
    }
    assert_true(retry_cache_count(c) <= BOUND / sizeof bytes);
    assert_true(retry_cache_count(c) > BOUND / sizeof bytes / 2);
    struct retry_key newest = key_of(3, COUNT - 1), oldest = key_of(3, 0);
    assert_int_equal(retry_cache_begin(c, &newest, &w, COUNT, &answer), RETRY_REPLAY);
    assert_int_equal(retry_cache_begin(c, &oldest, &w, COUNT, &answer), RETRY_EXECUTE);
    retry_cache_free(c);
}

static void what_runs_is_never_forgotten(void **state)
{
    struct retry_cache *c = retry_cache_new(0, KEEP_MS, 1); /* room for no answer at all */
    struct retry_waiter w;
    struct slice answer, done = text("x");
    for (int i = 0; i < 5000; i++) { /* enough to make the table grow */
        struct retry_key k = key_of(4, i);
        assert_int_equal(retry_cache_begin(c, &k, &w, 0, &answer), RETRY_EXECUTE);
    }
    for (int i = 0; i < 5000; i++) {
        struct retry_key k = key_of(4, i);
        assert_int_equal(retry_cache_begin(c, &k, &w, KEEP_MS * 2, &answer), RETRY_WAIT);
        assert_ptr_equal(retry_cache_end(c, &k, &done, KEEP_MS * 2), &w);
    }
    assert_int_equal(retry_cache_count(c), 0);
    retry_cache_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_success_is_replayed_for_ten_minutes), cmocka_unit_test(a_failure_runs_again),
        cmocka_unit_test(tries_during_the_first_wait_in_order),  cmocka_unit_test(memory_is_bounded_oldest_first),
        cmocka_unit_test(what_runs_is_never_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

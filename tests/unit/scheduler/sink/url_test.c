/* URLs of tables: what is ours is taken out, the rest is libpq's. */
#include "tests/unit/check.h"

#include "scheduler/sink/sink.h"

static void check(const char *url, struct sink want)
{
    struct arena a;
    struct sink got;
    struct err err = {0};
    arena_init(&a, 1 << 16);
    if (sink_parse(url, &a, &got, &err) < 0)
        fail_msg("%s: %s", url, err.text);
    assert_string_equal(got.connection, want.connection);
    assert_string_equal(got.table, want.table);
    if (want.columns)
        assert_string_equal(got.columns, want.columns);
    else
        assert_null(got.columns);
    assert_string_equal(got.null_text, want.null_text);
    assert_int_equal(got.delimiter, want.delimiter);
    assert_int_equal(got.replace, want.replace);
    arena_free(&a);
}

static void parts_of_urls(void **state)
{
    check("postgresql://u:p%40@h:5/db?table=t",
          (struct sink){.connection = "postgresql://u:p%40@h:5/db", .table = "t", .null_text = "", .delimiter = '\t'});
    check("postgres://h/db?sslmode=require&table=s.t&mode=replace&x=1&delimiter=;&null=NULL",
          (struct sink){.connection = "postgres://h/db?sslmode=require&x=1",
                        .table = "s.t",
                        .null_text = "NULL",
                        .delimiter = ';',
                        .replace = true});
    check("postgresql://h/db?table=t&columns=a%20int,b+text&delimiter=%2c&mode=append&",
          (struct sink){.connection = "postgresql://h/db",
                        .table = "t",
                        .columns = "a int,b text",
                        .null_text = "",
                        .delimiter = ','});
    check("postgresql://h/db?table=%", /* not an escape: itself */
          (struct sink){.connection = "postgresql://h/db", .table = "%", .null_text = "", .delimiter = '\t'});
}

static void what_is_wrong_is_named(void **state)
{
    static const char *const wrong[][2] = {{"postgresql://h/db", "table"},
                                           {"postgresql://h/db?table=", "table"},
                                           {"postgresql://h/db?table=t&mode=x", "mode=x"},
                                           {"postgresql://h/db?table=t&delimiter=%0a", "delimiter"},
                                           {"postgresql://h/db?table=t&delimiter=", "delimiter"}};
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        struct arena a;
        struct sink got;
        struct err err = {0};
        arena_init(&a, 1 << 16);
        assert_int_equal(sink_parse(wrong[i][0], &a, &got, &err), ERR_ILLEGAL_ARGUMENT);
        assert_non_null(strstr(err.text, wrong[i][1]));
        arena_free(&a);
    }
    assert_true(sink_is_url("postgres://x"));
    assert_false(sink_is_url("/postgresql://x"));
    assert_false(sink_is_url("hdfs://x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(parts_of_urls), cmocka_unit_test(what_is_wrong_is_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/unit/check.h"

#include "common/advertised.h"

static struct advertised *parsed(const char *text)
{
    struct advertised *a = NULL;
    struct err why = {0};
    if (advertised_parse(text, &a, &why) < 0)
        fail_msg("%s: %s", text, why.text);
    return a;
}

static void the_longest_subnet_decides(void **state)
{
    struct advertised *a =
        parsed("0.0.0.0/0=host.example:19866, 10.1.0.0/16=10.1.0.5,10.1.2.0/23=10.9.9.9:1/2/3\n172.18.0.1=h");
    assert_string_equal(advertised_find(a, "8.8.8.8")->host, "host.example");
    assert_int_equal(advertised_find(a, "8.8.8.8")->transfer_port, 19866);
    assert_int_equal(advertised_find(a, "8.8.8.8")->ipc_port, 0);
    assert_string_equal(advertised_find(a, "10.1.4.1")->host, "10.1.0.5");
    assert_string_equal(advertised_find(a, "10.1.3.255")->host, "10.9.9.9");
    assert_int_equal(advertised_find(a, "10.1.2.0")->ipc_port, 2);
    assert_int_equal(advertised_find(a, "10.1.2.0")->http_port, 3);
    assert_string_equal(advertised_find(a, "172.18.0.1")->host, "h");
    assert_string_equal(advertised_find(a, "172.18.0.2")->host, "host.example");
    advertised_free(a);
}

static void both_families_are_known(void **state)
{
    struct advertised *a = parsed("fd00::/8=[fd00::5]:7/8 10.0.0.0/8=v4");
    assert_string_equal(advertised_find(a, "fd12::1")->host, "fd00::5");
    assert_int_equal(advertised_find(a, "fd12::1")->transfer_port, 7);
    assert_null(advertised_find(a, "fe80::1"));
    assert_string_equal(advertised_find(a, "::ffff:10.1.1.1")->host, "v4");
    assert_null(advertised_find(a, "11.0.0.1"));
    assert_null(advertised_find(a, "no address"));
    assert_null(advertised_find(NULL, "10.0.0.1"));
    advertised_free(a);
}

static void nothing_gives_an_empty_list(void **state)
{
    struct advertised *a = parsed(" , ");
    assert_null(advertised_find(a, "10.0.0.1"));
    advertised_free(a);
    a = parsed(NULL);
    assert_null(advertised_find(a, "10.0.0.1"));
    advertised_free(a);
}

static void a_bad_entry_is_named(void **state)
{
    const char *bad[] = {"10.0.0.0/33=h",
                         "10.0.0/8=h",
                         "10.0.0.0/8",
                         "10.0.0.0/8=",
                         "10.0.0.0/8=h:0",
                         "10.0.0.0/8=h:65536",
                         "10.0.0.0/8=h:1/",
                         "10.0.0.0/8=h:1/2/3/4",
                         "10.0.0.0/8=[::1",
                         "host=h",
                         "10.0.0.0/=h",
                         "10.0.0.0/8=h:-1",
                         "=h",
                         "10.0.0.0/8=a=b",
                         "10.0.0.0/8=h:1:2"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        struct advertised *a = NULL;
        struct err why = {0};
        assert_int_equal(advertised_parse(bad[i], &a, &why), ERR_CONFIG);
        assert_null(a);
        assert_non_null(strstr(why.text, bad[i]));
    }
}

static void lists_are_bounded(void **state)
{
    struct err why = {0};
    struct advertised *a = NULL;
    char long_text[ADVERTISED_TEXT_MAX + 2];
    memset(long_text, ' ', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = 0;
    assert_int_equal(advertised_parse(long_text, &a, &why), ERR_CONFIG);
    char many[(ADVERTISED_ENTRIES_MAX + 1) * 12 + 1] = "";
    for (int i = 0; i <= ADVERTISED_ENTRIES_MAX; i++)
        strcat(many, "1.1.1.1/8=h ");
    assert_int_equal(advertised_parse(many, &a, &why), ERR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_subnet_decides),  cmocka_unit_test(both_families_are_known),
        cmocka_unit_test(nothing_gives_an_empty_list), cmocka_unit_test(a_bad_entry_is_named),
        cmocka_unit_test(lists_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

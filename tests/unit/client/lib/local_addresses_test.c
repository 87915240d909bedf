#include "tests/unit/check.h"

#include "client/lib/local_addresses.h"

static void one_address_alone_may_count(void **state)
{
    struct local_addresses *l = local_addresses_new("127.0.0.2");
    assert_true(local_addresses_have(l, "127.0.0.2"));
    assert_false(local_addresses_have(l, "127.0.0.1"));
    assert_false(local_addresses_have(l, "127.0.0.20"));
    local_addresses_free(l);
}

static void otherwise_all_of_this_host_do(void **state)
{
    struct local_addresses *l = local_addresses_new("");
    assert_true(local_addresses_have(l, "127.0.0.1"));
    assert_true(local_addresses_have(l, "127.1.2.3"));
    assert_false(local_addresses_have(l, "192.0.2.1"));
    assert_false(local_addresses_have(l, "1270.0.0.1"));
    assert_false(local_addresses_have(l, ""));
    local_addresses_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_address_alone_may_count),
                                       cmocka_unit_test(otherwise_all_of_this_host_do)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Which method a name means, whatever bytes a peer sends as one. */
#include "tests/unit/check.h"

#include "rpc/registry.h"

static const char padded[64] = "delete"; /* behind its end there is more that is nobody's */
static const struct rpc_method methods[] = {{.name = padded}, {.name = "rename"}};
static const struct rpc_service service = {.protocol = "P", .methods = methods, .method_count = ARRAY_COUNT(methods)};

static const struct rpc_method *find(const struct rpc_registry *r, const void *name, size_t len)
{
    const struct rpc_registered *s = rpc_registry_protocol(r, (struct slice){(const uint8_t *)"P", 1});
    return rpc_registered_method(s, (struct slice){name, len});
}

static void a_method_has_one_name(void **state)
{
    struct rpc_registry *r = rpc_registry_new(&service, 1);
    assert_ptr_equal(find(r, "delete", 6), &methods[0]);
    assert_ptr_equal(find(r, "rename", 6), &methods[1]);
    assert_null(find(r, "delet", 5));
    assert_null(find(r, "deleted", 7));
    assert_null(find(r, "", 0));
    rpc_registry_free(r);
}

static void what_stands_behind_a_nul_counts(void **state)
{
    struct rpc_registry *r = rpc_registry_new(&service, 1);
    char name[32] = "delete";
    for (int i = 0; i < 100; i++) { /* some of them begin their search where the method's own name does */
        name[10] = (char)i;
        assert_null(find(r, name, sizeof name));
    }
    rpc_registry_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_method_has_one_name),
        cmocka_unit_test(what_stands_behind_a_nul_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

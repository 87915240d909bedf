/* Who may act for whom. */
#include "tests/unit/check.h"

#include "common/proxy_users.h"
#include "common/user_groups.h"

static void set(struct config *c, const char *name, const char *value)
{
    assert_int_equal(config_set(c, name, value, "test", NULL), 0);
}

static struct config *rules(const char *user, const char *users, const char *groups, const char *hosts)
{
    struct config *c = config_new();
    const char *const what[] = {"users", "groups", "hosts"}, *const values[] = {users, groups, hosts};
    for (size_t i = 0; i < ARRAY_COUNT(what); i++) {
        char name[200];
        snprintf(name, sizeof name, "hadoop.proxyuser.%s.%s", user, what[i]);
        if (values[i])
            set(c, name, values[i]);
    }
    return c;
}

static int check(struct config *c, const char *real, const char *user, const char *ip, struct err *why)
{
    struct proxy_users *p = proxy_users_new("hadoop.proxyuser", c);
    int rc = proxy_users_check(p, real, user, ip, why);
    proxy_users_free(p);
    config_free(c);
    return rc;
}

static bool allows(const char *users, const char *groups, const char *hosts)
{
    return check(rules("gate", users, groups, hosts), "gate", "ann", "10.1.2.3", NULL) == 0;
}

static void who_is_not_named_is_refused(void **state)
{
    struct err why;
    assert_false(allows(NULL, NULL, NULL));
    assert_false(allows(NULL, NULL, "*"));
    assert_false(allows("*", NULL, NULL));
    assert_int_equal(check(rules("gate", "bob", NULL, "*"), "gate", "ann", "10.1.2.3", &why), ERR_UNAUTHORIZED);
    assert_string_equal(why.text, "User: gate is not allowed to impersonate ann");
    assert_int_equal(check(rules("gate", "*", NULL, "10.9.0.1"), "gate", "ann", "10.1.2.3", &why), ERR_UNAUTHORIZED);
    assert_string_equal(why.text, "Unauthorized connection for super-user: gate from IP /10.1.2.3");
    assert_int_equal(check(rules("gate", "*", NULL, "*"), "eve", "ann", "10.1.2.3", &why), ERR_UNAUTHORIZED);
    assert_int_equal(check(rules("gate", "*", NULL, "*"), "", "ann", "10.1.2.3", &why), ERR_UNAUTHORIZED);
    assert_int_equal(check(rules("gate", "*", NULL, "*"), "gate", "", "10.1.2.3", &why), ERR_UNAUTHORIZED);
    assert_int_equal(proxy_users_check(NULL, "gate", "ann", "10.1.2.3", &why), ERR_UNAUTHORIZED);
}

static void users_and_groups_are_lists(void **state)
{
    user_groups_forget();
    user_groups_fix("ann=staff,editors");
    assert_true(allows("*", NULL, "*"));
    assert_true(allows("bob , ann", NULL, "*"));
    assert_false(allows("bob,*", NULL, "*")); /* alone it means everybody, in a list it is a name */
    assert_true(allows("~gate", NULL, "*"));
    assert_false(allows("~bob", NULL, "*"));
    assert_true(allows(NULL, "*", "*"));
    assert_true(allows("bob", "admins,editors", "*"));
    assert_false(allows("bob", "admins", "*"));
    user_groups_fix("");
    user_groups_forget();
}

static void hosts_are_addresses_ranges_and_names(void **state)
{
    assert_true(allows("ann", NULL, "10.1.2.3"));
    assert_true(allows("ann", NULL, "192.168.0.0/16, 10.0.0.0/8"));
    assert_false(allows("ann", NULL, "10.1.2.4/32"));
    for (const char *const *odd =
             (const char *[]){"", ",", "10.0.0.0/", "10.0.0.0/33", "/8", "x/8", "10.0.0.0/8x", NULL};
         *odd; odd++)
        assert_false(allows("ann", NULL, *odd));
    assert_int_equal(check(rules("gate", "ann", NULL, "localhost"), "gate", "ann", "127.0.0.1", NULL), 0);
}

static void full_names_are_meant_by_their_short_ones(void **state)
{
    struct err why;
    assert_int_equal(check(rules("gate", "ann", NULL, "*"), "gate/host@REALM", "ann@REALM", "10.1.2.3", NULL), 0);
    assert_int_equal(check(rules("a.b", "ann", NULL, "*"), "a.b", "ann", "10.1.2.3", NULL), 0);
    assert_int_equal(check(rules("gate", "bob", NULL, "*"), "gate/h@R", "ann@R", "10.1.2.3", &why), ERR_UNAUTHORIZED);
    assert_string_equal(why.text, "User: gate/h@R is not allowed to impersonate ann@R");
}

static void a_refresh_replaces_all_rules(void **state)
{
    struct config *first = rules("gate", "ann", NULL, "*"), *second = rules("door", "ann", NULL, "*");
    struct proxy_users *p = proxy_users_new("hadoop.proxyuser", first);
    config_free(first);
    assert_int_equal(proxy_users_check(p, "gate", "ann", "::1", NULL), 0);
    proxy_users_refresh(p, second);
    config_free(second);
    assert_int_equal(proxy_users_check(p, "gate", "ann", "::1", NULL), ERR_UNAUTHORIZED);
    assert_int_equal(proxy_users_check(p, "door", "ann", "::1", NULL), 0);
    proxy_users_free(p);
}

static void names_of_any_length_are_refused(void **state)
{
    char name[5000];
    struct err why;
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    assert_int_equal(check(rules("gate", "*", NULL, "*"), name, name, "10.1.2.3", &why), ERR_UNAUTHORIZED);
    assert_int_equal(check(rules("gate", "*", NULL, "*"), "gate", name, "10.1.2.3", &why), ERR_UNAUTHORIZED);
    assert_false(allows(name, name, name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_not_named_is_refused),
        cmocka_unit_test(users_and_groups_are_lists),
        cmocka_unit_test(hosts_are_addresses_ranges_and_names),
        cmocka_unit_test(full_names_are_meant_by_their_short_ones),
        cmocka_unit_test(a_refresh_replaces_all_rules),
        cmocka_unit_test(names_of_any_length_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

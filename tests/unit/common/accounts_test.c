/* A group of so many members that its entry is large, which these stand for in place of the machine's own database. */
#include "tests/unit/check.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "common/accounts.h"
#include "common/user_groups.h"

#define LARGE_BYTES (300u << 10)

static int large_group(struct group *g, size_t size, struct group **ret)
{
    *ret = NULL;
    if (size < LARGE_BYTES)
        return ERANGE;
    *g = (struct group){.gr_name = (char *)"everybody", .gr_gid = 4000};
    *ret = g;
    return 0;
}

int getgrgid_r(gid_t gid, struct group *g, char *bytes, size_t size, struct group **ret)
{
    *ret = NULL;
    return gid == 4000 ? large_group(g, size, ret) : 0;
}

int getgrnam_r(const char *name, struct group *g, char *bytes, size_t size, struct group **ret)
{
    *ret = NULL;
    return strcmp(name, "everybody") == 0 ? large_group(g, size, ret) : strcmp(name, "endless") == 0 ? ERANGE : 0;
}

int getpwnam_r(const char *name, struct passwd *u, char *bytes, size_t size, struct passwd **ret)
{
    *u = (struct passwd){.pw_name = (char *)"ann", .pw_uid = 3000, .pw_gid = 4000};
    *ret = strcmp(name, "ann") == 0 ? u : NULL;
    return 0;
}

int getgrouplist(const char *user, gid_t group, gid_t *ret, int *count)
{
    ret[0] = group;
    *count = 1;
    return 1;
}

static void a_group_of_many_members_is_found(void **state)
{
    gid_t gid = 0;
    char *name = account_group_name(4000);
    assert_non_null(name);
    assert_string_equal(name, "everybody");
    free(name);
    assert_true(account_group("everybody", &gid));
    assert_int_equal(gid, 4000);
    assert_null(account_group_name(1));
    assert_false(account_group("nobody-knows", &gid));
    assert_false(account_group("endless", &gid));
}

static void who_is_in_it_has_its_rights(void **state)
{
    struct user_groups groups;
    user_groups_load(&groups, "ann");
    assert_true(user_groups_has(&groups, "everybody"));
    user_groups_load(&groups, "bob");
    assert_int_equal(groups.count, 0);
    user_groups_forget();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_of_many_members_is_found),
        cmocka_unit_test(who_is_in_it_has_its_rights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

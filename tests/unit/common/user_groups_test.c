/* The groups of a user, from a user database as large sites have them: it stands here in place of the machine's. */
#include "tests/unit/check.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>

#include "common/user_groups.h"

#define GROUPS        300
#define MEMBERS_BYTES (1u << 20) /* what a group's list of members takes */
#define LONG          "a.group.of.a.directory.service.whose.name.is.longer.than.that.of.any.group.that.was.made.on.this.machine."

int getpwnam_r(const char *name, struct passwd *entry, char *memory, size_t size, struct passwd **ret)
{
    *ret = NULL;
    if (strcmp(name, "ann"))
        return 0;
    *entry = (struct passwd){.pw_gid = 0};
    *ret = entry;
    return 0;
}

int getgrouplist(const char *name, gid_t primary, gid_t *ids, int *count)
{
    int room = *count;
    for (int i = 0; i < GROUPS && i < room; i++)
        ids[i] = (gid_t)i;
    *count = GROUPS;
    return room < GROUPS ? -1 : GROUPS;
}

/* Odd ones have many members. */
int getgrgid_r(gid_t id, struct group *entry, char *memory, size_t size, struct group **ret)
{
    *ret = NULL;
    if (size < (id % 2 ? MEMBERS_BYTES : 200))
        return ERANGE;
    if (id == 7)
        return 0; /* has no name */
    snprintf(memory, size, id >= 10 && id < 12 ? LONG "%u" : "g%u", id);
    *entry = (struct group){.gr_name = memory, .gr_gid = id};
    *ret = entry;
    return 0;
}

static void all_groups_of_a_user_are_found(void **state)
{
    static struct user_groups g;
    char name[16];
    user_groups_load(&g, "ann");
    assert_int_equal(g.count, GROUPS - 1);
    assert_string_equal(user_groups_next(&g, NULL), "g0");
    for (int i = 0; i < GROUPS; i++) {
        snprintf(name, sizeof name, "g%d", i);
        assert_int_equal(user_groups_has(&g, name), i != 7 && i != 10 && i != 11);
    }
    assert_true(user_groups_has(&g, LONG "10") && user_groups_has(&g, LONG "11"));
    assert_false(user_groups_has(&g, LONG "12"));
    static struct user_groups again;
    user_groups_load(&again, "ann");
    assert_int_equal(again.count, g.count);
    assert_memory_equal(again.names, g.names, g.len);
}

static void what_is_unknown_has_no_groups(void **state)
{
    static struct user_groups g;
    user_groups_load(&g, "eve");
    assert_int_equal(g.count, 0);
    assert_null(user_groups_next(&g, NULL));
    assert_false(user_groups_has(&g, ""));
}

static void what_has_no_room_is_left_out(void **state)
{
    static struct user_groups g;
    static char overrides[2 * USER_GROUPS_BYTES + 100] = "bob=first,";
    size_t len = strlen(overrides);
    memset(overrides + len, 'x', USER_GROUPS_BYTES);
    strcpy(overrides + len + USER_GROUPS_BYTES, ",last");
    user_groups_fix(overrides);
    user_groups_load(&g, "bob");
    user_groups_fix("");
    assert_int_equal(g.count, 2);
    assert_true(user_groups_has(&g, "first") && user_groups_has(&g, "last"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_groups_of_a_user_are_found),
        cmocka_unit_test(what_is_unknown_has_no_groups),
        cmocka_unit_test(what_has_no_room_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

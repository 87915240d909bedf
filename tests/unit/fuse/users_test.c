/* Who asks, by an account that comes later; and a clock that can be put forward. */
#include "tests/unit/check.h"

#include <pwd.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "fuse/users.h"

#define SOMEBODY 54321
#ifndef SYS_clock_gettime64 /* which a machine of 32 bits has */
#define SYS_clock_gettime64 SYS_clock_gettime
#endif

static bool has_account;
static time_t ahead_s;

int getpwuid_r(uid_t uid, struct passwd *entry, char *bytes, size_t size, struct passwd **ret)
{
    *entry = (struct passwd){.pw_name = (char *)"ann", .pw_uid = SOMEBODY};
    *ret = uid == SOMEBODY && has_account ? entry : NULL;
    return 0;
}

int clock_gettime(clockid_t id, struct timespec *ret)
{
    long rc = syscall(SYS_clock_gettime64, id, ret);
    ret->tv_sec += ahead_s;
    return (int)rc;
}

static void is_asked_as(struct users *u, const char *name)
{
    struct dfs *fs;
    struct err why;
    assert_int_equal(users_dfs(u, SOMEBODY, &fs, &why), 0);
    assert_string_equal(dfs_user(fs), name);
    dfs_unref(fs);
}

static void an_account_that_comes_later_counts(void **state)
{
    struct config *config = config_new();
    struct users *u = users_new(config, "hdfs://127.0.0.1:1", &(struct users_how){0});
    is_asked_as(u, "54321");
    has_account = true;
    ahead_s = 3600;
    is_asked_as(u, "ann");
    is_asked_as(u, "ann");
    users_free(u);
    config_free(config);
}

static void more_users_than_there_is_room_for(void **state)
{
    struct config *config = config_new();
    struct users *u = users_new(config, "hdfs://127.0.0.1:1", &(struct users_how){.as_numbers = true});
    for (uid_t uid = 100000; uid < 100100; uid++) {
        struct dfs *fs;
        char name[16];
        struct err why;
        assert_int_equal(users_dfs(u, uid, &fs, &why), 0);
        snprintf(name, sizeof name, "%u", uid);
        assert_string_equal(dfs_user(fs), name);
        dfs_unref(fs);
    }
    users_free(u);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_account_that_comes_later_counts),
        cmocka_unit_test(more_users_than_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

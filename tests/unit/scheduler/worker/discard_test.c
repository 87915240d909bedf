/* Folders put aside and removed. */
#include "tests/unit/check.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "scheduler/worker/discard.h"

static void make(const char *folder, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(file_mkdirs(path, 0755, NULL), 0);
    strcat(path, "/file");
    assert_int_equal(file_write_atomic(path, "x", 1, 0644, NULL), 0);
}

static size_t count_in(const char *folder)
{
    size_t n = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));)
        n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

static void folders_go_at_once_and_are_removed_later(void **state)
{
    char root[] = "/tmp/cairn-discard-XXXXXX", gone[64], path[64];
    assert_non_null(mkdtemp(root));
    snprintf(gone, sizeof gone, "%s/gone", root);
    make(root, "gone/left/over");
    make(root, "a/b/c");
    make(root, "d");
    struct discard *d = NULL;
    assert_int_equal(discard_start(gone, &d, NULL), 0);
    const char *const names[] = {"a", "d", "missing"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        snprintf(path, sizeof path, "%s/%s", root, names[i]);
        discard(d, path);
        assert_int_equal(access(path, F_OK), -1);
    }
    for (int64_t until_ms = clock_mono_ms() + 10000; count_in(gone) && clock_mono_ms() < until_ms;)
        clock_sleep_ms(1);
    assert_int_equal(count_in(gone), 0);
    discard_stop(d);
    discard_stop(NULL);
    assert_int_equal(file_remove_tree(root, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(folders_go_at_once_and_are_removed_later)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/unit/check.h"

#include "client/lib/dfs_path.h"

static void expect(const char *text, const char *path, const char *uri)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    const char *got, *got_uri;
    assert_int_equal(dfs_path_resolve(text, "/user/ada", &a, &got, &got_uri, NULL), 0);
    assert_string_equal(got, path);
    if (uri)
        assert_string_equal(got_uri, uri);
    else
        assert_null(got_uri);
    arena_free(&a);
}

static void refuse(const char *text)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    const char *path, *uri;
    assert_int_equal(dfs_path_resolve(text, "/user/ada", &a, &path, &uri, NULL), ERR_INVALID_PATH);
    arena_free(&a);
}

static void paths_become_absolute_and_normal(void **state)
{
    expect("/", "/", NULL);
    expect("/a/b", "/a/b", NULL);
    expect("//a///b//", "/a/b", NULL);
    expect("/a/./b/../c", "/a/c", NULL);
    expect("/a/..", "/", NULL);
    expect("", "/user/ada", NULL);
    expect(".", "/user/ada", NULL);
    expect("x", "/user/ada/x", NULL);
    expect("../x", "/user/x", NULL);
    expect("a b/ü", "/user/ada/a b/ü", NULL);
}

static void uris_are_split(void **state)
{
    expect("hdfs://h:8020/a/b", "/a/b", "hdfs://h:8020");
    expect("hdfs://h:8020", "/", "hdfs://h:8020");
    expect("hdfs://h:8020/", "/", "hdfs://h:8020");
    expect("hdfs:/a", "/a", "hdfs:");
    expect("hdfs:///a//b", "/a/b", "hdfs://");
    expect("file:///tmp/x", "/tmp/x", "file://");
}

static void colons_in_names_are_no_schemes(void **state)
{
    expect("/a:b", "/a:b", NULL);
    expect("./a:b", "/user/ada/a:b", NULL);
    expect("1a:b", "/user/ada/1a:b", NULL);
}

static void what_leads_nowhere_is_refused(void **state)
{
    refuse("/..");
    refuse("../../../x");
    refuse("/a/../../b");
    refuse("hdfs:relative");
}

static void parents_and_names(void **state)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    assert_null(dfs_path_parent(&a, "/"));
    assert_string_equal(dfs_path_parent(&a, "/a"), "/");
    assert_string_equal(dfs_path_parent(&a, "/a/b"), "/a");
    assert_string_equal(dfs_path_name("/a/b"), "b");
    assert_string_equal(dfs_path_name("/"), "");
    assert_string_equal(dfs_path_join(&a, "/", "b"), "/b");
    assert_string_equal(dfs_path_join(&a, "/a", "b"), "/a/b");
    assert_string_equal(dfs_path_join(&a, "/a", ""), "/a");
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_become_absolute_and_normal),
        cmocka_unit_test(uris_are_split),
        cmocka_unit_test(colons_in_names_are_no_schemes),
        cmocka_unit_test(what_leads_nowhere_is_refused),
        cmocka_unit_test(parents_and_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

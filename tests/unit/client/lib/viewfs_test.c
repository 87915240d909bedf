#include "tests/unit/check.h"

#include "client/lib/nameservice.h"
#include "client/lib/viewfs.h"

static struct config *config_of(const char *const (*settings)[2])
{
    struct config *c = config_new();
    struct err why = {0};
    for (; (*settings)[0]; settings++)
        if (config_set(c, (*settings)[0], (*settings)[1], "test", &why) < 0)
            fail_msg("%s", why.text);
    return c;
}

static int view_of(const char *const (*settings)[2], const char *name, struct viewfs **ret, struct err *why)
{
    struct config *c = config_of(settings);
    *why = (struct err){0};
    int rc = viewfs_new(c, name, "ann", ret, why);
    config_free(c);
    return rc;
}

static void goes_to(struct viewfs *v, const char *path, const char *uri, const char *there)
{
    struct arena a;
    struct view_target t;
    struct err why = {0};
    arena_init(&a, 1 << 16);
    assert_int_equal(viewfs_resolve(v, path, &a, &t, &why), 0);
    assert_string_equal(t.path, there);
    if (uri)
        assert_string_equal(dfs_uri(t.fs), uri);
    else
        assert_null(t.fs);
    arena_free(&a);
}

static void paths_go_through_the_links(void **state)
{
    static const char *const table[][2] = {{"fs.viewfs.mounttable.v.link./data", "hdfs://a:1/d/"},
                                           {"fs.viewfs.mounttable.v.link./deep/er/x", "hdfs://b:2/"},
                                           {"fs.viewfs.mounttable.other.link./no", "hdfs://c:3/"},
                                           {"fs.viewfs.mounttable.vv.link./no", "hdfs://c:3/"},
                                           {0}};
    struct viewfs *v;
    struct err why;
    assert_int_equal(view_of(table, "v", &v, &why), 0);
    goes_to(v, "/data", "hdfs://a:1", "/d");
    goes_to(v, "/data/f", "hdfs://a:1", "/d/f");
    goes_to(v, "/deep/er/x", "hdfs://b:2", "/");
    goes_to(v, "/deep/er/x/y/z", "hdfs://b:2", "/y/z");
    goes_to(v, "/", NULL, "/");
    goes_to(v, "/deep/er", NULL, "/deep/er");
    struct arena a;
    struct view_target t;
    arena_init(&a, 1 << 16);
    assert_int_equal(viewfs_resolve(v, "/database", &a, &t, &why), ERR_NOT_FOUND); /* a name that only begins alike */
    assert_int_equal(viewfs_resolve(v, "/deep/no", &a, &t, &why), ERR_NOT_FOUND);
    arena_free(&a);
    viewfs_free(v);
}

static void a_fallback_has_what_no_link_has(void **state)
{
    static const char *const table[][2] = {{"fs.viewfs.mounttable.default.link./data", "hdfs://a:1/d"},
                                           {"fs.viewfs.mounttable.default.linkFallback", "hdfs://b:2/rest"},
                                           {"fs.viewfs.mounttable.default.homedir", "/home"},
                                           {0}};
    struct viewfs *v;
    struct err why;
    assert_int_equal(view_of(table, "", &v, &why), 0);
    goes_to(v, "/other/f", "hdfs://b:2", "/rest/other/f");
    goes_to(v, "/data/f", "hdfs://a:1", "/d/f");
    goes_to(v, "/", NULL, "/");
    assert_string_equal(viewfs_home_parent(v), "/home");
    viewfs_free(v);
}

static void a_merged_root_is_all_there_is(void **state)
{
    static const char *const table[][2] = {{"fs.viewfs.mounttable.m.linkMergeSlash", "hdfs://a:1/base"}, {0}};
    struct viewfs *v;
    struct err why;
    assert_int_equal(view_of(table, "m", &v, &why), 0);
    goes_to(v, "/", "hdfs://a:1", "/base");
    goes_to(v, "/x/y", "hdfs://a:1", "/base/x/y");
    viewfs_free(v);
}

static void a_bad_table_names_the_setting(void **state)
{
    static const char *const none[][2] = {{0}};
    static const char *const nested[][2] = {
        {"fs.viewfs.mounttable.v.link./a", "hdfs://a:1/"}, {"fs.viewfs.mounttable.v.link./a/b", "hdfs://b:1/"}, {0}};
    static const char *const no_uri[][2] = {{"fs.viewfs.mounttable.v.link./a", "s3a://bucket/"}, {0}};
    static const char *const no_port[][2] = {{"fs.viewfs.mounttable.v.link./a", "hdfs://h:0x/"}, {0}};
    static const char *const relative[][2] = {{"fs.viewfs.mounttable.v.link.a", "hdfs://h:1/"}, {0}};
    static const char *const kind[][2] = {{"fs.viewfs.mounttable.v.linkRegex.x", "hdfs://h:1/"}, {0}};
    const struct {
        const char *const (*table)[2];
        int code;
        const char *named;
    } cases[] = {{none, ERR_CONFIG, "mounttable.v.link."}, {nested, ERR_CONFIG, "/a/b"},
                 {no_uri, ERR_CONFIG, "link./a"},          {no_port, ERR_CONFIG, "link./a"},
                 {relative, ERR_CONFIG, "link.a"},         {kind, ERR_UNSUPPORTED, "linkRegex"}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct viewfs *v;
        struct err why;
        assert_int_equal(view_of(cases[i].table, "v", &v, &why), cases[i].code);
        assert_non_null(strstr(why.text, cases[i].named));
    }
}

static void nameservices_stand_for_namenodes(void **state)
{
    static const char *const settings[][2] = {{"dfs.nameservices", "one,\n\ttwo"},
                                              {"dfs.ha.namenodes.one", "a,\r\n  b"},
                                              {"dfs.namenode.rpc-address.one.a", "h1:1"},
                                              {"dfs.namenode.rpc-address.one.b", "h2"},
                                              {"dfs.namenode.rpc-address.two", "h3:3"},
                                              {"fs.defaultFS", "hdfs://two/x"},
                                              {0}};
    struct config *c = config_of(settings);
    struct nameservice_member m[NAMESERVICE_MEMBERS_MAX];
    size_t count;
    char name[128];
    struct err why;
    assert_true(nameservice_is_known(c, "one") && nameservice_is_known(c, "two"));
    assert_false(nameservice_is_known(c, "on") || nameservice_is_known(c, ""));
    assert_int_equal(nameservice_members(c, "one", m, &count, &why), 0);
    assert_int_equal(count, 2);
    assert_string_equal(m[1].id, "b");
    assert_int_equal(m[1].address.port, NAMENODE_DEFAULT_PORT);
    assert_int_equal(nameservice_members(c, "two", m, &count, &why), 0);
    assert_int_equal(count, 1);
    assert_int_equal(nameservice_members(c, "three", m, &count, &why), ERR_CONFIG);
    nameservice_default(c, name);
    assert_string_equal(name, "two");
    config_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_go_through_the_links),       cmocka_unit_test(a_fallback_has_what_no_link_has),
        cmocka_unit_test(a_merged_root_is_all_there_is),    cmocka_unit_test(a_bad_table_names_the_setting),
        cmocka_unit_test(nameservices_stand_for_namenodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

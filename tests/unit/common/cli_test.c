/* Which cluster a command line means, and where the rest of that cluster is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/cli.h"
#include "common/file.h"
#include "common/mem.h"

static const char cluster_json[] = "{\"fs\":\"hdfs://127.0.0.1:2600\",\"namenode_http\":\"127.0.0.1:2601\","
                                   "\"scheduler\":\"127.0.0.1:2602\"}";
static char folder[] = "/tmp/cli_test.XXXXXX";

static int set_up(void **state)
{
    struct err err;
    if (!mkdtemp(folder))
        return -1;
    AUTO(mem_freep) char *path = mem_printf("%s/cluster.json", folder);
    unsetenv("HADOOP_CONF_DIR");
    setenv("CAIRN_DIR", folder, 1);
    return file_write_atomic(path, cluster_json, strlen(cluster_json), 0644, &err);
}

static int tear_down(void **state)
{
    struct err err;
    return file_remove_tree(folder, &err);
}

static struct config *load(const char *a, const char *b, const char *c, const char *d)
{
    struct err err;
    struct config *config;
    char *argv[] = {"cairn", (char *)a, (char *)b, (char *)c, (char *)d, NULL};
    int argc = 1;
    while (argv[argc])
        argc++;
    assert_int_equal(cli_load(&argc, argv, &config, &err), 0);
    return config;
}

static void test_nothing_named_is_the_local_cluster(void **state)
{
    struct config *c = load(NULL, NULL, NULL, NULL);
    assert_string_equal(config_str(c, "fs.defaultFS"), "hdfs://127.0.0.1:2600");
    assert_string_equal(config_str(c, "cairn.namenode.http-address"), "127.0.0.1:2601");
    assert_string_equal(config_str(c, "cairn.scheduler.address"), "127.0.0.1:2602");
    config_free(c);
}

static void test_the_local_cluster_by_its_uri(void **state)
{
    struct config *c = load("-fs", "hdfs://127.0.0.1:2600/", NULL, NULL);
    assert_string_equal(config_str(c, "fs.defaultFS"), "hdfs://127.0.0.1:2600/");
    assert_string_equal(config_str(c, "cairn.namenode.http-address"), "127.0.0.1:2601");
    assert_string_equal(config_str(c, "cairn.scheduler.address"), "127.0.0.1:2602");
    config_free(c);
}

static void test_another_cluster_has_other_addresses(void **state)
{
    struct config *c = load("-fs", "hdfs://127.0.0.1:26000", NULL, NULL);
    assert_false(config_is_set(c, "cairn.namenode.http-address"));
    assert_false(config_is_set(c, "cairn.scheduler.address"));
    config_free(c);
}

static void test_what_was_said_stays(void **state)
{
    struct config *c = load("-fs", "hdfs://127.0.0.1:2600", "-D", "dfs.namenode.http-address=127.0.0.1:7");
    assert_false(config_is_set(c, "cairn.namenode.http-address"));
    config_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_named_is_the_local_cluster),
        cmocka_unit_test(test_the_local_cluster_by_its_uri),
        cmocka_unit_test(test_another_cluster_has_other_addresses),
        cmocka_unit_test(test_what_was_said_stays),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

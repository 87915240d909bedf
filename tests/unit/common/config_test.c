#include "tests/unit/check.h"

#include <unistd.h>

#include "common/config.h"
#include "common/file.h"
#include "common/mem.h"

static struct config *c;
static struct err err;

static int set_up(void **state)
{
    c = config_new();
    err = (struct err){0};
    return 0;
}

static int tear_down(void **state)
{
    config_free(c);
    return 0;
}

static void every_default_is_a_value_of_its_type(void **state)
{
    for (const struct config_key *key = config_keys; key->name; key++)
        if (key->fallback)
            assert_int_equal(config_set(c, key->name, key->fallback, "default", &err), 0);
}

static void defaults_answer_until_a_value_is_set(void **state)
{
    assert_int_equal(config_int(c, "dfs.replication"), 3);
    assert_false(config_is_set(c, "dfs.replication"));
    assert_int_equal(config_set(c, "dfs.replication", "2", "-D", &err), 0);
    assert_int_equal(config_int(c, "dfs.replication"), 2);
    assert_true(config_is_set(c, "dfs.replication"));
    assert_null(config_get(c, "no.such.key"));
}

static void sizes_and_durations_take_suffixes(void **state)
{
    int64_t n;
    assert_int_equal(config_parse_size("128m", &n), 0);
    assert_int_equal(n, 128 << 20);
    assert_int_equal(config_parse_size("1G", &n), 0);
    assert_int_equal(n, 1 << 30);
    assert_int_equal(config_parse_size("", &n), -1);
    assert_int_equal(config_parse_size("12q", &n), -1);
    assert_int_equal(config_parse_size("99999999999g", &n), -1);
    assert_int_equal(config_parse_duration_ms("3", CONFIG_SECONDS, &n), 0);
    assert_int_equal(n, 3000);
    assert_int_equal(config_parse_duration_ms("500ms", CONFIG_SECONDS, &n), 0);
    assert_int_equal(n, 500);
    assert_int_equal(config_parse_duration_ms("2h", CONFIG_MS, &n), 0);
    assert_int_equal(n, 7200000);
    assert_int_equal(config_parse_duration_ms("5 s", CONFIG_MS, &n), -1);
}

static void bad_value_names_key_value_and_source(void **state)
{
    assert_int_equal(config_set(c, "dfs.replication", "three", "-D", &err), ERR_CONFIG);
    assert_non_null(strstr(err.text, "dfs.replication"));
    assert_non_null(strstr(err.text, "three"));
    assert_non_null(strstr(err.text, "-D"));
    assert_int_equal(config_set(c, "dfs.replication", "0", "-D", &err), ERR_CONFIG);
    assert_int_equal(config_set(c, "dfs.replication", "513", "-D", &err), ERR_CONFIG);
    assert_int_equal(config_int(c, "dfs.replication"), 3);
}

static void names_in_values_are_replaced_but_not_for_ever(void **state)
{
    assert_int_equal(config_set(c, "base", "/srv", "t", &err), 0);
    assert_int_equal(config_set(c, "dfs.namenode.name.dir", "${base}/name/${no.such}", "t", &err), 0);
    assert_string_equal(config_str(c, "dfs.namenode.name.dir"), "/srv/name/${no.such}");
    assert_int_equal(config_set(c, "loop", "x", "t", &err), 0);
    assert_int_equal(config_set(c, "loop", "${loop}y", "t", &err), 0); /* the value before */
    assert_string_equal(config_get(c, "loop"), "xy");
}

static char *write_temporary(const char *text)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/cairn-config-test-%d.xml", (int)getpid());
    assert_int_equal(file_write_atomic(path, text, strlen(text), 0600, &err), 0);
    return path;
}

static void xml_file_is_read_and_final_stays(void **state)
{
    char *path =
        write_temporary("<?xml version=\"1.0\"?><configuration><!-- c -->"
                        "<property><name> dfs.replication </name><value>2</value><final>true</final></property>"
                        "<property><name>a.b</name><value>x &amp; y</value><description>d</description></property>"
                        "</configuration>");
    assert_int_equal(config_load_xml(c, path, &err), 0);
    assert_string_equal(config_get(c, "a.b"), "x & y");
    assert_int_equal(config_set(c, "dfs.replication", "5", "-D", &err), 0);
    assert_int_equal(config_int(c, "dfs.replication"), 2);
    unlink(path);
}

static void broken_xml_names_file_and_line(void **state)
{
    char *path = write_temporary("<configuration>\n<property><name>x</name>\n</configuration>");
    assert_int_equal(config_load_xml(c, path, &err), ERR_CONFIG);
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, "line 3"));
    path = write_temporary("<html></html>");
    assert_int_equal(config_load_xml(c, path, &err), ERR_CONFIG);
    unlink(path);
    assert_int_equal(config_load_xml(c, path, &err), ERR_NOT_FOUND);
}

static void environment_names_follow_the_docker_convention(void **state)
{
    setenv("HDFS_CONF_dfs_replication", "1", 1);
    setenv("HDFS_CONF_dfs_namenode_http___address", "h:1", 1);
    setenv("CORE_CONF_my__key", "v", 1);
    assert_int_equal(config_load_env(c, &err), 0);
    assert_int_equal(config_int(c, "dfs.replication"), 1);
    assert_string_equal(config_str(c, "dfs.namenode.http-address"), "h:1");
    assert_string_equal(config_get(c, "my_key"), "v");
    unsetenv("HDFS_CONF_dfs_replication");
    unsetenv("HDFS_CONF_dfs_namenode_http___address");
    unsetenv("CORE_CONF_my__key");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(every_default_is_a_value_of_its_type),
        T(defaults_answer_until_a_value_is_set),
        T(sizes_and_durations_take_suffixes),
        T(bad_value_names_key_value_and_source),
        T(names_in_values_are_replaced_but_not_for_ever),
        T(xml_file_is_read_and_final_stays),
        T(broken_xml_names_file_and_line),
        T(environment_names_follow_the_docker_convention),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

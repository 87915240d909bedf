/* The files and the program that say who may join and on which rack. */
#include "../../check.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/log.h"
#include "namenode/blocks/blocks.h"
#include "namenode/blocks/datanode_events.h"
#include "namenode/serve/membership.h"

struct fixture {
    char folder[64];
    struct config *config;
    struct namenode nn;
};

static uint64_t no_blocks(void *context)
{
    return 0;
}

static int set_up(void **state)
{
    static struct fixture f;
    log_set_level(LOG_LEVEL_ERROR);
    f = (struct fixture){.folder = "/tmp/membership_test.XXXXXX", .config = config_new()};
    assert_non_null(mkdtemp(f.folder));
    pthread_mutex_init(&f.nn.lock, NULL);
    f.nn.config = f.config;
    struct blocks_options o;
    blocks_options_from_config(&o, f.config);
    o.seed = 1;
    o.pool_id = "BP-1";
    f.nn.blocks = blocks_new(&o, &(struct blocks_seam){.total_complete_blocks = no_blocks}, 0);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    blocks_free(f->nn.blocks);
    config_free(f->config);
    return file_remove_tree(f->folder, NULL);
}

static void put(struct fixture *f, const char *setting, const char *name, const char *text, mode_t mode)
{
    char path[128];
    struct err e;
    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    assert_int_equal(file_write_atomic(path, text, strlen(text), mode, &e), 0);
    assert_int_equal(config_set(f->config, setting, path, "test", &e), 0);
}

static const struct datanode_info *join(struct fixture *f, const char *ip, struct err *reterr)
{
    struct datanode_registration r = {.uuid = ip, .ip = ip, .hostname = ip, .xfer_port = 9866};
    membership_resolve_rack(&f->nn, ip);
    return blocks_register(f->nn.blocks, &r, 1, NULL, reterr) ? NULL : blocks_datanode_by_uuid(f->nn.blocks, ip);
}

/* A name service that knows dn1 and dn2, under two names each. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
    static struct sockaddr_in address[2];
    static struct addrinfo list[2];
    const char *number = !strncmp(name, "dn", 2) ? name + 2 : "";
    if ((*number != '1' && *number != '2') || (number[1] && strcmp(number + 1, ".example.com")))
        return EAI_NONAME;
    for (size_t i = 0; i < 2; i++) { /* each has a second address that is nobody's */
        address[i] = (struct sockaddr_in){.sin_family = AF_INET};
        address[i].sin_addr.s_addr = htonl(0x0a000000u + (i ? 100 : 0) + (uint32_t)(*number - '0'));
        list[i] = (struct addrinfo){.ai_family = AF_INET,
                                    .ai_addr = (struct sockaddr *)&address[i],
                                    .ai_addrlen = sizeof address[i],
                                    .ai_next = i ? NULL : &list[1]};
    }
    *ret = list;
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
}

static void names_stand_for_addresses(void **state)
{
    struct fixture *f = *state;
    struct err e;
    put(f, "dfs.hosts", "hosts", "dn1.example.com:9866 dn2 unknown.example.com 10.0.0.3\n", 0644);
    assert_int_equal(membership_load(&f->nn, &e), 0);
    const struct datanode_info *n = join(f, "10.0.0.1", &e);
    assert_non_null(n);
    assert_non_null(join(f, "10.0.0.2", &e));
    assert_non_null(join(f, "10.0.0.3", &e));
    assert_null(join(f, "10.0.0.4", &e));
    put(f, "dfs.hosts.exclude", "exclude", "dn1\n", 0644);
    assert_int_equal(membership_load(&f->nn, &e), 0);
    assert_int_equal(n->admin, DATANODE_DECOMMISSION_IN_PROGRESS);
    put(f, "dfs.hosts.exclude", "exclude", "dn1:9999\n", 0644);
    assert_int_equal(membership_load(&f->nn, &e), 0);
    assert_int_equal(n->admin, DATANODE_NORMAL);
}

static void files_are_read_again(void **state)
{
    struct fixture *f = *state;
    struct err e;
    put(f, "dfs.hosts", "hosts", "10.0.0.1\n10.0.0.2\n", 0644);
    put(f, "net.topology.table.file.name", "table", "10.0.0.1 /a\n10.0.0.2 /b\n", 0644);
    assert_int_equal(membership_load(&f->nn, &e), 0);
    const struct datanode_info *n = join(f, "10.0.0.2", &e);
    assert_string_equal(n->rack, "/b");
    assert_null(join(f, "10.0.0.3", &e));
    put(f, "net.topology.table.file.name", "table", "10.0.0.2 /c\n", 0644);
    put(f, "dfs.hosts.exclude", "exclude", "10.0.0.2\n", 0644);
    assert_int_equal(membership_load(&f->nn, &e), 0);
    assert_string_equal(n->rack, "/c");
    assert_int_equal(n->admin, DATANODE_DECOMMISSION_IN_PROGRESS);
}

static void json_takes_the_place_of_both_files(void **state)
{
    struct fixture *f = *state;
    struct err e;
    const char *manager = "org.apache.hadoop.hdfs.server.blockmanagement.CombinedHostFileManager";
    assert_int_equal(config_set(f->config, "dfs.namenode.hosts.provider.classname", manager, "test", &e), 0);
    put(f, "dfs.hosts", "hosts",
        "[{\"hostName\": \"10.0.0.1\"},\n"
        " {\"hostName\": \"10.0.0.2\", \"adminState\": \"IN_MAINTENANCE\", \"upgradeDomain\": \"ud1\"}]",
        0644);
    assert_int_equal(membership_load(&f->nn, &e), 0);
    const struct datanode_info *n = join(f, "10.0.0.2", &e);
    assert_int_equal(n->admin, DATANODE_ENTERING_MAINTENANCE);
    assert_string_equal(n->upgrade_domain, "ud1");
    assert_null(join(f, "10.0.0.3", &e));
    put(f, "dfs.hosts", "hosts", "10.0.0.3\n", 0644);
    assert_int_not_equal(membership_load(&f->nn, &e), 0);
    assert_non_null(strstr(e.text, "dfs.hosts"));
    assert_int_equal(n->admin, DATANODE_ENTERING_MAINTENANCE);
    assert_int_equal(config_set(f->config, "dfs.namenode.hosts.provider.classname", "Other", "test", &e), 0);
    assert_int_not_equal(membership_load(&f->nn, &e), 0);
}

static void unreadable_file_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct err e;
    put(f, "net.topology.table.file.name", "table", "10.0.0.2 /c\n", 0644);
    assert_int_equal(config_set(f->config, "dfs.hosts.exclude", "/nowhere/exclude", "test", &e), 0);
    assert_int_not_equal(membership_load(&f->nn, &e), 0);
    assert_non_null(strstr(e.text, "dfs.hosts.exclude"));
    assert_non_null(strstr(e.text, "/nowhere/exclude"));
    assert_string_equal(join(f, "10.0.0.2", &e)->rack, "/default-rack");
}

static void script_names_the_rack(void **state)
{
    struct fixture *f = *state;
    struct err e;
    put(f, "net.topology.script.file.name", "script", "#!/bin/sh\necho /rack-${1##*.}\n", 0755);
    assert_string_equal(join(f, "10.0.0.7", &e)->rack, "/rack-7");
}

static void script_trouble_means_the_default_rack(void **state)
{
    struct fixture *f = *state;
    struct err e;
    put(f, "net.topology.script.file.name", "script", "#!/bin/sh\necho what?\n", 0755);
    assert_string_equal(join(f, "10.0.0.8", &e)->rack, "/default-rack");
    assert_int_equal(config_set(f->config, "net.topology.script.file.name", "/nowhere/script", "test", &e), 0);
    assert_string_equal(join(f, "10.0.0.9", &e)->rack, "/default-rack");
    put(f, "net.topology.script.file.name", "script", "#!/bin/sh\nyes /long | tr -d '\\n'\n",
        0755); /* never ends by itself */
    assert_non_null(join(f, "10.0.0.10", &e));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(names_stand_for_addresses),       TEST(files_are_read_again),  TEST(json_takes_the_place_of_both_files),
        TEST(unreadable_file_changes_nothing), TEST(script_names_the_rack), TEST(script_trouble_means_the_default_rack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

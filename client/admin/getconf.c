/* `hdfs getconf` and `hdfs groups` */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "client/admin/admin.h"
#include "client/lib/nameservice.h"
#include "common/cli.h"
#include "hdfs/admin.pb-c.h"
#include "main/commands.h"

#define EXIT_FAILED   255 /* -1 */
#define NAMENODES_MAX 64

/* Every namenode of every nameservice, else the one that fs.defaultFS or dfs.namenode.rpc-address names. */
static int namenodes_of(const struct config *config, struct net_address ret[NAMENODES_MAX], size_t *ret_count,
                        struct err *reterr)
{
    const char *services = config_get(config, "dfs.nameservices");
    for (const char *at = services; at && *(at += strspn(at, ", "));) {
        struct nameservice_member members[NAMESERVICE_MEMBERS_MAX];
        char name[128];
        size_t n = strcspn(at, ", "), count;
        snprintf(name, sizeof name, "%.*s", (int)n, at);
        int rc = nameservice_members(config, name, members, &count, reterr);
        for (size_t i = 0; rc == 0 && i < count && *ret_count < NAMENODES_MAX; i++)
            ret[(*ret_count)++] = members[i].address;
        if (rc < 0)
            return rc;
        at += n;
    }
    if (*ret_count)
        return 0;
    const char *address = config_get(config, "dfs.namenode.rpc-address"), *fs = config_str(config, "fs.defaultFS");
    *ret_count = 1;
    if (address)
        return net_parse(address, NAMENODE_DEFAULT_PORT, ret, reterr);
    if (strncmp(fs, "hdfs://", 7) != 0)
        return err_set(reterr, ERR_CONFIG,
                       "Incorrect configuration: namenode address dfs.namenode.servicerpc-address or "
                       "dfs.namenode.rpc-address is not configured.");
    char authority[NET_ADDRESS_MAX];
    snprintf(authority, sizeof authority, "%.*s", (int)strcspn(fs + 7, "/"), fs + 7);
    return net_parse(authority, NAMENODE_DEFAULT_PORT, ret, reterr);
}

static int print_namenodes(const struct config *config, bool with_ports)
{
    struct net_address list[NAMENODES_MAX];
    char text[NET_ADDRESS_MAX];
    size_t count = 0;
    struct err e;
    if (namenodes_of(config, list, &count, &e) < 0) {
        fprintf(stderr, "%s\n", e.text);
        return EXIT_FAILED;
    }
    for (size_t i = 0; i < count; i++)
        printf("%s%s", with_ports ? net_format(&list[i], text) : list[i].host,
               with_ports || i + 1 == count ? "\n" : " ");
    return 0;
}

static int print_host_of(const struct config *config, const char *key, const char *fallback)
{
    struct net_address a;
    const char *text = config_get(config, key);
    struct err e;
    if (net_parse(text ? text : fallback, NAMENODE_DEFAULT_PORT, &a, &e) < 0) {
        fprintf(stderr, "%s\n", e.text);
        return EXIT_FAILED;
    }
    puts(a.host);
    return 0;
}

/* qjournal://host:port;host:port/name => "host host" */
static int print_journal_nodes(const struct config *config)
{
    const char *text = config_get(config, "dfs.namenode.shared.edits.dir");
    bool first = true;
    if (text && strncmp(text, "qjournal://", 11) == 0)
        for (text += 11; *text && *text != '/'; first = false) {
            printf("%s%.*s", first ? "" : " ", (int)strcspn(text, ":;/"), text);
            text += strcspn(text, ";/");
            text += *text == ';';
        }
    putchar('\n');
    return 0;
}

static int print_key(const struct config *config, const char *key)
{
    const char *value = config_get(config, key);
    if (!value) {
        fprintf(stderr, "Configuration %s is missing.\n", key);
        return EXIT_FAILED;
    }
    puts(value);
    return 0;
}

static const char getconf_usage[] = "Usage: hdfs getconf [-namenodes | -secondaryNameNodes | -backupNodes | "
                                    "-journalNodes | -includeFile | -excludeFile | "
                                    "-nnRpcAddresses | -confKey <key>]\n";

int getconf_main(int argc, char **argv)
{
    struct config *config;
    struct err e;
    if (cli_load_settings(&argc, argv, &config, &e) < 0) {
        fprintf(stderr, "%s: %s\n", argv[0], e.text);
        return EXIT_FAILED;
    }
    int found = cli_find_cluster(config, &e);
    (void)found; /* settings can be shown without one */
    const char *word = argc > 1 ? argv[1] : "";
    int code = EXIT_FAILED;
    if (argc == 3 && !strcasecmp(word, "-confKey"))
        code = print_key(config, argv[2]);
    else if (argc == 2 && (!strcasecmp(word, "-namenodes") || !strcasecmp(word, "-nnRpcAddresses")))
        code = print_namenodes(config, !strcasecmp(word, "-nnRpcAddresses"));
    else if (argc == 2 && !strcasecmp(word, "-secondaryNameNodes"))
        code = print_host_of(config, "dfs.namenode.secondary.http-address", "0.0.0.0:9868");
    else if (argc == 2 && !strcasecmp(word, "-backupNodes"))
        code = print_host_of(config, "dfs.namenode.backup.address", "0.0.0.0:50100");
    else if (argc == 2 && !strcasecmp(word, "-journalNodes"))
        code = print_journal_nodes(config);
    else if (argc == 2 && (!strcasecmp(word, "-includeFile") || !strcasecmp(word, "-excludeFile")))
        code = print_key(config, !strcasecmp(word, "-includeFile") ? "dfs.hosts" : "dfs.hosts.exclude");
    else if (argc == 2 && cli_asks_help(argc, argv))
        code = fputs(getconf_usage, stdout) < 0;
    else
        fputs(getconf_usage, stderr);
    config_free(config);
    return code;
}

static int print_groups(struct admin *a, const char *user, struct err *reterr)
{
    Hdfs__GetGroupsForUserRequestProto request = HDFS__GET_GROUPS_FOR_USER_REQUEST_PROTO__INIT;
    request.user = (char *)user;
    ProtobufCMessage *answer;
    int rc = admin_call_protocol(a, NULL, "org.apache.hadoop.tools.GetUserMappingsProtocol", "getGroupsForUser",
                                 &request.base, &hdfs__get_groups_for_user_response_proto__descriptor, &answer, reterr);
    if (rc < 0)
        return rc;
    const Hdfs__GetGroupsForUserResponseProto *groups = (void *)answer;
    printf("%s :", user);
    for (size_t i = 0; i < groups->n_groups; i++)
        printf(" %s", groups->groups[i]);
    putchar('\n');
    return 0;
}

int groups_main(int argc, char **argv)
{
    struct config *config;
    struct err e;
    if (cli_load(&argc, argv, &config, &e) < 0) {
        fprintf(stderr, "%s: %s\n", argv[0], e.text);
        return EXIT_FAILED;
    }
    if (argc == 2 && cli_asks_help(argc, argv)) {
        puts("Usage: hdfs groups [username ...]");
        config_free(config);
        return 0;
    }
    struct admin a = {.config = config};
    arena_init(&a.arena, 16 << 20);
    int rc = dfs_connect(config, NULL, NULL, &a.fs, &e);
    if (rc == 0 && argc < 2)
        rc = print_groups(&a, dfs_user(a.fs), &e);
    for (int i = 1; rc == 0 && i < argc; i++)
        rc = print_groups(&a, argv[i], &e);
    if (rc < 0)
        fprintf(stderr, "%s: %.*s\n", argv[0], (int)strcspn(e.text, "\n"), e.text);
    dfs_unref(a.fs);
    arena_free(&a.arena);
    config_free(config);
    return rc < 0 ? EXIT_FAILED : 0;
}

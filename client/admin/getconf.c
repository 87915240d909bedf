/* `hdfs getconf` and `hdfs groups` */
#include <stdio.h>
#include <string.h>

#include "client/admin/admin.h"
#include "common/cli.h"
#include "hdfs/admin.pb-c.h"
#include "main/commands.h"
#include "rpc/rpc_client.h"

#define EXIT_FAILED 255 /* -1 */

static int print_namenodes(const struct config *config)
{
    struct dfs *fs;
    struct err e;
    if (dfs_connect(config, NULL, NULL, &fs, &e) < 0) {
        fprintf(stderr, "%s\n", e.text);
        return EXIT_FAILED;
    }
    puts(rpc_client_address(dfs_namenode(fs))->host);
    dfs_unref(fs);
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

int getconf_main(int argc, char **argv)
{
    struct config *config;
    struct err e;
    if (cli_load(&argc, argv, &config, &e) < 0) {
        fprintf(stderr, "%s: %s\n", argv[0], e.text);
        return EXIT_FAILED;
    }
    int code = EXIT_FAILED;
    if (argc == 3 && !strcmp(argv[1], "-confKey"))
        code = print_key(config, argv[2]);
    else if (argc == 2 && !strcmp(argv[1], "-namenodes"))
        code = print_namenodes(config);
    else
        fputs("Usage: hdfs getconf [-namenodes | -confKey <key>]\n", stderr);
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

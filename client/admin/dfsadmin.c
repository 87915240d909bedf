/* `cairn dfsadmin`: the table of its commands, and those that are one call. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "client/admin/admin.h"
#include "common/cli.h"
#include "common/clock.h"
#include "hdfs/admin.pb-c.h"
#include "hdfs/client_datanode.pb-c.h"
#include "hdfs/client_namenode.pb-c.h"
#include "main/commands.h"
#include "rpc/rpc_client.h"

#define EXIT_FAILED      255 /* -1 */
#define SAFEMODE_POLL_MS 500

int admin_misuse(struct admin *a, struct err *reterr, const char *format, ...)
{
    a->misused = true;
    va_list args;
    va_start(args, format);
    err_vset(reterr, ERR_ILLEGAL_ARGUMENT, format, args);
    va_end(args);
    return ERR_ILLEGAL_ARGUMENT;
}

int admin_call(struct admin *a, const char *method, const ProtobufCMessage *request,
               const ProtobufCMessageDescriptor *response_type, ProtobufCMessage **ret, struct err *reterr)
{
    ProtobufCMessage *response;
    int rc = rpc_client_call(dfs_namenode(a->fs), method, request, response_type, &a->arena, &response, reterr);
    if (rc == 0 && ret)
        *ret = response;
    return rc;
}

int admin_call_protocol(struct admin *a, const struct net_address *address, const char *protocol, const char *method,
                        const ProtobufCMessage *request, const ProtobufCMessageDescriptor *response_type,
                        ProtobufCMessage **ret, struct err *reterr)
{
    struct rpc_client_options options = {
        .addresses = address ? address : rpc_client_address(dfs_namenode(a->fs)),
        .address_count = 1,
        .protocol = protocol,
        .user = dfs_user(a->fs),
    };
    struct rpc_client *client;
    int rc = rpc_client_new(&options, &client, reterr);
    if (rc < 0)
        return rc;
    ProtobufCMessage *response;
    rc = rpc_client_call(client, method, request, response_type, &a->arena, &response, reterr);
    if (rc == 0 && ret)
        *ret = response;
    rpc_client_free(client);
    return rc;
}

/* ---- commands ---- */

static int safemode_run(struct admin *a, int argc, char **argv, struct err *reterr)
{
    static const struct {
        const char *word;
        enum dfs_safemode_action action;
    } words[] = {{"leave", DFS_SAFEMODE_LEAVE},
                 {"enter", DFS_SAFEMODE_ENTER},
                 {"get", DFS_SAFEMODE_GET},
                 {"wait", DFS_SAFEMODE_GET},
                 {"forceExit", DFS_SAFEMODE_FORCE_EXIT}};
    size_t k = 0;
    while (k < ARRAY_COUNT(words) && strcasecmp(argv[0], words[k].word))
        k++;
    if (k == ARRAY_COUNT(words))
        return admin_misuse(a, reterr, "'%s' is none of enter, leave, get, wait, forceExit", argv[0]);
    bool on;
    int rc = dfs_safemode(a->fs, words[k].action, &on, reterr);
    while (rc == 0 && on && !strcmp(words[k].word, "wait")) {
        clock_sleep_ms(SAFEMODE_POLL_MS);
        rc = dfs_safemode(a->fs, DFS_SAFEMODE_GET, &on, reterr);
    }
    if (rc == 0)
        printf("Safe mode is %s\n", on ? "ON" : "OFF");
    return rc;
}

static int refresh_nodes_run(struct admin *a, int argc, char **argv, struct err *reterr)
{
    Hdfs__RefreshNodesRequestProto request = HDFS__REFRESH_NODES_REQUEST_PROTO__INIT;
    int rc =
        admin_call(a, "refreshNodes", &request.base, &hdfs__refresh_nodes_response_proto__descriptor, NULL, reterr);
    if (rc == 0)
        puts("Refresh nodes successful");
    return rc;
}

static int save_namespace_run(struct admin *a, int argc, char **argv, struct err *reterr)
{
    if (argc)
        return err_set(reterr, ERR_UNSUPPORTED, "'%s' is not supported: -saveNamespace takes no option here", argv[0]);
    Hdfs__SaveNamespaceRequestProto request = HDFS__SAVE_NAMESPACE_REQUEST_PROTO__INIT;
    ProtobufCMessage *response;
    int rc = admin_call(a, "saveNamespace", &request.base, &hdfs__save_namespace_response_proto__descriptor, &response,
                        reterr);
    if (rc == 0)
        puts(((Hdfs__SaveNamespaceResponseProto *)response)->saved ? "Save namespace successful"
                                                                   : "No extra checkpoint has been made");
    return rc;
}

static int metasave_run(struct admin *a, int argc, char **argv, struct err *reterr)
{
    Hdfs__MetaSaveRequestProto request = HDFS__META_SAVE_REQUEST_PROTO__INIT;
    request.filename = argv[0];
    int rc = admin_call(a, "metaSave", &request.base, &hdfs__meta_save_response_proto__descriptor, NULL, reterr);
    if (rc == 0)
        printf("Created metasave file %s in the log directory of namenode %s\n", argv[0], dfs_uri(a->fs));
    return rc;
}

static int roll_edits_run(struct admin *a, int argc, char **argv, struct err *reterr)
{
    Hdfs__RollEditsRequestProto request = HDFS__ROLL_EDITS_REQUEST_PROTO__INIT;
    ProtobufCMessage *response;
    int rc = admin_call(a, "rollEdits", &request.base, &hdfs__roll_edits_response_proto__descriptor, &response, reterr);
    if (rc == 0)
        printf("Successfully rolled edit logs.\nNew segment starts at txid %" PRIu64 "\n",
               ((Hdfs__RollEditsResponseProto *)response)->newsegmenttxid);
    return rc;
}

static int finalize_run(struct admin *a, int argc, char **argv, struct err *reterr)
{
    Hdfs__FinalizeUpgradeRequestProto request = HDFS__FINALIZE_UPGRADE_REQUEST_PROTO__INIT;
    int rc = admin_call(a, "finalizeUpgrade", &request.base, &hdfs__finalize_upgrade_response_proto__descriptor, NULL,
                        reterr);
    if (rc == 0)
        puts("Finalize upgrade successful");
    return rc;
}

static int bandwidth_run(struct admin *a, int argc, char **argv, struct err *reterr)
{
    Hdfs__SetBalancerBandwidthRequestProto request = HDFS__SET_BALANCER_BANDWIDTH_REQUEST_PROTO__INIT;
    int64_t bytes;
    if (config_parse_size(argv[0], &bytes) < 0 || bytes < 0)
        return admin_misuse(a, reterr, "Bandwidth should be a non-negative integer");
    request.bandwidth = bytes;
    int rc = admin_call(a, "setBalancerBandwidth", &request.base,
                        &hdfs__set_balancer_bandwidth_response_proto__descriptor, NULL, reterr);
    if (rc == 0)
        printf("Balancer bandwidth is set to %" PRId64 "\n", bytes);
    return rc;
}

static int refresh_acl_run(struct admin *a, int argc, char **argv, struct err *reterr)
{
    Hdfs__RefreshServiceAclRequestProto request = HDFS__REFRESH_SERVICE_ACL_REQUEST_PROTO__INIT;
    int rc = admin_call_protocol(a, NULL, "org.apache.hadoop.security.authorize.RefreshAuthorizationPolicyProtocol",
                                 "refreshServiceAcl", &request.base,
                                 &hdfs__refresh_service_acl_response_proto__descriptor, NULL, reterr);
    if (rc == 0)
        puts("Refresh service acl successful");
    return rc;
}

static int refresh_groups_run(struct admin *a, int argc, char **argv, struct err *reterr)
{
    Hdfs__RefreshUserToGroupsMappingsRequestProto request = HDFS__REFRESH_USER_TO_GROUPS_MAPPINGS_REQUEST_PROTO__INIT;
    int rc = admin_call_protocol(a, NULL, "org.apache.hadoop.security.RefreshUserMappingsProtocol",
                                 "refreshUserToGroupsMappings", &request.base,
                                 &hdfs__refresh_user_to_groups_mappings_response_proto__descriptor, NULL, reterr);
    if (rc == 0)
        puts("Refresh user to groups mapping successful");
    return rc;
}

static int refresh_proxies_run(struct admin *a, int argc, char **argv, struct err *reterr)
{
    Hdfs__RefreshSuperUserGroupsConfigurationRequestProto request =
        HDFS__REFRESH_SUPER_USER_GROUPS_CONFIGURATION_REQUEST_PROTO__INIT;
    int rc = admin_call_protocol(
        a, NULL, "org.apache.hadoop.security.RefreshUserMappingsProtocol", "refreshSuperUserGroupsConfiguration",
        &request.base, &hdfs__refresh_super_user_groups_configuration_response_proto__descriptor, NULL, reterr);
    if (rc == 0)
        puts("Refresh super user groups configuration successful");
    return rc;
}

static int refresh_queue_run(struct admin *a, int argc, char **argv, struct err *reterr)
{
    Hdfs__RefreshCallQueueRequestProto request = HDFS__REFRESH_CALL_QUEUE_REQUEST_PROTO__INIT;
    int rc = admin_call_protocol(a, NULL, "org.apache.hadoop.ipc.RefreshCallQueueProtocol", "refreshCallQueue",
                                 &request.base, &hdfs__refresh_call_queue_response_proto__descriptor, NULL, reterr);
    if (rc == 0)
        puts("Refresh call queue successful");
    return rc;
}

int datanode_info_run(struct admin *a, int argc, char **argv, struct err *reterr)
{
    struct net_address address;
    struct err why;
    if (net_parse(argv[0], 0, &address, &why) < 0)
        return admin_misuse(a, reterr, "%s", why.text);
    Hdfs__GetDatanodeInfoRequestProto request = HDFS__GET_DATANODE_INFO_REQUEST_PROTO__INIT;
    ProtobufCMessage *response;
    int rc =
        admin_call_protocol(a, &address, "org.apache.hadoop.hdfs.protocol.ClientDatanodeProtocol", "getDatanodeInfo",
                            &request.base, &hdfs__get_datanode_info_response_proto__descriptor, &response, reterr);
    if (rc < 0)
        return err_prefix(reterr, rc, "Datanode unreachable. %s", err_java_class(reterr));
    const Hdfs__DatanodeLocalInfoProto *info = ((Hdfs__GetDatanodeInfoResponseProto *)response)->localinfo;
    printf("Uptime: %" PRIu64 ", Software version: %s, Config version: %s\n", info->uptime, info->softwareversion,
           info->configversion);
    return 0;
}

/* ---- the table ---- */

struct admin_command {
    const char *name;
    const char *syntax; /* behind the name */
    int min, max;       /* words behind the name */
    admin_run run;      /* NULL: Hadoop has it, we do not */
    const char *help;
};
#define ANY 100000

static const struct admin_command admin_commands[] = {
    {"report", "[-live] [-dead] [-decommissioning] [-enteringmaintenance] [-inmaintenance] [-slownodes]", 0, 6,
     report_run, "Capacity, blocks that need care, and every datanode, or only those of the given kinds."},
    {"safemode", "<enter | leave | get | wait | forceExit>", 1, 1, safemode_run,
     "In safe mode the namenode changes nothing and replicates nothing. wait: until it has left."},
    {"saveNamespace", "[-beforeShutdown]", 0, 1, save_namespace_run, "Writes the namespace out (safe mode only)."},
    {"rollEdits", "", 0, 0, roll_edits_run, "Begins a new segment of the edit log."},
    {"restoreFailedStorage", "true|false|check", 1, 1, NULL, ""},
    {"refreshNodes", "", 0, 0, refresh_nodes_run, "Reads the files named by dfs.hosts and dfs.hosts.exclude again."},
    {"setQuota", "<quota> <dirname>...<dirname>", 0, ANY, set_quota_run,
     "At most this many names below each directory."},
    {"clrQuota", "<dirname>...<dirname>", 0, ANY, clear_quota_run, "Takes that limit away."},
    {"setSpaceQuota", "<quota> [-storageType <storagetype>] <dirname>...<dirname>", 0, ANY, set_space_quota_run,
     "At most this many bytes below each directory, replicas counted. 50t is 50 TiB."},
    {"clrSpaceQuota", "[-storageType <storagetype>] <dirname>...<dirname>", 0, ANY, clear_space_quota_run,
     "Takes that limit away."},
    {"finalizeUpgrade", "", 0, 0, finalize_run, "Ends an upgrade."},
    {"rollingUpgrade", "[<query|prepare|finalize>]", 0, 1, NULL, ""},
    {"upgrade", "<query | finalize>", 1, 1, NULL, ""},
    {"refreshServiceAcl", "", 0, 0, refresh_acl_run, "Reads the service authorisation policy again."},
    {"refreshUserToGroupsMappings", "", 0, 0, refresh_groups_run, "Forgets which groups users are in."},
    {"refreshSuperUserGroupsConfiguration", "", 0, 0, refresh_proxies_run, "Reads the proxy users again."},
    {"refreshCallQueue", "", 0, 0, refresh_queue_run, "Makes the call queue anew."},
    {"refresh", "<host:ipc_port> <key> [arg1..argn]", 2, ANY, NULL, ""},
    {"reconfig", "<namenode|datanode> <host:ipc_port|livenodes> <start|status|properties>", 3, 3, NULL, ""},
    {"printTopology", "", 0, 0, topology_run, "Racks and the datanodes in them."},
    {"refreshNamenodes", "datanode_host:ipc_port", 1, 1, NULL, ""},
    {"getVolumeReport", "datanode_host:ipc_port", 1, 1, NULL, ""},
    {"deleteBlockPool", "datanode_host:ipc_port blockpoolId [force]", 2, 3, NULL, ""},
    {"setBalancerBandwidth", "<bandwidth in bytes per second>", 1, 1, bandwidth_run,
     "How much of its network each datanode gives to balancing."},
    {"getBalancerBandwidth", "<datanode_host:ipc_port>", 1, 1, NULL, ""},
    {"fetchImage", "<local directory>", 1, 1, NULL, ""},
    {"allowSnapshot", "<snapshotDir>", 1, 1, allow_snapshot_run, "Snapshots of the directory may be taken."},
    {"disallowSnapshot", "<snapshotDir>", 1, 1, disallow_snapshot_run, "No more; it must have none left."},
    {"provisionSnapshotTrash", "<snapshotDir> [-all]", 1, 2, provision_snapshot_trash_run,
     "Makes the trash of a directory that snapshots may be taken of, or of all."},
    {"shutdownDatanode", "<datanode_host:ipc_port> [upgrade]", 1, 2, NULL, ""},
    {"evictWriters", "<datanode_host:ipc_port>", 1, 1, NULL, ""},
    {"getDatanodeInfo", "<datanode_host:ipc_port>", 1, 1, datanode_info_run,
     "How long a datanode runs, and its version."},
    {"metasave", "filename", 1, 1, metasave_run, "Writes the namenode's block queues to a file in its log folder."},
    {"triggerBlockReport", "[-incremental] <datanode_host:ipc_port> [-namenode <namenode_host:ipc_port>]", 1, 4, NULL,
     ""},
    {"listOpenFiles", "[-blockingDecommission] [-path <path>]", 0, 3, NULL, ""},
    {0},
};

static void print_syntax(FILE *to, const struct admin_command *c)
{
    fprintf(to, "[-%s%s%s]\n", c->name, *c->syntax ? " " : "", c->syntax);
}

static void print_all(FILE *to)
{
    for (const struct admin_command *c = admin_commands; c->name; c++) {
        fputc('\t', to);
        print_syntax(to, c);
    }
    fputs("\t[-help [cmd]]\n", to);
}

static int print_usage(const struct admin_command *c)
{
    fputs("Usage: hdfs dfsadmin", stderr);
    if (c) {
        fputc(' ', stderr);
        print_syntax(stderr, c);
    } else {
        fputs("\nNote: Administrative commands can only be run as the HDFS superuser.\n", stderr);
        print_all(stderr);
        fputs("\nGeneric options supported are: -conf <configuration file>, -D <property=value>, -fs "
              "<hdfs://namenode:port>\n\n",
              stderr);
    }
    return EXIT_FAILED;
}

static const struct admin_command *command_find(const char *name)
{
    for (const struct admin_command *c = admin_commands; c->name; c++)
        if (!strcmp(c->name, name))
            return c;
    return NULL;
}

static int help(const char *name)
{
    const struct admin_command *c = name ? command_find(*name == '-' ? name + 1 : name) : NULL;
    if (c) {
        printf("-%s %s\n\t%s\n", c->name, c->syntax, c->run ? c->help : "Not supported by this client.");
        return 0;
    }
    puts("hdfs dfsadmin performs DFS administrative commands.\n"
         "Most of them are for the superuser, who is the user that runs the namenode.\n\nhdfs dfsadmin");
    print_all(stdout);
    return 0;
}

static int admin_dispatch(struct admin *a, const struct admin_command *c, int argc, char **argv)
{
    struct err e;
    int rc = dfs_connect(a->config, NULL, NULL, &a->fs, &e);
    if (rc == 0)
        rc = c->run(a, argc, argv, &e);
    if (rc == 0)
        return 0;
    fflush(stdout);
    fprintf(stderr, "%s: %.*s\n", c->name, (int)strcspn(e.text, "\n"), e.text);
    return a->misused ? print_usage(c) : EXIT_FAILED;
}

int dfsadmin_main(int argc, char **argv)
{
    struct config *config;
    struct err e;
    if (cli_load(&argc, argv, &config, &e) < 0) {
        fprintf(stderr, "%s: %s\n", argv[0], e.text);
        return EXIT_FAILED;
    }
    const char *word = argc > 1 ? argv[1] : "";
    const struct admin_command *c = *word == '-' ? command_find(word + 1) : NULL;
    int code = EXIT_FAILED;
    if (!strcmp(word, "-help")) {
        code = help(argc > 2 ? argv[2] : NULL);
    } else if (!c) {
        if (*word)
            fprintf(stderr, "%s: Unknown command\n", word + (*word == '-'));
        code = print_usage(NULL);
    } else if (argc - 2 < c->min || argc - 2 > c->max) {
        code = print_usage(c);
    } else if (!c->run) {
        fprintf(stderr, "%s: this command is not supported by this client\n", c->name);
    } else {
        struct admin a = {.config = config};
        arena_init(&a.arena, 256 << 20);
        code = admin_dispatch(&a, c, argc - 2, argv + 2);
        dfs_unref(a.fs);
        arena_free(&a.arena);
    }
    config_free(config);
    return code;
}

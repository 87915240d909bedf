/* `hdfs haadmin`: asks the namenodes of a nameservice for their state, and changes it by hand. */
#include <stdio.h>
#include <string.h>

#include "client/admin/admin.h"
#include "client/lib/nameservice.h"
#include "common/cli.h"
#include "common/mem.h"
#include "hdfs/admin.pb-c.h"
#include "main/commands.h"
#include "rpc/rpc_client.h"

#define HA_PROTOCOL     "org.apache.hadoop.ha.HAServiceProtocol"
#define EXIT_FAILED     255   /* -1 */
#define CHECK_MS        20000 /* ha.failover-controller.cli-check.rpc-timeout.ms */
#define STATE_CHANGE_MS 60000

struct haadmin {
    const struct config *config;
    char service[128];
    struct nameservice_member members[NAMESERVICE_MEMBERS_MAX];
    size_t count;
    struct arena arena;
    bool force_active, force_manual;
};

static const char *const state_names[] = {"initializing", "active", "standby", "observer"};

static int ha_call(struct haadmin *h, const struct nameservice_member *m, const char *method,
                   const ProtobufCMessage *request, const ProtobufCMessageDescriptor *type, int timeout_ms,
                   ProtobufCMessage **ret, struct err *reterr)
{
    struct rpc_client_options o = {.addresses = &m->address,
                                   .address_count = 1,
                                   .protocol = HA_PROTOCOL,
                                   .connect_timeout_ms = (int)config_ms(h->config, "ipc.client.connect.timeout"),
                                   .call_timeout_ms = timeout_ms};
    AUTO(mem_freep) char *user = dfs_default_user();
    struct rpc_client *client;
    o.user = user;
    int rc = rpc_client_new(&o, &client, reterr);
    if (rc < 0)
        return rc;
    rc = rpc_client_call(client, method, request, type, &h->arena, ret, reterr);
    rpc_client_free(client);
    return rc;
}

static int ask_state(struct haadmin *h, const struct nameservice_member *m, int *ret, struct err *reterr)
{
    Hdfs__GetServiceStatusRequestProto request = HDFS__GET_SERVICE_STATUS_REQUEST_PROTO__INIT;
    ProtobufCMessage *answer;
    int rc = ha_call(h, m, "getServiceStatus", &request.base, &hdfs__get_service_status_response_proto__descriptor,
                     CHECK_MS, &answer, reterr);
    if (rc < 0)
        return rc;
    *ret = (int)((Hdfs__GetServiceStatusResponseProto *)answer)->state;
    if (*ret < 0 || *ret >= (int)ARRAY_COUNT(state_names))
        return err_set(reterr, ERR_PROTOCOL, "a state %d that we do not know", *ret);
    return 0;
}

/* ---- commands; 0, or a negative error that has been set ---- */

static int get_state(struct haadmin *h, const struct nameservice_member *m, struct err *reterr)
{
    int state;
    int rc = ask_state(h, m, &state, reterr);
    if (rc == 0)
        puts(state_names[state]);
    return rc;
}

static void get_all_states(struct haadmin *h)
{
    for (size_t i = 0; i < h->count; i++) {
        char name[NET_ADDRESS_MAX];
        struct err why;
        int state;
        net_format(&h->members[i].address, name);
        if (ask_state(h, &h->members[i], &state, &why) == 0)
            printf("%-50s %-10s\n", name, state_names[state]);
        else
            printf("%-50s Failed to connect: %.*s\n", name, (int)strcspn(why.text, "\n"), why.text);
    }
}

static int check_health(struct haadmin *h, const struct nameservice_member *m, struct err *reterr)
{
    Hdfs__MonitorHealthRequestProto request = HDFS__MONITOR_HEALTH_REQUEST_PROTO__INIT;
    ProtobufCMessage *answer;
    int rc = ha_call(h, m, "monitorHealth", &request.base, &hdfs__monitor_health_response_proto__descriptor, CHECK_MS,
                     &answer, reterr);
    if (rc < 0 && strstr(err_java_class(reterr), "HealthCheckFailed"))
        return err_prefix(reterr, rc, "Health check failed");
    return rc;
}

static int to_standby(struct haadmin *h, const struct nameservice_member *m, struct err *reterr)
{
    Hdfs__HAStateChangeRequestInfoProto info = HDFS__HASTATE_CHANGE_REQUEST_INFO_PROTO__INIT;
    Hdfs__TransitionToStandbyRequestProto request = HDFS__TRANSITION_TO_STANDBY_REQUEST_PROTO__INIT;
    ProtobufCMessage *answer;
    info.reqsource =
        h->force_manual ? HDFS__HAREQUEST_SOURCE__REQUEST_BY_USER_FORCED : HDFS__HAREQUEST_SOURCE__REQUEST_BY_USER;
    request.reqinfo = &info;
    return ha_call(h, m, "transitionToStandby", &request.base, &hdfs__transition_to_standby_response_proto__descriptor,
                   STATE_CHANGE_MS, &answer, reterr);
}

/* Two active namenodes would both write: so the others are asked first, unless that is waived. */
static int check_others(struct haadmin *h, const struct nameservice_member *m, struct err *reterr)
{
    for (size_t i = 0; i < h->count && !h->force_active; i++) {
        int state;
        if (&h->members[i] == m)
            continue;
        int rc = ask_state(h, &h->members[i], &state, reterr);
        if (rc < 0)
            return err_prefix(
                reterr, rc,
                "transitionToActive: %s cannot be asked whether it is active (--forceactive: go on all the "
                "same, when it surely is not)",
                h->members[i].id);
        if (state == HDFS__HASERVICE_STATE_PROTO__ACTIVE)
            return err_set(reterr, ERR_BAD_STATE, "transitionToActive: Node %s is already active", h->members[i].id);
    }
    return 0;
}

static int to_active(struct haadmin *h, const struct nameservice_member *m, struct err *reterr)
{
    Hdfs__HAStateChangeRequestInfoProto info = HDFS__HASTATE_CHANGE_REQUEST_INFO_PROTO__INIT;
    Hdfs__TransitionToActiveRequestProto request = HDFS__TRANSITION_TO_ACTIVE_REQUEST_PROTO__INIT;
    ProtobufCMessage *answer;
    info.reqsource =
        h->force_manual ? HDFS__HAREQUEST_SOURCE__REQUEST_BY_USER_FORCED : HDFS__HAREQUEST_SOURCE__REQUEST_BY_USER;
    request.reqinfo = &info;
    int rc = check_others(h, m, reterr);
    return rc < 0 ? rc
                  : ha_call(h, m, "transitionToActive", &request.base,
                            &hdfs__transition_to_active_response_proto__descriptor, STATE_CHANGE_MS, &answer, reterr);
}

static const struct {
    const char *name, *syntax, *help;
    int (*run)(struct haadmin *h, const struct nameservice_member *m, struct err *reterr); /* NULL: of all namenodes */
} commands[] = {
    {"-transitionToActive", " [--forceactive] <serviceId>", "makes the namenode active", to_active},
    {"-transitionToStandby", " <serviceId>", "makes the namenode a standby", to_standby},
    {"-getServiceState", " <serviceId>", "active, standby, observer or initializing", get_state},
    {"-getAllServiceState", "", "the state of every namenode", NULL},
    {"-checkHealth", " <serviceId>", "exit code 0 if the namenode finds itself well", check_health},
};

static int usage(void)
{
    fputs("Usage: haadmin [-ns <nameserviceId>]\n", stderr);
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
        fprintf(stderr, "    [%s%s]\n", commands[i].name, commands[i].syntax);
    fputs("    [-help <command>]\n", stderr);
    return EXIT_FAILED;
}

static int help(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
        if (!name || !strcmp(name + (*name != '-'), commands[i].name + (*name != '-')))
            printf("%s%s: %s\n", commands[i].name, commands[i].syntax, commands[i].help);
    return 0;
}

static int on_member(struct haadmin *h, size_t command, const char *id)
{
    struct err why;
    for (size_t i = 0; i < h->count; i++) {
        if (strcmp(h->members[i].id, id) != 0)
            continue;
        if (commands[command].run(h, &h->members[i], &why) == 0)
            return 0;
        fprintf(stderr, "Operation failed: %.*s\n", (int)strcspn(why.text, "\n"), why.text);
        return EXIT_FAILED;
    }
    fprintf(
        stderr,
        "Illegal argument: Unable to determine service address for namenode '%s': it is not in dfs.ha.namenodes.%s\n",
        id, h->service);
    return EXIT_FAILED;
}

static int run(struct haadmin *h, int argc, char **argv)
{
    const char *id = NULL;
    size_t k = 0;
    struct err why;
    while (k < ARRAY_COUNT(commands) && strcmp(argv[0], commands[k].name))
        k++;
    if (k == ARRAY_COUNT(commands)) {
        fprintf(stderr,
                argv[0][0] == '-' ? "%s: Unknown command\n" : "Bad command '%s': expected command starting with '-'\n",
                argv[0] + (argv[0][0] == '-'));
        return usage();
    }
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--forceactive") || !strcmp(argv[i], "-forceactive"))
            h->force_active = true;
        else if (!strcmp(argv[i], "--forcemanual") || !strcmp(argv[i], "-forcemanual"))
            h->force_manual = true;
        else if (id || !commands[k].run)
            return usage();
        else
            id = argv[i];
    }
    if (commands[k].run && !id) {
        fprintf(stderr, "%s: incorrect number of arguments\n", argv[0] + 1);
        return usage();
    }
    if (!*h->service) {
        fputs("Illegal argument: Unable to determine the nameservice id. (Set dfs.nameservices, or give -ns.)\n",
              stderr);
        return EXIT_FAILED;
    }
    if (nameservice_members(h->config, h->service, h->members, &h->count, &why) < 0) {
        fprintf(stderr, "Illegal argument: %s\n", why.text);
        return EXIT_FAILED;
    }
    if (commands[k].run)
        return on_member(h, k, id);
    get_all_states(h);
    return 0;
}

int haadmin_main(int argc, char **argv)
{
    AUTO(config_freep) struct config *config = NULL;
    struct haadmin h = {0};
    struct err why;
    if (cli_load_settings(&argc, argv, &config, &why) < 0) {
        fprintf(stderr, "%s: %s\n", argv[0], why.text);
        return EXIT_FAILED;
    }
    h.config = config;
    nameservice_default(config, h.service);
    int at = 1;
    if (argc > 2 && !strcmp(argv[1], "-ns")) {
        snprintf(h.service, sizeof h.service, "%s", argv[2]);
        at = 3;
    }
    if (at >= argc)
        return usage();
    if (!strcmp(argv[at], "-help"))
        return help(argv[at + 1]);
    arena_init(&h.arena, 16 << 20);
    int code = run(&h, argc - at, argv + at);
    arena_free(&h.arena);
    return code;
}

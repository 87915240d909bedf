/* `hdfs storagepolicies` */
#include <stdio.h>
#include <string.h>

#include "client/admin/admin.h"
#include "common/cli.h"
#include "hdfs/client_namenode.pb-c.h"
#include "main/commands.h"

#define EXIT_HELP    1
#define EXIT_REFUSED 2
#define EXIT_INVALID 255 /* -1 */

static void types_print(const char *label, const Hdfs__StorageTypesProto *t, const char *after)
{
    printf("%s=[", label);
    for (size_t i = 0; t && i < t->n_storagetypes; i++) {
        const ProtobufCEnumValue *name =
            protobuf_c_enum_descriptor_get_value(&hdfs__storage_type_proto__descriptor, (int)t->storagetypes[i]);
        printf("%s%s", i ? ", " : "", name ? name->name : "UNKNOWN");
    }
    printf("]%s", after);
}

static void policy_print(const Hdfs__BlockStoragePolicyProto *p)
{
    printf("BlockStoragePolicy{%s:%u, ", p->name, p->policyid);
    types_print("storageTypes", p->creationpolicy, ", ");
    types_print("creationFallbacks", p->creationfallbackpolicy, ", ");
    types_print("replicationFallbacks", p->replicationfallbackpolicy, "}\n");
}

static int policies_get(struct admin *a, Hdfs__GetStoragePoliciesResponseProto **ret, struct err *reterr)
{
    Hdfs__GetStoragePoliciesRequestProto request = HDFS__GET_STORAGE_POLICIES_REQUEST_PROTO__INIT;
    ProtobufCMessage *answer;
    int rc = admin_call(a, "getStoragePolicies", &request.base, &hdfs__get_storage_policies_response_proto__descriptor,
                        &answer, reterr);
    if (rc == 0)
        *ret = (Hdfs__GetStoragePoliciesResponseProto *)answer;
    return rc;
}

/* ---- commands: exit codes ---- */

struct request {
    const char *path_text, *path, *policy;
};

static int list_run(struct admin *a, const struct request *q, struct err *reterr)
{
    Hdfs__GetStoragePoliciesResponseProto *all = NULL;
    int rc = policies_get(a, &all, reterr);
    if (rc < 0)
        return rc;
    puts("Block Storage Policies:");
    for (size_t i = 0; i < all->n_policies; i++) {
        putchar('\t');
        policy_print(all->policies[i]);
    }
    return 0;
}

static int get_run(struct admin *a, const struct request *q, struct err *reterr)
{
    struct dfs_status st;
    Hdfs__GetStoragePoliciesResponseProto *all = NULL;
    int rc = dfs_stat(a->fs, q->path, &a->arena, &st, reterr);
    if (rc == ERR_NOT_FOUND) {
        fprintf(stderr, "File/Directory does not exist: %s\n", q->path_text);
        return EXIT_REFUSED;
    }
    if (rc == 0 && !st.storage_policy) {
        printf("The storage policy of %s is unspecified\n", q->path_text);
        return 0;
    }
    rc = rc < 0 ? rc : policies_get(a, &all, reterr);
    for (size_t i = 0; rc == 0 && i < all->n_policies; i++)
        if (all->policies[i]->policyid == st.storage_policy) {
            printf("The storage policy of %s:\n", q->path_text);
            policy_print(all->policies[i]);
            return 0;
        }
    if (rc == 0)
        fprintf(stderr, "-getStoragePolicy is not supported for filesystem hdfs on path %s\n", q->path_text);
    return rc < 0 ? rc : EXIT_REFUSED;
}

static int set_run(struct admin *a, const struct request *q, struct err *reterr)
{
    Hdfs__SetStoragePolicyRequestProto request = HDFS__SET_STORAGE_POLICY_REQUEST_PROTO__INIT;
    request.src = (char *)q->path;
    request.policyname = (char *)q->policy;
    int rc = admin_call(a, "setStoragePolicy", &request.base, &hdfs__set_storage_policy_response_proto__descriptor,
                        NULL, reterr);
    if (rc == 0)
        printf("Set storage policy %s on %s\n", q->policy, q->path_text);
    return rc;
}

static int unset_run(struct admin *a, const struct request *q, struct err *reterr)
{
    Hdfs__UnsetStoragePolicyRequestProto request = HDFS__UNSET_STORAGE_POLICY_REQUEST_PROTO__INIT;
    request.src = (char *)q->path;
    int rc = admin_call(a, "unsetStoragePolicy", &request.base, &hdfs__unset_storage_policy_response_proto__descriptor,
                        NULL, reterr);
    if (rc == 0)
        printf("Unset storage policy from %s\n", q->path_text);
    return rc;
}

static int satisfy_run(struct admin *a, const struct request *q, struct err *reterr)
{
    Hdfs__SatisfyStoragePolicyRequestProto request = HDFS__SATISFY_STORAGE_POLICY_REQUEST_PROTO__INIT;
    request.src = (char *)q->path;
    int rc = admin_call(a, "satisfyStoragePolicy", &request.base,
                        &hdfs__satisfy_storage_policy_response_proto__descriptor, NULL, reterr);
    if (rc == 0)
        printf("Scheduled blocks to move based on the current storage policy on %s\n", q->path_text);
    return rc;
}

static const struct command {
    const char *name, *usage, *help;
    int (*run)(struct admin *a, const struct request *q, struct err *reterr); /* exit code or a negative ERR_* */
    const char *path_missing;                                                 /* NULL: it takes none */
} commands[] = {
    {"-listPolicies", "", "Shows all storage policies.", list_run, NULL},
    {"-setStoragePolicy", " -path <path> -policy <policy>", "Sets the policy of a file or directory.", set_run,
     "Please specify the path for setting the storage policy."},
    {"-getStoragePolicy", " -path <path>", "Shows the policy of a file or directory.", get_run,
     "Please specify the path with -path."},
    {"-unsetStoragePolicy", " -path <path>", "Removes a file's or directory's own policy.", unset_run,
     "Please specify the path from which the storage policy will be unset."},
    {"-satisfyStoragePolicy", " -path <path>", "Moves blocks to where the policy wants them.", satisfy_run,
     "Please specify the path for setting the storage policy."},
};

static int usage_print(void)
{
    fputs("Usage: bin/hdfs storagepolicies [COMMAND]\n", stderr);
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
        fprintf(stderr, "          [%s%s]\n", commands[i].name, commands[i].usage);
    fputs("          [-help <command-name>]\n\n", stderr);
    return EXIT_HELP;
}

static int help_print(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
        if (!name || !strcmp(name, commands[i].name + 1)) {
            fprintf(stderr, "[%s%s]\n\n%s\n\n", commands[i].name, commands[i].usage, commands[i].help);
            if (name)
                return 0;
        }
    if (name)
        fprintf(stderr, "Unknown command '%s'.\n", name);
    return EXIT_HELP;
}

static int missing(const struct command *c, const char *what)
{
    fprintf(stderr, "%s\nUsage: [%s%s]\n\n%s\n\n", what, c->name, c->usage, c->help);
    return EXIT_HELP;
}

/* Takes "name value" out of argv; ERR_ILLEGAL_ARGUMENT: the value is missing. */
static int option_take(int *argc, char **argv, const char *name, const char **ret, struct err *reterr)
{
    for (int i = 0; i < *argc; i++) {
        if (strcmp(argv[i], name))
            continue;
        if (i + 1 == *argc)
            return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "option %s requires 1 argument.", name);
        *ret = argv[i + 1];
        memmove(argv + i, argv + i + 2, (size_t)(*argc - i - 2) * sizeof *argv);
        *argc -= 2;
        break;
    }
    return 0;
}

/* Hadoop's client knows some exceptions by name; the others stay what the RPC layer makes of them. */
static const char *exception_name(int code)
{
    switch (code) {
    case ERR_NOT_FOUND: return "FileNotFoundException";
    case ERR_ACCESS: return "AccessControlException";
    case ERR_SAFE_MODE: return "SafeModeException";
    case ERR_NS_QUOTA: return "NSQuotaExceededException";
    case ERR_SNAPSHOT_ACCESS: return "SnapshotAccessControlException";
    default: return "RemoteException";
    }
}

static int run(struct admin *a, const struct command *c, int argc, char **argv)
{
    struct request q = {0};
    struct err e;
    const char *uri;
    int rc = option_take(&argc, argv, "-path", &q.path_text, &e);
    rc = rc < 0 ? rc : option_take(&argc, argv, "-policy", &q.policy, &e);
    if (rc == 0 && c->path_missing && !q.path_text)
        return missing(c, c->path_missing);
    if (rc == 0 && c->run == set_run && !q.policy)
        return missing(c, "Please specify the policy name.");
    if (rc < 0) {
        fprintf(stderr, "IllegalArgumentException: %s\n", e.text);
        return EXIT_INVALID;
    }
    rc = dfs_connect(a->config, NULL, NULL, &a->fs, &e);
    if (rc == 0 && q.path_text)
        rc = dfs_resolve(a->fs, q.path_text, &a->arena, &q.path, &uri, &e);
    rc = rc < 0 ? rc : c->run(a, &q, &e);
    if (rc >= 0)
        return rc;
    fprintf(stderr, "%s: %.*s\n", exception_name(rc), (int)strcspn(e.text, "\n"), e.text);
    return EXIT_REFUSED;
}

int storagepolicies_main(int argc, char **argv)
{
    struct config *config;
    struct err e;
    if (cli_load(&argc, argv, &config, &e) < 0) {
        fprintf(stderr, "%s: %s\n", argv[0], e.text);
        return EXIT_INVALID;
    }
    struct admin a = {.config = config};
    arena_init(&a.arena, 64 << 20);
    const struct command *c = NULL;
    for (size_t i = 0; argc > 1 && i < ARRAY_COUNT(commands); i++)
        if (!strcmp(argv[1], commands[i].name))
            c = &commands[i];
    int code;
    if (c) {
        code = run(&a, c, argc - 2, argv + 2);
    } else if (argc > 1 && !strcmp(argv[1], "-help")) {
        code = help_print(argc > 2 ? argv[2] : NULL);
    } else {
        if (argc > 1)
            fprintf(stderr, "Can't understand command '%s'\n%s", argv[1],
                    *argv[1] == '-' ? "" : "Command names must start with dashes.\n");
        code = usage_print();
    }
    dfs_unref(a.fs);
    arena_free(&a.arena);
    config_free(config);
    return code;
}

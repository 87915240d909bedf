/* -setQuota, -clrQuota, -setSpaceQuota, -clrSpaceQuota */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "client/admin/admin.h"
#include "client/fs/human.h"
#include "hdfs/client_namenode.pb-c.h"

#define QUOTA_LEAVE ((uint64_t)INT64_MAX)
#define QUOTA_RESET UINT64_MAX /* -1 */

struct quota_change {
    uint64_t names, space;
    bool has_type;
    int type;
};

static int quota_set(struct admin *a, const char *text, const struct quota_change *q, struct err *reterr)
{
    const char *path, *uri;
    int rc = dfs_resolve(a->fs, text, &a->arena, &path, &uri, reterr);
    if (rc < 0)
        return rc;
    struct dfs_match *matches;
    size_t count;
    rc = dfs_glob(a->fs, path, &a->arena, &matches, &count, reterr);
    if (rc < 0 && rc != ERR_NOT_FOUND)
        return rc;
    struct dfs_match itself = {.path = path};
    if (rc < 0 || (!count && !dfs_glob_has_wildcard(path))) { /* the namenode tells what is wrong with it */
        matches = &itself;
        count = 1;
    }
    rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        Hdfs__SetQuotaRequestProto request = HDFS__SET_QUOTA_REQUEST_PROTO__INIT;
        request.path = (char *)matches[i].path;
        request.namespacequota = q->names;
        request.storagespacequota = q->space;
        request.has_storagetype = q->has_type;
        request.storagetype = (Hdfs__StorageTypeProto)q->type;
        rc = admin_call(a, "setQuota", &request.base, &hdfs__set_quota_response_proto__descriptor, NULL, reterr);
    }
    return rc;
}

/* Each path on its own, as Hadoop does; the last failure is the one the caller tells. */
static int quota_set_each(struct admin *a, const char *command, int argc, char **argv, const struct quota_change *q,
                          struct err *reterr)
{
    int failed = 0;
    for (int i = 0; i < argc; i++) {
        struct err e;
        int rc = quota_set(a, argv[i], q, &e);
        if (rc == 0)
            continue;
        if (failed < 0)
            fprintf(stderr, "%s: %.*s\n", command, (int)strcspn(reterr->text, "\n"), reterr->text);
        *reterr = e;
        failed = rc;
    }
    return failed;
}

static int type_take(struct admin *a, int *argc, char **argv, struct quota_change *q, struct err *reterr)
{
    static const struct {
        const char *name;
        int type;
    } types[] = {{"DISK", HDFS__STORAGE_TYPE_PROTO__DISK},
                 {"SSD", HDFS__STORAGE_TYPE_PROTO__SSD},
                 {"ARCHIVE", HDFS__STORAGE_TYPE_PROTO__ARCHIVE},
                 {"PROVIDED", HDFS__STORAGE_TYPE_PROTO__PROVIDED},
                 {"NVDIMM", HDFS__STORAGE_TYPE_PROTO__NVDIMM}};
    for (int i = 0; i < *argc; i++) {
        if (strcmp(argv[i], "-storageType"))
            continue;
        if (i + 1 == *argc)
            return admin_misuse(a, reterr, "option -storageType requires 1 argument.");
        for (size_t k = 0; k < ARRAY_COUNT(types); k++)
            if (!strcasecmp(argv[i + 1], types[k].name)) {
                q->has_type = true;
                q->type = types[k].type;
            }
        if (!q->has_type)
            return admin_misuse(
                a, reterr,
                "Storage type %s is not available. Available storage types are [SSD, DISK, ARCHIVE, PROVIDED, NVDIMM]",
                argv[i + 1]);
        memmove(argv + i, argv + i + 2, (size_t)(*argc - i - 2) * sizeof *argv);
        *argc -= 2;
        break;
    }
    return 0;
}

static int enough(struct admin *a, int argc, char **argv, int min, struct err *reterr)
{
    if (argc && argv[0][0] == '-' && argv[0][1])
        return admin_misuse(a, reterr, "Illegal option %s", argv[0]);
    return argc < min ? admin_misuse(a, reterr, "Not enough arguments: expected %d but got %d", min, argc) : 0;
}

static int amount_parse(struct admin *a, const char *text, uint64_t *ret, struct err *reterr)
{
    int64_t n;
    struct err why;
    if (human_parse_prefixed(text, &n, &why) < 0)
        return admin_misuse(a, reterr, "%s", why.text);
    *ret = (uint64_t)n;
    return 0;
}

/* Said before the namenode is asked, as Hadoop's client does. */
static int check(struct admin *a, const struct quota_change *q, struct err *reterr)
{
    if (q->has_type && q->space == 0)
        return admin_misuse(a, reterr, "Invalid values for quota :0");
    if (q->names == 0 || (q->names != QUOTA_RESET && q->names > QUOTA_LEAVE) ||
        (q->space != QUOTA_RESET && q->space > QUOTA_LEAVE))
        return admin_misuse(a, reterr, "Invalid values for quota : %lld and %lld", (long long)q->names,
                            (long long)q->space);
    return 0;
}

int set_quota_run(struct admin *a, int argc, char **argv, struct err *reterr)
{
    struct quota_change q = {.space = QUOTA_LEAVE};
    int rc = enough(a, argc, argv, 2, reterr);
    if (rc < 0 || (rc = amount_parse(a, argv[0], &q.names, reterr)) < 0 || (rc = check(a, &q, reterr)) < 0)
        return rc;
    return quota_set_each(a, "setQuota", argc - 1, argv + 1, &q, reterr);
}

int clear_quota_run(struct admin *a, int argc, char **argv, struct err *reterr)
{
    struct quota_change q = {.names = QUOTA_RESET, .space = QUOTA_LEAVE};
    int rc = enough(a, argc, argv, 1, reterr);
    return rc < 0 ? rc : quota_set_each(a, "clrQuota", argc, argv, &q, reterr);
}

int set_space_quota_run(struct admin *a, int argc, char **argv, struct err *reterr)
{
    struct quota_change q = {.names = QUOTA_LEAVE};
    int rc = type_take(a, &argc, argv, &q, reterr);
    if (rc < 0 || (rc = enough(a, argc, argv, 2, reterr)) < 0 ||
        (rc = amount_parse(a, argv[0], &q.space, reterr)) < 0 || (rc = check(a, &q, reterr)) < 0)
        return rc;
    return quota_set_each(a, "setSpaceQuota", argc - 1, argv + 1, &q, reterr);
}

int clear_space_quota_run(struct admin *a, int argc, char **argv, struct err *reterr)
{
    struct quota_change q = {.names = QUOTA_LEAVE, .space = QUOTA_RESET};
    int rc = type_take(a, &argc, argv, &q, reterr);
    if (rc < 0 || (rc = enough(a, argc, argv, 1, reterr)) < 0)
        return rc;
    return quota_set_each(a, "clrSpaceQuota", argc, argv, &q, reterr);
}

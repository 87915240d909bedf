#include "client/fs/quota.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "hdfs/client_namenode.pb-c.h"
#include "rpc/rpc_client.h"

#define ANSWER_MAX_BYTES (1 << 20)

const char *const storage_type_names[STORAGE_TYPE_COUNT] = {"SSD", "DISK", "ARCHIVE", "PROVIDED", "NVDIMM", "RAM_DISK"};
#define TYPES_WITH_QUOTA 5 /* memory that forgets has none */

static const int wire_types[STORAGE_TYPE_COUNT] = {
    HDFS__STORAGE_TYPE_PROTO__SSD,      HDFS__STORAGE_TYPE_PROTO__DISK,   HDFS__STORAGE_TYPE_PROTO__ARCHIVE,
    HDFS__STORAGE_TYPE_PROTO__PROVIDED, HDFS__STORAGE_TYPE_PROTO__NVDIMM, HDFS__STORAGE_TYPE_PROTO__RAM_DISK,
};

int storage_types_parse(const char *text, struct storage_types *ret, struct err *reterr)
{
    struct storage_types found = {0};
    if (!*text || !strcasecmp(text, "all")) {
        for (int i = 0; i < TYPES_WITH_QUOTA; i++)
            found.types[found.count++] = i;
        *ret = found;
        return 0;
    }
    while (*text) {
        size_t len = strcspn(text, ",");
        int type = 0;
        while (type < STORAGE_TYPE_COUNT &&
               (strlen(storage_type_names[type]) != len || strncasecmp(storage_type_names[type], text, len)))
            type++;
        if (len && (type == STORAGE_TYPE_COUNT || found.count == ARRAY_COUNT(found.types)))
            return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "No enum constant org.apache.hadoop.fs.StorageType.%.*s",
                           (int)len, text);
        if (len)
            found.types[found.count++] = type;
        text += len + (text[len] == ',');
    }
    *ret = found;
    return 0;
}

static void types_fill(const Hdfs__StorageTypeQuotaInfosProto *infos, struct quota_usage *q)
{
    for (size_t i = 0; infos && i < infos->n_typequotainfo; i++)
        for (int type = 0; type < STORAGE_TYPE_COUNT; type++)
            if (wire_types[type] == (int)infos->typequotainfo[i]->type)
                q->types[type] = (struct type_quota){(int64_t)infos->typequotainfo[i]->quota,
                                                     (int64_t)infos->typequotainfo[i]->consumed};
}

static int usage_get(struct shell_fs *fs, const char *path, struct arena *a, struct quota_usage *q, struct err *reterr)
{
    Hdfs__GetQuotaUsageRequestProto request = HDFS__GET_QUOTA_USAGE_REQUEST_PROTO__INIT;
    request.path = (char *)path;
    ProtobufCMessage *answer;
    int rc = rpc_client_call(dfs_namenode(fs->dfs), "getQuotaUsage", &request.base,
                             &hdfs__get_quota_usage_response_proto__descriptor, a, &answer, reterr);
    if (rc < 0)
        return rc;
    const Hdfs__QuotaUsageProto *usage = ((Hdfs__GetQuotaUsageResponseProto *)answer)->usage;
    q->names = (int64_t)usage->fileanddirectorycount;
    q->quota = (int64_t)usage->quota;
    q->space = (int64_t)usage->spaceconsumed;
    q->space_quota = (int64_t)usage->spacequota;
    types_fill(usage->typequotainfos, q);
    return 0;
}

static int summary_get(struct shell_fs *fs, const char *path, struct arena *a, struct quota_usage *q,
                       struct err *reterr)
{
    Hdfs__GetContentSummaryRequestProto request = HDFS__GET_CONTENT_SUMMARY_REQUEST_PROTO__INIT;
    request.path = (char *)path;
    ProtobufCMessage *answer;
    int rc = rpc_client_call(dfs_namenode(fs->dfs), "getContentSummary", &request.base,
                             &hdfs__get_content_summary_response_proto__descriptor, a, &answer, reterr);
    if (rc < 0)
        return rc;
    const Hdfs__ContentSummaryProto *sum = ((Hdfs__GetContentSummaryResponseProto *)answer)->summary;
    q->length = (int64_t)sum->length;
    q->files = (int64_t)sum->filecount;
    q->directories = (int64_t)sum->directorycount;
    q->names = q->files + q->directories;
    q->quota = (int64_t)sum->quota;
    q->space = (int64_t)sum->spaceconsumed;
    q->space_quota = (int64_t)sum->spacequota;
    q->snapshots = (struct snapshot_usage){(int64_t)sum->snapshotlength, (int64_t)sum->snapshotfilecount,
                                           (int64_t)sum->snapshotdirectorycount, (int64_t)sum->snapshotspaceconsumed};
    snprintf(q->erasure_coding, sizeof q->erasure_coding, "%s",
             sum->erasurecodingpolicy ? sum->erasurecodingpolicy : "");
    types_fill(sum->typequotainfos, q);
    return 0;
}

int quota_usage_get(struct shell_fs *fs, const char *path, bool quota_only, struct quota_usage *ret, struct err *reterr)
{
    struct quota_usage q = {.quota = -1, .space_quota = -1};
    for (int i = 0; i < STORAGE_TYPE_COUNT; i++)
        q.types[i].quota = -1;
    int rc;
    if (fs->dfs) {
        AUTO(arena_free) struct arena a;
        arena_init(&a, ANSWER_MAX_BYTES);
        rc = quota_only ? usage_get(fs, path, &a, &q, reterr) : summary_get(fs, path, &a, &q, reterr);
    } else {
        struct dfs_summary sum;
        rc = fs->ops->summary(fs, path, &sum, reterr);
        if (rc == 0) {
            q.length = sum.length;
            q.files = sum.file_count;
            q.directories = sum.directory_count;
            q.names = q.files + q.directories;
            q.space = sum.space_consumed;
        }
    }
    if (rc == 0)
        *ret = q;
    return rc;
}

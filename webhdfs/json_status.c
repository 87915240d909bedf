/* Files, directories, quotas and policies. Members are in the order Hadoop writes them: by name. */
#include <stdio.h>
#include <strings.h>

#include "webhdfs/json_shapes.h"

#define LAZY_PERSIST_ID 15 /* the one policy whose files keep it from their creation on */

static const char *const storage_types[] = {"", "DISK", "SSD", "ARCHIVE", "RAM_DISK", "PROVIDED", "NVDIMM"};

const char *storage_type_name(int type)
{
    return type > 0 && type < (int)ARRAY_COUNT(storage_types) ? storage_types[type] : "DISK";
}

int storage_type_number(const char *name)
{
    for (int i = 1; i < (int)ARRAY_COUNT(storage_types); i++)
        if (strcasecmp(name, storage_types[i]) == 0)
            return i;
    return 0;
}

static void json_octal(struct buf *b, const char *key, uint32_t mode)
{
    char text[16];
    snprintf(text, sizeof text, "%o", mode);
    json_text(b, key, text);
}

static bool has_flag(const Hdfs__HdfsFileStatusProto *s, unsigned flag)
{
    return s->has_flags && (s->flags & flag);
}

static void json_ec_members(struct buf *b, const Hdfs__HdfsFileStatusProto *s)
{
    json_bool(b, "ecBit", true);
    if (s->ecpolicy) {
        json_text(b, "ecPolicy", ec_policy_whole(s->ecpolicy)->name);
        json_ec_policy(b, "ecPolicyObj", s->ecpolicy);
    }
}

void json_file_status(struct buf *b, const char *key, const Hdfs__HdfsFileStatusProto *s)
{
    static const char *const types[] = {"", "DIRECTORY", "FILE", "SYMLINK"};
    json_begin(b, key, '{');
    json_int(b, "accessTime", (int64_t)s->access_time);
    if (has_flag(s, HDFS__HDFS_FILE_STATUS_PROTO__FLAGS__HAS_ACL))
        json_bool(b, "aclBit", true);
    json_int(b, "blockSize", (int64_t)s->blocksize);
    json_int(b, "childrenNum", s->childrennum);
    if (has_flag(s, HDFS__HDFS_FILE_STATUS_PROTO__FLAGS__HAS_EC))
        json_ec_members(b, s);
    if (has_flag(s, HDFS__HDFS_FILE_STATUS_PROTO__FLAGS__HAS_CRYPT))
        json_bool(b, "encBit", true);
    json_int(b, "fileId", (int64_t)s->fileid);
    json_text(b, "group", s->group);
    json_int(b, "length", (int64_t)s->length);
    json_int(b, "modificationTime", (int64_t)s->modification_time);
    json_text(b, "owner", s->owner);
    json_bytes(b, "pathSuffix", s->path.data, s->path.len);
    json_octal(b, "permission", s->permission->perm & 01777);
    json_int(b, "replication", s->block_replication);
    if (has_flag(s, HDFS__HDFS_FILE_STATUS_PROTO__FLAGS__SNAPSHOT_ENABLED))
        json_bool(b, "snapshotEnabled", true);
    json_int(b, "storagePolicy", s->storagepolicy);
    if (s->filetype == HDFS__HDFS_FILE_STATUS_PROTO__FILE_TYPE__IS_SYMLINK)
        json_bytes(b, "symlink", s->symlink.data, s->symlink.len);
    json_text(b, "type", types[s->filetype]);
    json_end(b, '}');
}

void json_trash_status(struct buf *b, const char *path, const Hdfs__HdfsFileStatusProto *s)
{
    json_begin(b, NULL, '{');
    json_int(b, "access_time", (int64_t)s->access_time);
    json_int(b, "block_replication", s->block_replication);
    json_int(b, "blocksize", (int64_t)s->blocksize);
    json_text(b, "group", s->group);
    json_bool(b, "isdir", s->filetype == HDFS__HDFS_FILE_STATUS_PROTO__FILE_TYPE__IS_DIR);
    json_int(b, "length", (int64_t)s->length);
    json_int(b, "modification_time", (int64_t)s->modification_time);
    json_text(b, "owner", s->owner);
    json_text(b, "path", path);
    json_octal(b, "permission", s->permission->perm & 01777);
    json_end(b, '}');
}

/* ---- quotas ---- */

static void json_type_quotas(struct buf *b, const Hdfs__StorageTypeQuotaInfosProto *q)
{
    json_begin(b, "typeQuota", '{');
    for (size_t i = 0; q && i < q->n_typequotainfo; i++) {
        const Hdfs__StorageTypeQuotaInfoProto *t = q->typequotainfo[i];
        if (t->quota == UINT64_MAX)
            continue;
        json_begin(b, storage_type_name((int)t->type), '{');
        json_int(b, "consumed", (int64_t)t->consumed);
        json_int(b, "quota", (int64_t)t->quota);
        json_end(b, '}');
    }
    json_end(b, '}');
}

void json_content_summary(struct buf *b, const char *key, const Hdfs__ContentSummaryProto *s)
{
    json_begin(b, key, '{');
    json_int(b, "directoryCount", (int64_t)s->directorycount);
    json_text(b, "ecPolicy", s->erasurecodingpolicy ? s->erasurecodingpolicy : "");
    json_int(b, "fileCount", (int64_t)s->filecount);
    json_int(b, "length", (int64_t)s->length);
    json_int(b, "quota", (int64_t)s->quota);
    json_int(b, "snapshotDirectoryCount", (int64_t)s->snapshotdirectorycount);
    json_int(b, "snapshotFileCount", (int64_t)s->snapshotfilecount);
    json_int(b, "snapshotLength", (int64_t)s->snapshotlength);
    json_int(b, "snapshotSpaceConsumed", (int64_t)s->snapshotspaceconsumed);
    json_int(b, "spaceConsumed", (int64_t)s->spaceconsumed);
    json_int(b, "spaceQuota", (int64_t)s->spacequota);
    json_type_quotas(b, s->typequotainfos);
    json_end(b, '}');
}

void json_quota_usage(struct buf *b, const char *key, const Hdfs__QuotaUsageProto *u)
{
    json_begin(b, key, '{');
    json_int(b, "fileAndDirectoryCount", (int64_t)u->fileanddirectorycount);
    json_int(b, "quota", (int64_t)u->quota);
    json_int(b, "spaceConsumed", (int64_t)u->spaceconsumed);
    json_int(b, "spaceQuota", (int64_t)u->spacequota);
    json_type_quotas(b, u->typequotainfos);
    json_end(b, '}');
}

/* ---- policies ---- */

#define EC_CELL_BYTES (1 << 20)

const Hdfs__ErasureCodingPolicyProto *ec_policy_whole(const Hdfs__ErasureCodingPolicyProto *p)
{
    static Hdfs__ECSchemaProto schemas[] = {{.codecname = (char *)"rs", .dataunits = 6, .parityunits = 3},
                                            {.codecname = (char *)"rs", .dataunits = 3, .parityunits = 2},
                                            {.codecname = (char *)"rs-legacy", .dataunits = 6, .parityunits = 3},
                                            {.codecname = (char *)"xor", .dataunits = 2, .parityunits = 1},
                                            {.codecname = (char *)"rs", .dataunits = 10, .parityunits = 4}};
    static const Hdfs__ErasureCodingPolicyProto built_in[] = {
        {.id = 1, .name = (char *)"RS-6-3-1024k", .schema = &schemas[0], .cellsize = EC_CELL_BYTES},
        {.id = 2, .name = (char *)"RS-3-2-1024k", .schema = &schemas[1], .cellsize = EC_CELL_BYTES},
        {.id = 3, .name = (char *)"RS-LEGACY-6-3-1024k", .schema = &schemas[2], .cellsize = EC_CELL_BYTES},
        {.id = 4, .name = (char *)"XOR-2-1-1024k", .schema = &schemas[3], .cellsize = EC_CELL_BYTES},
        {.id = 5, .name = (char *)"RS-10-4-1024k", .schema = &schemas[4], .cellsize = EC_CELL_BYTES},
    };
    bool alone = !p->schema && p->id >= 1 && p->id <= ARRAY_COUNT(built_in);
    return alone ? &built_in[p->id - 1] : p;
}

void json_ec_policy(struct buf *b, const char *key, const Hdfs__ErasureCodingPolicyProto *given)
{
    const Hdfs__ErasureCodingPolicyProto *p = ec_policy_whole(given);
    json_begin(b, key, '{');
    json_int(b, "cellSize", p->cellsize);
    json_text(b, "codecName", p->schema ? p->schema->codecname : NULL);
    json_begin(b, "extraOptions", '{');
    for (size_t i = 0; p->schema && i < p->schema->n_options; i++)
        json_text(b, p->schema->options[i]->key, p->schema->options[i]->value);
    json_end(b, '}');
    json_int(b, "id", p->id);
    json_text(b, "name", p->name);
    json_int(b, "numDataUnits", p->schema ? p->schema->dataunits : 0);
    json_int(b, "numParityUnits", p->schema ? p->schema->parityunits : 0);
    json_end(b, '}');
}

static void json_storage_types(struct buf *b, const char *key, const Hdfs__StorageTypesProto *t)
{
    json_begin(b, key, '[');
    for (size_t i = 0; t && i < t->n_storagetypes; i++)
        json_text(b, NULL, storage_type_name((int)t->storagetypes[i]));
    json_end(b, ']');
}

void json_storage_policy(struct buf *b, const char *key, const Hdfs__BlockStoragePolicyProto *p)
{
    json_begin(b, key, '{');
    json_bool(b, "copyOnCreateFile", p->policyid == LAZY_PERSIST_ID);
    json_storage_types(b, "creationFallbacks", p->creationfallbackpolicy);
    json_int(b, "id", p->policyid);
    json_text(b, "name", p->name);
    json_storage_types(b, "replicationFallbacks", p->replicationfallbackpolicy);
    json_storage_types(b, "storageTypes", p->creationpolicy);
    json_end(b, '}');
}

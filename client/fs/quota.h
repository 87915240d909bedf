/* What -count prints of a tree: sizes, quotas, quotas by storage type, and the part that only snapshots hold. */
#ifndef CAIRN_CLIENT_FS_QUOTA_H
#define CAIRN_CLIENT_FS_QUOTA_H

#include "client/fs/shell_fs.h"

#define STORAGE_TYPE_COUNT 6

/* Hadoop's storage types that can have a quota, in Hadoop's order. */
extern const char *const storage_type_names[STORAGE_TYPE_COUNT];

struct storage_types {
    int types[16]; /* indexes into storage_type_names */
    size_t count;
};
/* "", "all" or "ssd,disk"; ERR_ILLEGAL_ARGUMENT. */
int storage_types_parse(const char *text, struct storage_types *ret, struct err *reterr) MUST_CHECK;

struct quota_usage {
    int64_t length, files, directories, names, quota, space, space_quota; /* quotas: -1 none */
    struct snapshot_usage {
        int64_t length, files, directories, space;
    } snapshots;
    struct type_quota {
        int64_t quota, consumed;
    } types[STORAGE_TYPE_COUNT];
    char erasure_coding[64]; /* policy, "Replicated", or "" where the file system knows none */
};
/* quota_only: the cheaper call that does not walk the tree; length, files and directories stay 0. */
int quota_usage_get(struct shell_fs *fs, const char *path, bool quota_only, struct quota_usage *ret,
                    struct err *reterr) MUST_CHECK;

#endif

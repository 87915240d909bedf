/* The file systems a shell command works on: an HDFS cluster (dfs_fs.c) or this machine's files (local_fs.c), behind
 * one table of functions. Paths are absolute and normalised. Errors and arenas as in client/lib/dfs.h; an operation
 * that a file system does not have gives ERR_UNSUPPORTED. Any thread may call. */
#ifndef CAIRN_CLIENT_FS_SHELL_FS_H
#define CAIRN_CLIENT_FS_SHELL_FS_H

#include "client/lib/dfs_attributes.h"
#include "client/lib/dfs_path.h"
#include "client/fs/shell.h"

struct shell_fs;

/* A file being read. One thread. */
struct source {
    int (*read)(struct source *s, void *bytes, size_t len, size_t *ret_read, struct err *reterr); /* 0 read = end */
    int (*seek)(struct source *s, int64_t offset, struct err *reterr);
    void (*close)(struct source *s); /* frees it */
};
/* A file being written. One thread. Either of close and abort frees it. */
struct sink {
    int (*write)(struct sink *s, const void *bytes, size_t len, struct err *reterr);
    int (*close)(struct sink *s, struct err *reterr); /* all of it is there, or an error */
    void (*abort)(struct sink *s);
};
struct sink_options {
    bool overwrite;
    bool side_file; /* local files: write .name.crc too */
    bool lazy;      /* one replica, in memory first if the datanodes can, as `-put -l` asks for */
};

struct shell_fs_ops {
    int (*stat)(struct shell_fs *fs, const char *path, struct arena *a, struct dfs_status *ret, struct err *reterr);
    /* One page, ordered by name or not (local). */
    int (*list)(struct shell_fs *fs, const char *path, const char *start_after, struct arena *a,
                struct dfs_listing *ret, struct err *reterr);
    int (*glob)(struct shell_fs *fs, const char *pattern, struct arena *a, struct dfs_match **ret, size_t *ret_count,
                struct err *reterr);
    int (*mkdirs)(struct shell_fs *fs, const char *path, uint16_t mode, struct err *reterr);
    int (*remove)(struct shell_fs *fs, const char *path, bool recursive, bool *ret_done, struct err *reterr);
    int (*rename)(struct shell_fs *fs, const char *from, const char *to, bool *ret_done, struct err *reterr);
    /* A file takes the place of another in one step; NULL: it cannot. */
    int (*replace)(struct shell_fs *fs, const char *from, const char *to, struct err *reterr);
    int (*set_permission)(struct shell_fs *fs, const char *path, uint16_t mode, struct err *reterr);
    int (*set_owner)(struct shell_fs *fs, const char *path, const char *owner, const char *group, struct err *reterr);
    int (*set_times)(struct shell_fs *fs, const char *path, int64_t mtime_ms, int64_t atime_ms, struct err *reterr);
    int (*set_replication)(struct shell_fs *fs, const char *path, uint32_t n, bool *ret_done, struct err *reterr);
    int (*truncate)(struct shell_fs *fs, const char *path, int64_t length, bool *ret_done, struct err *reterr);
    int (*concat)(struct shell_fs *fs, const char *target, const char *const *sources, size_t count,
                  struct err *reterr);
    int (*check_access)(struct shell_fs *fs, const char *path, unsigned rwx, struct err *reterr);
    int (*summary)(struct shell_fs *fs, const char *path, struct dfs_summary *ret, struct err *reterr);
    int (*statfs)(struct shell_fs *fs, const char *path, struct dfs_stats *ret, struct err *reterr);
    /* *ret_algorithm NULL: this file system keeps no checksums. */
    int (*checksum)(struct shell_fs *fs, const char *path, struct arena *a, const char **ret_algorithm,
                    const char **ret_hex, struct err *reterr);
    /* These five are NULL where there are none. */
    int (*get_acl)(struct shell_fs *fs, const char *path, struct arena *a, struct dfs_acl *ret, struct err *reterr);
    int (*change_acl)(struct shell_fs *fs, const char *path, enum dfs_acl_change change,
                      const struct dfs_acl_entry *entries, size_t count, struct err *reterr);
    int (*get_xattrs)(struct shell_fs *fs, const char *path, const char *name, struct arena *a, struct dfs_xattr **ret,
                      size_t *ret_count, struct err *reterr);
    int (*set_xattr)(struct shell_fs *fs, const char *path, const struct dfs_xattr *x, struct err *reterr);
    int (*remove_xattr)(struct shell_fs *fs, const char *path, const char *name, struct err *reterr);
    int (*open)(struct shell_fs *fs, const char *path, struct source **ret, struct err *reterr);
    int (*create)(struct shell_fs *fs, const char *path, const struct sink_options *how, struct sink **ret,
                  struct err *reterr);
    int (*append)(struct shell_fs *fs, const char *path, bool new_block, struct sink **ret, struct err *reterr);
};

struct shell_fs {
    const struct shell_fs_ops *ops;
    struct dfs *dfs; /* NULL: local */
    const char *scheme, *authority;
    const char *uri;       /* "hdfs://host:port", "file:///" */
    const char *qualifier; /* what stands before a path to qualify it: "hdfs://host:port", "file://" */
    const char *working_dir;
    const struct config *config;
    struct shell_fs *next;
};

/* scheme NULL: fs.defaultFS. Opened once per cluster and kept until shell_fs_close_all. */
int shell_fs_get(struct shell *sh, const char *scheme, const char *authority, struct shell_fs **ret,
                 struct err *reterr) MUST_CHECK;
struct shell_fs *shell_fs_local(struct shell *sh);
void shell_fs_close_all(struct shell *sh);

extern const struct shell_fs_ops dfs_fs_ops, local_fs_ops;

/* `all` without what fs.permissions.umask-mode takes away. */
int shell_fs_mode(const struct shell_fs *fs, unsigned all, uint16_t *ret, struct err *reterr) MUST_CHECK;
int shell_fs_exists(struct shell_fs *fs, const char *path, bool *ret_exists, struct err *reterr) MUST_CHECK;

#endif

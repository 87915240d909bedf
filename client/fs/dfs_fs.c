/* A cluster as the shell sees it: client/lib/dfs.h with the shell's defaults (umask, parents are created). */
#include <string.h>

#include "client/fs/shell_fs.h"
#include "client/lib/dfs_path.h"
#include "common/mem.h"

static int op_stat(struct shell_fs *fs, const char *path, struct arena *a, struct dfs_status *ret, struct err *reterr)
{
    return dfs_stat(fs->dfs, path, a, ret, reterr);
}

static int op_list(struct shell_fs *fs, const char *path, const char *start_after, struct arena *a,
                   struct dfs_listing *ret, struct err *reterr)
{
    return dfs_list(fs->dfs, path, start_after, false, a, ret, reterr);
}

static int op_glob(struct shell_fs *fs, const char *pattern, struct arena *a, struct dfs_match **ret, size_t *ret_count,
                   struct err *reterr)
{
    return dfs_glob(fs->dfs, pattern, a, ret, ret_count, reterr);
}

static int op_mkdirs(struct shell_fs *fs, const char *path, uint16_t mode, struct err *reterr)
{
    return dfs_mkdirs_unmasked(fs->dfs, path, mode, 0777, true, reterr);
}

static int op_remove(struct shell_fs *fs, const char *path, bool recursive, bool *ret_done, struct err *reterr)
{
    return dfs_delete(fs->dfs, path, recursive, ret_done, reterr);
}

static int op_rename(struct shell_fs *fs, const char *from, const char *to, bool *ret_done, struct err *reterr)
{
    return dfs_rename(fs->dfs, from, to, ret_done, reterr);
}

static int op_replace(struct shell_fs *fs, const char *from, const char *to, struct err *reterr)
{
    return dfs_rename2(fs->dfs, from, to, true, false, reterr);
}

static int op_set_permission(struct shell_fs *fs, const char *path, uint16_t mode, struct err *reterr)
{
    return dfs_set_permission(fs->dfs, path, mode, reterr);
}

static int op_set_owner(struct shell_fs *fs, const char *path, const char *owner, const char *group, struct err *reterr)
{
    return dfs_set_owner(fs->dfs, path, owner, group, reterr);
}

static int op_set_times(struct shell_fs *fs, const char *path, int64_t mtime_ms, int64_t atime_ms, struct err *reterr)
{
    return dfs_set_times(fs->dfs, path, mtime_ms, atime_ms, reterr);
}

static int op_set_replication(struct shell_fs *fs, const char *path, uint32_t n, bool *ret_done, struct err *reterr)
{
    return dfs_set_replication(fs->dfs, path, n, ret_done, reterr);
}

static int op_truncate(struct shell_fs *fs, const char *path, int64_t length, bool *ret_done, struct err *reterr)
{
    return dfs_truncate(fs->dfs, path, length, ret_done, reterr);
}

static int op_concat(struct shell_fs *fs, const char *target, const char *const *sources, size_t count,
                     struct err *reterr)
{
    return dfs_concat(fs->dfs, target, sources, count, reterr);
}

static int op_check_access(struct shell_fs *fs, const char *path, unsigned rwx, struct err *reterr)
{
    return dfs_check_access(fs->dfs, path, rwx, reterr);
}

static int op_summary(struct shell_fs *fs, const char *path, struct dfs_summary *ret, struct err *reterr)
{
    return dfs_content_summary(fs->dfs, path, ret, reterr);
}

static int op_statfs(struct shell_fs *fs, const char *path, struct dfs_stats *ret, struct err *reterr)
{
    return dfs_statfs(fs->dfs, ret, reterr);
}

static int op_checksum(struct shell_fs *fs, const char *path, struct arena *a, const char **ret_algorithm,
                       const char **ret_hex, struct err *reterr)
{
    return dfs_checksum(fs->dfs, path, a, ret_algorithm, ret_hex, reterr);
}

static int op_get_acl(struct shell_fs *fs, const char *path, struct arena *a, struct dfs_acl *ret, struct err *reterr)
{
    return dfs_get_acl(fs->dfs, path, a, ret, reterr);
}

static int op_change_acl(struct shell_fs *fs, const char *path, enum dfs_acl_change change,
                         const struct dfs_acl_entry *entries, size_t count, struct err *reterr)
{
    return dfs_change_acl(fs->dfs, path, change, entries, count, reterr);
}

static int op_get_xattrs(struct shell_fs *fs, const char *path, const char *name, struct arena *a,
                         struct dfs_xattr **ret, size_t *ret_count, struct err *reterr)
{
    return dfs_get_xattrs(fs->dfs, path, name, a, ret, ret_count, reterr);
}

static int op_set_xattr(struct shell_fs *fs, const char *path, const struct dfs_xattr *x, struct err *reterr)
{
    return dfs_set_xattr(fs->dfs, path, x, DFS_XATTR_CREATE | DFS_XATTR_REPLACE, reterr);
}

static int op_remove_xattr(struct shell_fs *fs, const char *path, const char *name, struct err *reterr)
{
    return dfs_remove_xattr(fs->dfs, path, name, reterr);
}

struct dfs_source {
    struct source base;
    struct file_reader *reader;
};

static int source_read(struct source *s, void *bytes, size_t len, size_t *ret_read, struct err *reterr)
{
    return file_reader_read(container_of(s, struct dfs_source, base)->reader, bytes, len, ret_read, reterr);
}

static int source_seek(struct source *s, int64_t offset, struct err *reterr)
{
    return file_reader_seek(container_of(s, struct dfs_source, base)->reader, offset, reterr);
}

static void source_close(struct source *s)
{
    struct dfs_source *source = container_of(s, struct dfs_source, base);
    file_reader_close(source->reader);
    mem_freep(&source);
}

static int op_open(struct shell_fs *fs, const char *path, struct source **ret, struct err *reterr)
{
    struct file_reader *reader;
    int rc = file_reader_open(fs->dfs, path, &reader, reterr);
    if (rc < 0)
        return rc;
    struct dfs_source *source = mem_new(struct dfs_source);
    *source = (struct dfs_source){.base = {source_read, source_seek, source_close}, .reader = reader};
    *ret = &source->base;
    return 0;
}

struct dfs_sink {
    struct sink base;
    struct file_writer *writer;
};

static int sink_write(struct sink *s, const void *bytes, size_t len, struct err *reterr)
{
    return file_writer_write(container_of(s, struct dfs_sink, base)->writer, bytes, len, reterr);
}

static int sink_close(struct sink *s, struct err *reterr)
{
    struct dfs_sink *sink = container_of(s, struct dfs_sink, base);
    int rc = file_writer_close(sink->writer, reterr);
    mem_freep(&sink);
    return rc;
}

static void sink_abort(struct sink *s)
{
    struct dfs_sink *sink = container_of(s, struct dfs_sink, base);
    file_writer_abort(sink->writer);
    mem_freep(&sink);
}

static struct sink *sink_new(struct file_writer *writer)
{
    struct dfs_sink *sink = mem_new(struct dfs_sink);
    *sink = (struct dfs_sink){.base = {sink_write, sink_close, sink_abort}, .writer = writer};
    return &sink->base;
}

static int op_create(struct shell_fs *fs, const char *path, const struct sink_options *how, struct sink **ret,
                     struct err *reterr)
{
    struct file_create create = {
        .unmasked = 0666,
        .overwrite = how->overwrite,
        .create_parent = true,
        .flags = how->lazy ? FILE_CREATE_LAZY : 0,
        .replication = how->lazy ? 1 : 0,
    };
    struct file_writer *writer;
    int rc = shell_fs_mode(fs, 0666, &create.mode, reterr);
    if (rc == 0)
        rc = file_writer_create(fs->dfs, path, &create, &writer, reterr);
    if (rc == 0)
        *ret = sink_new(writer);
    return rc;
}

static int op_append(struct shell_fs *fs, const char *path, bool new_block, struct sink **ret, struct err *reterr)
{
    struct file_writer *writer;
    int rc = file_writer_append(fs->dfs, path, new_block, &writer, reterr);
    if (rc == 0)
        *ret = sink_new(writer);
    return rc;
}

const struct shell_fs_ops dfs_fs_ops = {
    .stat = op_stat,
    .list = op_list,
    .glob = op_glob,
    .mkdirs = op_mkdirs,
    .remove = op_remove,
    .rename = op_rename,
    .replace = op_replace,
    .set_permission = op_set_permission,
    .set_owner = op_set_owner,
    .set_times = op_set_times,
    .set_replication = op_set_replication,
    .truncate = op_truncate,
    .concat = op_concat,
    .check_access = op_check_access,
    .summary = op_summary,
    .statfs = op_statfs,
    .checksum = op_checksum,
    .get_acl = op_get_acl,
    .change_acl = op_change_acl,
    .get_xattrs = op_get_xattrs,
    .set_xattr = op_set_xattr,
    .remove_xattr = op_remove_xattr,
    .open = op_open,
    .create = op_create,
    .append = op_append,
};

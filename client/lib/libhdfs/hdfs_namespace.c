/* Files and directories by path, and the cluster. */
#include <stdlib.h>
#include <string.h>

#include "client/lib/dfs_path.h"
#include "client/lib/libhdfs/hdfs_internal.h"
#include "common/mem.h"

#define COPY_BYTES     (1u << 20)
#define FLAG_ENCRYPTED 2u
#define TREE_DEPTH_MAX 1000 /* as deep as a namenode lets a path be */

#define PATH_ARENA(a)                                                                                                  \
    AUTO(arena_free) struct arena a;                                                                                   \
    arena_init(&a, HDFS_ANSWER_MAX_BYTES)

/* ---- status ---- */

/* Hadoop keeps what does not fit the struct behind the owner's name, and so do we: callers copy structs around. */
static char *owner_with_flags(const struct dfs_status *s)
{
    size_t len = strlen(s->owner);
    char *out = mem_alloc(len + 2);
    memcpy(out, s->owner, len + 1);
    out[len + 1] = (s->flags & FLAG_ENCRYPTED) != 0;
    return out;
}

static void fill_info(hdfsFS fs, const char *path, const struct dfs_status *s, hdfsFileInfo *ret)
{
    *ret = (hdfsFileInfo){
        .mKind = s->type == DFS_DIR ? kObjectKindDirectory : kObjectKindFile,
        .mName = mem_printf("%s%s", dfs_uri(fs->dfs), path),
        .mLastMod = s->mtime_ms / 1000,
        .mSize = s->length,
        .mReplication = (short)s->replication,
        .mBlockSize = s->block_bytes,
        .mOwner = owner_with_flags(s),
        .mGroup = mem_strdup(s->group),
        .mPermissions = (short)s->mode,
        .mLastAccess = s->atime_ms / 1000,
    };
}

hdfsFileInfo *hdfsGetPathInfo(hdfsFS fs, const char *path)
{
    PATH_ARENA(a);
    struct err why;
    const char *resolved;
    struct dfs_status status;
    int rc = hdfs_path(fs, path, &a, &resolved, &why);
    if (rc == 0)
        rc = dfs_stat(fs->dfs, resolved, &a, &status, &why);
    if (rc < 0) {
        (void)hdfs_fail(rc, &why);
        return NULL;
    }
    hdfsFileInfo *info = mem_new(hdfsFileInfo);
    fill_info(fs, resolved, &status, info);
    return info;
}

hdfsFileInfo *hdfsListDirectory(hdfsFS fs, const char *path, int *numEntries)
{
    PATH_ARENA(a);
    struct err why;
    const char *resolved;
    struct dfs_listing list;
    int rc = hdfs_path(fs, path, &a, &resolved, &why);
    if (rc == 0)
        rc = dfs_list_all(fs->dfs, resolved, &a, &list, &why);
    *numEntries = 0;
    if (rc < 0) {
        (void)hdfs_fail(rc, &why);
        return NULL;
    }
    errno = 0;
    if (list.count == 0)
        return NULL;
    hdfsFileInfo *infos = mem_calloc(list.count, sizeof *infos);
    for (size_t i = 0; i < list.count; i++) {
        AUTO(arena_free) struct arena names;
        arena_init(&names, 1u << 20);
        fill_info(fs, dfs_path_join(&names, resolved, list.entries[i].name), &list.entries[i], &infos[i]);
    }
    *numEntries = (int)list.count;
    return infos;
}

void hdfsFreeFileInfo(hdfsFileInfo *infos, int numEntries)
{
    if (!infos)
        return;
    for (int i = 0; i < numEntries; i++) {
        free(infos[i].mName);
        free(infos[i].mOwner);
        free(infos[i].mGroup);
    }
    free(infos);
}

int hdfsFileIsEncrypted(hdfsFileInfo *info)
{
    return info->mOwner[strlen(info->mOwner) + 1];
}

int hdfsExists(hdfsFS fs, const char *path)
{
    PATH_ARENA(a);
    struct err why;
    const char *resolved;
    struct dfs_status status;
    int rc = hdfs_path(fs, path, &a, &resolved, &why);
    if (rc == 0)
        rc = dfs_stat(fs->dfs, resolved, &a, &status, &why);
    return rc < 0 ? hdfs_fail(rc, &why) : 0;
}

char ***hdfsGetHosts(hdfsFS fs, const char *path, tOffset start, tOffset length)
{
    PATH_ARENA(a);
    struct err why;
    const char *resolved;
    struct dfs_blocks blocks;
    int rc = hdfs_path(fs, path, &a, &resolved, &why);
    if (rc == 0)
        rc = dfs_block_locations(fs->dfs, resolved, start, length, &a, &blocks, &why);
    if (rc < 0) {
        (void)hdfs_fail(rc, &why);
        return NULL;
    }
    char ***hosts = mem_calloc(blocks.count + 1, sizeof *hosts);
    for (size_t i = 0; i < blocks.count; i++) {
        const struct dfs_block *b = &blocks.blocks[i];
        hosts[i] = mem_calloc(b->node_count + 1, sizeof *hosts[i]);
        for (size_t j = 0; j < b->node_count; j++)
            hosts[i][j] = mem_strdup(b->nodes[j].host_name);
    }
    return hosts;
}

void hdfsFreeHosts(char ***blockHosts)
{
    for (size_t i = 0; blockHosts && blockHosts[i]; i++) {
        for (size_t j = 0; blockHosts[i][j]; j++)
            free(blockHosts[i][j]);
        free(blockHosts[i]);
    }
    free(blockHosts);
}

/* ---- changes ---- */

int hdfsCreateDirectory(hdfsFS fs, const char *path)
{
    PATH_ARENA(a);
    struct err why;
    const char *resolved;
    int rc = hdfs_path(fs, path, &a, &resolved, &why);
    if (rc == 0)
        rc = dfs_mkdirs(fs->dfs, resolved, (uint16_t)(0777 & ~fs->umask), true, &why);
    return rc < 0 ? hdfs_fail(rc, &why) : 0;
}

int hdfsDelete(hdfsFS fs, const char *path, int recursive)
{
    PATH_ARENA(a);
    struct err why;
    const char *resolved;
    bool deleted = false;
    int rc = hdfs_path(fs, path, &a, &resolved, &why);
    if (rc == 0)
        rc = dfs_delete(fs->dfs, resolved, recursive != 0, &deleted, &why);
    if (rc < 0)
        return hdfs_fail(rc, &why);
    return deleted
               ? 0
               : hdfs_fail_errno(ENOENT, "%s was not deleted: it does not exist, or is the root directory", resolved);
}

int hdfsRename(hdfsFS fs, const char *oldPath, const char *newPath)
{
    PATH_ARENA(a);
    struct err why;
    const char *from, *to;
    bool done = false;
    int rc = hdfs_path(fs, oldPath, &a, &from, &why);
    if (rc == 0)
        rc = hdfs_path(fs, newPath, &a, &to, &why);
    if (rc == 0)
        rc = dfs_rename(fs->dfs, from, to, &done, &why);
    if (rc < 0)
        return hdfs_fail(rc, &why);
    return done ? 0 : hdfs_fail_errno(EIO, "%s could not be renamed to %s", from, to);
}

int hdfsSetReplication(hdfsFS fs, const char *path, int16_t replication)
{
    PATH_ARENA(a);
    struct err why;
    const char *resolved;
    bool done = false;
    if (replication < 1)
        return hdfs_fail_errno(EINVAL, "replication %d", replication);
    int rc = hdfs_path(fs, path, &a, &resolved, &why);
    if (rc == 0)
        rc = dfs_set_replication(fs->dfs, resolved, (uint32_t)replication, &done, &why);
    if (rc < 0)
        return hdfs_fail(rc, &why);
    return done ? 0 : hdfs_fail_errno(EIO, "%s is no file", resolved);
}

int hdfsChown(hdfsFS fs, const char *path, const char *owner, const char *group)
{
    PATH_ARENA(a);
    struct err why;
    const char *resolved;
    if (!owner && !group)
        return 0;
    int rc = hdfs_path(fs, path, &a, &resolved, &why);
    if (rc == 0)
        rc = dfs_set_owner(fs->dfs, resolved, owner, group, &why);
    return rc < 0 ? hdfs_fail(rc, &why) : 0;
}

int hdfsChmod(hdfsFS fs, const char *path, short mode)
{
    PATH_ARENA(a);
    struct err why;
    const char *resolved;
    int rc = hdfs_path(fs, path, &a, &resolved, &why);
    if (rc == 0)
        rc = dfs_set_permission(fs->dfs, resolved, (uint16_t)mode & 01777, &why);
    return rc < 0 ? hdfs_fail(rc, &why) : 0;
}

int hdfsUtime(hdfsFS fs, const char *path, tTime mtime, tTime atime)
{
    PATH_ARENA(a);
    struct err why;
    const char *resolved;
    int rc = hdfs_path(fs, path, &a, &resolved, &why);
    if (rc == 0)
        rc = dfs_set_times(fs->dfs, resolved, mtime == -1 ? -1 : mtime * 1000, atime == -1 ? -1 : atime * 1000, &why);
    return rc < 0 ? hdfs_fail(rc, &why) : 0;
}

int hdfsTruncateFile(hdfsFS fs, const char *path, tOffset newlength)
{
    PATH_ARENA(a);
    struct err why;
    const char *resolved;
    bool done = false;
    int rc = hdfs_path(fs, path, &a, &resolved, &why);
    if (rc == 0)
        rc = dfs_truncate(fs->dfs, resolved, newlength, &done, &why);
    return rc < 0 ? hdfs_fail(rc, &why) : done;
}

/* ---- copying ---- */

static int copy_file(hdfsFS from_fs, const char *from, hdfsFS to_fs, const char *to, struct err *reterr)
{
    struct file_reader *reader;
    struct file_writer *writer;
    struct file_create how = {.mode = (uint16_t)(0666 & ~to_fs->umask), .overwrite = true, .create_parent = true};
    int rc = file_reader_open(from_fs->dfs, from, &reader, reterr);
    if (rc < 0)
        return rc;
    rc = file_writer_create(to_fs->dfs, to, &how, &writer, reterr);
    if (rc < 0) {
        file_reader_close(reader);
        return rc;
    }
    void *bytes = mem_alloc(COPY_BYTES);
    size_t n = 0;
    do {
        rc = file_reader_read(reader, bytes, COPY_BYTES, &n, reterr);
        if (rc == 0)
            rc = file_writer_write(writer, bytes, n, reterr);
    } while (rc == 0 && n);
    free(bytes);
    file_reader_close(reader);
    if (rc == 0)
        return file_writer_close(writer, reterr);
    file_writer_abort(writer);
    return rc;
}

static int copy_tree(hdfsFS from_fs, const char *from, hdfsFS to_fs, const char *to, int depth, struct err *reterr)
{
    PATH_ARENA(a);
    struct dfs_status status;
    struct dfs_listing list;
    int rc = dfs_stat(from_fs->dfs, from, &a, &status, reterr);
    if (rc < 0)
        return rc;
    if (status.type != DFS_DIR)
        return copy_file(from_fs, from, to_fs, to, reterr);
    if (depth == TREE_DEPTH_MAX)
        return err_set(reterr, ERR_NAME_TOO_LONG, "%s lies too deep", from);
    rc = dfs_list_all(from_fs->dfs, from, &a, &list, reterr);
    if (rc == 0)
        rc = dfs_mkdirs(to_fs->dfs, to, (uint16_t)(0777 & ~to_fs->umask), true, reterr);
    for (size_t i = 0; rc == 0 && i < list.count; i++) {
        AUTO(arena_free) struct arena names;
        arena_init(&names, 1u << 20);
        const char *name = list.entries[i].name;
        rc = copy_tree(from_fs, dfs_path_join(&names, from, name), to_fs, dfs_path_join(&names, to, name), depth + 1,
                       reterr);
    }
    return rc;
}

static bool lies_below(const char *path, const char *dir)
{
    size_t len = strlen(dir);
    return strcmp(dir, "/") == 0 || (strncmp(path, dir, len) == 0 && (path[len] == '/' || !path[len]));
}

static int copy_or_move(hdfsFS from_fs, const char *src, hdfsFS to_fs, const char *dst, bool move)
{
    PATH_ARENA(a);
    struct err why;
    const char *from, *to;
    struct dfs_status status;
    int rc = hdfs_path(from_fs, src, &a, &from, &why);
    if (rc == 0)
        rc = hdfs_path(to_fs, dst, &a, &to, &why);
    if (rc == 0 && dfs_stat(to_fs->dfs, to, &a, &status, NULL) == 0 && status.type == DFS_DIR)
        to = dfs_path_join(&a, to, dfs_path_name(from)); /* into an existing directory */
    if (rc == 0 && strcmp(dfs_uri(from_fs->dfs), dfs_uri(to_fs->dfs)) == 0 && lies_below(to, from))
        rc = err_set(&why, ERR_ILLEGAL_ARGUMENT, "%s cannot be copied into itself, %s", from, to);
    if (rc == 0)
        rc = copy_tree(from_fs, from, to_fs, to, 0, &why);
    bool deleted;
    if (rc == 0 && move)
        rc = dfs_delete(from_fs->dfs, from, true, &deleted, &why);
    return rc < 0 ? hdfs_fail(rc, &why) : 0;
}

int hdfsCopy(hdfsFS srcFS, const char *src, hdfsFS dstFS, const char *dst)
{
    return copy_or_move(srcFS, src, dstFS, dst, false);
}

int hdfsMove(hdfsFS srcFS, const char *src, hdfsFS dstFS, const char *dst)
{
    return copy_or_move(srcFS, src, dstFS, dst, true);
}

/* ---- the cluster ---- */

tOffset hdfsGetDefaultBlockSize(hdfsFS fs)
{
    return config_size(dfs_config(fs->dfs), "dfs.blocksize");
}

tOffset hdfsGetDefaultBlockSizeAtPath(hdfsFS fs, const char *path)
{
    PATH_ARENA(a);
    struct err why;
    const char *resolved;
    int rc = hdfs_path(fs, path, &a, &resolved, &why);
    return rc < 0 ? hdfs_fail(rc, &why) : hdfsGetDefaultBlockSize(fs);
}

tOffset hdfsGetCapacity(hdfsFS fs)
{
    struct err why;
    struct dfs_stats stats;
    int rc = dfs_statfs(fs->dfs, &stats, &why);
    return rc < 0 ? hdfs_fail(rc, &why) : stats.capacity;
}

tOffset hdfsGetUsed(hdfsFS fs)
{
    struct err why;
    struct dfs_stats stats;
    int rc = dfs_statfs(fs->dfs, &stats, &why);
    return rc < 0 ? hdfs_fail(rc, &why) : stats.used;
}

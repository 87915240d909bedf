/* This machine's files as Hadoop's LocalFileSystem shows them: `.name.crc` side files are hidden, every file has one
 * replica and 32 MiB blocks. Error texts follow Java's: "/path (No such file or directory)". */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "client/fs/side_file.h"
#include "client/fs/shell_fs.h"
#include "client/lib/dfs_path.h"
#include "common/accounts.h"
#include "common/file.h"
#include "common/mem.h"

#define LOCAL_BLOCK_BYTES (32 << 20) /* fs.local.block.size */

static int local_error(struct err *reterr, const char *path)
{
    int errnum = errno;
    return err_set(reterr, err_from_errno(errnum), "%s (%s)", path, strerror(errnum));
}

static const char *user_name(uid_t uid, struct arena *a)
{
    AUTO(mem_freep) char *name = account_user_name(uid);
    return name ? arena_strdup(a, name) : arena_printf(a, "%u", uid);
}

static const char *group_name(gid_t gid, struct arena *a)
{
    AUTO(mem_freep) char *name = account_group_name(gid);
    return name ? arena_strdup(a, name) : arena_printf(a, "%u", gid);
}

static void status_fill(const struct stat *st, const char *name, struct arena *a, struct dfs_status *ret)
{
    *ret = (struct dfs_status){
        .type = S_ISDIR(st->st_mode) ? DFS_DIR : DFS_FILE,
        .name = name,
        .length = st->st_size,
        .mode = st->st_mode & 01777,
        .owner = user_name(st->st_uid, a),
        .group = group_name(st->st_gid, a),
        .mtime_ms = st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000,
        .atime_ms = st->st_atim.tv_sec * 1000 + st->st_atim.tv_nsec / 1000000,
        .block_bytes = LOCAL_BLOCK_BYTES,
        .replication = 1,
        .file_id = st->st_ino,
        .children = -1,
    };
}

static int op_stat(struct shell_fs *fs, const char *path, struct arena *a, struct dfs_status *ret, struct err *reterr)
{
    struct stat st;
    if (stat(path, &st) < 0) {
        if (errno == ENOTDIR)
            errno = ENOENT; /* a file where a folder should be: nothing is there, says Java */
        return local_error(reterr, path);
    }
    status_fill(&st, "", a, ret);
    return 0;
}

static bool is_side_file(const char *name)
{
    size_t len = strlen(name);
    return name[0] == '.' && len > 5 && !strcmp(name + len - 4, ".crc");
}

static int status_by_name(const void *a, const void *b)
{
    return strcmp(((const struct dfs_status *)a)->name, ((const struct dfs_status *)b)->name);
}

static int op_list(struct shell_fs *fs, const char *path, const char *start_after, struct arena *a,
                   struct dfs_listing *ret, struct err *reterr)
{
    DIR *dir = opendir(path);
    if (!dir)
        return local_error(reterr, path);
    struct dfs_status *entries = NULL;
    size_t count = 0, max = 0;
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        struct stat st;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") || is_side_file(entry->d_name))
            continue;
        if (fstatat(dirfd(dir), entry->d_name, &st, 0) < 0)
            continue; /* it went away, or is a link to nowhere: Java does not list it either */
        if (count == max) {
            max = max ? max * 2 : 64;
            entries = mem_realloc_array(entries, max, sizeof *entries);
        }
        status_fill(&st, arena_strdup(a, entry->d_name), a, &entries[count++]);
    }
    closedir(dir);
    if (count)
        qsort(entries, count, sizeof *entries, status_by_name);
    *ret = (struct dfs_listing){.count = count};
    ret->entries = count ? arena_memdup(a, entries, count * sizeof *entries) : NULL;
    free(entries);
    return 0;
}

static int op_glob(struct shell_fs *fs, const char *pattern, struct arena *a, struct dfs_match **ret, size_t *ret_count,
                   struct err *reterr)
{
    glob_t found = {0};
    int rc = glob(pattern, GLOB_BRACE | GLOB_PERIOD, NULL, &found);
    if (rc == GLOB_NOSPACE)
        return err_set(reterr, ERR_NO_MEMORY, "pattern '%s' matches too much", pattern);
    struct dfs_match *matches = arena_array(a, struct dfs_match, found.gl_pathc + 1);
    size_t count = 0;
    for (size_t i = 0; rc == 0 && i < found.gl_pathc; i++) {
        const char *name = strrchr(found.gl_pathv[i], '/') + 1;
        struct stat st;
        if (!strcmp(name, ".") || !strcmp(name, "..") || is_side_file(name) || stat(found.gl_pathv[i], &st) < 0)
            continue;
        matches[count].path = arena_strdup(a, found.gl_pathv[i]);
        status_fill(&st, "", a, &matches[count].status);
        count++;
    }
    globfree(&found);
    *ret = matches;
    *ret_count = count;
    return 0;
}

static int op_mkdirs(struct shell_fs *fs, const char *path, uint16_t mode, struct err *reterr)
{
    return file_mkdirs(path, mode, reterr);
}

static int op_remove(struct shell_fs *fs, const char *path, bool recursive, bool *ret_done, struct err *reterr)
{
    char *side = side_file_path(path);
    (void)unlink(side); /* it goes with its file; mostly there is none */
    mem_freep(&side);
    if (recursive) {
        int rc = file_remove_tree(path, reterr);
        *ret_done = rc == 0;
        return rc;
    }
    if (remove(path) < 0) {
        if (errno == ENOTEMPTY || errno == EEXIST)
            return err_set(reterr, ERR_NOT_EMPTY, "Directory %s is not empty", path);
        *ret_done = false;
        return errno == ENOENT ? 0 : local_error(reterr, path);
    }
    *ret_done = true;
    return 0;
}

static int op_rename(struct shell_fs *fs, const char *from, const char *to, bool *ret_done, struct err *reterr)
{
    if (rename(from, to) < 0)
        return local_error(reterr, to);
    char *side_from = side_file_path(from), *side_to = side_file_path(to);
    if (rename(side_from, side_to) < 0)
        (void)unlink(side_to); /* no side file of ours: one that was there is wrong now */
    mem_freep(&side_from);
    mem_freep(&side_to);
    *ret_done = true;
    return 0;
}

static int op_set_permission(struct shell_fs *fs, const char *path, uint16_t mode, struct err *reterr)
{
    return chmod(path, mode & 01777) < 0 ? local_error(reterr, path) : 0;
}

/* Hadoop runs chown(1) on local files, so this is how it puts it. */
static int chown_error(struct err *reterr, const char *what, const char *owner, const char *group)
{
    return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "chown: invalid %s: \u2018%s%s%s\u2019", what, owner ? owner : "",
                   group ? ":" : "", group ? group : "");
}

static int op_set_owner(struct shell_fs *fs, const char *path, const char *owner, const char *group, struct err *reterr)
{
    uid_t uid = (uid_t)-1;
    gid_t gid = (gid_t)-1;
    if (owner && !account_user(owner, &uid, NULL))
        return chown_error(reterr, "user", owner, group);
    if (group && !account_group(group, &gid))
        return chown_error(reterr, "group", owner, group);
    return chown(path, uid, gid) < 0 ? local_error(reterr, path) : 0;
}

static struct timespec time_of_ms(int64_t ms)
{
    if (ms < 0)
        return (struct timespec){.tv_nsec = UTIME_OMIT};
    return (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
}

static int op_set_times(struct shell_fs *fs, const char *path, int64_t mtime_ms, int64_t atime_ms, struct err *reterr)
{
    struct timespec times[2] = {time_of_ms(atime_ms), time_of_ms(mtime_ms)};
    return utimensat(AT_FDCWD, path, times, 0) < 0 ? local_error(reterr, path) : 0;
}

static int op_set_replication(struct shell_fs *fs, const char *path, uint32_t n, bool *ret_done, struct err *reterr)
{
    *ret_done = true; /* one copy is what this file system has; Hadoop says yes too */
    return 0;
}

static int op_truncate(struct shell_fs *fs, const char *path, int64_t length, bool *ret_done, struct err *reterr)
{
    if (truncate(path, length) < 0)
        return local_error(reterr, path);
    *ret_done = true;
    return 0;
}

static int op_concat(struct shell_fs *fs, const char *target, const char *const *sources, size_t count,
                     struct err *reterr)
{
    return err_set(reterr, ERR_UNSUPPORTED, "Not implemented by the LocalFileSystem FileSystem implementation");
}

static int op_check_access(struct shell_fs *fs, const char *path, unsigned rwx, struct err *reterr)
{
    int mode = (rwx & 4 ? R_OK : 0) | (rwx & 2 ? W_OK : 0) | (rwx & 1 ? X_OK : 0);
    return faccessat(AT_FDCWD, path, mode, AT_EACCESS) < 0 ? local_error(reterr, path) : 0;
}

static int summary_add(struct shell_fs *fs, const char *path, struct dfs_summary *sum, struct err *reterr)
{
    AUTO(arena_free) struct arena a;
    arena_init(&a, ARENA_NO_BOUND);
    struct dfs_status status;
    int rc = op_stat(fs, path, &a, &status, reterr);
    if (rc < 0)
        return rc;
    if (status.type != DFS_DIR) {
        sum->length += status.length;
        sum->space_consumed += status.length;
        sum->file_count++;
        return 0;
    }
    sum->directory_count++;
    struct dfs_listing listing;
    rc = op_list(fs, path, NULL, &a, &listing, reterr);
    for (size_t i = 0; rc == 0 && i < listing.count; i++)
        rc = summary_add(fs, dfs_path_join(&a, path, listing.entries[i].name), sum, reterr);
    return rc;
}

static int op_summary(struct shell_fs *fs, const char *path, struct dfs_summary *ret, struct err *reterr)
{
    struct dfs_summary sum = {.quota = -1, .space_quota = -1};
    int rc = summary_add(fs, path, &sum, reterr);
    if (rc == 0)
        *ret = sum;
    return rc;
}

static int op_statfs(struct shell_fs *fs, const char *path, struct dfs_stats *ret, struct err *reterr)
{
    struct statvfs st;
    if (statvfs(path, &st) < 0)
        return local_error(reterr, path);
    *ret = (struct dfs_stats){
        .capacity = (int64_t)(st.f_blocks * st.f_frsize),
        .used = (int64_t)((st.f_blocks - st.f_bfree) * st.f_frsize),
        .remaining = (int64_t)(st.f_bavail * st.f_frsize),
    };
    return 0;
}

static int op_checksum(struct shell_fs *fs, const char *path, struct arena *a, const char **ret_algorithm,
                       const char **ret_hex, struct err *reterr)
{
    *ret_algorithm = *ret_hex = NULL;
    return 0;
}

struct local_source {
    struct source base;
    int fd;
    char *path;
};

static int source_read(struct source *s, void *bytes, size_t len, size_t *ret_read, struct err *reterr)
{
    struct local_source *source = container_of(s, struct local_source, base);
    ssize_t n;
    do
        n = read(source->fd, bytes, len);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return local_error(reterr, source->path);
    *ret_read = (size_t)n;
    return 0;
}

static int source_seek(struct source *s, int64_t offset, struct err *reterr)
{
    struct local_source *source = container_of(s, struct local_source, base);
    return lseek(source->fd, offset, SEEK_SET) < 0 ? local_error(reterr, source->path) : 0;
}

static void source_close(struct source *s)
{
    struct local_source *source = container_of(s, struct local_source, base);
    close(source->fd);
    mem_freep(&source->path);
    mem_freep(&source);
}

static int op_open(struct shell_fs *fs, const char *path, struct source **ret, struct err *reterr)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return local_error(reterr, path);
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* advice only */
    struct local_source *source = mem_new(struct local_source);
    *source =
        (struct local_source){.base = {source_read, source_seek, source_close}, .fd = fd, .path = mem_strdup(path)};
    *ret = &source->base;
    return 0;
}

struct local_sink {
    struct sink base;
    int fd;
    char *path;
    struct side_file *side; /* NULL: none wanted */
};

static int sink_write(struct sink *s, const void *bytes, size_t len, struct err *reterr)
{
    struct local_sink *sink = container_of(s, struct local_sink, base);
    for (size_t done = 0; done < len;) {
        ssize_t n = write(sink->fd, (const char *)bytes + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return local_error(reterr, sink->path);
        done += (size_t)n;
    }
    return sink->side ? side_file_add(sink->side, bytes, len, reterr) : 0;
}

static void sink_free(struct local_sink *sink)
{
    mem_freep(&sink->path);
    mem_freep(&sink);
}

static int sink_close(struct sink *s, struct err *reterr)
{
    struct local_sink *sink = container_of(s, struct local_sink, base);
    int rc = close(sink->fd) < 0 ? local_error(reterr, sink->path) : 0;
    int side_rc = sink->side ? side_file_close(sink->side, rc == 0 ? reterr : NULL) : 0;
    sink_free(sink);
    return rc < 0 ? rc : side_rc;
}

static void sink_abort(struct sink *s)
{
    struct local_sink *sink = container_of(s, struct local_sink, base);
    close(sink->fd);
    if (sink->side)
        side_file_discard(sink->side);
    sink_free(sink);
}

static int sink_open(const char *path, int flags, bool side_file, struct sink **ret, struct err *reterr)
{
    int fd = open(path, flags | O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return local_error(reterr, path);
    struct side_file *side = NULL;
    if (side_file) {
        int rc = side_file_open(path, &side, reterr);
        if (rc < 0) {
            close(fd);
            return rc;
        }
    }
    struct local_sink *sink = mem_new(struct local_sink);
    *sink = (struct local_sink){
        .base = {sink_write, sink_close, sink_abort}, .fd = fd, .path = mem_strdup(path), .side = side};
    *ret = &sink->base;
    return 0;
}

static int op_create(struct shell_fs *fs, const char *path, const struct sink_options *how, struct sink **ret,
                     struct err *reterr)
{
    return sink_open(path, how->overwrite ? O_TRUNC : O_EXCL, how->side_file, ret, reterr);
}

static int op_append(struct shell_fs *fs, const char *path, bool new_block, struct sink **ret, struct err *reterr)
{
    return sink_open(path, O_APPEND, false, ret, reterr);
}

const struct shell_fs_ops local_fs_ops = {
    .stat = op_stat,
    .list = op_list,
    .glob = op_glob,
    .mkdirs = op_mkdirs,
    .remove = op_remove,
    .rename = op_rename,
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
    .open = op_open,
    .create = op_create,
    .append = op_append,
};

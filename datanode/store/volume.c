#include "datanode/store/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/net.h"
#include "datanode/store/meta_file.h"
#include "hdfs/common.pb-c.h"

#define VERSION_MAX_BYTES 8192

void uuid_new(char out[UUID_MAX])
{
    uint8_t b[16];
    if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b)
        abort(); /* cannot happen for 16 bytes */
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    snprintf(out, UUID_MAX, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2],
             b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

int64_t replica_footprint(uint64_t block_bytes)
{
    return (int64_t)(block_bytes + META_HEADER_BYTES + META_TRAILER_BYTES + (block_bytes + 511) / 512 * 4);
}

/* ---- paths ---- */

void volume_place_dir(const struct volume *v, enum replica_place place, uint64_t block_id, char out[PATH_MAX])
{
    if (place == PLACE_FINALIZED)
        snprintf(out, PATH_MAX, "%scurrent/finalized/subdir%u/subdir%u", v->pool, (unsigned)(block_id >> 16 & 0x1f),
                 (unsigned)(block_id >> 8 & 0x1f));
    else
        snprintf(out, PATH_MAX, "%s%s", v->pool, place == PLACE_RBW ? "current/rbw" : "tmp");
}

void volume_data_path(const struct volume *v, enum replica_place place, uint64_t block_id, char out[PATH_MAX])
{
    volume_place_dir(v, place, block_id, out);
    size_t len = strlen(out);
    snprintf(out + len, PATH_MAX - len, "/blk_%" PRId64, (int64_t)block_id);
}

void volume_meta_path(const struct volume *v, enum replica_place place, uint64_t block_id, uint64_t gen_stamp,
                      char out[PATH_MAX])
{
    volume_place_dir(v, place, block_id, out);
    size_t len = strlen(out);
    snprintf(out + len, PATH_MAX - len, "/blk_%" PRId64 "_%" PRIu64 ".meta", (int64_t)block_id, gen_stamp);
}

/* ---- opening ---- */

static int parse_spec(const char *spec, int *ret_type, const char **ret_dir, struct err *reterr)
{
    static const struct {
        const char *prefix;
        int type;
    } types[] = {
        {"[DISK]", HDFS__STORAGE_TYPE_PROTO__DISK},       {"[SSD]", HDFS__STORAGE_TYPE_PROTO__SSD},
        {"[ARCHIVE]", HDFS__STORAGE_TYPE_PROTO__ARCHIVE}, {"[RAM_DISK]", HDFS__STORAGE_TYPE_PROTO__RAM_DISK},
        {"[NVDIMM]", HDFS__STORAGE_TYPE_PROTO__NVDIMM},
    };
    int type = HDFS__STORAGE_TYPE_PROTO__DISK;
    const char *dir = spec;
    for (size_t i = 0; i < ARRAY_COUNT(types); i++)
        if (!strncasecmp(spec, types[i].prefix, strlen(types[i].prefix))) {
            type = types[i].type;
            dir = spec + strlen(types[i].prefix);
        }
    if (!strncmp(dir, "file://", 7))
        dir += 7;
    else if (!strncmp(dir, "file:", 5))
        dir += 5;
    if (*dir != '/')
        return err_set(
            reterr, ERR_CONFIG,
            "dfs.datanode.data.dir: '%s' is not an absolute path, optionally after [DISK], [SSD], [ARCHIVE], "
            "[RAM_DISK] or [NVDIMM]",
            spec);
    if (strlen(dir) > 2048)
        return err_set(reterr, ERR_CONFIG, "dfs.datanode.data.dir: a path of %zu bytes is too long", strlen(dir));
    *ret_type = type;
    *ret_dir = dir;
    return 0;
}

static int take_lock(struct volume *v, struct err *reterr)
{
    AUTO(mem_freep) char *path = mem_printf("%s/in_use.lock", v->dir);
    AUTO(net_closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_errno(reterr, errno, "cannot create '%s'", path);
    if (file_lock(fd) < 0) {
        if (errno == EWOULDBLOCK)
            return err_set(reterr, ERR_BUSY, "'%s' is in use by another datanode (it holds %s); stop that one first",
                           v->dir, path);
        return err_errno(reterr, errno, "cannot lock '%s'", path);
    }
    if (ftruncate(fd, 0) == 0)
        dprintf(fd, "%ld\n", (long)getpid()); /* for people; nothing depends on it */
    v->lock_fd = fd;
    fd = -1;
    return 0;
}

/* The value of a "name=value" line, "" if there is none. */
static void version_value(const char *text, const char *name, char *out, size_t out_bytes)
{
    size_t name_len = strlen(name);
    out[0] = 0;
    for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (!strncmp(line, name, name_len) && line[name_len] == '=') {
            const char *value = line + name_len + 1;
            size_t len = strcspn(value, "\r\n");
            if (len < out_bytes)
                snprintf(out, out_bytes, "%.*s", (int)len, value);
        }
}

static int read_version(struct volume *v, struct err *reterr)
{
    AUTO(mem_freep) char *path = mem_printf("%s/current/VERSION", v->dir);
    AUTO(buf_free) struct buf text = {0};
    char layout[32];
    if (access(path, F_OK) < 0 && errno == ENOENT) {
        char uuid[UUID_MAX];
        uuid_new(uuid);
        snprintf(v->storage_id, sizeof v->storage_id, "DS-%.*s", STORAGE_ID_MAX - 4, uuid);
        return 0;
    }
    int rc = file_read(path, VERSION_MAX_BYTES, &text, reterr);
    if (rc < 0)
        return rc;
    const char *lines = buf_cstr(&text);
    version_value(lines, "storageID", v->storage_id, sizeof v->storage_id);
    version_value(lines, "datanodeUuid", v->datanode_uuid, sizeof v->datanode_uuid);
    version_value(lines, "clusterID", v->cluster_id, sizeof v->cluster_id);
    version_value(lines, "layoutVersion", layout, sizeof layout);
    if (!v->storage_id[0] || !v->datanode_uuid[0] || !v->cluster_id[0])
        return err_set(reterr, ERR_BAD_STATE,
                       "'%s' lacks storageID, datanodeUuid or clusterID; restore it or empty '%s'", path, v->dir);
    if (strtol(layout, NULL, 10) != DN_LAYOUT_VERSION)
        return err_set(reterr, ERR_BAD_STATE, "'%s' has layout version %s; this datanode knows only %d", path, layout,
                       DN_LAYOUT_VERSION);
    return 0;
}

int volume_open(const char *spec, int64_t reserved_bytes, struct volume **ret, struct err *reterr)
{
    int type = 0;
    const char *dir = NULL;
    int rc = parse_spec(spec, &type, &dir, reterr);
    if (rc < 0)
        return rc;
    struct volume *v = mem_new(struct volume);
    v->lock_fd = -1;
    v->storage_type = type;
    v->reserved_bytes = reserved_bytes;
    v->dir = mem_strdup(dir);
    for (size_t len = strlen(v->dir); len > 1 && v->dir[len - 1] == '/'; len--)
        v->dir[len - 1] = 0;
    rc = file_mkdirs(v->dir, 0755, reterr);
    if (rc == 0)
        rc = take_lock(v, reterr);
    if (rc == 0)
        rc = read_version(v, reterr);
    if (rc == 0)
        rc = volume_probe(v, reterr);
    if (rc < 0) {
        volume_free(v);
        return rc;
    }
    *ret = v;
    return 0;
}

void volume_free(struct volume *v)
{
    if (!v)
        return;
    net_closep(&v->lock_fd);
    mem_freep(&v->dir);
    mem_freep(&v->pool);
    mem_freep(&v);
}

/* ---- the pool ---- */

static int write_identity(struct volume *v, const struct pool_identity *pool, const char *datanode_uuid,
                          struct err *reterr)
{
    AUTO(mem_freep) char *current = mem_printf("%s/current", v->dir);
    AUTO(mem_freep) char *path = mem_printf("%s/VERSION", current);
    AUTO(mem_freep)
    char *text =
        mem_printf("storageID=%s\nclusterID=%s\ncTime=0\ndatanodeUuid=%s\nstorageType=DATA_NODE\nlayoutVersion=%d\n",
                   v->storage_id, pool->cluster_id, datanode_uuid, DN_LAYOUT_VERSION);
    int rc = file_mkdirs(current, 0755, reterr);
    return rc < 0 ? rc : file_write_atomic(path, text, strlen(text), 0644, reterr);
}

static int check_identity(const struct volume *v, const struct pool_identity *pool, const char *datanode_uuid,
                          struct err *reterr)
{
    if (strcmp(v->cluster_id, pool->cluster_id) != 0)
        return err_set(
            reterr, ERR_BAD_STATE,
            "'%s' belongs to cluster %s, the namenode's is %s; point the datanode at its own namenode, or empty "
            "the directory to give it to this one",
            v->dir, v->cluster_id, pool->cluster_id);
    if (strcmp(v->datanode_uuid, datanode_uuid) != 0)
        return err_set(reterr, ERR_BAD_STATE, "'%s' belongs to datanode %s, the other directories to %s", v->dir,
                       v->datanode_uuid, datanode_uuid);
    return 0;
}

static int open_pool_version(const struct volume *v, const struct pool_identity *pool, struct err *reterr)
{
    AUTO(mem_freep) char *path = mem_printf("%scurrent/VERSION", v->pool);
    AUTO(buf_free) struct buf found = {0};
    if (access(path, F_OK) == 0) {
        char namespace_id[32];
        int rc = file_read(path, VERSION_MAX_BYTES, &found, reterr);
        if (rc < 0)
            return rc;
        version_value(buf_cstr(&found), "namespaceID", namespace_id, sizeof namespace_id);
        if ((uint32_t)strtol(namespace_id, NULL, 10) != pool->namespace_id)
            return err_set(reterr, ERR_BAD_STATE, "'%s' is of namespace %s, the namenode's is %" PRId32, path,
                           namespace_id, (int32_t)pool->namespace_id);
        return 0;
    }
    AUTO(mem_freep)
    char *text = mem_printf("namespaceID=%" PRId32 "\ncTime=%" PRIu64 "\nblockpoolID=%s\nlayoutVersion=%d\n",
                            (int32_t)pool->namespace_id, pool->ctime_ms, pool->pool_id, DN_LAYOUT_VERSION);
    return file_write_atomic(path, text, strlen(text), 0644, reterr);
}

static bool is_plain_name(const char *name)
{
    if (!*name || *name == '.')
        return false;
    for (; *name; name++)
        if (*name == '/' || (unsigned char)*name < 0x21 || *name == 0x7f)
            return false;
    return true;
}

int volume_open_pool(struct volume *v, const struct pool_identity *pool, const char *datanode_uuid, struct err *reterr)
{
    if (!is_plain_name(pool->pool_id))
        return err_set(reterr, ERR_PROTOCOL, "block pool id '%s' cannot be the name of a folder", pool->pool_id);
    int rc = v->cluster_id[0] ? check_identity(v, pool, datanode_uuid, reterr)
                              : write_identity(v, pool, datanode_uuid, reterr);
    if (rc < 0)
        return rc;
    snprintf(v->cluster_id, sizeof v->cluster_id, "%s", pool->cluster_id);
    snprintf(v->datanode_uuid, sizeof v->datanode_uuid, "%s", datanode_uuid);
    mem_freep(&v->pool);
    v->pool = mem_printf("%s/current/%s/", v->dir, pool->pool_id);
    static const char *const folders[] = {"current/finalized", "current/rbw", "tmp"};
    AUTO(mem_freep) char *tmp = mem_printf("%stmp", v->pool);
    rc = file_remove_tree(tmp, reterr);
    for (size_t i = 0; rc == 0 && i < ARRAY_COUNT(folders); i++) {
        AUTO(mem_freep) char *path = mem_printf("%s%s", v->pool, folders[i]);
        rc = file_mkdirs(path, 0755, reterr);
    }
    return rc < 0 ? rc : open_pool_version(v, pool, reterr);
}

/* ---- health and space ---- */

int volume_space(const struct volume *v, struct volume_space *ret, struct err *reterr)
{
    struct statvfs s;
    if (statvfs(v->dir, &s) < 0)
        return err_errno(reterr, errno, "cannot ask for the free space of '%s'", v->dir);
    int64_t unit = (int64_t)s.f_frsize, total = (int64_t)s.f_blocks * unit, available = (int64_t)s.f_bavail * unit;
    int64_t used = atomic_load(&v->used_bytes) - atomic_load(&v->shared_bytes), capacity = total - v->reserved_bytes;
    int64_t free_bytes = available - v->reserved_bytes - atomic_load(&v->promised_bytes);
    if (capacity < 0)
        capacity = 0;
    if (used < 0) /* of a replica that is just being removed only one of both is counted */
        used = 0;
    if (free_bytes > capacity - used)
        free_bytes = capacity - used;
    if (free_bytes < 0)
        free_bytes = 0;
    int64_t other = capacity - used - free_bytes;
    *ret = (struct volume_space){capacity, used, free_bytes, other > 0 ? other : 0};
    return 0;
}

/* It says nothing about the disk's health that it is full, or that the process is out of something. */
static bool is_shortage(int errnum)
{
    return errnum == ENOSPC || errnum == EDQUOT || errnum == EMFILE || errnum == ENFILE || errnum == ENOMEM;
}

int volume_probe(const struct volume *v, struct err *reterr)
{
    /* In the pool's own folder once there is one: a disk that was unmounted leaves an empty directory that can be
     * written. */
    AUTO(mem_freep) char *path = v->pool ? mem_printf("%stmp/probe", v->pool) : mem_printf("%s/probe", v->dir);
    AUTO(net_closep) int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return is_shortage(errno) ? 0 : err_errno(reterr, errno, "cannot create '%s'", path);
    char wrote[16] = "probe", read_back[16] = "";
    int rc = 0;
    if ((pwrite(fd, wrote, sizeof wrote, 0) < 0 || fdatasync(fd) < 0) && !is_shortage(errno))
        rc = err_errno(reterr, errno, "cannot write '%s'", path);
    else if (pread(fd, read_back, sizeof read_back, 0) < 0)
        rc = err_errno(reterr, errno, "cannot read '%s'", path);
    (void)unlink(path); /* a stray probe file does no harm */
    return rc;
}

#include "namenode/name_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/net.h"

#define FOLDER_VERSION 1

/* ---- paths ---- */

static int folder_of(const struct config *c, char *out, size_t out_size, struct err *reterr)
{
    const char *text = config_str(c, "dfs.namenode.name.dir");
    size_t len = strcspn(text, ",");
    if (text[len])
        log_warn("namenode", "dfs.namenode.name.dir names several folders; only the first is used: %s", text);
    size_t scheme = !strncmp(text, "file:///", 8) ? 7 : !strncmp(text, "file:/", 6) ? 5 : 0;
    text += scheme;
    len -= scheme;
    while (len > 1 && text[len - 1] == '/')
        len--;
    if (!len || text[0] != '/')
        return err_set(reterr, ERR_CONFIG, "dfs.namenode.name.dir: '%s' is not an absolute path", text);
    if (len >= out_size - 64)
        return err_set(reterr, ERR_CONFIG, "dfs.namenode.name.dir: the path is too long");
    memcpy(out, text, len);
    out[len] = 0;
    return 0;
}

static const char *inside(const struct name_folder *f, const char *name, char out[4200])
{
    snprintf(out, 4200, "%s/%s", f->path, name);
    return out;
}

void name_folder_store_path(const struct name_folder *f, char *out, size_t out_size)
{
    snprintf(out, out_size, "%s/meta", f->path);
}

bool name_folder_needs(const char *name)
{
    static const char *const own[] = {"in_use.lock", "VERSION", "meta", "formatting", "current"};
    for (size_t i = 0; i < ARRAY_COUNT(own); i++)
        if (!strcmp(name, own[i]))
            return true;
    return false;
}

static bool exists(const struct name_folder *f, const char *name)
{
    char path[4200];
    return access(inside(f, name, path), F_OK) == 0;
}

/* ---- lock ---- */

static int lock_folder(const struct config *c, struct name_folder *f, struct err *reterr)
{
    char path[4200];
    int rc = folder_of(c, f->path, sizeof f->path, reterr);
    if (rc)
        return rc;
    rc = file_mkdirs(f->path, 0700, reterr);
    if (rc)
        return err_prefix(reterr, rc, "dfs.namenode.name.dir");
    f->lock_fd = open(inside(f, "in_use.lock", path), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (f->lock_fd < 0)
        return err_errno(reterr, errno, "dfs.namenode.name.dir: cannot open %s", path);
    if (file_lock(f->lock_fd) < 0) {
        int error = errno;
        name_folder_close(f);
        return error == EWOULDBLOCK
                   ? err_set(reterr, ERR_BUSY,
                             "%s is in use by another namenode: stop that one, or give this one another "
                             "dfs.namenode.name.dir",
                             f->path)
                   : err_errno(reterr, error, "cannot lock %s", path);
    }
    if (exists(f, "current/VERSION")) {
        name_folder_close(f);
        return err_set(reterr, ERR_CONFIG,
                       "%s holds the metadata of an Apache Hadoop NameNode, which cannot be used: give another "
                       "dfs.namenode.name.dir",
                       f->path);
    }
    return 0;
}

void name_folder_close(struct name_folder *f)
{
    if (f->lock_fd >= 0)
        close(f->lock_fd);
    f->lock_fd = -1;
}

/* ---- VERSION ---- */

static bool version_field(const char *text, const char *name, char *out, size_t out_size)
{
    size_t name_len = strlen(name);
    for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (strncmp(line, name, name_len) || line[name_len] != '=')
            continue;
        size_t len = strcspn(line + name_len + 1, "\r\n");
        if (!len || len >= out_size)
            return false;
        memcpy(out, line + name_len + 1, len);
        out[len] = 0;
        return true;
    }
    return false;
}

static int version_read(const struct name_folder *f, struct namenode_ids *ret, struct err *reterr)
{
    char path[4200], version[32], id[32], created[32];
    AUTO(buf_free) struct buf text = {0};
    int rc = file_read(inside(f, "VERSION", path), 1 << 16, &text, reterr);
    if (rc)
        return rc;
    const char *t = buf_cstr(&text);
    if (!version_field(t, "cairnNamenodeVersion", version, sizeof version))
        return err_set(reterr, ERR_CONFIG, "%s is damaged: it names no version. Restore it from a backup", path);
    if (strtol(version, NULL, 10) != FOLDER_VERSION)
        return err_set(reterr, ERR_CONFIG,
                       "%s was written by another version of cairn (folder version %s, this one knows %d): "
                       "start that version",
                       f->path, version, FOLDER_VERSION);
    struct namenode_ids ids = {0};
    if (!version_field(t, "clusterID", ids.cluster_id, sizeof ids.cluster_id) ||
        !version_field(t, "blockpoolID", ids.block_pool_id, sizeof ids.block_pool_id) ||
        !version_field(t, "namespaceID", id, sizeof id) || !version_field(t, "cTime", created, sizeof created))
        return err_set(reterr, ERR_CONFIG, "%s is damaged: an id is missing. Restore it from a backup", path);
    ids.namespace_id = (uint32_t)strtoul(id, NULL, 10);
    ids.created_ms = strtoull(created, NULL, 10);
    *ret = ids;
    return 0;
}

static int version_write(const struct name_folder *f, const struct namenode_ids *ids, struct err *reterr)
{
    char path[4200];
    AUTO(buf_free) struct buf text = {0};
    buf_printf(&text,
               "cairnNamenodeVersion=%d\nclusterID=%s\nblockpoolID=%s\nnamespaceID=%u\ncTime=%" PRIu64
               "\nstorageType=NAME_NODE\n",
               FOLDER_VERSION, ids->cluster_id, ids->block_pool_id, ids->namespace_id, ids->created_ms);
    return file_write_atomic(inside(f, "VERSION", path), text.base, text.len, 0600, reterr);
}

/* ---- making ---- */

static uint64_t random64(void)
{
    uint64_t value = 0;
    if (getrandom(&value, sizeof value, 0) != sizeof value)
        value = (uint64_t)clock_wall_ns() * 0x9E3779B97F4A7C15ull; /* ids need to be different, not secret */
    return value;
}

static void make_ids(const char *address, const char *cluster_id, struct namenode_ids *ret)
{
    struct net_address at;
    char ip[64] = "127.0.0.1";
    if (!net_parse(address, 8020, &at, NULL) && net_resolve(at.host, ip, NULL))
        snprintf(ip, sizeof ip, "127.0.0.1");
    uint64_t a = random64(), b = random64();
    if (cluster_id)
        snprintf(ret->cluster_id, sizeof ret->cluster_id, "%s", cluster_id);
    else
        snprintf(ret->cluster_id, sizeof ret->cluster_id, "CID-%08x-%04x-4%03x-%04x-%012llx", (unsigned)(a >> 32),
                 (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xfff), (unsigned)(0x8000 | (b >> 48 & 0x3fff)),
                 (unsigned long long)(b & 0xffffffffffffull));
    ret->created_ms = (uint64_t)clock_wall_ms();
    snprintf(ret->block_pool_id, sizeof ret->block_pool_id, "BP-%u-%s-%" PRIu64, (unsigned)(random64() & 0x7fffffff),
             ip, ret->created_ms);
    ret->namespace_id = (uint32_t)(random64() % 0x7ffffffe) + 1;
}

static int begin(struct name_folder *f, const char *address, const char *cluster_id, struct namenode_ids *ret_ids,
                 struct err *reterr)
{
    char path[4200];
    name_folder_store_path(f, path, sizeof path);
    int rc = file_remove_tree(path, reterr);
    if (rc)
        return rc;
    make_ids(address, cluster_id, ret_ids);
    f->is_new = true;
    log_info("namenode", "formatted %s cluster=%s pool=%s", f->path, ret_ids->cluster_id, ret_ids->block_pool_id);
    return 0;
}

int name_folder_open(const struct config *c, const char *address, struct name_folder *ret, struct namenode_ids *ret_ids,
                     struct err *reterr)
{
    struct name_folder f = {.lock_fd = -1};
    char path[4200];
    int rc = lock_folder(c, &f, reterr);
    if (rc)
        return rc;
    if (exists(&f, "VERSION")) {
        rc = version_read(&f, ret_ids, reterr);
        if (!rc && !exists(&f, "meta/CURRENT") && !exists(&f, "formatting"))
            rc = err_set(reterr, ERR_CONFIG,
                         "%s/meta, the file system's metadata, is missing: restore it from a backup. "
                         "`cairn namenode -format` would start an empty file system",
                         f.path);
    } else if (exists(&f, "meta") && !exists(&f, "formatting")) {
        rc = err_set(reterr, ERR_CONFIG,
                     "%s has metadata but no VERSION file: restore the file from a backup. "
                     "`cairn namenode -format` would start an empty file system",
                     f.path);
    } else {
        rc = file_write_atomic(inside(&f, "formatting", path), "", 0, 0600, reterr);
        rc = rc ? rc : begin(&f, address, NULL, ret_ids, reterr);
    }
    if (rc)
        name_folder_close(&f);
    else
        *ret = f;
    return rc;
}

int name_folder_finish(struct name_folder *f, const struct namenode_ids *ids, struct err *reterr)
{
    char path[4200];
    int rc = f->is_new ? version_write(f, ids, reterr) : 0;
    if (!rc && unlink(inside(f, "formatting", path)) < 0 && errno != ENOENT)
        rc = err_errno(reterr, errno, "cannot remove %s", path);
    return rc;
}

static int confirm(const struct name_folder *f, const struct format_options *o, struct err *reterr)
{
    if (!exists(f, "VERSION") || o->force)
        return 0;
    if (o->ask) {
        fprintf(stderr, "Re-format filesystem in Storage Directory %s ? (Y or N) ", f->path);
        int answer = getchar();
        if (answer == 'Y' || answer == 'y')
            return 0;
        return err_set(reterr, ERR_CANCELLED, "Format aborted in Storage Directory %s", f->path);
    }
    return err_set(reterr, ERR_EXISTS, "%s holds a file system already. To throw it away use -format -force", f->path);
}

int name_folder_format(const struct config *c, const char *address, const struct format_options *o,
                       struct namenode_ids *ret_ids, struct err *reterr)
{
    struct name_folder f = {.lock_fd = -1};
    char path[4200];
    int rc = lock_folder(c, &f, reterr);
    rc = rc ? rc : confirm(&f, o, reterr);
    rc = rc ? rc : file_write_atomic(inside(&f, "formatting", path), "", 0, 0600, reterr);
    if (!rc && unlink(inside(&f, "VERSION", path)) < 0 && errno != ENOENT)
        rc = err_errno(reterr, errno, "cannot remove %s", path);
    rc = rc ? rc : begin(&f, address, o->cluster_id, ret_ids, reterr);
    if (!rc) {
        /* The ids are settled; the store itself is made by the next start, which "formatting" allows to find none. */
        rc = version_write(&f, ret_ids, reterr);
    }
    name_folder_close(&f);
    return rc;
}

/* The life of a mount of a Cairn namenode. */
#include "fuse/posix/posix_mount.h"

#include <stdlib.h>

#include "common/log.h"
#include "common/mem.h"
#include "fuse/posix/posix_start.h"

#define PROBE_ARENA_BYTES (1 << 20)

/* Whoever mounts must be the namenode's superuser, since the kernel checks permissions for all. */
static bool is_other_kind(int rc)
{
    return rc == ERR_NO_SUCH_PROTOCOL || rc == ERR_NO_SUCH_METHOD || rc == ERR_UNSUPPORTED || rc == ERR_ACCESS ||
           rc == ERR_RPC_SERVER;
}

int posix_mount_probe(const struct config *config, const char *uri, const char *path, uint64_t *ret_root,
                      struct err *reterr)
{
    struct dfs *fs;
    struct posix_session session;
    struct dfs_status status;
    struct err why = {0};
    int rc = dfs_connect(config, uri, NULL, &fs, reterr);
    if (rc < 0)
        return rc;
    AUTO_ARENA(a, PROBE_ARENA_BYTES);
    rc = posix_open_session(fs, 0, "mount (looking)", &session, &why);
    if (rc == 0) {
        rc = dfs_stat(fs, path, &a, &status, reterr);
        *ret_root = rc == 0 ? status.file_id : 0;
        if (posix_close_session(fs, session.session, &why) < 0)
            log_debug("mount", "a session is left to its end: err=%s", why.text);
    } else if (is_other_kind(rc)) {
        if (rc == ERR_ACCESS)
            log_warn("mount", "mounted without what POSIX has beyond HDFS, since %s is not the namenode's superuser",
                     dfs_user(fs));
        *ret_root = 0;
        rc = 0;
    } else if (reterr) {
        *reterr = why;
    }
    dfs_unref(fs);
    return rc;
}

int posix_mount_new(const struct posix_mount_options *o, struct daemon *d, struct posix_mount **ret, struct err *reterr)
{
    struct staging_area *staging;
    int rc = staging_area_open(o->staging_folder, o->staging_max_bytes, &staging, reterr);
    if (rc < 0)
        return rc;
    struct posix_mount *m = mem_new(struct posix_mount);
    m->store.staging = staging;
    m->nodes = node_table_new(&m->store);
    m->users = users_new(o->config, o->uri);
    m->facts = xattr_facts_new();
    m->daemon = d;
    m->config = o->config;
    m->uri = o->uri;
    m->root = o->root;
    m->cache_timeout_s = o->cache_timeout_s;
    *ret = m;
    return 0;
}

int posix_mount_begin(struct posix_mount *m, struct fuse_session *fuse, struct err *reterr)
{
    struct posix_session session;
    int rc = dfs_connect(m->config, m->uri, NULL, &m->store.fs, reterr);
    if (rc == 0)
        rc = posix_open_session(m->store.fs, 0, "mount", &session, reterr);
    if (rc < 0)
        return rc;
    m->fuse = fuse;
    m->store.session = session.session;
    m->watch = watch_start(m, session.cursor);
    return 0;
}

size_t posix_mount_end(struct posix_mount *m)
{
    struct err err = {0};
    if (!m->store.fs)
        return 0;
    size_t lost = node_save_all(m->nodes);
    if (posix_close_session(m->store.fs, m->store.session, &err) < 0)
        log_warn("mount", "the session is left to its end: err=%s", err.text);
    watch_stop(m->watch);
    m->watch = NULL;
    return lost;
}

void posix_mount_free(struct posix_mount *m)
{
    if (!m)
        return;
    node_table_free(m->nodes);
    users_free(m->users);
    xattr_facts_free(m->facts);
    dfs_unref(m->store.fs);
    staging_area_free(m->store.staging);
    free(m);
}

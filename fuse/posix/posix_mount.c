/* The life of a mount of a Cairn namenode. */
#include "fuse/posix/posix_mount.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "fuse/posix/first_block.h"
#include "fuse/posix/kernel_io.h"
#include "fuse/posix/late_saves.h"
#include "fuse/posix/opens.h"
#include "fuse/posix/staging_folder.h"

#define MALLOC_ARENAS     2
#define MALLOC_MMAP_BYTES (256 << 10)
#define PROBE_ARENA_BYTES (1 << 20)
#define BEGIN_AGAIN_MS    1000
#define FAREWELL_MS       5000 /* a namenode that does not hear it notices later by itself */

/* Whoever mounts must be the namenode's superuser, since the kernel checks permissions for all. */
static bool is_other_kind(int rc)
{
    return rc == ERR_NO_SUCH_PROTOCOL || rc == ERR_NO_SUCH_METHOD || rc == ERR_UNSUPPORTED || rc == ERR_ACCESS ||
           rc == ERR_RPC_SERVER;
}

/* In a snapshot things have the numbers of what they were: by number they would be what they are now. */
static bool is_in_snapshot(const char *path)
{
    static const char name[] = "/.snapshot";
    const char *at = strstr(path, name);
    while (at && at[sizeof name - 1] && at[sizeof name - 1] != '/')
        at = strstr(at + 1, name);
    return at != NULL;
}

int posix_mount_probe(const struct config *config, const char *uri, const char *path, struct posix_mount_place *ret,
                      struct err *reterr)
{
    struct dfs *fs;
    struct posix_session session;
    struct dfs_status status;
    struct err why = {0};
    *ret = (struct posix_mount_place){0};
    if (is_in_snapshot(path))
        return 0;
    int rc = dfs_connect(config, uri, NULL, &fs, reterr);
    if (rc < 0)
        return rc;
    AUTO_ARENA(a, PROBE_ARENA_BYTES);
    rc = posix_open_session(fs, 0, "mount (looking)", &session, &why);
    if (rc == 0) {
        rc = dfs_stat(fs, path, &a, &status, reterr);
        ret->root = rc == 0 ? status.file_id : 0;
        memcpy(ret->cluster, session.cluster, sizeof ret->cluster);
        if (posix_close_session(fs, session.session, &why) < 0)
            log_debug("mount", "a session is left to its end: err=%s", why.text);
    } else if (is_other_kind(rc)) {
        if (rc == ERR_ACCESS)
            log_warn("mount", "mounted without what POSIX has beyond HDFS, since %s is not the namenode's superuser",
                     dfs_user(fs));
        rc = 0;
    } else if (reterr) {
        *reterr = why;
    }
    dfs_unref(fs);
    return rc;
}

static struct posix_mount *mount_new(struct keeper_memory *memory, int lock_fd, const struct posix_mount_options *o,
                                     struct daemon *d)
{
    struct posix_mount *m = mem_new(struct posix_mount);
    m->store.memory = memory;
    pthread_mutex_init(&m->store.uploads_lock, NULL);
    pthread_mutex_init(&m->store.held_lock, NULL);
    pthread_mutex_init(&m->backing_lock, NULL);
    pthread_mutex_init(&m->fetching_lock, NULL);
    read_buffers_init(&m->read_buffers);
    pthread_cond_init(&m->store.uploads_ended, NULL);
    m->staging_lock_fd = lock_fd;
    m->options = *o;
    m->daemon = d;
    m->root = o->root;
    m->cache_timeout_s = o->cache_timeout_s;
    return m;
}

int posix_mount_new(const struct posix_mount_options *o, struct daemon *d, struct posix_mount **ret, struct err *reterr)
{
    struct keeper_memory *memory = keeper_memory_new();
    if (!memory)
        return err_set(reterr, ERR_NO_MEMORY, "no memory to share with the process that serves");
    int lock_fd;
    int rc = staging_folder_claim(o->staging_folder, o->name, memory->staging_folder, sizeof memory->staging_folder,
                                  &lock_fd, reterr);
    if (rc < 0)
        return rc;
    memory->root = o->root;
    snprintf(memory->cluster, sizeof memory->cluster, "%s", o->cluster);
    *ret = mount_new(memory, lock_fd, o, d);
    return 0;
}

int posix_mount_taken(const struct posix_mount_options *o, int fd, struct daemon *d, struct posix_mount **ret,
                      struct err *reterr)
{
    struct keeper_memory *memory = keeper_memory_map(fd);
    close(fd);
    if (!memory)
        return err_set(reterr, ERR_UNSUPPORTED,
                       "the mount was begun by another version: unmount it, and mount it again");
    struct posix_mount *m = *ret = mount_new(memory, -1, o, d);
    m->root = memory->root;
    m->options.cluster = memory->cluster;
    return 0;
}

int posix_mount_memory_fd(const struct posix_mount *m)
{
    return m->store.memory->fd;
}

_Atomic bool *posix_mount_hands_over(struct posix_mount *m)
{
    return &m->store.memory->hands_over;
}

unsigned posix_mount_processes(const struct posix_mount *m)
{
    return m->store.memory->process;
}

/* A session of a process before this one has what that one held and locked. Inode numbers mean nothing in another
 * cluster: one that got the same address is as good as none. */
int posix_mount_session(struct posix_mount *m, struct posix_session *ret, struct err *reterr)
{
    struct err why = {0};
    struct posix_opened opened;
    opens_list(m, &opened);
    int rc = posix_open_session_with(m->store.fs, m->store.memory->session, "mount", &opened, ret, reterr);
    if (rc == ERR_STALE)
        rc = posix_open_session_with(m->store.fs, 0, "mount", &opened, ret, reterr);
    opens_listed(m, &opened);
    if (rc == 0 && strcmp(ret->cluster, m->options.cluster)) {
        if (ret->session != m->store.memory->session && posix_close_session(m->store.fs, ret->session, &why) < 0)
            log_debug("mount", "a session is left to its end: err=%s", why.text);
        return err_set(reterr, ERR_CONNECT, "the namenode is of cluster %s, and what is mounted of %s: mount it anew",
                       ret->cluster, m->options.cluster);
    }
    return rc;
}

/* What is mounted already is served, whether the namenode is there or not: requests wait for it as they are to. No
 * session then. */
static int begin(struct posix_mount *m, struct posix_session *ret_session, struct err *reterr)
{
    const struct posix_mount_options *o = &m->options;
    int rc = staging_area_open(m->store.memory->staging_folder, o->staging_max_bytes, &m->store.staging, reterr);
    if (rc == 0)
        rc = dfs_connect(o->config, o->uri, NULL, &m->store.fs, reterr);
    if (rc == 0)
        rc = posix_mount_session(m, ret_session, reterr);
    bool heard = rc == 0;
    if (heard)
        m->store.memory->session = ret_session->session;
    else
        *ret_session = (struct posix_session){0};
    if (rc < 0 && m->store.fs && m->store.memory->wanted) {
        log_warn("mount", "going on without the namenode: err=%s", reterr->text);
        rc = 0;
    }
    if (rc < 0) {
        dfs_unref(STEAL(m->store.fs));
        staging_area_free(STEAL(m->store.staging));
        return rc;
    }
    m->store.unused = unused_blocks_new();
    m->nodes = node_table_new(&m->store);
    m->users = m->store.users = users_new(o->config, o->uri, &o->users);
    m->facts = xattr_facts_new();
    m->listings = listings_new();
    m->removed = removed_new();
    m->passages = passages_new();
    m->opens = opens_told_new();
    m->dir_stats = dir_stats_new();
    m->known = known_names_new(o->cache_timeout_s > 0 ? o->names_max_bytes : 0, (int64_t)(o->cache_timeout_s * 1000));
    m->store.known = m->known;
    if (heard) { /* else they are loaded and set when the namenode is there again */
        late_saves_load(&m->store, m->nodes);
        locks_set_again(m); /* it may have been started again, too, since a process before this one */
    }
    m->late_saves = late_saves_start(&m->store, m->nodes);
    return 0;
}

/* Another process goes on with all that is open, locked and waited for: requests that still wait here are not answered,
 * so the kernel gives them to that one. What is saved now, it need not. */
static void hand_over(struct posix_mount *m)
{
    late_saves_stop(m->late_saves);
    size_t left = node_save_all(m->nodes);
    opens_tell_closed(m);
    log_info("mount", "another process goes on; files that could not be saved before: %zu", left);
}

static size_t end(struct posix_mount *m)
{
    struct err err = {0};
    late_saves_stop(m->late_saves);
    size_t lost = node_save_all(m->nodes);
    posix_set_patience(m->store.fs, FAREWELL_MS);
    if (posix_close_session(m->store.fs, m->store.memory->session, &err) < 0)
        log_warn("mount", "the session is left to its end: err=%s", err.text);
    if (!watch_stop(m->watch))
        _exit(lost ? 1 : 0);
    locks_end(m);
    node_table_free(m->nodes);
    unused_blocks_free(m->store.unused);
    users_free(m->users);
    xattr_facts_free(m->facts);
    listings_free(m->listings);
    removed_free(m->removed);
    passages_free(m->passages);
    opens_told_free(m->opens);
    dir_stats_free(m->dir_stats);
    known_names_free(m->known);
    dfs_unref(m->store.fs);
    staging_area_free(m->store.staging);
    return lost;
}

int posix_mount_serve(struct posix_mount *m, int fuse_fd, int threads)
{
    struct err err = {0};
    char *argv[] = {"cairn", NULL};
    mallopt(M_ARENA_MAX, MALLOC_ARENAS); /* one for each thread would keep as much free as all use together */
    mallopt(M_MMAP_THRESHOLD, MALLOC_MMAP_BYTES);
    mallopt(M_TRIM_THRESHOLD, 1 << 20);
    struct fuse_args args = FUSE_ARGS_INIT(1, argv);
    m->fuse = fuse_session_new(&args, &posix_operations, sizeof posix_operations, m);
    if (!m->fuse || fuse_set_signal_handlers(m->fuse) != 0)
        return 1;
    struct posix_session session;
    while (begin(m, &session, &err) < 0) {
        log_error("mount", "err=%s", err.text);
        if (!m->store.memory->wanted || fuse_session_exited(m->fuse))
            return 1;
        clock_sleep_ms(BEGIN_AGAIN_MS); /* programs wait; they would lose what they have open */
    }
    int rc = kernel_io_attach(m->fuse, fuse_fd, m->store.memory, m->options.passthrough);
    if (rc == 0)
        m->watch = watch_start(m, &session);
    struct fuse_loop_config *loop = fuse_loop_cfg_create();
    fuse_loop_cfg_set_clone_fd(loop, 0); /* what was taken through a clone would fail with it, if this process died */
    fuse_loop_cfg_set_max_threads(loop, (unsigned)threads);
    fuse_loop_cfg_set_idle_threads(loop, (unsigned)threads);
    if (rc == 0)
        rc = fuse_session_loop_mt(m->fuse, loop);
    fuse_loop_cfg_destroy(loop);
    if (m->store.memory->hands_over) {
        hand_over(m);
        _exit(0);
    }
    size_t lost = end(m);
    fuse_remove_signal_handlers(m->fuse);
    fuse_session_destroy(m->fuse);
    fuse_opt_free_args(&args);
    return rc < 0 || lost ? 1 : 0;
}

void posix_mount_free(struct posix_mount *m)
{
    if (!m)
        return;
    if (m->staging_lock_fd >= 0) /* else it is the keeper's */
        staging_folder_give_up(m->store.memory->staging_folder, m->staging_lock_fd);
    pthread_mutex_destroy(&m->store.uploads_lock);
    pthread_mutex_destroy(&m->store.held_lock);
    pthread_mutex_destroy(&m->backing_lock);
    pthread_mutex_destroy(&m->fetching_lock);
    read_buffers_free(&m->read_buffers);
    pthread_cond_destroy(&m->store.uploads_ended);
    free(m);
}

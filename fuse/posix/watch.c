/* Word of what other clients change, brought to the kernel's caches. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "fuse/posix/kernel_io.h"
#include "fuse/posix/opens.h"
#include "fuse/posix/posix_mount.h"

#define WATCH_WAIT_MS     20000
#define WATCH_RETRY_MS    1000
#define WATCH_FIRST_MS    200 /* until the kernel has said what it can */
#define WATCH_FIRST_TRIES 25
#define WATCH_STOP_S      2
#define WATCH_BURST_MS    10 /* word that comes sooner than that after other word: the next is waited for in one piece */
#define WATCH_PAUSE_MS    5
#define WATCH_ARENA_BYTES (16 << 20)
#define LOOK_ARENA_BYTES  (1 << 20)

struct watch {
    struct posix_mount *m;
    bool is_known;   /* the session is open, as this process, */
    bool is_refused; /* and was not at the last try */
    uint64_t cursor;
    int64_t told_ms; /* when changes came last */
    pthread_t thread;
    _Atomic bool is_ending;
    pthread_mutex_t lock;
    pthread_cond_t end; /* has_ended */
    bool has_ended;
};

/* Its last name went, and the namenode keeps it since it is open here: it goes with the last close. */
static void look_whether_held(struct posix_mount *m, uint64_t inode)
{
    AUTO_ARENA(a, LOOK_ARENA_BYTES);
    struct posix_attr attr;
    uint32_t namings = node_namings(m->nodes, inode);
    if (node_has_handles(m->nodes, inode) && posix_getattr(m->store.fs, inode, &a, &attr, NULL) == 0 && attr.nlink == 0)
        node_held(m->nodes, inode, namings);
}

static void pass_on(struct watch *w, const struct posix_change *c)
{
    struct posix_mount *m = w->m;
    fuse_ino_t ino = ino_of_inode(m, c->id);
    dir_stats_changed(m->dir_stats);
    known_names_told(m->known, c->id, c->name);
    if (c->name) {
        fuse_lowlevel_notify_inval_entry(m->fuse, ino, c->name, strlen(c->name));
        fuse_lowlevel_notify_inval_inode(m->fuse, ino, -1, 0); /* the directory's times */
        return;
    }
    node_invalidate(m->nodes, c->id, c->content);
    xattr_forget(m, c->id);
    fuse_lowlevel_notify_inval_inode(m->fuse, ino, c->content ? 0 : -1, 0);
    look_whether_held(m, c->id);
}

static void pass_on_one(struct node *n, void *arg)
{
    pass_on(arg, &(struct posix_change){.id = n->id, .content = true});
}

/* Nobody can say what has changed. What the kernel cannot forget at once, it was not told to believe for long. */
static void pass_on_all(struct watch *w)
{
    struct posix_mount *m = w->m;
    xattr_forget_all(m);
    dir_stats_changed(m->dir_stats);
    known_names_all_changed(m->known);
    m->is_told = kernel_io_forget_names();
    fuse_lowlevel_notify_inval_inode(m->fuse, FUSE_ROOT_ID, -1, 0);
    node_each(m->nodes, pass_on_one, w);
}

/* The namenode was started again, or away for too long: what was held and locked is gone with the old session. */
static void session_anew(struct watch *w)
{
    struct err err = {0};
    struct posix_session fresh;
    int rc = posix_mount_session(w->m, &fresh, &err);
    if (rc < 0) {
        if (!w->is_refused)
            log_warn("mount", "no session, trying on: err=%s", err.text);
        w->is_refused = true;
        clock_sleep_ms(WATCH_RETRY_MS);
        return;
    }
    if (fresh.session != w->m->store.memory->session)
        log_warn("mount", "the namenode forgot this mount: files that were unlinked while open are gone");
    w->m->store.memory->session = fresh.session;
    w->cursor = fresh.cursor;
    w->is_known = true;
    w->is_refused = false;
    locks_set_again(w->m);
    pass_on_all(w);
}

/* Each answer costs the namenode, which has others to serve, as much as a call that changes something. */
static void rest_in_burst(struct watch *w)
{
    int64_t now_ms = clock_mono_ms();
    bool is_burst = now_ms - w->told_ms < WATCH_BURST_MS;
    w->told_ms = now_ms;
    if (is_burst)
        clock_sleep_ms(WATCH_PAUSE_MS);
}

static void watch_changes(struct watch *w)
{
    for (int tries = 0; !w->is_ending; tries++) {
        if (!w->is_known) {
            session_anew(w);
            continue;
        }
        bool is_early = tries < WATCH_FIRST_TRIES && !w->m->is_told;
        if (is_early)
            w->m->is_told = kernel_io_forget_names();
        opens_tell_closed(w->m);
        AUTO_ARENA(a, WATCH_ARENA_BYTES);
        struct posix_changes changes;
        struct err err = {0};
        int rc = posix_await_changes(w->m->store.fs, w->m->store.memory->session, w->cursor,
                                     is_early ? WATCH_FIRST_MS : WATCH_WAIT_MS, &a, &changes, &err);
        if (w->is_ending)
            break;
        if (rc < 0) {
            log_debug("mount", "no word of changes: err=%s", err.text);
            w->m->is_told = false;
            session_anew(w);
            continue;
        }
        w->cursor = changes.cursor;
        for (size_t i = 0; i < changes.count; i++)
            pass_on(w, &changes.list[i]);
        if (changes.lost)
            pass_on_all(w);
        w->is_known = !changes.lost; /* it may have been started again: what is open and locked it hears from us */
        if (changes.count)
            rest_in_burst(w);
    }
}

static void *watch_run(void *arg)
{
    struct watch *w = arg;
    watch_changes(w);
    pthread_mutex_lock(&w->lock);
    w->has_ended = true;
    pthread_cond_signal(&w->end);
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static void watch_free(struct watch *w)
{
    pthread_cond_destroy(&w->end);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

struct watch *watch_start(struct posix_mount *m, const struct posix_session *session)
{
    struct watch *w = mem_new(struct watch);
    w->m = m;
    w->is_known = session->session != 0;
    w->cursor = session->cursor;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->end, NULL);
    int errnum = pthread_create(&w->thread, NULL, watch_run, w);
    if (errnum) {
        log_warn("mount", "what others change is seen late: errno=%d", errnum);
        watch_free(w);
        return NULL;
    }
    return w;
}

static bool ends_soon(struct watch *w)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += WATCH_STOP_S;
    pthread_mutex_lock(&w->lock);
    while (!w->has_ended && pthread_cond_clockwait(&w->end, &w->lock, CLOCK_MONOTONIC, &until) == 0)
        ;
    bool has_ended = w->has_ended;
    pthread_mutex_unlock(&w->lock);
    return has_ended;
}

bool watch_stop(struct watch *w)
{
    if (!w)
        return true;
    w->is_ending = true;
    posix_cancel(w->m->store.fs);
    if (!ends_soon(w))
        return false;
    pthread_join(w->thread, NULL);
    watch_free(w);
    return true;
}

/* flock(2) and fcntl(2) locks: the namenode has them, so they hold between mounts. A request that waits has a thread of
 * its own, or waiting lock holders' own requests could find no thread left. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "fuse/posix/posix_mount.h"

#define WAIT_STEP_MS  500 /* how long an interrupt may go unnoticed */
#define WAIT_PAUSE_MS 50  /* where the namenode lets nobody wait, since too many do */
#define WAITERS_MAX   1024

static atomic_int waiters;

struct waiting {
    struct request op;
    struct posix_lock lock;
    struct node *node;
    bool is_patient; /* F_SETLKW */
    _Atomic bool is_interrupted;
};

static enum posix_lock_type type_of(short type)
{
    return type == F_RDLCK ? POSIX_LOCK_SHARED : type == F_WRLCK ? POSIX_LOCK_EXCLUSIVE : POSIX_LOCK_NONE;
}

/* libfuse hands l_len 0 over for a lock without an end. */
static struct posix_lock lock_of(uint64_t inode, const struct fuse_file_info *fi, const struct flock *lock)
{
    return (struct posix_lock){.id = inode,
                               .owner = fi->lock_owner,
                               .start = (uint64_t)lock->l_start,
                               .end = lock->l_len ? (uint64_t)(lock->l_start + lock->l_len - 1) : POSIX_LOCK_TO_END,
                               .type = type_of(lock->l_type),
                               .pid = (uint32_t)lock->l_pid};
}

static void on_interrupt(fuse_req_t req, void *data)
{
    ((struct waiting *)data)->is_interrupted = true;
}

static void note_held(struct posix_mount *m, const struct posix_lock *lock)
{
    pthread_mutex_lock(&m->store.held_lock);
    held_locks_set(&m->store.memory->locks, lock);
    pthread_mutex_unlock(&m->store.held_lock);
}

static void note_granted(struct waiting *w)
{
    node_note_lock(w->node, w->lock.whole);
    note_held(w->op.m, &w->lock);
}

static void waiting_end(struct waiting *w, int rc, bool granted)
{
    fuse_req_interrupt_func(w->op.req, NULL, NULL);
    if (w->node)
        node_put(w->op.m->nodes, w->node);
    if (rc == 0 && !granted) {
        fuse_reply_err(w->op.req, w->is_interrupted ? EINTR : EAGAIN);
        request_end(&w->op);
    } else {
        request_reply(&w->op, "lock", rc);
    }
    free(w);
}

/* It is known whether something is in the way, unless the namenode has just been started. */
static bool is_known(const struct posix_lock *in_the_way)
{
    return in_the_way->type != POSIX_LOCK_NONE;
}

static void *wait_for_lock(void *arg)
{
    struct waiting *w = arg;
    struct posix_lock there = {.type = POSIX_LOCK_NONE};
    bool granted = false;
    int rc = 0;
    while (rc == 0 && !granted && (w->is_patient || !is_known(&there)) && !w->is_interrupted) {
        int64_t since_ms = clock_mono_ms();
        rc = posix_lock(w->op.fs, w->op.m->store.memory->session, &w->lock, WAIT_STEP_MS, &granted, &there, &w->op.err);
        if (rc == 0 && !granted && clock_mono_ms() - since_ms < WAIT_PAUSE_MS)
            clock_sleep_ms(WAIT_PAUSE_MS);
    }
    if (rc == 0 && granted) {
        pthread_mutex_lock(&w->node->locks_lock);
        note_granted(w);
        pthread_mutex_unlock(&w->node->locks_lock);
    }
    waiting_end(w, rc, granted);
    waiters--;
    return NULL;
}

static void set_lock(fuse_req_t req, const struct fuse_file_info *fi, struct posix_lock lock, bool wait)
{
    struct waiting *w = mem_new(struct waiting);
    pthread_attr_t detached;
    pthread_t thread;
    struct posix_lock there = {0};
    bool granted = false;
    request_begin(&w->op, req);
    w->lock = lock;
    w->is_patient = wait;
    w->lock.handle = fi->fh;
    int rc = node_need(w->op.m->nodes, lock.id, &w->node, &w->op.err);
    if (rc == 0) {
        pthread_mutex_lock(&w->node->locks_lock);
        rc = posix_lock(w->op.fs, w->op.m->store.memory->session, &lock, 0, &granted, &there, &w->op.err);
        if (rc == 0 && granted)
            note_granted(w);
        pthread_mutex_unlock(&w->node->locks_lock);
    }
    if (rc < 0 || granted || (!wait && is_known(&there)) || lock.type == POSIX_LOCK_NONE) {
        waiting_end(w, rc, granted);
        return;
    }
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    fuse_req_interrupt_func(req, on_interrupt, w);
    if (waiters++ >= WAITERS_MAX || pthread_create(&thread, &detached, wait_for_lock, w) != 0) {
        waiters--;
        waiting_end(w, err_set(&w->op.err, ERR_NO_MEMORY, "too many requests wait for locks"), false);
    }
    pthread_attr_destroy(&detached);
}

void locks_end(struct posix_mount *m)
{
    posix_cancel(m->store.fs);
    while (waiters > 0)
        clock_sleep_ms(1);
}

void posix_op_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock, int sleep)
{
    struct posix_mount *m = fuse_req_userdata(req);
    set_lock(req, fi, lock_of(inode_of_ino(m, ino), fi, lock), sleep);
}

void posix_op_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, int op)
{
    struct posix_mount *m = fuse_req_userdata(req);
    int what = op & ~LOCK_NB;
    set_lock(req, fi,
             (struct posix_lock){.id = inode_of_ino(m, ino),
                                 .owner = fi->lock_owner,
                                 .whole = true,
                                 .end = POSIX_LOCK_TO_END,
                                 .type = what == LOCK_SH   ? POSIX_LOCK_SHARED
                                         : what == LOCK_EX ? POSIX_LOCK_EXCLUSIVE
                                                           : POSIX_LOCK_NONE},
             !(op & LOCK_NB));
}

void posix_op_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock)
{
    struct request op;
    struct posix_lock wanted, there;
    bool free_to_lock;
    request_begin(&op, req);
    wanted = lock_of(inode_of_ino(op.m, ino), fi, lock);
    int rc = posix_test_lock(op.fs, op.m->store.memory->session, &wanted, &free_to_lock, &there, &op.err);
    if (rc < 0) {
        request_fail(&op, "getlk");
        return;
    }
    struct flock answer = *lock;
    answer.l_type = F_UNLCK;
    if (!free_to_lock)
        answer = (struct flock){.l_type = there.type == POSIX_LOCK_SHARED ? F_RDLCK : F_WRLCK,
                                .l_whence = SEEK_SET,
                                .l_start = (off_t)there.start,
                                .l_len = there.end == POSIX_LOCK_TO_END ? 0 : (off_t)(there.end - there.start + 1),
                                .l_pid = (pid_t)there.pid};
    fuse_reply_lock(req, &answer);
    request_end(&op);
}

static void release_owner_locked(struct request *op, struct node *n, uint64_t owner, bool whole)
{
    struct posix_lock all = {
        .id = n->id, .owner = owner, .whole = whole, .end = POSIX_LOCK_TO_END, .type = POSIX_LOCK_NONE};
    struct err err = {0};
    bool granted;
    note_held(op->m, &all);
    if (posix_lock(op->fs, op->m->store.memory->session, &all, 0, &granted, NULL, &err) < 0)
        log_warn("mount", "locks stay until the mount ends: inode=%" PRIu64 " err=%s", n->id, err.text);
}

void locks_release_owner(struct request *op, struct node *n, uint64_t owner, bool whole)
{
    if (!node_has_locks(n, whole))
        return;
    pthread_mutex_lock(&n->locks_lock);
    release_owner_locked(op, n, owner, whole);
    pthread_mutex_unlock(&n->locks_lock);
}

static bool find_owner(struct posix_mount *m, uint64_t inode, uint64_t handle, uint64_t *ret)
{
    pthread_mutex_lock(&m->store.held_lock);
    bool found = held_locks_owner(&m->store.memory->locks, inode, handle, ret);
    pthread_mutex_unlock(&m->store.held_lock);
    return found;
}

/* For locks that belong to an open file (F_OFD_SETLK): the kernel only says that the handle ends, not whose they are. A
 * process has let go of its own when it closed the handle, or it has closed none. */
void locks_release_handle(struct request *op, struct node *n, uint64_t handle)
{
    uint64_t owner;
    if (!node_has_locks(n, false))
        return;
    pthread_mutex_lock(&n->locks_lock);
    while (find_owner(op->m, n->id, handle, &owner))
        release_owner_locked(op, n, owner, false);
    pthread_mutex_unlock(&n->locks_lock);
}

static struct posix_lock *held_now(struct posix_mount *m, uint32_t *ret_count)
{
    const struct held_locks *h = &m->store.memory->locks;
    pthread_mutex_lock(&m->store.held_lock);
    struct posix_lock *list = mem_calloc(h->count + 1, sizeof *list);
    *ret_count = h->count;
    memcpy(list, h->items, h->count * sizeof *list);
    pthread_mutex_unlock(&m->store.held_lock);
    return list;
}

static bool is_held_still(struct posix_mount *m, const struct posix_lock *lock)
{
    pthread_mutex_lock(&m->store.held_lock);
    bool held = held_locks_have(&m->store.memory->locks, lock);
    pthread_mutex_unlock(&m->store.held_lock);
    return held;
}

/* In turn with who lets go of it meanwhile. */
static void lock_again(struct posix_mount *m, const struct posix_lock *lock)
{
    struct err err = {0};
    struct node *n;
    bool granted = false;
    int rc = node_need(m->nodes, lock->id, &n, &err);
    if (rc == 0) {
        pthread_mutex_lock(&n->locks_lock);
        if (is_held_still(m, lock))
            rc = posix_lock_again(m->store.fs, m->store.memory->session, lock, &granted, &err);
        else
            granted = true;
        pthread_mutex_unlock(&n->locks_lock);
        node_put(m->nodes, n);
    }
    if (rc < 0 || !granted)
        log_error("mount", "a lock is lost: inode=%" PRIu64 " err=%s", lock->id,
                  rc < 0 ? err.text : "another client has it now");
}

void locks_set_again(struct posix_mount *m)
{
    uint32_t count;
    AUTO(mem_freep) struct posix_lock *list = held_now(m, &count);
    for (uint32_t i = 0; i < count; i++)
        lock_again(m, &list[i]);
}

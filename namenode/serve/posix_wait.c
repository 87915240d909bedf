/* Calls of mounts that wait: for changes, and for locks. */
#include <errno.h>
#include <stdlib.h>

#include "cairn/posix.pb-c.h"
#include "common/clock.h"
#include "common/mem.h"
#include "namenode/namespace/change_log.h"
#include "namenode/serve/op.h"
#include "namenode/serve/posix_state.h"
#include "namenode/serve/posix_wait.h"

#define WAITS_MAX       8192
#define LOCK_WAITS_MAX  128 /* of a session: its connection is read no further when it has too many calls under way */
#define CHANGES_AT_ONCE 1000
#define LOCKS_OWED_MS   15000 /* after a start; a mount comes back within two seconds, if it does */

struct posix_wait {
    struct rpc_call *call;
    struct session *session;
    uint64_t deadline_ms, cursor, connection;
    struct lock_wait lock; /* inode 0: it waits for changes */
    struct posix_wait *next;
};
struct posix_waits {
    struct posix_wait *first, **last; /* in the order they came */
    size_t count, lock_count;
};

struct posix_waits *posix_waits_new(void)
{
    struct posix_waits *w = mem_new(struct posix_waits);
    w->last = &w->first;
    return w;
}

void posix_waits_free(struct posix_waits *w)
{
    free(w);
}

static bool add(struct namenode *nn, struct posix_wait wait)
{
    struct posix_waits *w = nn->posix_waits;
    if (w->count >= WAITS_MAX || nn->stopping)
        return false;
    struct posix_wait *made = mem_new(struct posix_wait);
    *made = wait;
    *w->last = made;
    w->last = &made->next;
    w->count++;
    w->lock_count += wait.lock.inode != 0;
    wait.session->waiting++;
    pthread_cond_signal(&nn->housekeeping_wake);
    return true;
}

/* The answer is prepared: out of the list, and on its way. */
static void answer(struct namenode *nn, struct posix_wait **link)
{
    struct posix_waits *w = nn->posix_waits;
    struct posix_wait *at = *link;
    *link = at->next;
    if (!at->next)
        w->last = link;
    w->count--;
    w->lock_count -= at->lock.inode != 0;
    if (!at->lock.inode)
        change_log_wait_end(nn->dir->changes, at->session->id);
    at->session->waiting--;
    at->session->heard_ms = (uint64_t)clock_mono_ms();
    answer_when_synced(nn, at->call);
    free(at);
}

/* ---- changes ---- */

bool posix_wait_for_changes(struct namenode *nn, struct rpc_call *call, struct session *session, uint64_t cursor,
                            uint64_t deadline_ms)
{
    struct posix_wait wait = {.call = call, .session = session, .deadline_ms = deadline_ms, .cursor = cursor};
    if (!add(nn, wait))
        return false;
    change_log_wait(nn->dir->changes, session->id);
    return true;
}

void posix_prepare_changes(struct namenode *nn, struct rpc_call *call, uint64_t session, uint64_t cursor)
{
    struct arena *a = rpc_call_arena(call);
    struct change *list = arena_array(a, struct change, CHANGES_AT_ONCE);
    bool lost = false;
    size_t count = change_log_take(nn->dir->changes, &cursor, session, list, CHANGES_AT_ONCE, &lost);
    Cairn__AwaitChangesResponseProto response = CAIRN__AWAIT_CHANGES_RESPONSE_PROTO__INIT;
    response.cursor = cursor;
    response.has_lost = response.lost = lost;
    response.n_change = count;
    response.change = arena_array(a, Cairn__ChangeProto *, count);
    for (size_t i = 0; i < count; i++) {
        Cairn__ChangeProto *c = response.change[i] = arena_new(a, Cairn__ChangeProto);
        cairn__change_proto__init(c);
        c->id = list[i].id;
        c->has_name = list[i].name != NULL;
        if (list[i].name)
            c->name = (ProtobufCBinaryData){strlen(list[i].name), (uint8_t *)(uintptr_t)list[i].name};
        c->has_content = c->content = list[i].content;
    }
    rpc_call_prepare(call, &response.base);
}

void posix_tell_changes(struct namenode *nn)
{
    struct posix_wait **link = nn->posix_waits ? &nn->posix_waits->first : NULL;
    while (link && *link) {
        struct posix_wait *at = *link;
        if (!at->lock.inode && change_log_any(nn->dir->changes, &at->cursor, at->session->id)) {
            posix_prepare_changes(nn, at->call, at->session->id, at->cursor);
            answer(nn, link);
        } else {
            link = &at->next;
        }
    }
}

/* ---- locks ---- */

bool posix_wait_for_lock(struct namenode *nn, struct rpc_call *call, struct session *session,
                         const struct lock_wait *lock, uint64_t deadline_ms)
{
    size_t waiting = 0;
    for (const struct posix_wait *at = nn->posix_waits->first; at; at = at->next)
        waiting += at->session == session && at->lock.inode;
    struct posix_wait wait = {.call = call, .session = session, .deadline_ms = deadline_ms, .lock = *lock};
    return waiting < LOCK_WAITS_MAX && rpc_call_watch_connection(call, &wait.connection) && add(nn, wait);
}

void posix_prepare_lock(struct rpc_call *call, bool granted, const struct file_lock *in_the_way)
{
    Cairn__LockResponseProto response = CAIRN__LOCK_RESPONSE_PROTO__INIT;
    response.granted = granted;
    if (!granted && !in_the_way) {
        response.has_type = 1;
        response.type = LOCK_NONE;
    } else if (!granted) {
        response.has_start = response.has_end = response.has_type = response.has_pid = 1;
        response.start = in_the_way->start;
        response.end = in_the_way->end;
        response.type = in_the_way->type;
        response.pid = in_the_way->pid;
    }
    rpc_call_prepare(call, &response.base);
}

bool posix_locks_are_owed(const struct namenode *nn)
{
    return (uint64_t)clock_mono_ms() < nn->started_ms + LOCKS_OWED_MS && sessions_owe_locks(nn->sessions);
}

/* One that waits gets its lock if nothing is in the way any more. false: it goes on waiting. */
static bool try_lock(struct namenode *nn, struct posix_wait *at, bool is_late)
{
    struct file_lock there = {0};
    struct err why = {0};
    bool are_owed = posix_locks_are_owed(nn);
    bool free = !are_owed && !locks_conflict(nn->locks, at->lock.inode, &at->lock.want, &there);
    if (!free && !is_late)
        return false;
    if (free && locks_set(nn->locks, at->lock.inode, &at->lock.want, &why))
        rpc_call_prepare_fail(at->call, &why);
    else
        posix_prepare_lock(at->call, free, are_owed ? NULL : &there);
    return true;
}

void posix_connection_closed(struct namenode *nn, uint64_t connection)
{
    struct posix_wait **link = nn->posix_waits ? &nn->posix_waits->first : NULL;
    while (link && *link) {
        if (!(*link)->lock.inode || (*link)->connection != connection) {
            link = &(*link)->next;
            continue;
        }
        posix_prepare_lock((*link)->call, false, &(struct file_lock){0});
        answer(nn, link);
    }
}

void posix_locks_freed(struct namenode *nn, uint64_t inode)
{
    for (struct posix_wait **link = &nn->posix_waits->first; *link;)
        if ((*link)->lock.inode == inode && try_lock(nn, *link, false))
            answer(nn, link);
        else
            link = &(*link)->next;
}

void posix_locks_settled(struct namenode *nn, struct session *session)
{
    if (session->locks == LOCKS_SETTLED)
        return;
    session->locks = LOCKS_SETTLED;
    for (struct posix_wait **link = &nn->posix_waits->first; *link;)
        if ((*link)->lock.inode && try_lock(nn, *link, false))
            answer(nn, link);
        else
            link = &(*link)->next;
}

bool posix_wait_deadlocks(struct namenode *nn, const struct lock_wait *wait)
{
    const struct posix_waits *w = nn->posix_waits;
    struct lock_wait *list = mem_calloc(w->lock_count + 1, sizeof *list);
    size_t count = 0;
    for (const struct posix_wait *at = w->first; at; at = at->next)
        if (at->lock.inode && !at->lock.want.whole)
            list[count++] = at->lock;
    bool found = locks_deadlock(nn->locks, wait, list, count);
    free(list);
    return found;
}

/* ---- the clock ---- */

bool posix_is_impatient(const struct namenode *nn)
{
    return nn->posix_waits->lock_count > 0;
}

static bool is_over(struct namenode *nn, struct posix_wait *at, uint64_t now_ms)
{
    bool is_late = at->deadline_ms <= now_ms;
    if (at->lock.inode)
        return is_late && try_lock(nn, at, true);
    if (!is_late && !change_log_any(nn->dir->changes, &at->cursor, at->session->id))
        return false;
    posix_prepare_changes(nn, at->call, at->session->id, at->cursor);
    return true;
}

void posix_waits_tick(struct namenode *nn, uint64_t now_ms)
{
    for (struct posix_wait **link = &nn->posix_waits->first; *link;)
        if (is_over(nn, *link, now_ms))
            answer(nn, link);
        else
            link = &(*link)->next;
}

void posix_waits_end_session(struct namenode *nn, const struct session *session)
{
    for (struct posix_wait **link = &nn->posix_waits->first; *link;) {
        if ((*link)->session != session) {
            link = &(*link)->next;
            continue;
        }
        struct err why;
        err_posix(&why, ESTALE, "session %llu has ended", (unsigned long long)session->id);
        rpc_call_prepare_fail((*link)->call, &why);
        answer(nn, link);
    }
}

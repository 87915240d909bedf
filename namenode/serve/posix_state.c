#include "namenode/serve/posix_state.h"

#include "common/clock.h"
#include "common/log.h"
#include "namenode/namespace/change_log.h"
#include "namenode/namespace/files.h"
#include "namenode/namespace/opens.h"
#include "namenode/serve/posix_wait.h"

#define RELEASED_AT_ONCE 100

int posix_state_open(struct namenode *nn, struct err *reterr)
{
    uint64_t expiry_ms = (uint64_t)config_ms(nn->config, "cairn.posix.session-expiry");
    int rc = sessions_load(nn->store, expiry_ms, (uint64_t)clock_mono_ms(), &nn->sessions, reterr);
    if (rc)
        return rc;
    nn->locks = locks_new();
    nn->posix_waits = posix_waits_new();
    change_log_listeners(nn->dir->changes, sessions_count(nn->sessions));
    return 0;
}

void posix_state_close(struct namenode *nn)
{
    posix_waits_free(nn->posix_waits);
    locks_free(nn->locks);
    sessions_free(nn->sessions);
}

static void on_freed(void *context, uint64_t inode)
{
    posix_locks_freed(context, inode);
}

/* Some of what an ended session holds, or the session itself when that was all. */
static int let_go_some(struct namenode *nn, struct session *session, struct txn *t, size_t count, struct err *reterr)
{
    struct file_op o = {nn, t, (uint64_t)clock_mono_ms()};
    for (size_t i = 0; i < count; i++) {
        int rc = session_drop_hold(nn->sessions, t, session, session->held[i], reterr);
        if (rc)
            return rc;
    }
    if (count == session->held_count)
        session_drop(t, session->id);
    return file_commit(&o, reterr);
}

int posix_end_session(struct namenode *nn, struct session *session, struct err *reterr)
{
    struct txn t;
    size_t count = session->held_count < RELEASED_AT_ONCE ? session->held_count : RELEASED_AT_ONCE;
    session->is_ended = true;
    opens_end_session(nn->dir->opens, session->id, UINT64_MAX);
    posix_waits_end_session(nn, session);
    locks_end_session(nn->locks, session->id, on_freed, nn);
    posix_locks_settled(nn, session);
    change_log_listeners(nn->dir->changes, sessions_count(nn->sessions));
    txn_begin(&t, nn->dir, (uint64_t)clock_wall_ns());
    int rc = let_go_some(nn, session, &t, count, reterr);
    txn_end(&t);
    while (!rc && count)
        session_released(session, session->held[--count]);
    if (!rc && !session->held_count)
        sessions_remove(nn->sessions, session);
    return rc;
}

bool posix_tick(struct namenode *nn, uint64_t now_ms)
{
    struct err why = {0};
    posix_waits_tick(nn, now_ms);
    if (now_ms == UINT64_MAX)
        return false; /* a shutdown is no reason to end a session */
    struct session *ended = sessions_next_ended(nn->sessions, now_ms);
    if (!ended)
        return false;
    uint64_t id = ended->id;
    if (ended->has_expired)
        log_info("posix", "session=%llu: nothing was heard of its mount, it has ended", (unsigned long long)id);
    if (!posix_end_session(nn, ended, &why))
        return true;
    log_error("posix", "session=%llu: cannot let go of its files: %s", (unsigned long long)id, why.text);
    return false;
}

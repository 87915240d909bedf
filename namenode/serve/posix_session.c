/* PosixProtocol: who a mount is, what it holds, what it waits for. */
#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "namenode/namespace/change_log.h"
#include "namenode/namespace/edit_turns.h"
#include "namenode/namespace/leases.h"
#include "namenode/serve/posix_calls.h"
#include "namenode/serve/posix_state.h"

#define WAIT_MS_MAX 60000

/* ---- sessions ---- */

static void set_clients(struct session *s, struct rpc_call *call, const Cairn__OpenSessionRequestProto *q)
{
    struct slice own = rpc_call_client_id(call);
    s->client_count = 0;
    if (own.len == SESSION_CLIENT_ID_LEN)
        memcpy(s->clients[s->client_count++], own.base, own.len);
    for (size_t i = 0; i < q->n_rpc_client && s->client_count < SESSION_CLIENTS_MAX; i++)
        if (q->rpc_client[i].len == SESSION_CLIENT_ID_LEN)
            memcpy(s->clients[s->client_count++], q->rpc_client[i].data, SESSION_CLIENT_ID_LEN);
}

static int new_session(struct op *op, const char *name, struct session **ret)
{
    uint64_t id = 0;
    int rc = session_put_new(op->nn->sessions, &op->t, name, &id, &op->err);
    rc = rc ? rc : file_commit(&op->file, &op->err);
    if (rc)
        return rc;
    *ret = sessions_add(op->nn->sessions, id, name, op->file.now_ms);
    change_log_listeners(op->nn->dir->changes, sessions_count(op->nn->sessions));
    return 0;
}

void posix_call_open_session(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Cairn__OpenSessionRequestProto *q = (const void *)message;
    struct op op;
    const char *name = q->client_name ? q->client_name : "";
    int rc = posix_begin(&op, context, call, q->session);
    OP_RESPONSE(&op, cairn__open_session_response_proto, Cairn__OpenSessionResponseProto);
    struct session *s = rc ? NULL : sessions_find(op.nn->sessions, q->session);
    if (!rc && strlen(name) > NAME_KEPT_MAX)
        rc = err_set(&op.err, ERR_ILLEGAL_ARGUMENT, "a client's name is longer than %d bytes", NAME_KEPT_MAX);
    if (!rc && !s)
        rc = new_session(&op, name, &s);
    if (!rc) {
        if (strcmp(s->name, name)) /* its process is gone, and another goes on */
            leases_disconnected(op.nn->leases, s->name, true);
        session_set_name(s, name);
        if (s->locks == LOCKS_OWED)
            s->locks = LOCKS_COMING;
        set_clients(s, call, q);
        op_writer(&op, name);
        edit_turns_is_back(op.nn->edit_turns, s->id, op.file.now_ms);
        rc = posix_opens_anew(&op, s, q->opened);
    }
    if (!rc) {
        log_info("posix", "session=%llu: %s by %s%s%.100s from %s", (unsigned long long)s->id,
                 q->session ? "goes on" : "opened", name, q->label ? ", " : "", q->label ? q->label : "",
                 rpc_call_client_ip(call));
        response->session = s->id;
        response->cursor = change_log_cursor(op.nn->dir->changes);
        response->expires_ms = sessions_expiry_ms(op.nn->sessions);
        response->cluster = op.nn->ids.cluster_id;
    }
    op_end(&op, rc, &response->base);
}

void posix_call_close_session(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Cairn__CloseSessionRequestProto *q = (const void *)message;
    struct op op;
    int rc = posix_begin(&op, context, call, q->session);
    struct session *s = rc ? NULL : sessions_find(op.nn->sessions, q->session);
    OP_RESPONSE(&op, cairn__close_session_response_proto, Cairn__CloseSessionResponseProto);
    if (rc == ERR_STALE) /* as it was to be */
        rc = 0;
    if (!rc && s)
        rc = posix_end_session(op.nn, s, &op.err); /* with txns of its own; what is left, housekeeping does */
    pthread_cond_signal(&op.nn->housekeeping_wake);
    op_end(&op, rc, &response->base);
}

void posix_call_release(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Cairn__ReleaseRequestProto *q = (const void *)message;
    struct op op;
    int rc = posix_begin(&op, context, call, q->session);
    struct session *s = rc ? NULL : sessions_find(op.nn->sessions, q->session);
    OP_RESPONSE(&op, cairn__release_response_proto, Cairn__ReleaseResponseProto);
    rc = rc ? rc : posix_closed(&op, q->session, q->handles);
    rc = rc || !s ? rc : posix_let_go(&op, s, q->id, q->n_id);
    for (size_t i = 0; !rc && s && i < q->n_id; i++) {
        if (locks_end_file(op.nn->locks, s->id, q->id[i]))
            posix_locks_freed(op.nn, q->id[i]);
    }
    op_end(&op, rc, &response->base);
}

/* ---- waiting ---- */

void posix_call_await_changes(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Cairn__AwaitChangesRequestProto *q = (const void *)message;
    struct op op;
    int rc = posix_begin(&op, context, call, q->session);
    struct session *s = rc ? NULL : sessions_find(op.nn->sessions, q->session);
    if (!rc && !s)
        rc = err_posix(&op.err, ESTALE, "no session is named");
    if (rc) {
        op_end_read(&op, rc, NULL);
        return;
    }
    if (s->locks == LOCKS_COMING)
        posix_locks_settled(op.nn, s);
    uint64_t cursor = q->cursor, wait_ms = q->wait_ms < WAIT_MS_MAX ? q->wait_ms : WAIT_MS_MAX;
    bool any = change_log_any(op.nn->dir->changes, &cursor, s->id);
    bool waits = !any && wait_ms && posix_wait_for_changes(op.nn, call, s, cursor, op.file.now_ms + wait_ms);
    if (!waits) {
        posix_prepare_changes(op.nn, call, s->id, cursor);
        answer_when_synced(op.nn, call);
    }
    op_end_parked(&op);
}

static int check_lock(struct op *op, const Cairn__LockRequestProto *q)
{
    struct inode *n = NULL;
    if (q->type > LOCK_NONE || q->start > q->end)
        return err_set(&op->err, ERR_ILLEGAL_ARGUMENT, "lock of type %u on bytes %llu to %llu", q->type,
                       (unsigned long long)q->start, (unsigned long long)q->end);
    return q->type == LOCK_NONE ? 0 : posix_inode(op, q->id, &n); /* one may be let go even if its file is gone */
}

/* As Linux does it: a flock that is converted goes before the new one is there, so that two who wait for each other's
 * shared lock to go both get on. */
static void drop_converted(struct op *op, uint64_t inode, const struct file_lock *want)
{
    struct file_lock none = *want;
    none.type = LOCK_NONE;
    if (locks_set(op->nn->locks, inode, &none, NULL) == 0)
        posix_locks_freed(op->nn, inode);
}

/* Once for all that it will have: without that, others would be given its locks after the next start. */
static int note_locking(struct op *op, struct session *s)
{
    if (s->has_locked)
        return 0;
    session_put_locked(&op->t, s);
    int rc = file_commit(&op->file, &op->err);
    s->has_locked = rc == 0;
    return rc;
}

/* Grants it, or says what is in the way, or waits; the call has its answer then, or is taken over. */
static int lock(struct op *op, const Cairn__LockRequestProto *q, struct session *s)
{
    struct locks *all = op->nn->locks;
    struct file_lock there = {0};
    struct lock_wait want = {.inode = q->id,
                             .want = {.session = s->id,
                                      .owner = q->owner,
                                      .start = q->whole ? 0 : q->start,
                                      .end = q->whole ? UINT64_MAX : q->end,
                                      .pid = q->pid,
                                      .type = (uint8_t)q->type,
                                      .whole = q->whole}};
    bool is_early = !q->again && !q->test && q->type != LOCK_NONE && posix_locks_are_owed(op->nn);
    bool is_free = !is_early && !locks_conflict(all, q->id, &want.want, &there);
    uint64_t wait_ms = q->wait_ms < WAIT_MS_MAX ? q->wait_ms : WAIT_MS_MAX;
    bool may_get_it = !q->test && q->type != LOCK_NONE && (is_free || wait_ms);
    int rc = may_get_it ? note_locking(op, s) : 0;
    if (!rc && is_free && !q->test)
        rc = locks_set(all, q->id, &want.want, &op->err);
    if (!is_free && !is_early && !q->test && q->whole)
        drop_converted(op, q->id, &want.want);
    if (!rc && !is_free && !q->test && wait_ms) {
        if (posix_wait_deadlocks(op->nn, &want))
            rc = err_posix(&op->err, EDEADLK, "waiting for this lock on inode %llu would never end",
                           (unsigned long long)q->id);
        else if (posix_wait_for_lock(op->nn, op->call, s, &want, op->file.now_ms + wait_ms))
            return 0;
    }
    if (rc)
        return rc;
    posix_prepare_lock(op->call, is_free, is_early ? NULL : &there);
    answer_when_synced(op->nn, op->call);
    if (is_free && !q->test)
        posix_locks_freed(op->nn, q->id); /* less than before may be locked now */
    return 0;
}

void posix_call_lock(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Cairn__LockRequestProto *q = (const void *)message;
    struct op op;
    int rc = posix_begin(&op, context, call, q->session);
    struct session *s = rc ? NULL : sessions_find(op.nn->sessions, q->session);
    if (!rc && !s)
        rc = err_posix(&op.err, ESTALE, "no session is named");
    rc = rc ? rc : check_lock(&op, q);
    rc = rc ? rc : lock(&op, q, s);
    if (rc)
        op_end_read(&op, rc, NULL);
    else
        op_end_parked(&op);
}

#include "namenode/serve/op.h"

#include <string.h>

#include "common/clock.h"
#include "namenode/namespace/change_log.h"
#include "namenode/namespace/leases.h"
#include "namenode/namespace/sessions.h"
#include "namenode/namespace/writers.h"
#include "namenode/serve/posix_state.h"

const char *op_caller(const struct rpc_call *call)
{
    const char *user = rpc_call_user(call);
    return *user ? user : "dr.who"; /* Hadoop's name for nobody in particular */
}

/* But for the user; the lock is held. */
static void begin(struct op *op, struct namenode *nn, struct rpc_call *call)
{
    op->nn = nn;
    op->call = call;
    op->arena = rpc_call_arena(call);
    op->err = (struct err){0};
    op->file = (struct file_op){nn, &op->t, (uint64_t)clock_mono_ms()};
    txn_begin(&op->t, nn->dir, (uint64_t)clock_wall_ns());
    struct slice client = rpc_call_client_id(call);
    op->t.has_retry = rpc_call_is_at_most_once(call) && client.len == sizeof op->t.retry.client_id;
    if (op->t.has_retry) {
        memcpy(op->t.retry.client_id, client.base, client.len);
        op->t.retry.call_id = rpc_call_id(call);
    }
    op->t.session = client.len == 16 ? sessions_of_client(nn->sessions, client.base) : 0;
}

void op_begin(struct op *op, struct namenode *nn, struct rpc_call *call)
{
    fs_user_load(&op->user, nn->dir, op_caller(call));
    namenode_lock(nn);
    begin(op, nn, call);
}

void op_resume(struct op *op, struct namenode *nn, struct rpc_call *call)
{
    op->user = (struct fs_user){.name = ""};
    begin(op, nn, call);
}

void op_begin_walk(struct op *op, struct namenode *nn, struct rpc_call *call)
{
    op->nn = nn;
    op->call = call;
    op->arena = rpc_call_arena(call);
    op->err = (struct err){0};
    fs_user_load(&op->user, nn->dir, op_caller(call));
    op->file = (struct file_op){nn, &op->t, (uint64_t)clock_mono_ms()};
    txn_begin_snapshot(&op->t, nn->dir);
}

static void send(void *call)
{
    rpc_call_send(call);
}

void answer_when_synced(struct namenode *nn, struct rpc_call *call)
{
    journal_when_synced(nn->journal, journal_latest(nn->journal), send, call);
}

static void prepare(struct op *op, int rc, const ProtobufCMessage *response)
{
    if (!rc) {
        rpc_call_prepare(op->call, response);
        return;
    }
    if (!op->err.code)
        err_set(&op->err, rc, "%s failed", rpc_call_method(op->call));
    if (op->err.code == ERR_UNRESOLVED_PATH && op->t.unresolved)
        rpc_call_prepare_fail_text(op->call, &op->err, op->t.unresolved);
    else
        rpc_call_prepare_fail(op->call, &op->err);
}

/* The journal's number that the answer has to wait for. */
static uint64_t finish(struct op *op, int rc, const ProtobufCMessage *response)
{
    if (!rc) {
        op->t.is_final = true;
        rc = file_commit(&op->file, &op->err);
    }
    if (change_log_wakes(op->nn->dir->changes, op->t.session))
        posix_tell_changes(op->nn);
    prepare(op, rc, response);
    uint64_t seq = journal_latest(op->nn->journal);
    op->t.closed_count = 0;
    txn_end(&op->t);
    return seq;
}

void op_end(struct op *op, int rc, const ProtobufCMessage *response)
{
    uint64_t seq = finish(op, rc, response);
    namenode_unlock(op->nn);
    journal_when_synced(op->nn->journal, seq, send, op->call);
}

void op_end_resumed(struct op *op, int rc, const ProtobufCMessage *response)
{
    journal_when_synced(op->nn->journal, finish(op, rc, response), send, op->call);
}

void op_end_read(struct op *op, int rc, const ProtobufCMessage *response)
{
    prepare(op, rc, response);
    txn_end(&op->t);
    namenode_unlock(op->nn);
    rpc_call_send(op->call);
}

void op_end_walk(struct op *op, int rc, const ProtobufCMessage *response)
{
    prepare(op, rc, response);
    txn_end(&op->t);
    rpc_call_send(op->call);
}

void op_end_parked(struct op *op)
{
    txn_end(&op->t);
    namenode_unlock(op->nn);
}

int op_check_safe_mode(struct op *op, const char *doing, const char *path)
{
    if (!blocks_in_safe_mode(op->nn->blocks))
        return 0;
    AUTO(buf_free) struct buf text = {0};
    blocks_safe_mode_text(op->nn->blocks, op->file.now_ms, &text);
    return err_set(&op->err, ERR_SAFE_MODE, "Cannot %s%s%s. Name node is in safe mode.\n%s NamenodeHostName:%s", doing,
                   *path ? " " : "", path, buf_cstr(&text), op->nn->host_name);
}

void op_writer(struct op *op, const char *client_name)
{
    uint64_t connection;
    leases_renew(op->nn->leases, client_name, op->file.now_ms);
    if (rpc_call_watch_connection(op->call, &connection))
        writers_seen(op->nn->writers, client_name, connection);
}

/* A Java client closes a connection that was idle for ipc.client.connection.maxidletime, 10 s, and goes on writing to
 * datanodes. One that ends earlier ends with its process. */
#define IDLE_CLOSE_MS 9500

struct closed_connection {
    struct namenode *nn;
    bool by_peer, was_idle;
};

/* A mount closes none of its connections before it ends. */
static void on_writer_gone(void *context, const char *client_name)
{
    const struct closed_connection *c = context;
    bool is_mount = sessions_of_writer(c->nn->sessions, client_name) != 0;
    leases_disconnected(c->nn->leases, client_name, c->by_peer && (is_mount || !c->was_idle));
}

void op_connection_closed(void *context, uint64_t connection, int64_t idle_ms, bool by_peer)
{
    struct closed_connection c = {context, by_peer, idle_ms >= IDLE_CLOSE_MS};
    namenode_lock(c.nn);
    writers_closed(c.nn->writers, connection, on_writer_gone, &c);
    posix_connection_closed(c.nn, connection);
    namenode_unlock(c.nn);
}

int op_check_super(struct op *op)
{
    return access_check_super(&op->user, &op->err);
}

int op_check_pool(struct op *op, const char *pool_id)
{
    if (!strcmp(pool_id, op->nn->ids.block_pool_id))
        return 0;
    return err_set(&op->err, ERR_IO, "Unexpected BlockPoolId %s - expected %s", pool_id, op->nn->ids.block_pool_id);
}

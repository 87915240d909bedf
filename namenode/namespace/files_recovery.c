/* What happens to a file whose writer is gone: its lease is taken over, its last block recovered, the file closed. */
#include <inttypes.h>
#include <string.h>

#include "common/log.h"
#include "namenode/namespace/files.h"
#include "namenode/namespace/leases.h"

#define REPORTS_AWAITED_MS                                                                                             \
    60000 /* after a start, datanodes get this long to say what they have of unfinished blocks                         \
           */

struct block_record file_block_record(const struct inode *n, const struct file_block *b)
{
    return (struct block_record){.block_id = b->id,
                                 .inode_id = n->id,
                                 .gen_stamp = b->stamp,
                                 .bytes = b->length_bytes,
                                 .replication = inode_block_replication(n),
                                 .state = b->state};
}

int file_begin_recovery(const struct file_op *o, struct inode *n, struct err *reterr)
{
    struct file_block *b = inode_last_block(n);
    n->recovery_stamp = txn_next_stamp(o->t);
    const char *holder = arena_printf(&o->t->arena, "HDFS_NameNode-%" PRIu64, n->id);
    txn_open_file(o->t, n, holder, n->client_machine ? n->client_machine : "");
    int rc = file_commit(o, reterr);
    if (rc)
        return rc;
    leases_add_recovering(o->nn->leases, holder, n->id, o->now_ms);
    struct block_record record = file_block_record(n, b), source;
    struct err why = {0};
    if (n->truncate_source)
        rc = txn_block(o->t, n->truncate_source, &source, &why);
    if (!rc)
        rc = blocks_start_recovery(o->nn->blocks, &record, n->truncate_source ? &source : NULL, n->recovery_stamp,
                                   n->truncate_length, o->now_ms, &why);
    if (rc)
        log_warn("leases", "block=%" PRIu64 " of inode %" PRIu64 " cannot be recovered now, trying again later: %s",
                 b->id, n->id, why.text);
    return 0;
}

/* Nobody has said that it is there. */
static bool is_unheard_of(const struct file_op *o, const struct file_block *b)
{
    struct block_location location;
    return !blocks_locations(o->nn->blocks, b->id, NULL, &location, 1) && !blocks_may_come_back(o->nn->blocks, b->id);
}

/* There may be some who still will: whoever asks is to ask again. */
static bool is_soon_reported(const struct file_op *o, const struct file_block *b)
{
    return b->id < o->nn->first_block_since_start && o->now_ms - o->nn->started_ms < REPORTS_AWAITED_MS;
}

int file_release_lease(const struct file_op *o, struct inode *n, const char *path, bool *ret_closed, struct err *reterr)
{
    *ret_closed = false;
    if (!n->is_open) {
        *ret_closed = true;
        return 0;
    }
    int rc = file_try_close(o, n, true, ret_closed, reterr);
    if (rc || *ret_closed)
        return rc;
    struct file_block *b = inode_last_block(n);
    if (b->state != BLOCK_UNDER_CONSTRUCTION)
        return err_set(reterr, ERR_ALREADY_BEING_CREATED,
                       "DIR* NameSystem.internalReleaseLease: Failed to release lease for file %s. Committed blocks "
                       "are waiting to "
                       "be minimally replicated. Try again later.",
                       path);
    if (leases_is_recovering(o->nn->leases, n->id, o->now_ms))
        return 0;
    if (is_unheard_of(o, b) && is_soon_reported(o, b))
        return 0;
    if (is_unheard_of(o, b) && !b->length_bytes) { /* nothing was ever written anywhere */
        txn_drop_last_block(o->t, n);
        return file_try_close(o, n, true, ret_closed, reterr);
    }
    return file_begin_recovery(o, n, reterr);
}

int file_take_over(const struct file_op *o, struct inode *n, const char *doing, const char *path,
                   const char *client_name, const char *client_machine, bool force, bool *ret_closed,
                   struct err *reterr)
{
    *ret_closed = true;
    if (!n->is_open)
        return 0;
#define REFUSE(code, ...)                                                                                              \
    err_set(reterr, code, "Failed to %s %s for %s on %s because %s", doing, path, client_name, client_machine,         \
            arena_printf(&o->t->arena, __VA_ARGS__))
    if (force)
        return file_release_lease(o, n, path, ret_closed, reterr);
    if (!strcmp(n->client_name, client_name))
        return REFUSE(ERR_ALREADY_BEING_CREATED, "%s is already the current lease holder.", client_name);
    if (leases_soft_expired(o->nn->leases, n->client_name, o->now_ms)) {
        int rc = file_release_lease(o, n, path, ret_closed, reterr);
        if (rc || *ret_closed)
            return rc;
        return REFUSE(ERR_RECOVERY_IN_PROGRESS, "lease recovery is in progress. Try again later.");
    }
    if (n->recovery_stamp)
        return REFUSE(ERR_RECOVERY_IN_PROGRESS, "another recovery is in progress by %s on %s", n->client_name,
                      n->client_machine);
    return REFUSE(ERR_ALREADY_BEING_CREATED, "this file lease is currently owned by %s on %s", n->client_name,
                  n->client_machine);
#undef REFUSE
}

int file_recover_lease(const struct file_op *o, const struct fs_user *u, const char *path, const char *client_name,
                       const char *client_machine, bool *ret_closed, struct err *reterr)
{
    struct path p;
    int rc = path_resolve(o->t, u, path, 0, &p, reterr);
    if (rc)
        return rc;
    struct inode *n = path_target(&p);
    if (!inode_is_file(n))
        return err_set(reterr, ERR_NOT_FOUND, "Path is not a file: %s", p.text);
    rc = n->is_open ? access_check(u, n, ACCESS_WRITE, p.text, reterr) : 0;
    return rc ? rc
              : file_take_over(o, n, "RECOVER_LEASE", p.text, client_name, client_machine, true, ret_closed, reterr);
}

/* ---- the datanodes' answer ---- */

static int set_recovered(const struct file_op *o, struct inode *n, struct file_block *b, const struct block_recovery *r,
                         struct err *reterr)
{
    txn_set_block(o->t, n, b, r->new_gen_stamp, r->new_bytes, BLOCK_COMMITTED);
    n->recovery_stamp = 0;
    n->truncate_length = BLOCKS_NO_TRUNCATE;
    int rc = file_commit(o, reterr);
    if (rc)
        return rc;
    blocks_recovered(o->nn->blocks, r, o->now_ms);
    if (!blocks_commit(o->nn->blocks, b->id, b->stamp, b->length_bytes))
        return 0;
    txn_set_block(o->t, n, b, b->stamp, b->length_bytes, BLOCK_COMPLETE);
    rc = file_commit(o, reterr);
    if (!rc)
        blocks_complete(o->nn->blocks, b->id, o->now_ms);
    return rc;
}

int file_block_recovered(const struct file_op *o, const struct block_recovery *r, struct err *reterr)
{
    struct block_record record;
    struct inode *n = NULL;
    int rc = txn_block(o->t, r->block_id, &record, NULL);
    if (rc == ERR_NOT_FOUND && r->delete_block)
        return 0; /* it is gone, as was to be */
    if (rc)
        return err_set(reterr, ERR_IO, "Block (=blk_%" PRIu64 ") not found", r->block_id);
    rc = txn_inode(o->t, record.inode_id, &n, reterr);
    if (rc)
        return rc;
    if (!txn_is_attached(o->t, n))
        return err_set(reterr, ERR_NOT_FOUND, "File not found: inode %" PRIu64 ", likely due to delayed block removal",
                       n->id);
    struct file_block *b = inode_last_block(n);
    struct block_recovery of_copy = *r;
    if (b && n->truncate_source == r->block_id) { /* datanodes speak of the block that they copied from */
        of_copy.block_id = b->id;
        r = &of_copy;
    }
    if (!n->is_open || !b || b->id != r->block_id || b->state == BLOCK_COMPLETE) {
        if (record.state == BLOCK_COMPLETE && record.gen_stamp == r->new_gen_stamp)
            return 0; /* said before */
        return err_set(reterr, ERR_IO,
                       "Unexpected block (=blk_%" PRIu64 ") since the file (inode %" PRIu64
                       ") is not under construction",
                       r->block_id, n->id);
    }
    if (r->new_gen_stamp != n->recovery_stamp)
        return err_set(reterr, ERR_IO,
                       "The recovery id %" PRIu64 " does not match current recovery id %" PRIu64
                       " for block blk_%" PRIu64,
                       r->new_gen_stamp, n->recovery_stamp, r->block_id);
    if (r->delete_block) {
        txn_drop_last_block(o->t, n);
        n->recovery_stamp = 0;
        rc = file_commit(o, reterr);
    } else {
        rc = set_recovered(o, n, b, r, reterr);
    }
    bool closed = false;
    return rc || !r->close_file ? rc : file_try_close(o, n, true, &closed, reterr);
}

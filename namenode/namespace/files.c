/* create, and the blocks of an open file. */
#include "namenode/namespace/files.h"

#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "namenode/namespace/change_log.h"
#include "namenode/namespace/edit_turns.h"
#include "namenode/namespace/files_edit.h"
#include "namenode/namespace/graves.h"
#include "namenode/namespace/leases.h"
#include "namenode/namespace/links.h"
#include "namenode/namespace/lost_streams.h"
#include "namenode/namespace/policy.h"
#include "namenode/namespace/sessions.h"
#include "namenode/namespace/tree.h"
#include "namenode/namespace/writers.h"

static void tell_sessions(const struct file_op *o)
{
    const struct inode_hold *holds = (const void *)o->t->holds.base;
    for (size_t i = 0; i < o->t->holds.len / sizeof *holds; i++) {
        struct session *s = sessions_find(o->nn->sessions, holds[i].session);
        if (s)
            session_held(s, holds[i].inode);
    }
    buf_clear(&o->t->holds);
}

int file_commit(const struct file_op *o, struct err *reterr)
{
    int rc = txn_commit(o->t, reterr);
    if (rc)
        return rc;
    for (size_t i = 0; i < o->t->closed_count; i++)
        leases_remove(o->nn->leases, o->t->closed[i]);
    for (size_t i = 0; i < o->t->freed_count; i++)
        blocks_remove(o->nn->blocks, o->t->freed[i]);
    const uint64_t *lingering = (const void *)o->t->lingering.base;
    for (size_t i = 0; i < o->t->lingering.len / sizeof *lingering; i++)
        graves_add(o->nn->graves, lingering[i], o->now_ms);
    buf_clear(&o->t->lingering);
    const struct block_replication *r = (const void *)o->t->replications.base;
    for (size_t i = 0; i < o->t->replications.len / sizeof *r; i++)
        blocks_set_replication(o->nn->blocks, r[i].id, r[i].replication, o->now_ms);
    buf_clear(&o->t->replications);
    tell_sessions(o);
    if (o->t->discard_count) {
        o->nn->reap_pending += o->t->discard_count;
        pthread_cond_signal(&o->nn->housekeeping_wake);
    }
    if (change_log_wakes(o->t->dir->changes, o->t->session))
        pthread_cond_signal(&o->nn->housekeeping_wake);
    o->t->closed_count = o->t->freed_count = o->t->discard_count = 0;
    return 0;
}

/* ---- create ---- */

/* May the user have a file there? In HDFS's order: who may not write to the directory is told only that. */
static int check_place(const struct file_op *o, const struct fs_user *u, const struct file_create_args *args,
                       const struct path *p, struct err *reterr)
{
    size_t parents_made_max = args->create_parents ? PARENTS_ANY : args->create_folder ? 1 : 0;
    const struct inode *there = path_target(p);
    int rc = tree_check_ancestor(o->t, u, p, reterr);
    if (rc)
        return rc;
    if (there && inode_is_dir(there))
        return err_set(reterr, ERR_EXISTS, "%s already exists as a directory", p->text);
    if (there)
        return args->overwrite ? access_check(u, there, ACCESS_WRITE, p->text, reterr) : 0;
    rc = tree_check_parent(o->t, p, parents_made_max, reterr);
    if (!rc && !args->create)
        rc = err_set(reterr, ERR_NOT_FOUND, "Can't overwrite non-existent %s", p->text);
    return rc;
}

static int check_create(const struct file_op *o, const struct file_create_args *args, const struct path *p,
                        struct err *reterr)
{
    const struct fsdir_limits *limits = &o->t->dir->limits;
    if (args->block_bytes < limits->block_bytes_min)
        return err_set(reterr, ERR_IO,
                       "Specified block size %llu is less than configured minimum value "
                       "dfs.namenode.fs-limits.min-block-size=%llu",
                       (unsigned long long)args->block_bytes, (unsigned long long)limits->block_bytes_min);
    if (args->block_bytes > INT64_MAX)
        return err_set(reterr, ERR_IO, "Specified block size %llu is not possible",
                       (unsigned long long)args->block_bytes);
    if (args->storage_policy && *args->storage_policy && !storage_policy_named(args->storage_policy))
        return err_set(reterr, ERR_HADOOP_ILLEGAL_ARGUMENT, "Cannot find a block policy with the name %s",
                       args->storage_policy);
    return tree_check_replication(o->t->dir, p->text, args->replication, reterr);
}

/* The file that is in the way: removed, or an error. */
static int make_way(const struct file_op *o, const struct file_create_args *args, struct path *p, struct err *reterr)
{
    struct inode *there = path_target(p);
    if (args->overwrite) {
        int rc = txn_unlink(o->t, path_parent(p), path_name(p), there, reterr);
        if (!rc)
            txn_discard(o->t, there);
        return rc;
    }
    bool closed = false;
    int rc = file_take_over(o, there, "CREATE_FILE", p->text, args->client_name, args->client_machine, false, &closed,
                            reterr);
    return rc ? rc : err_set(reterr, ERR_EXISTS, "%s for client %s already exists", p->text, args->client_machine);
}

int file_create(const struct file_op *o, const struct fs_user *u, const struct file_create_args *args,
                struct inode **ret, struct err *reterr)
{
    struct path p;
    struct inode *parent = NULL;
    int rc = path_check_new(o->t->dir, args->path, "create", reterr);
    rc = rc ? rc : path_resolve(o->t, u, args->path, PATH_CREATE | PATH_MAY_MISS, &p, reterr);
    rc = rc ? rc : check_place(o, u, args, &p, reterr);
    rc = rc ? rc : check_create(o, args, &p, reterr);
    rc = rc ? rc : tree_make_parents(o->t, u, &p, &parent, reterr);
    if (!rc && path_target(&p))
        rc = make_way(o, args, &p, reterr);
    if (rc)
        return rc;
    struct inode *n = txn_new_inode(o->t, INODE_FILE, args->mode, u->name, parent->group);
    struct create_mode mode = {args->mode, args->unmasked, args->has_unmasked};
    acl_inherit(o->t->dir, parent, n, mode, &o->t->arena);
    if (args->storage_policy && *args->storage_policy)
        n->storage_policy = storage_policy_named(args->storage_policy)->id;
    n->replication = (uint16_t)args->replication;
    n->block_bytes = args->block_bytes;
    txn_link(o->t, parent, path_name(&p), n);
    txn_open_file(o->t, n, args->client_name, args->client_machine);
    txn_final(o->t, n->id);
    rc = file_commit(o, reterr);
    if (rc)
        return rc;
    leases_add(o->nn->leases, n->client_name, n->id, o->now_ms);
    *ret = n;
    return 0;
}

/* ---- whose file is it? ---- */

static int find(const struct file_op *o, const struct fs_user *u, const struct file_ref *ref, struct inode **ret,
                struct err *reterr)
{
    if (!ref->file_id) {
        struct path p;
        int rc = path_resolve(o->t, u, ref->path, 0, &p, reterr);
        if (!rc)
            *ret = path_target(&p);
        return rc;
    }
    /* The file may have been renamed since: the path is not looked at. */
    struct inode *n = NULL;
    int rc = txn_inode(o->t, ref->file_id, &n, reterr);
    if (rc == ERR_NOT_FOUND || (!rc && !txn_is_attached(o->t, n)))
        return err_set(reterr, ERR_NOT_FOUND,
                       "File does not exist: %s (inode %llu) Holder %s does not have any open files.", ref->path,
                       (unsigned long long)ref->file_id, ref->client_name);
    if (!rc)
        *ret = n;
    return rc;
}

int file_check_lease(const struct file_op *o, const struct fs_user *u, const struct file_ref *ref, struct inode **ret,
                     struct inode **ret_any, struct err *reterr)
{
    struct inode *n = NULL;
    int rc = find(o, u, ref, &n, reterr);
    if (rc)
        return rc;
    unsigned long long id = n->id;
    if (!inode_is_file(n))
        return err_set(reterr, ERR_LEASE_EXPIRED, "INode is not a regular file: %s (inode %llu)", ref->path, id);
    if (ret_any)
        *ret_any = n;
    if (!n->is_open)
        return err_set(reterr, ERR_LEASE_EXPIRED,
                       "File is not open for writing: %s (inode %llu) Holder %s does not have any "
                       "open files.",
                       ref->path, id, ref->client_name);
    if (strcmp(n->client_name, ref->client_name))
        return err_set(reterr, ERR_LEASE_EXPIRED, "Client (=%s) is not the lease owner (=%s: %s (inode %llu)",
                       ref->client_name, n->client_name, ref->path, id);
    *ret = n;
    return 0;
}

/* ---- blocks ---- */

static bool is_block(const struct file_block *b, const struct block_id_stamp *as)
{
    return b && as ? b->id == as->id && b->stamp == as->stamp : !b && !as;
}

/* The writer says how long its last block became. Enough replicas may be there already: then the block is complete. */
static int commit_last_block(const struct file_op *o, struct inode *n, const struct block_id_stamp *last,
                             struct err *reterr)
{
    struct file_block *b = inode_last_block(n);
    if (!b || b->state != BLOCK_UNDER_CONSTRUCTION)
        return 0;
    if (!last)
        return 0; /* nothing is said about it */
    if (b->id != last->id || b->stamp != last->stamp)
        return err_set(reterr, ERR_IO,
                       "Commit block with mismatching block: blk_%llu_%llu was given, the last one is blk_%llu_%llu",
                       (unsigned long long)last->id, (unsigned long long)last->stamp, (unsigned long long)b->id,
                       (unsigned long long)b->stamp);
    if (last->length_bytes > n->block_bytes && last->length_bytes > b->length_bytes)
        return err_set(reterr, ERR_IO,
                       "Commit block blk_%llu_%llu with %llu bytes, more than the file's block size of %llu",
                       (unsigned long long)b->id, (unsigned long long)b->stamp, (unsigned long long)last->length_bytes,
                       (unsigned long long)n->block_bytes);
    txn_set_block(o->t, n, b, b->stamp, last->length_bytes, BLOCK_COMMITTED);
    int rc = file_commit(o, reterr);
    if (rc)
        return rc;
    if (!blocks_commit(o->nn->blocks, b->id, b->stamp, b->length_bytes))
        return 0;
    txn_set_block(o->t, n, b, b->stamp, b->length_bytes, BLOCK_COMPLETE);
    rc = file_commit(o, reterr);
    if (!rc)
        blocks_complete(o->nn->blocks, b->id, o->now_ms);
    return rc;
}

int file_block_replicated(const struct file_op *o, uint64_t block_id, uint64_t *ret_inode, struct err *reterr)
{
    struct block_record record;
    *ret_inode = 0;
    int rc = txn_block(o->t, block_id, &record, reterr);
    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    struct inode *n = NULL;
    rc = txn_inode(o->t, record.inode_id, &n, reterr);
    for (size_t i = rc ? 0 : n->block_count; i-- > 0;) {
        struct file_block *b = &n->blocks[i];
        if (b->id != block_id || b->state != BLOCK_COMMITTED)
            continue;
        txn_set_block(o->t, n, b, b->stamp, b->length_bytes, BLOCK_COMPLETE);
        rc = file_commit(o, reterr);
        if (rc)
            return rc;
        blocks_complete(o->nn->blocks, block_id, o->now_ms);
        *ret_inode = n->id;
        return 0;
    }
    return rc;
}

static int choose(const struct file_op *o, struct inode *n, const char *path, struct choose_args *args,
                  struct new_block *ret, struct err *reterr)
{
    args->client_ip = n->client_machine;
    args->count = n->replication < BLOCK_LOCATIONS_MAX ? n->replication : BLOCK_LOCATIONS_MAX;
    args->block_bytes = n->block_bytes;
    int rc = inode_policy(o->t, n, &args->policy, reterr);
    if (rc)
        return rc;
    ret->target_count = blocks_choose_targets(o->nn->blocks, args, ret->targets, BLOCK_LOCATIONS_MAX);
    if (ret->target_count >= o->t->dir->limits.replication_min)
        return 0;
    struct blocks_stats stats;
    blocks_stats(o->nn->blocks, &stats);
    char excluded[32] = "no";
    if (args->excluded_count)
        snprintf(excluded, sizeof excluded, "%zu", args->excluded_count);
    return err_set(
        reterr, ERR_IO,
        "File %s could only be written to %zu of the %u minReplication nodes. There are %u datanode(s) running and "
        "%s node(s) are excluded in this operation.",
        path, ret->target_count, o->t->dir->limits.replication_min, stats.live, excluded);
}

/* A call that was made before: the block it got, again. */
static void answer_again(const struct file_op *o, struct inode *n, struct new_block *ret)
{
    struct file_block *last = inode_last_block(n);
    ret->block = last;
    ret->offset = inode_length(n) - last->length_bytes;
    ret->target_count = blocks_locations(o->nn->blocks, last->id, NULL, ret->targets, BLOCK_LOCATIONS_MAX);
}

/* The block map has the last block being written on the targets. */
static void begin_block(const struct file_op *o, const struct inode *n, const struct new_block *made)
{
    const char *storages[BLOCK_LOCATIONS_MAX];
    for (size_t i = 0; i < made->target_count; i++)
        storages[i] = made->targets[i].storage_uuid;
    blocks_under_construction(o->nn->blocks, made->block->id, made->block->stamp, n->block_bytes,
                              inode_block_replication(n), storages, made->target_count);
}

enum add_block_case { ADD_BLOCK_NEW, ADD_BLOCK_AGAIN };

static int add_block_case(const struct inode *n, const struct block_id_stamp *previous, const char *path,
                          enum add_block_case *ret, struct err *reterr)
{
    struct file_block *last = inode_last_block(n);
    struct file_block *penultimate = n->block_count > 1 ? last - 1 : NULL;
    *ret = ADD_BLOCK_NEW;
    if (is_block(last, previous))
        return 0;
    if (!previous && last->state == BLOCK_COMPLETE &&
        (last->length_bytes >= n->block_bytes || file_block_is_hole(last)))
        return 0; /* append at a block's end */
    if (is_block(penultimate, previous)) {
        if (last->length_bytes || last->state != BLOCK_UNDER_CONSTRUCTION)
            return err_set(reterr, ERR_IO,
                           "Request looked like a retry to allocate block blk_%llu_%llu but it already contains "
                           "%llu bytes",
                           (unsigned long long)last->id, (unsigned long long)last->stamp,
                           (unsigned long long)last->length_bytes);
        *ret = ADD_BLOCK_AGAIN;
        return 0;
    }
    return err_set(reterr, ERR_IO,
                   "Cannot allocate block in %s: passed 'previous' block blk_%llu_%llu does not match actual last "
                   "block in file blk_%llu_%llu",
                   path, (unsigned long long)(previous ? previous->id : 0),
                   (unsigned long long)(previous ? previous->stamp : 0), (unsigned long long)(last ? last->id : 0),
                   (unsigned long long)(last ? last->stamp : 0));
}

int file_add_block(const struct file_op *o, const struct fs_user *u, const struct file_ref *ref,
                   const struct block_id_stamp *previous, struct choose_args *args, struct new_block *ret,
                   struct err *reterr)
{
    struct inode *n = NULL;
    enum add_block_case what;
    int rc = file_check_lease(o, u, ref, &n, NULL, reterr);
    rc = rc ? rc : add_block_case(n, previous, ref->path, &what, reterr);
    if (rc)
        return rc;
    if (what == ADD_BLOCK_AGAIN) {
        answer_again(o, n, ret);
        if (ret->target_count)
            return 0;
        rc = choose(o, n, ref->path, args, ret, reterr); /* where it was to be is forgotten, as after a restart */
        if (!rc)
            begin_block(o, n, ret);
        return rc;
    }
    if (n->block_count >= o->t->dir->limits.blocks_per_file)
        return err_set(reterr, ERR_IO,
                       "File has reached the limit on maximum number of blocks "
                       "(dfs.namenode.fs-limits.max-blocks-per-file): %zu >= %llu",
                       n->block_count, (unsigned long long)o->t->dir->limits.blocks_per_file);
    if (inode_length(n) > INT64_MAX - n->block_bytes) /* holes may be that long */
        return err_set(reterr, ERR_TOO_LARGE, "%s cannot get longer: it has %llu bytes", ref->path,
                       (unsigned long long)inode_length(n));
    /* All but the last block must be safe; the last one's reports may still be on their way. */
    if (n->block_count > 1 && n->blocks[n->block_count - 2].state != BLOCK_COMPLETE)
        return err_set(reterr, ERR_NOT_REPLICATED_YET, "Not replicated yet: %s", ref->path);
    rc = choose(o, n, ref->path, args, ret, reterr);
    rc = rc ? rc : commit_last_block(o, n, previous, reterr);
    if (rc)
        return rc;
    if (n->block_count && inode_last_block(n)->state == BLOCK_UNDER_CONSTRUCTION)
        return err_set(reterr, ERR_IO, "Cannot allocate block in %s: its last block was not given as 'previous'",
                       ref->path);
    ret->offset = inode_length(n);
    struct file_block *b = txn_add_block(o->t, n);
    rc = file_commit(o, reterr);
    if (rc)
        return rc;
    ret->block = b;
    begin_block(o, n, ret);
    return 0;
}

int file_abandon_block(const struct file_op *o, const struct fs_user *u, const struct file_ref *ref, uint64_t block_id,
                       struct err *reterr)
{
    struct inode *n = NULL;
    int rc = file_check_lease(o, u, ref, &n, NULL, reterr);
    if (rc)
        return rc;
    struct file_block *last = inode_last_block(n);
    if (!last || last->id != block_id || last->state != BLOCK_UNDER_CONSTRUCTION)
        return 0; /* abandoned before */
    txn_drop_last_block(o->t, n);
    return file_commit(o, reterr);
}

/* What the mount has written may be in the file in part, so the rest goes first, unless nothing came into the file
 * since the stream of another one was lost: then the end is still that one's. */
static void give_turn(const struct file_op *o, const struct inode *n, uint64_t session)
{
    const struct session *s = sessions_find(o->nn->sessions, session);
    for (size_t i = 0; i < n->lost_count; i++)
        if (n->lost[i].session != session && !n->lost[i].is_saved && n->lost[i].length_bytes == inode_length(n))
            return;
    if (s)
        edit_turns_give(o->nn->edit_turns, n->id, session, writers_is_here(o->nn->writers, s->name), o->now_ms);
}

int file_try_close(const struct file_op *o, struct inode *n, bool is_lost, bool *ret_closed, struct err *reterr)
{
    *ret_closed = false;
    for (size_t i = 0; i < n->block_count; i++) {
        struct file_block *b = &n->blocks[i];
        if (b->state == BLOCK_COMPLETE)
            continue;
        if (b->state != BLOCK_COMMITTED || !blocks_has_min_replicas(o->nn->blocks, b->id))
            return 0;
    }
    uint64_t now_complete[4];
    size_t count = 0;
    for (size_t i = n->block_count; i-- > 0 && count < 4;)
        if (n->blocks[i].state == BLOCK_COMMITTED) {
            txn_set_block(o->t, n, &n->blocks[i], n->blocks[i].stamp, n->blocks[i].length_bytes, BLOCK_COMPLETE);
            now_complete[count++] = n->blocks[i].id;
        }
    n->mtime_ns = n->written_ns ? n->written_ns : o->t->now_ns;
    n->ctime_ns = n->mtime_ns > n->ctime_ns ? n->mtime_ns : n->ctime_ns;
    uint64_t lost = is_lost ? n->session : 0;
    if (lost)
        lost_stream_add(o->t, n, lost, inode_length(n));
    txn_close_file(o->t, n);
    int rc = file_commit(o, reterr);
    if (rc)
        return rc;
    if (lost)
        give_turn(o, n, lost);
    for (size_t i = 0; i < count; i++)
        blocks_complete(o->nn->blocks, now_complete[i], o->now_ms);
    *ret_closed = true;
    return 0;
}

int file_complete(const struct file_op *o, const struct fs_user *u, const struct file_ref *ref,
                  const struct block_id_stamp *last, uint64_t written_ns, bool *ret_closed, uint64_t *ret_inode,
                  struct err *reterr)
{
    struct inode *n = NULL, *any = NULL;
    int rc = file_check_lease(o, u, ref, &n, &any, reterr);
    if (rc == ERR_LEASE_EXPIRED && any && !any->is_open && is_block(inode_last_block(any), last)) {
        *ret_closed = true; /* it was closed by this very call, whose answer got lost */
        *ret_inode = any->id;
        return 0;
    }
    if (rc)
        return rc;
    *ret_inode = n->id;
    *ret_closed = false;
    if (written_ns && (u->is_super || strcmp(u->name, n->owner) == 0)) { /* who may set times, may say so */
        n->written_ns = written_ns;
        txn_dirty(n);
    }
    if (n->block_count > 1 && n->blocks[n->block_count - 2].state != BLOCK_COMPLETE)
        return 0;
    if (!last && inode_last_block(n) && inode_last_block(n)->state == BLOCK_UNDER_CONSTRUCTION)
        return err_set(reterr, ERR_IO, "complete of %s names no last block, but block blk_%llu is still being written",
                       ref->path, (unsigned long long)inode_last_block(n)->id);
    rc = commit_last_block(o, n, last, reterr);
    return rc ? rc : file_try_close(o, n, false, ret_closed, reterr);
}

int file_fsync(const struct file_op *o, const struct fs_user *u, const struct file_ref *ref, int64_t last_length,
               struct err *reterr)
{
    struct inode *n = NULL;
    int rc = file_check_lease(o, u, ref, &n, NULL, reterr);
    if (rc)
        return rc;
    struct file_block *b = inode_last_block(n);
    if (last_length > 0 && b && b->state == BLOCK_UNDER_CONSTRUCTION && (uint64_t)last_length <= n->block_bytes)
        txn_set_block(o->t, n, b, b->stamp, (uint64_t)last_length, b->state);
    return file_commit(o, reterr);
}

/* ---- pipeline repair ---- */

int file_check_pipeline(const struct file_op *o, const char *client_name, uint64_t block_id, struct inode **ret,
                        struct err *reterr)
{
    struct block_record record;
    struct inode *n = NULL;
    const struct detached_block *detached = detached_find(o->nn->detached, block_id);
    if (detached)
        return file_check_detached(o, client_name, detached, ret, reterr);
    int rc = txn_block(o->t, block_id, &record, reterr);
    if (rc == ERR_NOT_FOUND)
        return err_set(reterr, ERR_IO, "blk_%llu does not exist or is not under Construction null",
                       (unsigned long long)block_id);
    rc = rc ? rc : txn_inode(o->t, record.inode_id, &n, reterr);
    if (rc)
        return rc;
    if (record.state == BLOCK_COMMITTED && n->is_open)
        return err_set(reterr, ERR_IO, "Unexpected BlockUCState: blk_%llu is COMMITTED but not UNDER_CONSTRUCTION",
                       (unsigned long long)block_id);
    if (record.state == BLOCK_COMPLETE && !n->is_open)
        return err_set(reterr, ERR_IO, "blk_%llu does not exist or is not under Construction",
                       (unsigned long long)block_id);
    if (!n->is_open || !txn_is_attached(o->t, n))
        return err_set(reterr, ERR_IO, "The file of blk_%llu is already deleted", (unsigned long long)block_id);
    if (strcmp(n->client_name, client_name))
        return err_set(reterr, ERR_LEASE_EXPIRED,
                       "Lease mismatch: %s (inode %llu) is owned by %s but is accessed by %s", n->name,
                       (unsigned long long)n->id, n->client_name, client_name);
    *ret = n;
    return 0;
}

int file_new_stamp(const struct file_op *o, uint64_t *ret_stamp, struct err *reterr)
{
    uint64_t stamp = txn_next_stamp(o->t);
    int rc = file_commit(o, reterr);
    if (!rc)
        *ret_stamp = stamp;
    return rc;
}

int file_update_pipeline(const struct file_op *o, const char *client_name, const struct block_id_stamp *old_block,
                         const struct block_id_stamp *new_block, const char *const *datanode_uuids,
                         const char *const *storage_uuids, size_t count, struct err *reterr)
{
    struct inode *n = NULL;
    struct detached_block *detached = detached_find(o->nn->detached, old_block->id);
    int rc = file_check_pipeline(o, client_name, old_block->id, &n, reterr);
    if (!rc && detached)
        rc = file_update_detached(o, detached, new_block, datanode_uuids, storage_uuids, count, reterr);
    if (rc || detached)
        return rc;
    struct file_block *b = inode_last_block(n);
    if (!b || b->id != old_block->id || b->state != BLOCK_UNDER_CONSTRUCTION)
        return err_set(reterr, ERR_IO, "blk_%llu is not the block that %s is writing",
                       (unsigned long long)old_block->id, client_name);
    if (new_block->length_bytes > n->block_bytes && new_block->length_bytes > b->length_bytes)
        return err_set(reterr, ERR_IO, "Update blk_%llu_%llu to %llu bytes, more than the file's block size of %llu",
                       (unsigned long long)b->id, (unsigned long long)b->stamp,
                       (unsigned long long)new_block->length_bytes, (unsigned long long)n->block_bytes);
    if (new_block->id != b->id || new_block->stamp <= b->stamp || new_block->stamp >= o->t->counters.next_stamp ||
        new_block->length_bytes < b->length_bytes)
        return err_set(reterr, ERR_IO, "Update blk_%llu_%llu (size %llu) to an older state: blk_%llu_%llu (size %llu)",
                       (unsigned long long)b->id, (unsigned long long)b->stamp, (unsigned long long)b->length_bytes,
                       (unsigned long long)new_block->id, (unsigned long long)new_block->stamp,
                       (unsigned long long)new_block->length_bytes);
    txn_set_block(o->t, n, b, new_block->stamp, new_block->length_bytes, b->state);
    txn_final(o->t, 0);
    rc = file_commit(o, reterr);
    if (!rc)
        blocks_update_pipeline(o->nn->blocks, b->id, b->stamp, b->length_bytes, datanode_uuids, storage_uuids, count);
    return rc;
}

/* Changing a file that was finished: append, truncate, concat. */
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "namenode/namespace/edit_turns.h"
#include "namenode/namespace/files.h"
#include "namenode/namespace/history.h"
#include "namenode/namespace/leases.h"
#include "namenode/namespace/links.h"
#include "namenode/namespace/lost_streams.h"
#include "namenode/namespace/policy.h"
#include "namenode/namespace/sessions.h"

/* The last block is being written again, on the replicas it has. */
static int reopen_last_block(const struct file_op *o, struct inode *n, struct err *reterr)
{
    struct file_block *b = inode_last_block(n);
    txn_set_block(o->t, n, b, b->stamp, b->length_bytes, BLOCK_UNDER_CONSTRUCTION);
    int rc = file_commit(o, reterr);
    if (rc)
        return rc;
    struct block_record record = file_block_record(n, b);
    blocks_reopen(o->nn->blocks, &record);
    return 0;
}

static int check_last_replicated(const struct file_op *o, const struct inode *n, const char *path, struct err *reterr)
{
    const struct file_block *b = inode_last_block(n);
    if (!b || file_block_is_hole(b) || blocks_has_min_replicas(o->nn->blocks, b->id))
        return 0;
    return err_set(reterr, ERR_IO,
                   "append: lastBlock=blk_%" PRIu64 "_%" PRIu64 " of src=%s is not sufficiently replicated yet.", b->id,
                   b->stamp, path);
}

/* What only memory may have is never changed once it is written. */
static int check_not_lazy(const struct path *p, const char *doing, struct err *reterr)
{
    if (path_policy(p) != storage_policy_named("LAZY_PERSIST")->id)
        return 0;
    return err_set(reterr, ERR_UNSUPPORTED, "Cannot %s lazy persist file %s", doing, p->text);
}

/* As a kernel does it: what somebody else than root writes runs as nobody else. */
static void drop_set_ids(const struct fs_user *u, struct inode *n)
{
    if (!u->is_super)
        n->mode &= (uint16_t) ~(S_ISUID | S_ISGID);
}

int file_append(const struct file_op *o, const struct fs_user *u, const char *path, const char *client_name,
                const char *client_machine, bool new_block, struct inode **ret, struct file_block **ret_block,
                struct err *reterr)
{
    struct path p;
    bool closed = false;
    int rc = path_resolve(o->t, u, path, PATH_MAY_MISS, &p, reterr);
    if (rc)
        return rc;
    struct inode *n = path_target(&p);
    if (!n)
        return err_set(reterr, ERR_NOT_FOUND, "Failed to append to non-existent file %s for client %s", p.text,
                       client_machine);
    if (!inode_is_file(n))
        return err_set(reterr, ERR_EXISTS, "Cannot append to directory %s; already exists as a directory.", p.text);
    rc = access_check(u, n, ACCESS_WRITE, p.text, reterr);
    rc = rc ? rc : check_not_lazy(&p, "append to", reterr);
    uint64_t session = sessions_of_writer(o->nn->sessions, client_name);
    rc = rc ? rc : file_take_over(o, n, "APPEND_FILE", p.text, client_name, client_machine, false, &closed, reterr);
    if (!rc && edit_turns_must_wait(o->nn->edit_turns, n->id, session, o->now_ms))
        rc = err_set(reterr, ERR_RECOVERY_IN_PROGRESS,
                     "Failed to APPEND_FILE %s for %s on %s because a mount's edit goes first", p.text, client_name,
                     client_machine);
    rc = rc ? rc : check_last_replicated(o, n, p.text, reterr);
    if (rc)
        return rc;
    struct file_block *b = inode_last_block(n);
    bool in_last_block = b && !new_block && b->length_bytes < n->block_bytes && !file_block_is_hole(b);
    txn_open_file(o->t, n, client_name, client_machine);
    n->session = session;
    lost_stream_forget(n, session);
    drop_set_ids(u, n);
    txn_final(o->t, n->id);
    rc = in_last_block ? reopen_last_block(o, n, reterr) : file_commit(o, reterr);
    if (rc)
        return rc;
    leases_add(o->nn->leases, n->client_name, n->id, o->now_ms);
    *ret = n;
    *ret_block = in_last_block ? inode_last_block(n) : NULL;
    return 0;
}

/* Whole blocks past `length` go; what is left over inside the last one is returned (0 = it ends at a block's end). */
static uint64_t drop_blocks_past(const struct file_op *o, struct inode *n, uint64_t length)
{
    uint64_t offset = inode_length(n);
    while (n->block_count) {
        struct file_block *b = inode_last_block(n);
        offset -= b->length_bytes;
        if (offset < length)
            return length - offset == b->length_bytes ? 0 : length - offset;
        txn_drop_last_block(o->t, n);
    }
    return 0;
}

/* Whether the file is being cut to this length already: then who asks again is told the same. */
static bool is_being_truncated_to(const struct inode *n, uint64_t length)
{
    const struct file_block *last = inode_last_block(n);
    return n->is_open && last && n->truncate_length != BLOCKS_NO_TRUNCATE &&
           inode_length(n) - last->length_bytes + n->truncate_length == length;
}

int file_truncate(const struct file_op *o, const struct fs_user *u, const char *path, uint64_t length,
                  const char *client_name, const char *client_machine, bool *ret_done, struct err *reterr)
{
    struct path p;
    bool closed = false;
    if (length > INT64_MAX)
        return err_set(reterr, ERR_HADOOP_ILLEGAL_ARGUMENT, "Cannot truncate to a negative file size: %" PRId64 ".",
                       (int64_t)length);
    int rc = path_resolve(o->t, u, path, 0, &p, reterr);
    if (rc)
        return rc;
    struct inode *n = path_target(&p);
    rc = access_check(u, n, ACCESS_WRITE, p.text, reterr);
    if (!rc && !inode_is_file(n))
        rc = err_set(reterr, ERR_NOT_FOUND, "Path is not a file: %s", p.text);
    rc = rc ? rc : check_not_lazy(&p, "truncate", reterr);
    *ret_done = false;
    if (!rc && is_being_truncated_to(n, length))
        return 0;
    rc = rc ? rc : file_take_over(o, n, "TRUNCATE_FILE", p.text, client_name, client_machine, false, &closed, reterr);
    if (rc)
        return rc;
    uint64_t old = inode_length(n);
    if (length > old)
        return err_set(reterr, ERR_HADOOP_ILLEGAL_ARGUMENT,
                       "Cannot truncate to a larger file size. Current size: %" PRIu64 ", truncate size: %" PRIu64 ".",
                       old, length);
    *ret_done = true;
    if (length == old)
        return 0;
    uint64_t cut = drop_blocks_past(o, n, length);
    drop_set_ids(u, n);
    n->mtime_ns = n->ctime_ns = o->t->now_ns;
    txn_dirty(n);
    if (cut && file_block_is_hole(inode_last_block(n))) {
        txn_cut_hole(o->t, n, cut);
        cut = 0;
    }
    if (cut) {
        rc = check_last_replicated(o, n, p.text, reterr);
        if (rc)
            return rc;
        bool in_snapshot = false;
        rc = history_keeps_block(o->t, n, inode_last_block(n), &in_snapshot, reterr);
        if (rc)
            return rc;
        n->truncate_length = cut;
        txn_open_file(o->t, n, client_name, client_machine);
        if (in_snapshot)
            txn_copy_last_block(o->t, n, cut);
        else
            rc = reopen_last_block(o, n, reterr);
        rc = rc ? rc : file_begin_recovery(o, n, reterr);
        *ret_done = false;
    } else {
        rc = file_commit(o, reterr);
    }
    return rc;
}

/* ---- concat ---- */

static int concat_source(const struct file_op *o, const struct fs_user *u, const char *path, const struct path *target,
                         struct path *ret, struct err *reterr)
{
    int rc = path_resolve(o->t, u, path, 0, ret, reterr);
    if (rc)
        return rc;
    struct inode *n = path_target(ret), *to = path_target(target);
    if (!inode_is_file(n))
        return err_set(reterr, ERR_NOT_FOUND, "Path is not a file: %s", ret->text);
    rc = access_check(u, n, ACCESS_READ, ret->text, reterr);
    rc = rc ? rc : access_check(u, path_parent(ret), ACCESS_WRITE, path_prefix(o->t, ret, ret->count - 1), reterr);
    rc = rc ? rc : access_check_sticky(u, path_parent(ret), n, ret->text, reterr);
    if (rc)
        return rc;
    bool in_snapshot = false;
    rc = history_is_covered(o->t, n, &in_snapshot, reterr);
    if (rc || in_snapshot)
        return rc ? rc : err_set(reterr, ERR_SNAPSHOT, "Concat: the source file %s is in snapshot", ret->text);
    if (n == to)
        return err_set(reterr, ERR_HADOOP_ILLEGAL_ARGUMENT,
                       "concat: the src file %s is the same with the target file %s", ret->text, target->text);
    if (n->more_links || ret->is_unnamed) /* it would be empty under its other names */
        return err_set(reterr, ERR_HADOOP_ILLEGAL_ARGUMENT, "concat: the src file %s has other names", ret->text);
    if (path_parent(ret) != path_parent(target))
        return err_set(reterr, ERR_HADOOP_ILLEGAL_ARGUMENT,
                       "Source file %s is not in the same directory with the target %s", ret->text, target->text);
    if (n->is_open || !n->block_count)
        return err_set(reterr, ERR_HADOOP_ILLEGAL_ARGUMENT,
                       "concat: source file %s is invalid or empty or underConstruction", ret->text);
    if (n->block_bytes > to->block_bytes)
        return err_set(reterr, ERR_HADOOP_ILLEGAL_ARGUMENT,
                       "concat: source file %s has preferred block size %" PRIu64
                       " which is greater than the target file's preferred block size %" PRIu64,
                       ret->text, n->block_bytes, to->block_bytes);
    if (inode_length(n) > INT64_MAX - inode_length(to))
        return err_set(reterr, ERR_TOO_LARGE, "concat: %s cannot be that long", target->text);
    if (n->block_count + to->block_count > o->t->dir->limits.blocks_per_file)
        return err_set(reterr, ERR_HADOOP_ILLEGAL_ARGUMENT, "concat: %s would have more than %" PRIu64 " blocks",
                       target->text, o->t->dir->limits.blocks_per_file);
    return 0;
}

static bool is_reserved(const char *path)
{
    return !strncmp(path, "/.reserved/raw", 14) || !strncmp(path, "/.reserved/.inodes", 18);
}

/* What can be said of the request before anything is looked up. */
static int concat_check_paths(const char *target, char *const *sources, size_t count, struct err *reterr)
{
    if (!*target || !count)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, *target ? "No sources given" : "Target file name is empty");
    const char *reserved = is_reserved(target) ? target : NULL;
    for (size_t i = 0; !reserved && i < count; i++)
        reserved = is_reserved(sources[i]) ? sources[i] : NULL;
    return reserved ? err_set(reterr, ERR_IO, "Concat operation doesn't support .reserved relative path : %s", reserved)
                    : 0;
}

int file_concat(const struct file_op *o, const struct fs_user *u, const char *target, char *const *sources,
                size_t count, struct err *reterr)
{
    struct path to, from;
    int rc = concat_check_paths(target, sources, count, reterr);
    rc = rc ? rc : path_resolve(o->t, u, target, 0, &to, reterr);
    if (rc)
        return rc;
    struct inode *n = path_target(&to);
    if (!inode_is_file(n))
        return err_set(reterr, ERR_NOT_FOUND, "Path is not a file: %s", to.text);
    rc = access_check(u, n, ACCESS_WRITE, to.text, reterr);
    if (rc)
        return rc;
    if (n->is_open)
        return err_set(reterr, ERR_HADOOP_ILLEGAL_ARGUMENT, "concat: target file %s is under construction", to.text);
    size_t first_moved = n->block_count;
    struct inode *parent = path_parent(&to);
    for (size_t i = 0; i < count; i++) {
        /* A name given twice is found with no blocks the second time: refused as empty. */
        rc = concat_source(o, u, sources[i], &to, &from, reterr);
        if (rc)
            return rc;
        struct inode *source = path_target(&from);
        if (source->parent == INODE_NONE)
            return err_set(reterr, ERR_HADOOP_ILLEGAL_ARGUMENT, "concat: %s was given twice", from.text);
        txn_move_blocks(o->t, n, source);
        rc = txn_unlink(o->t, parent, path_name(&from), source, reterr);
        if (rc)
            return rc;
        txn_erase(o->t, source);
    }
    n->mtime_ns = n->ctime_ns = o->t->now_ns;
    drop_set_ids(u, n);
    txn_final(o->t, 0);
    rc = file_commit(o, reterr);
    for (size_t i = first_moved; !rc && i < n->block_count; i++) /* holes are unknown there */
        blocks_set_replication(o->nn->blocks, n->blocks[i].id, inode_block_replication(n), o->now_ms);
    return rc;
}

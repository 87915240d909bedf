#include "namenode/namespace/files_edit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "namenode/namespace/edit_turns.h"
#include "namenode/namespace/lost_streams.h"
#include "namenode/namespace/nodes.h"
#include "namenode/namespace/policy.h"

/* ---- new blocks ---- */

static int check_new_blocks(const struct file_op *o, const struct new_blocks_args *args, struct err *reterr)
{
    if (!args->count || args->count > NEW_BLOCKS_MAX)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "%zu new blocks at once: 1 to %d", args->count, NEW_BLOCKS_MAX);
    if (detached_count(o->nn->detached, args->session) + args->count > DETACHED_PER_SESSION_MAX)
        return err_set(reterr, ERR_RETRIABLE, "session %" PRIu64 " has %zu blocks that belong to no file yet, too many",
                       args->session, detached_count(o->nn->detached, args->session));
    for (size_t i = 0; i < args->count; i++)
        if (!args->lengths[i] || args->lengths[i] > args->file->block_bytes)
            return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "a new block of %" PRIu64 " bytes: 1 to the file's %" PRIu64,
                           args->lengths[i], args->file->block_bytes);
    return 0;
}

/* Where a block is, as far as it is good there and its datanode has been heard of lately. */
static size_t choose_places_of(const struct file_op *o, uint64_t block_id, const char *client_ip, size_t count,
                               struct block_location *ret)
{
    struct block_location all[BLOCK_LOCATIONS_MAX];
    size_t found = blocks_locations(o->nn->blocks, block_id, client_ip, all, BLOCK_LOCATIONS_MAX), taken = 0;
    for (size_t i = 0; i < found && taken < count; i++)
        if (!all[i].corrupt && !all[i].node->stale)
            ret[taken++] = all[i];
    return taken;
}

/* like: 0, or the block whose places it is about. */
static int choose(const struct file_op *o, const struct new_blocks_args *args, uint8_t policy, uint64_t room_bytes,
                  uint64_t like, struct new_block *ret, struct err *reterr)
{
    const struct inode *n = args->file;
    struct choose_args choose = {.client_ip = args->client_ip,
                                 .count = n->replication < BLOCK_LOCATIONS_MAX ? n->replication : BLOCK_LOCATIONS_MAX,
                                 .block_bytes = room_bytes,
                                 .excluded = args->excluded,
                                 .excluded_count = args->excluded_count,
                                 .policy = policy};
    ret->target_count = like ? choose_places_of(o, like, args->client_ip, choose.count, ret->targets)
                             : blocks_choose_targets(o->nn->blocks, &choose, ret->targets, BLOCK_LOCATIONS_MAX);
    if (ret->target_count >= o->t->dir->limits.replication_min)
        return 0;
    return err_set(reterr, ERR_IO,
                   "A block for inode %" PRIu64 " could only be put onto %zu of the %u datanodes needed", n->id,
                   ret->target_count, o->t->dir->limits.replication_min);
}

/* Where it goes, and from then on the block map and the session have it. */
static int place(const struct file_op *o, const struct new_blocks_args *args, uint8_t policy, size_t index,
                 struct new_block *b, struct err *reterr)
{
    const char *storages[BLOCK_LOCATIONS_MAX];
    uint64_t room_bytes = args->lengths[index];
    int rc = choose(o, args, policy, room_bytes, args->like ? args->like[index] : 0, b, reterr);
    if (rc)
        return rc;
    for (size_t i = 0; i < b->target_count; i++)
        storages[i] = b->targets[i].storage_uuid;
    blocks_under_construction(o->nn->blocks, b->block->id, b->block->stamp, room_bytes, args->file->replication,
                              storages, b->target_count);
    detached_add(o->nn->detached, &(struct detached_block){.id = b->block->id,
                                                           .stamp = b->block->stamp,
                                                           .session = args->session,
                                                           .inode = args->file->id,
                                                           .room_bytes = room_bytes,
                                                           .replication = args->file->replication,
                                                           .client_name = (char *)(uintptr_t)args->client_name});
    return 0;
}

int file_new_blocks(const struct file_op *o, const struct new_blocks_args *args, struct new_block **ret,
                    struct err *reterr)
{
    uint8_t policy = POLICY_UNSPECIFIED;
    int rc = check_new_blocks(o, args, reterr);
    rc = rc ? rc : inode_policy(o->t, args->file, &policy, reterr);
    if (rc)
        return rc;
    struct new_block *made = arena_array(&o->t->arena, struct new_block, args->count);
    for (size_t i = 0; i < args->count; i++) {
        struct file_block *b = arena_new(&o->t->arena, struct file_block);
        *b = (struct file_block){.state = BLOCK_UNDER_CONSTRUCTION};
        txn_new_block(o->t, &b->id, &b->stamp);
        made[i].block = b;
    }
    rc = file_commit(o, reterr); /* the numbers are used up, whatever comes */
    size_t placed = 0;
    while (!rc && placed < args->count) {
        rc = place(o, args, policy, placed, &made[placed], reterr);
        placed += !rc;
    }
    for (size_t i = 0; rc && i < placed; i++)
        detached_drop(o->nn, made[i].block->id);
    if (!rc)
        *ret = made;
    return rc;
}

/* ---- their writer's calls ---- */

int file_check_detached(const struct file_op *o, const char *client_name, const struct detached_block *d,
                        struct inode **ret, struct err *reterr)
{
    if (d->is_committed)
        return err_set(reterr, ERR_IO,
                       "Unexpected BlockUCState: blk_%" PRIu64 " is COMMITTED but not UNDER_CONSTRUCTION", d->id);
    if (strcmp(d->client_name, client_name))
        return err_set(reterr, ERR_LEASE_EXPIRED, "blk_%" PRIu64 " is written by %s but is accessed by %s", d->id,
                       d->client_name, client_name);
    return txn_inode(o->t, d->inode, ret, reterr);
}

int file_update_detached(const struct file_op *o, struct detached_block *d, const struct block_id_stamp *new_block,
                         const char *const *datanode_uuids, const char *const *storage_uuids, size_t count,
                         struct err *reterr)
{
    if (new_block->id != d->id || new_block->stamp <= d->stamp || new_block->stamp >= o->t->counters.next_stamp ||
        new_block->length_bytes < d->known_bytes || new_block->length_bytes > d->room_bytes)
        return err_set(reterr, ERR_IO,
                       "Update blk_%" PRIu64 "_%" PRIu64 " to another state than one that follows: blk_%" PRIu64
                       "_%" PRIu64 " (size %" PRIu64 ")",
                       d->id, d->stamp, new_block->id, new_block->stamp, new_block->length_bytes);
    d->stamp = new_block->stamp;
    d->known_bytes = new_block->length_bytes;
    blocks_update_pipeline(o->nn->blocks, d->id, d->stamp, d->known_bytes, datanode_uuids, storage_uuids, count);
    return 0;
}

/* ---- the edit ---- */

static int stale(const struct inode *n, struct err *reterr)
{
    return err_posix(reterr, ESTALE, "inode %" PRIu64 " is not made of the blocks that were to be replaced", n->id);
}

static bool is_same_block(const struct file_block *a, const struct file_block *b)
{
    bool same_version = file_block_is_hole(a) || a->stamp == b->stamp;
    return a->id == b->id && a->length_bytes == b->length_bytes && same_version;
}

static bool is_at(const struct inode *n, const struct edit_span *s)
{
    uint64_t start = 0;
    for (size_t i = 0; i < s->index; i++)
        start += n->blocks[i].length_bytes;
    return start == s->start;
}

static int check_span(const struct edit *e, const struct edit_span *s, uint64_t from, struct err *reterr)
{
    const struct inode *n = e->file;
    if (s->index < from)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "the spans of an edit overlap, or are not in rising order");
    if (s->index > n->block_count || s->old_count > n->block_count - s->index)
        return stale(n, reterr);
    for (size_t i = 0; i < s->old_count; i++)
        if (!is_same_block(&n->blocks[s->index + i], &s->old_blocks[i]))
            return stale(n, reterr);
    bool is_last = s->index + s->old_count == n->block_count;
    return (s->has_start && !is_at(n, s)) || (s->at_end && !is_last) ? stale(n, reterr) : 0;
}

static int check_new_block(const struct file_op *o, const struct edit *e, const struct file_block *b,
                           struct err *reterr)
{
    if (!b->length_bytes)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "an edit with a piece of no bytes");
    if (file_block_is_hole(b))
        return 0;
    const struct detached_block *d = detached_find(o->nn->detached, b->id);
    if (!d || d->session != e->session || d->inode != e->file->id)
        return err_set(reterr, ERR_REPLICA_NOT_FOUND,
                       "blk_%" PRIu64 " is no new block of session %" PRIu64 " for inode %" PRIu64, b->id, e->session,
                       e->file->id);
    bool fits = d->is_committed ? b->length_bytes == d->known_bytes
                                : b->length_bytes >= d->known_bytes && b->length_bytes <= d->room_bytes;
    if (b->stamp != d->stamp || !fits)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT,
                       "blk_%" PRIu64 "_%" PRIu64 " with %" PRIu64 " bytes is not how it was written", b->id, b->stamp,
                       b->length_bytes);
    return 0;
}

static int by_id(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
    return a < b ? -1 : a > b;
}

static int check_once_each(const struct file_op *o, const struct file_block *const *added, size_t count,
                           struct err *reterr)
{
    uint64_t *ids = arena_array(&o->t->arena, uint64_t, count);
    for (size_t i = 0; i < count; i++)
        ids[i] = added[i]->id;
    qsort(ids, count, sizeof *ids, by_id);
    for (size_t i = 1; i < count; i++)
        if (ids[i] == ids[i - 1])
            return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "blk_%" PRIu64 " is twice in one edit", ids[i]);
    return 0;
}

struct edited {
    struct file_block *list; /* the file's, as it will be */
    size_t count;
    const struct file_block **added; /* blocks among them that are new */
    size_t added_count;
};

static void append(struct edited *to, const struct file_block *from, size_t count)
{
    if (count)
        memcpy(to->list + to->count, from, count * sizeof *from);
    to->count += count;
}

static int check_size(const struct file_op *o, const struct edited *r, struct err *reterr)
{
    uint64_t limit = o->t->dir->limits.blocks_per_file, length = 0;
    if (r->count > limit)
        return err_set(
            reterr, ERR_IO,
            "The file would have more pieces than dfs.namenode.fs-limits.max-blocks-per-file: %zu > %" PRIu64, r->count,
            limit);
    for (size_t i = 0; i < r->count; i++)
        if (__builtin_add_overflow(length, r->list[i].length_bytes, &length) || length > INT64_MAX)
            return err_posix(reterr, EFBIG, "a file cannot have more than %" PRId64 " bytes", INT64_MAX);
    return 0;
}

/* Checks everything that can be said before the datanodes have reported, and makes the new list. */
static int prepare(const struct file_op *o, const struct edit *e, struct edited *ret, struct err *reterr)
{
    const struct inode *n = e->file;
    size_t most = n->block_count, added_max = 0;
    uint64_t from = 0;
    for (size_t i = 0; i < e->count; i++)
        added_max += e->spans[i].new_count;
    most += added_max;
    *ret = (struct edited){.list = arena_array(&o->t->arena, struct file_block, most),
                           .added = arena_array(&o->t->arena, const struct file_block *, added_max)};
    for (size_t i = 0; i < e->count; i++) {
        const struct edit_span *s = &e->spans[i];
        int rc = check_span(e, s, from, reterr);
        if (rc)
            return rc;
        append(ret, n->blocks + from, s->index - from);
        for (size_t k = 0; k < s->new_count; k++) {
            rc = check_new_block(o, e, &s->new_blocks[k], reterr);
            if (rc)
                return rc;
            append(ret, &s->new_blocks[k], 1);
            if (!file_block_is_hole(&s->new_blocks[k]))
                ret->added[ret->added_count++] = &s->new_blocks[k];
        }
        from = s->index + s->old_count;
    }
    append(ret, n->blocks + from, n->block_count - from);
    int rc = check_size(o, ret, reterr);
    return rc ? rc : check_once_each(o, ret->added, ret->added_count, reterr);
}

/* Length and stamp are final now; are there replicas of that? All of its datanodes have acknowledged it to who edits:
 * their reports need not have come. */
static bool is_safe(const struct file_op *o, const struct file_block *b)
{
    struct detached_block *d = detached_find(o->nn->detached, b->id);
    if (!d->is_committed)
        (void)blocks_commit(o->nn->blocks, b->id, b->stamp, b->length_bytes);
    d->is_committed = true;
    d->known_bytes = b->length_bytes;
    return blocks_is_stored(o->nn->blocks, b->id);
}

static void take_over(const struct file_op *o, const struct inode *n, const struct file_block *b)
{
    uint16_t replication = detached_find(o->nn->detached, b->id)->replication;
    detached_remove(o->nn->detached, b->id);
    blocks_complete(o->nn->blocks, b->id, o->now_ms);
    if (replication != inode_block_replication(n))
        blocks_set_replication(o->nn->blocks, b->id, inode_block_replication(n), o->now_ms);
}

static int end_writer(const struct file_op *o, const struct edit *e, struct err *reterr)
{
    struct inode *n = e->file;
    bool closed = true, is_own = n->is_open && !e->count && !strcmp(n->client_name, e->client_name);
    const char *name = arena_printf(&o->t->arena, "inode %" PRIu64, n->id);
    int rc = file_take_over(o, n, "EDIT", name, e->client_name, e->client_ip, is_own, &closed, reterr);
    if (!rc && !closed)
        rc = err_set(reterr, ERR_RECOVERY_IN_PROGRESS, "%s: the end of what was written is being looked for", name);
    return rc;
}

static bool lacks_something(const struct edit *e)
{
    const struct lost_stream *s = lost_stream_of(e->file, e->stream);
    return s && !s->is_saved && (e->count || s->length_bytes < e->stream_end);
}

static int check_turn(const struct file_op *o, const struct edit *e, struct err *reterr)
{
    const struct edit_turns *turns = o->nn->edit_turns;
    if (!edit_turns_must_wait(turns, e->file->id, e->session, o->now_ms) ||
        !edit_turns_must_wait(turns, e->file->id, e->stream, o->now_ms))
        return 0;
    return err_set(reterr, ERR_RECOVERY_IN_PROGRESS, "inode %" PRIu64 ": another mount's edit goes first", e->file->id);
}

static void end_turn(const struct file_op *o, const struct edit *e)
{
    edit_turns_won(o->nn->edit_turns, e->file->id, e->session);
    edit_turns_won(o->nn->edit_turns, e->file->id, e->stream);
}

int file_edit(const struct file_op *o, const struct edit *e, bool *ret_done, struct err *reterr)
{
    struct inode *n = e->file;
    struct edited r;
    *ret_done = false;
    int rc = end_writer(o, e, reterr);
    if (rc)
        return rc;
    if (!e->count) {
        if (e->stream && !lacks_something(e))
            edit_turns_won(o->nn->edit_turns, n->id, e->stream);
        *ret_done = true;
        return 0;
    }
    rc = check_turn(o, e, reterr);
    if (!rc && e->stream && !lacks_something(e)) /* the mount may have been killed when it had put it in */
        return err_posix(reterr, ESTALE, "inode %" PRIu64 " lacks nothing of the stream of session %" PRIu64, n->id,
                         e->stream);
    rc = rc ? rc : prepare(o, e, &r, reterr);
    if (rc == ERR_STALE)
        edit_turns_lost(o->nn->edit_turns, n->id, e->session, o->now_ms);
    if (rc)
        return rc;
    bool all_safe = true;
    for (size_t i = 0; i < r.added_count; i++)
        all_safe &= is_safe(o, r.added[i]);
    if (!all_safe)
        return 0;
    rc = e->set ? node_set(o->t, n->id, e->set, &n, reterr) : 0;
    if (rc)
        return rc;
    txn_edit_blocks(o->t, n, r.list, r.count);
    n->mtime_ns = e->mtime_ns ? e->mtime_ns : o->t->now_ns;
    n->ctime_ns = n->mtime_ns > n->ctime_ns ? n->mtime_ns : n->ctime_ns;
    lost_stream_saved(n, e->stream);
    txn_final(o->t, n->id);
    rc = file_commit(o, reterr);
    for (size_t i = 0; !rc && i < r.added_count; i++)
        take_over(o, n, r.added[i]);
    if (!rc)
        end_turn(o, e);
    *ret_done = !rc;
    return rc;
}

/* Saving an edited file: its changed blocks are written anew beside it, and then put into their places by one call. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "fuse/posix/first_block.h"
#include "fuse/posix/new_attributes.h"

#define SAVE_THREADS        4
#define UPLOAD_WINDOW_BYTES ((int64_t)4 << 20)  /* as much of a block as may be without acknowledgement */
#define UPLOADS_MAX_BYTES   ((int64_t)10 << 20) /* of all files */
#define SAVE_ARENA_BYTES    (256 << 20)
#define NEW_BLOCKS_MAX      1024 /* the namenode's, of one call */

/* One new block: where its bytes are in the file, and what it became. */
struct upload {
    struct save *save;
    int64_t start;
    struct piece *piece; /* of the plan */
    const struct dfs_block *block;
};

struct save {
    struct node_store *store;
    struct node *node;
    bool sync;
    struct edit_plan *plan;
    struct upload *uploads;
    size_t upload_count;
    struct arena arena;
    _Atomic size_t next;  /* upload that nobody has taken yet */
    pthread_mutex_t lock; /* of the first failure */
    int rc;
    struct err err;
};

static int upload_read(void *context, uint64_t offset, void *to, size_t len, struct err *reterr)
{
    const struct upload *u = context;
    return node_read_merged(u->save->node, to, len, u->start + (int64_t)offset, reterr);
}

/* Waits until there is memory for what an upload has under way, and takes it: returns how much. */
static int64_t upload_begin(struct node_store *s, int64_t length)
{
    int64_t bytes = length < UPLOAD_WINDOW_BYTES ? length : UPLOAD_WINDOW_BYTES;
    pthread_mutex_lock(&s->uploads_lock);
    while (s->uploads_bytes && s->uploads_bytes + bytes > UPLOADS_MAX_BYTES)
        pthread_cond_wait(&s->uploads_ended, &s->uploads_lock);
    s->uploads_bytes += bytes;
    pthread_mutex_unlock(&s->uploads_lock);
    return bytes;
}

static void upload_end(struct node_store *s, int64_t bytes)
{
    pthread_mutex_lock(&s->uploads_lock);
    s->uploads_bytes -= bytes;
    pthread_cond_broadcast(&s->uploads_ended);
    pthread_mutex_unlock(&s->uploads_lock);
}

static int upload_one(struct upload *u, struct err *reterr)
{
    struct save *save = u->save;
    struct posix_block_write what = {.file_id = save->node->id,
                                     .length = (uint64_t)u->piece->length,
                                     .source = {upload_read, u},
                                     .block = u->block,
                                     .replication = save->node->replication,
                                     .sync = save->sync};
    struct posix_piece made;
    int64_t bytes = upload_begin(save->store, u->piece->length);
    int rc = posix_write_block(save->store->fs, save->store->memory->session, &what, &made, reterr);
    upload_end(save->store, bytes);
    if (rc == 0) {
        u->piece->block_id = made.block_id;
        u->piece->stamp = made.stamp;
    }
    return rc;
}

static void *upload_some(void *arg)
{
    struct save *save = arg;
    for (size_t i; (i = save->next++) < save->upload_count;) {
        struct err err = {0};
        int rc = upload_one(&save->uploads[i], &err);
        pthread_mutex_lock(&save->lock);
        if (rc < 0 && save->rc == 0) {
            save->rc = rc;
            save->err = err;
        }
        bool stop = save->rc < 0;
        pthread_mutex_unlock(&save->lock);
        if (stop)
            break;
    }
    return NULL;
}

/* Several at a time: most of the time of a small block is waiting. */
static int upload_all(struct save *save, struct err *reterr)
{
    pthread_t threads[SAVE_THREADS];
    size_t count = 0;
    save->next = 0;
    save->rc = 0;
    while (count < SAVE_THREADS && count + 1 < save->upload_count &&
           pthread_create(&threads[count], NULL, upload_some, save) == 0)
        count++;
    upload_some(save); /* this thread too */
    while (count > 0)
        pthread_join(threads[--count], NULL);
    if (save->rc < 0 && reterr)
        *reterr = save->err;
    return save->rc;
}

static void find_uploads(struct save *save)
{
    size_t count = 0;
    for (size_t i = 0; i < save->plan->count; i++)
        count += save->plan->spans[i].new_count;
    save->uploads = mem_calloc(count + 1, sizeof *save->uploads);
    save->upload_count = 0;
    for (size_t i = 0; i < save->plan->count; i++) {
        int64_t at = save->plan->spans[i].start;
        for (size_t k = 0; k < save->plan->spans[i].new_count; k++) {
            struct piece *p = &save->plan->spans[i].new[k];
            if (piece_is_unwritten(p))
                save->uploads[save->upload_count++] =
                    (struct upload){.save = save, .start = at - save->plan->shift, .piece = p};
            at += p->length;
        }
    }
}

static int ask_for_blocks(struct save *save, struct err *reterr)
{
    struct dfs_block *blocks;
    size_t count = save->upload_count;
    const struct dfs_block *first = count == 1 ? first_block_of(save->node, save->uploads[0].piece->length) : NULL;
    if (first) {
        save->uploads[0].block = first;
        return 0;
    }
    uint64_t *lengths = arena_array(&save->arena, uint64_t, count);
    for (size_t i = 0; i < count; i++)
        lengths[i] = (uint64_t)save->uploads[i].piece->length;
    int rc = 0;
    for (size_t at = 0, n; rc == 0 && at < count; at += n) {
        n = count - at < NEW_BLOCKS_MAX ? count - at : NEW_BLOCKS_MAX;
        rc = posix_new_blocks(save->store->fs, save->store->memory->session, save->node->id, lengths + at, NULL, n,
                              NULL, 0, &save->arena, &blocks, reterr);
        for (size_t i = 0; rc == 0 && i < n; i++)
            save->uploads[at + i].block = &blocks[i];
    }
    return rc;
}

static struct posix_piece *pieces_for_call(struct arena *a, const struct piece *list, size_t count)
{
    struct posix_piece *pieces = arena_array(a, struct posix_piece, count + 1);
    for (size_t i = 0; i < count; i++)
        pieces[i] =
            (struct posix_piece){(uint64_t)list[i].length, list[i].is_hole ? 0 : list[i].block_id, list[i].stamp};
    return pieces;
}

static int64_t length_of(const struct piece *list, size_t count)
{
    int64_t length = 0;
    for (size_t i = 0; i < count; i++)
        length += list[i].length;
    return length;
}

static int put_in_place(struct save *save, struct posix_attr *ret, struct err *reterr)
{
    struct node *n = save->node;
    struct posix_span *spans = arena_array(&save->arena, struct posix_span, save->plan->count + 1);
    for (size_t i = 0; i < save->plan->count; i++) {
        const struct edit_span *s = &save->plan->spans[i];
        int64_t grows = length_of(s->new, s->new_count) - length_of(n->pieces + s->index, s->old_count);
        spans[i] = (struct posix_span){.index = s->index,
                                       .start = (uint64_t)s->start,
                                       .at_end = grows != 0, /* or what follows would move */
                                       .old_pieces = pieces_for_call(&save->arena, n->pieces + s->index, s->old_count),
                                       .old_count = s->old_count,
                                       .new_pieces = pieces_for_call(&save->arena, s->new, s->new_count),
                                       .new_count = s->new_count};
    }
    struct posix_set set;
    bool sets = new_attributes_unsaved(save->store, n, &save->arena, &set);
    const struct posix_edit what = {.spans = spans,
                                    .count = save->plan->count,
                                    .mtime_ns = n->unsaved_mtime_ns,
                                    .stream = save->plan->stream,
                                    .set = sets ? &set : NULL};
    int rc = posix_edit(save->store->fs, save->store->memory->session, n->id, &what, &save->arena, ret, reterr);
    if (rc == 0 && sets)
        new_attributes_saved(n);
    return rc;
}

/* The pieces as they are after the edit: the next one need not ask. */
static void follow(struct save *save)
{
    struct node *n = save->node;
    size_t count = n->piece_count, from = 0, to = 0;
    for (size_t i = 0; i < save->plan->count; i++)
        count += save->plan->spans[i].new_count;
    struct piece *pieces = mem_calloc(count + 1, sizeof *pieces);
    for (size_t i = 0; i <= save->plan->count; i++) {
        const struct edit_span *s = i < save->plan->count ? &save->plan->spans[i] : NULL;
        for (size_t until = s ? s->index : n->piece_count; from < until;)
            pieces[to++] = n->pieces[from++];
        for (size_t k = 0; s && k < s->new_count; k++)
            pieces[to++] = s->new[k];
        from += s ? s->old_count : 0;
    }
    node_unload(n);
    n->pieces = pieces;
    n->piece_count = to;
    n->has_pieces = true;
}

static void drop_uploads(struct save *save)
{
    uint64_t *ids = arena_array(&save->arena, uint64_t, save->upload_count + 1);
    size_t count = 0;
    struct err err = {0};
    for (size_t i = 0; i < save->upload_count; i++) {
        const struct upload *u = &save->uploads[i];
        if (u->piece->block_id || u->block) /* written, or only asked for */
            ids[count++] = u->piece->block_id ? u->piece->block_id : u->block->block_id;
    }
    if (count && posix_drop_blocks(save->store->fs, save->store->memory->session, ids, count, &err) < 0)
        log_debug("mount", "new blocks are left to the end of the session: err=%s", err.text);
}

int node_carry_out(struct node_store *s, struct node *n, struct edit_plan *plan, bool sync, int64_t deadline,
                   struct err *reterr)
{
    struct save save = {.store = s, .node = n, .plan = plan, .sync = sync};
    struct posix_attr attr;
    arena_init(&save.arena, SAVE_ARENA_BYTES);
    pthread_mutex_init(&save.lock, NULL);
    find_uploads(&save);
    int rc = save.upload_count ? node_load_reader(s, n, reterr) : 0;
    if (rc == 0 && save.upload_count)
        rc = ask_for_blocks(&save, reterr);
    if (rc == 0 && save.upload_count)
        rc = upload_all(&save, reterr);
    if (rc == 0)
        rc = put_in_place(&save, &attr, reterr);
    while (node_is_busy(rc) && clock_mono_ms() < deadline) { /* another client writes; the blocks stay good */
        clock_sleep_ms(LEASE_POLL_MS);
        rc = put_in_place(&save, &attr, reterr);
    }
    if (rc == 0) {
        follow(&save);
        n->is_unsynced |= !save.sync && save.upload_count;
        n->saved_size = (int64_t)attr.size;
        n->saved_mtime_ns = attr.mtime_ns;
        n->saved_ctime_ns = attr.ctime_ns;
    } else {
        drop_uploads(&save);
        node_unload(n);
    }
    if (save.upload_count && save.uploads[0].block == first_block_of(n, 0))
        first_block_end(n);
    free(save.uploads);
    pthread_mutex_destroy(&save.lock);
    arena_free(&save.arena);
    return rc;
}

static int save_once(struct node_store *s, struct node *n, bool sync, int64_t deadline, struct err *reterr)
{
    struct edit_plan plan;
    int rc = node_load_pieces(s, n, reterr);
    if (rc < 0)
        return rc;
    edit_plan_make(n->pieces, n->piece_count, &n->changed, n->size, edit_unit(n->size), n->block_bytes, &plan);
    rc = node_carry_out(s, n, &plan, sync || n->piece_count > 0, deadline, reterr);
    edit_plan_free(&plan);
    return rc;
}

bool node_is_worth_another_try(int rc)
{
    return rc == ERR_STALE || rc == ERR_REPLICA_NOT_FOUND;
}

int node_save_edits(struct node_store *s, struct node *n, bool sync, struct err *reterr)
{
    bool was_new = node_is_new(n), had_first = n->first_block != NULL;
    int64_t deadline = clock_mono_ms() + LEASE_WAIT_MS;
    int rc = node_end_lost_stream(s, n, LEASE_WAIT_MS, reterr);
    if (rc < 0 || !n->is_edited) /* what was appended may have been all */
        return rc;
    rc = save_once(s, n, sync, deadline, reterr);
    if (rc < 0 && had_first && !n->first_block) /* it may have been that block, which is old */
        rc = save_once(s, n, sync, deadline, reterr);
    for (int tries = 1; node_is_worth_another_try(rc) && tries < SAVE_TRIES; tries++)
        rc = save_once(s, n, sync, deadline, reterr);
    if (rc < 0)
        return rc;
    new_attributes_outdated(n);
    extents_clear(&n->changed);
    n->is_edited = n->is_sized = false;
    n->grown_to = 0;
    n->was_edited &= !was_new; /* what is appended to it may be a stream */
    n->size = n->saved_size;
    staging_give_back(n->staging);
    n->staging = NULL;
    return 0;
}

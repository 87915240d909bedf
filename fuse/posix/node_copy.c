/* copy_file_range: the pieces of one file become pieces of another one, where the datanodes share the bytes of blocks
 * (client/lib/posix_clone.c) and holes are holes. A block is shared as a whole, so the copy ends where the next one
 * would have to be cut; where it comes to lie does not matter, since pieces may have any length. */
#include <inttypes.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "fuse/posix/node.h"

#define COPY_PIECES_MAX 128                /* of one request */
#define COPY_MIN_BYTES  NEW_MAX_BYTES      /* less is copied as fast */
#define COPY_MAX_BYTES  ((int64_t)1 << 31) /* the answer to the kernel has 32 bits */
#define COPY_TRIES      4

struct copying {
    struct node_store *store;
    struct posix_piece pieces[COPY_PIECES_MAX], made[COPY_PIECES_MAX];
    size_t count, made_count;
};

static int64_t bytes_of(const struct posix_piece *pieces, size_t count)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += pieces[i].length;
    return (int64_t)bytes; /* no more than was asked for */
}

/* All of it is saved, and its pieces are known. The lock is held. */
static int settle(struct node_store *s, struct node *n, struct err *reterr)
{
    int rc = node_finish_stream(n, reterr);
    if (n->is_edited)
        rc = node_save_edits(s, n, false, reterr);
    rc = rc == 0 ? node_end_lost_stream(s, n, LEASE_WAIT_MS, reterr) : rc;
    rc = rc == 0 ? node_load_pieces(s, n, reterr) : rc;
    node_note(n);
    return rc;
}

/* Of a hole, any part; of blocks, whole ones. One that another client is writing the datanodes will not share. */
static void take_pieces(struct copying *c, const struct node *n, int64_t offset, int64_t len)
{
    size_t count = n->piece_count, i = 0;
    int64_t start = 0, at = offset;
    while (i < count && start + n->pieces[i].length <= offset)
        start += n->pieces[i++].length;
    for (; i < count && c->count < COPY_PIECES_MAX && len > 0; i++) {
        const struct piece *p = &n->pieces[i];
        int64_t there = start + p->length - at, taken = there < len ? there : len;
        if (!p->is_hole && taken < p->length)
            break;
        c->pieces[c->count++] = (struct posix_piece){(uint64_t)taken, p->is_hole ? 0 : p->block_id, p->stamp};
        at += taken;
        len -= taken;
        start += p->length;
    }
}

static int take_from(struct copying *c, struct node *n, int64_t offset, int64_t len, struct err *reterr)
{
    pthread_rwlock_wrlock(&n->lock);
    int rc = settle(c->store, n, reterr);
    if (rc == 0)
        take_pieces(c, n, offset, len);
    pthread_rwlock_unlock(&n->lock);
    return rc;
}

static int put_once(struct copying *c, struct node *n, int64_t offset, struct err *reterr)
{
    struct piece put[COPY_PIECES_MAX];
    struct edit_plan plan;
    int rc = node_load_pieces(c->store, n, reterr);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < c->made_count; i++) {
        const struct posix_piece *m = &c->made[i];
        put[i] = (struct piece){(int64_t)m->length, m->block_id, m->stamp, m->block_id == 0};
    }
    edit_plan_put(n->pieces, n->piece_count, offset, put, c->made_count, &plan);
    if (edit_plan_upload_bytes(&plan) > bytes_of(c->made, c->made_count) / 2)
        rc = err_set(reterr, ERR_UNSUPPORTED, "it would take the place of parts of long blocks");
    else
        rc = node_carry_out(c->store, n, &plan, true, clock_mono_ms() + LEASE_WAIT_MS, reterr);
    edit_plan_free(&plan);
    return rc;
}

static void drop_made(const struct copying *c)
{
    uint64_t ids[COPY_PIECES_MAX];
    size_t count = 0;
    struct err err = {0};
    for (size_t i = 0; i < c->made_count; i++)
        if (c->made[i].block_id)
            ids[count++] = c->made[i].block_id;
    if (count && posix_drop_blocks(c->store->fs, c->store->memory->session, ids, count, &err) < 0)
        log_debug("mount", "new blocks are left to the end of the session: err=%s", err.text);
}

/* The lock is held, and the node is settled. */
static int put_into(struct copying *c, struct node *n, int64_t offset, struct err *reterr)
{
    int rc = posix_clone_blocks(c->store->fs, c->store->memory->session, n->id, c->pieces, c->count, c->made,
                                &c->made_count, reterr);
    if (rc < 0)
        return rc;
    if (!c->made_count)
        return err_set(reterr, ERR_UNSUPPORTED, "no datanode could share the first block");
    n->unsaved_mtime_ns = (uint64_t)clock_wall_ns();
    rc = put_once(c, n, offset, reterr);
    for (int tries = 1; rc == ERR_STALE && tries < COPY_TRIES; tries++) /* another client was first */
        rc = put_once(c, n, offset, reterr);
    if (rc < 0) {
        drop_made(c);
        return rc;
    }
    n->size = n->saved_size;
    n->was_changed = true;
    return 0;
}

static int copy_to(struct copying *c, struct node *n, int64_t offset, struct err *reterr)
{
    pthread_rwlock_wrlock(&n->lock);
    int rc = settle(c->store, n, reterr);
    if (rc == 0 && (rc = put_into(c, n, offset, reterr)) < 0) {
        log_debug("mount", "inode=%" PRIu64 " is copied by the kernel: %s", n->id, reterr->text);
        bool is_full = rc == ERR_NO_SPACE || rc == ERR_DS_QUOTA || rc == ERR_TYPE_QUOTA || rc == ERR_TOO_LARGE;
        rc = is_full ? rc : err_set(reterr, ERR_UNSUPPORTED, "the bytes cannot be shared");
    }
    pthread_rwlock_unlock(&n->lock);
    return rc;
}

int node_copy(struct node_store *s, struct node *from, int64_t from_offset, struct node *to, int64_t to_offset,
              size_t len, size_t *ret, struct err *reterr)
{
    struct copying c = {.store = s};
    uint64_t all = len;
    int64_t wanted = all < COPY_MAX_BYTES ? (int64_t)all : COPY_MAX_BYTES;
    if (to_offset > FILE_MAX_BYTES - wanted)
        return err_set(reterr, ERR_TOO_LARGE, "a file of more than %" PRId64 " bytes", FILE_MAX_BYTES);
    if (wanted < COPY_MIN_BYTES)
        return err_set(reterr, ERR_UNSUPPORTED, "not worth it");
    int rc = take_from(&c, from, from_offset, wanted, reterr);
    if (rc < 0)
        return rc;
    if (bytes_of(c.pieces, c.count) < COPY_MIN_BYTES)
        return err_set(reterr, ERR_UNSUPPORTED, "no whole block begins there, or too few bytes of them");
    rc = copy_to(&c, to, to_offset, reterr);
    *ret = rc == 0 ? (size_t)bytes_of(c.made, c.made_count) : 0;
    return rc;
}

/* A stream that was lost, for its process was killed or its datanodes failed. What it had not brought into the file is
 * staged. Bytes that were written to a place go there, as any edit (node_save.c); what was appended goes behind the end
 * of the file as it is by now, since others may have appended meanwhile. The namenode says how far the stream came, and
 * notes with the edit that the rest is there: so it is put there once, whoever is killed when. */
#include <inttypes.h>

#include "common/clock.h"
#include "common/log.h"
#include "fuse/posix/node.h"

/* Of what is staged in one run from `from` on. */
static int64_t run_end(const struct node *n, int64_t from)
{
    const struct extent *x = extents_from(&n->changed, from), *behind = n->changed.items + n->changed.count;
    int64_t end = from;
    for (; x && x < behind && x->start <= end; x++)
        end = x->end;
    return end;
}

/* Staged is what is changed, and no more. */
static void stage_less(struct node *n)
{
    struct err err = {0};
    int rc = staging_trim(n->staging, &n->changed, n->appended_from, &err);
    if (rc == 0 && n->is_sized)
        rc = staging_note_size(n->staging, n->size, &err);
    else if (rc == 0 && n->grown_to)
        rc = staging_note_grown(n->staging, n->grown_to, &err);
    if (rc < 0) /* the next process would hear from the namenode what is there */
        log_warn("mount", "inode=%" PRIu64 " err=%s", n->id, err.text);
}

/* All that was appended is in the file. */
static void appended_is_there(struct node *n)
{
    extents_remove(&n->changed, n->appended_from, run_end(n, n->appended_from));
    n->appended_from = -1;
    n->grown_to = n->grown_to > n->saved_size ? n->grown_to : 0;
    n->is_edited = n->changed.count > 0 || n->is_sized || n->grown_to;
    if (!n->is_sized)
        n->size = node_written_size(n);
    if (n->is_edited) {
        stage_less(n);
    } else {
        staging_give_back(n->staging);
        n->staging = NULL;
    }
    node_note(n);
}

static void stream_ended(struct node *n, const struct posix_lost_stream *lost)
{
    n->has_lost_stream = false;
    n->was_changed = true;
    n->is_stale = true; /* its end is known now */
    node_unload(n);
    if (!lost->is_known || n->stream == 0) { /* it stays where it was written to */
        n->appended_from = -1;
    } else if (n->appended_from >= 0 && lost->is_saved) {
        appended_is_there(n);
    } else if (n->appended_from >= 0 && n->appended_from < (int64_t)lost->length) {
        extents_remove(&n->changed, n->appended_from, (int64_t)lost->length);
        n->appended_from = (int64_t)lost->length;
        stage_less(n);
    }
}

static int end_stream(struct node_store *s, struct node *n, int64_t deadline, struct err *reterr)
{
    struct posix_lost_stream lost;
    uint64_t session = s->memory->session, end = n->appended_from < 0 ? 0 : (uint64_t)run_end(n, n->appended_from);
    int rc = posix_end_stream(s->fs, session, n->id, n->stream, end, &lost, reterr);
    while (node_is_busy(rc) && clock_mono_ms() < deadline) {
        clock_sleep_ms(LEASE_POLL_MS);
        rc = posix_end_stream(s->fs, session, n->id, n->stream, end, &lost, reterr);
    }
    if (rc == 0)
        stream_ended(n, &lost);
    return rc;
}

static int put_at_end(struct node_store *s, struct node *n, int64_t deadline, struct err *reterr)
{
    struct edit_plan plan;
    int64_t end = run_end(n, n->appended_from);
    int rc = end > n->appended_from ? node_load_pieces(s, n, reterr) : 0;
    if (rc == 0 && end > n->appended_from) {
        edit_plan_append(n->pieces, n->piece_count, n->appended_from, end, n->block_bytes, &plan);
        plan.stream = n->stream;
        rc = node_carry_out(s, n, &plan, n->piece_count > 0, deadline, reterr);
        edit_plan_free(&plan);
    }
    if (rc == 0)
        appended_is_there(n);
    return rc;
}

int node_end_lost_stream(struct node_store *s, struct node *n, int64_t patience_ms, struct err *reterr)
{
    int64_t deadline = clock_mono_ms() + patience_ms;
    int rc = 0;
    for (int tries = 0; !n->writer && tries < SAVE_TRIES; tries++) {
        rc = n->has_lost_stream ? end_stream(s, n, deadline, reterr) : 0;
        if (rc < 0 || n->appended_from < 0)
            return rc;
        rc = put_at_end(s, n, deadline, reterr);
        if (!node_is_worth_another_try(rc))
            return rc;
        n->has_lost_stream = true; /* it may be there already: the namenode knows */
    }
    return rc;
}

int node_find_end(struct node_store *s, struct node *n, struct err *reterr)
{
    int rc = node_end_lost_stream(s, n, LEASE_WAIT_MS, reterr);
    return n->has_lost_stream ? rc : 0;
}

/* Segments of small replicas of which little lives are emptied: what lives is copied to the newest segment. Each byte
 * that is freed costs at most one that is copied. */
#include <inttypes.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/file.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/net.h"
#include "datanode/store/store_impl.h"

struct left {
    uint64_t block_id;
    uint32_t offset;
};

struct emptying {
    struct block_store *store;
    struct small_log *log;
    uint16_t volume;
    uint32_t segment;
    struct small_walk walk;
    struct small_place last; /* what was copied ends here, and is not synced yet */
    uint32_t last_bytes;
    struct buf left; /* struct left: what was copied */
};

static struct replica *claim_at(const struct emptying *e, uint64_t block_id, struct small_place at)
{
    struct block_store *s = e->store;
    struct replica *r = NULL;
    pthread_mutex_lock(&s->lock);
    if (store_claim_locked(s, block_id, false, &r, NULL) < 0)
        r = NULL; /* it stays for another time */
    struct small_place now = r ? store_small_place(r) : (struct small_place){0, 0};
    if (r && (r->volume != e->volume || now.segment != at.segment || now.offset != at.offset)) {
        store_release_locked(s, r);
        r = NULL;
    }
    pthread_mutex_unlock(&s->lock);
    return r;
}

static int copy_record(struct emptying *e, const struct small_record *record, const uint8_t *bytes,
                       struct small_place *ret, struct err *reterr)
{
    int rc = small_log_append(e->log, record, bytes, bytes + record->meta_bytes, ret, reterr);
    if (rc == 0 && e->last.segment && e->last.segment != ret->segment)
        rc = small_log_sync(e->log, e->last, e->last_bytes, reterr);
    if (rc == 0) {
        e->last = *ret;
        e->last_bytes = small_record_bytes(record);
    }
    return rc;
}

static int move_record(struct emptying *e, const struct small_record *record, struct small_place from,
                       struct err *reterr)
{
    struct block_store *s = e->store;
    struct replica *r = claim_at(e, record->block_id, from);
    struct small_place to;
    if (!r)
        return 0;
    struct small_record now = *record; /* it may have been finished since the walk came by */
    now.state = r->state == REPLICA_FINALIZED ? SMALL_FINALIZED : SMALL_OPEN;
    size_t len = (size_t)record->meta_bytes + record->data_bytes;
    AUTO(mem_freep) uint8_t *bytes = mem_alloc(len);
    int unread =
        file_pread_full(e->walk.fd, bytes, len, small_meta_offset(from), NULL); /* it stays, for the scrubber */
    int rc = unread ? 0 : copy_record(e, &now, bytes, &to, reterr);
    pthread_mutex_lock(&s->lock);
    if (rc == 0 && !unread)
        store_set_small_place(r, to);
    store_release_locked(s, r);
    pthread_mutex_unlock(&s->lock);
    if (rc < 0 || unread)
        return rc;
    const struct left left = {record->block_id, from.offset};
    buf_append(&e->left, &left, sizeof left);
    small_log_left(e->log, from, record);
    return 0;
}

/* A record whose place could not be changed keeps the segment alive. */
static int copy_living(struct emptying *e, struct err *reterr)
{
    struct small_record record;
    struct small_place at = {.segment = e->segment};
    int rc;
    while ((rc = small_walk_next(&e->walk, &record, &at.offset, reterr)) > 0) {
        rc = record.state == SMALL_REMOVED ? 0 : move_record(e, &record, at, reterr);
        if (rc < 0)
            break;
    }
    return rc;
}

static void mark_left(const struct emptying *e)
{
    const struct left *left = (const void *)e->left.base;
    for (size_t i = 0; i < e->left.len / sizeof *left; i++)
        small_log_mark_left(e->log, (struct small_place){e->segment, left[i].offset}, left[i].block_id);
}

/* The copies are on the disk before what they were copied from goes. */
static int empty_segment(struct emptying *e, struct err *reterr)
{
    e->last = (struct small_place){0, 0};
    buf_clear(&e->left);
    int rc = copy_living(e, reterr);
    int synced = e->last.segment ? small_log_sync(e->log, e->last, e->last_bytes, rc == 0 ? reterr : NULL) : 0;
    rc = rc == 0 ? synced : rc;
    if (rc == 0)
        small_log_reap(e->log);
    if (synced == 0)
        mark_left(e); /* of a segment that is gone, nothing */
    return rc;
}

static bool is_stopping(struct block_store *s)
{
    pthread_mutex_lock(&s->lock);
    bool stopping = s->stopping;
    pthread_mutex_unlock(&s->lock);
    return stopping;
}

void store_small_tidy(struct block_store *s)
{
    for (size_t i = 0; i < s->volume_count; i++) {
        struct emptying e = {.store = s, .log = s->small[i], .volume = (uint16_t)i};
        struct err why;
        if (!e.log || !volume_ok(s->volumes[i]))
            continue;
        int rc = 0;
        small_log_reap(e.log);
        while (rc == 0 && !is_stopping(s) && small_log_sparse(e.log, &e.segment, &e.walk)) {
            rc = empty_segment(&e, &why);
            net_closep(&e.walk.fd);
        }
        buf_free(&e.left);
        if (rc < 0)
            small_log_offer_again(e.log, e.segment);
        bool was_told = s->tidy_fails[i];
        s->tidy_fails[i] = rc < 0;
        if (rc < 0 && !was_told)
            log_warn("store", "the small replicas of '%s' cannot be tidied up: %s", s->volumes[i]->dir, why.text);
    }
}

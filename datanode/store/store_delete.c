/* Deletion: out of the map at once, off the disk by a thread of its own, since unlinking a large file takes its time.
 */
#include <inttypes.h>
#include <unistd.h>

#include "common/mem.h"
#include "datanode/store/store_impl.h"

static void *deleter_run(void *arg)
{
    struct block_store *s = arg;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        struct deletion *d = s->deletions;
        if (!d && s->stopping)
            break;
        if (!d) {
            pthread_cond_wait(&s->deletions_changed, &s->lock);
            continue;
        }
        s->deletions = d->next;
        if (!s->deletions)
            s->deletions_end = &s->deletions;
        pthread_mutex_unlock(&s->lock);
        (void)unlink(d->data_path); /* what stays in tmp goes at the next start */
        (void)unlink(d->meta_path);
        mem_freep(&d->data_path);
        mem_freep(&d->meta_path);
        mem_freep(&d);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

int store_start_deleter(struct block_store *s, struct err *reterr)
{
    int rc = pthread_create(&s->deleter, NULL, deleter_run, s);
    if (rc != 0)
        return err_errno(reterr, rc, "cannot start the thread that deletes blocks");
    s->deleter_started = true;
    return 0;
}

int block_store_delete(struct block_store *s, uint64_t block_id, uint64_t gen_stamp, struct replica_view *ret,
                       struct err *reterr)
{
    struct replica *r;
    pthread_mutex_lock(&s->lock);
    int rc = store_claim_locked(s, block_id, true, &r, reterr);
    if (rc == 0 && gen_stamp && r->gen_stamp > gen_stamp) {
        rc = err_set(reterr, ERR_REPLICA_EXISTS,
                     "block %" PRId64 "_%" PRIu64 " is newer than the one to delete, %" PRIu64, (int64_t)block_id,
                     r->gen_stamp, gen_stamp);
        store_release_locked(s, r);
    }
    if (rc == 0)
        store_fill_view(s, r, ret);
    pthread_mutex_unlock(&s->lock);
    if (rc == 0)
        store_remove_claimed(s, r);
    return rc;
}

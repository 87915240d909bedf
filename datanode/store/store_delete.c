/* Deletion: out of the map at once, off the disk by a thread of its own, since unlinking a large file takes its time.
 * Files that nobody else has open become those of the next replicas. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mem.h"
#include "common/net.h"
#include "datanode/store/store_impl.h"

/* Out of the way under a name of their own, so that the same block may come again while these are being deleted. What
 * stays in tmp goes at the next start. */
static void trash_path(const struct volume *v, uint64_t number, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%stmp/deleted_%" PRIu64, v->pool, number);
}

static void remove_file(struct block_store *s, uint16_t volume, uint64_t number)
{
    char path[PATH_MAX];
    struct spare_files *spares = &s->spares[volume];
    trash_path(s->volumes[volume], number, path);
    pthread_mutex_lock(&s->lock);
    bool want = spare_files_want(spares); /* nobody else makes them more */
    pthread_mutex_unlock(&s->lock);
    if (!want || !spare_file_empty(path)) {
        (void)unlink(path);
        return;
    }
    pthread_mutex_lock(&s->lock);
    spare_files_put(spares, number);
    pthread_mutex_unlock(&s->lock);
}

/* O_TRUNC would mark even an empty file as one that was cut to nothing, and what is written to such a file ext4 begins
 * to put on the disk when it is closed, for fear of a program that rewrites its file that way: the writer would wait.
 */
static int open_empty(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd >= 0 && (fstat(fd, &st) < 0 || (st.st_size > 0 && ftruncate(fd, 0) < 0)))
        net_closep(&fd);
    return fd;
}

int store_create_file(struct block_store *s, uint16_t volume, const char *path, int *ret_fd, struct err *reterr)
{
    char spare[PATH_MAX];
    uint64_t number;
    pthread_mutex_lock(&s->lock);
    bool taken = spare_files_take(&s->spares[volume], &number);
    pthread_mutex_unlock(&s->lock);
    if (taken) {
        trash_path(s->volumes[volume], number, spare);
        if (rename(spare, path) < 0)
            (void)unlink(spare);
    }
    *ret_fd = open_empty(path);
    return *ret_fd < 0 ? err_errno(reterr, errno, "cannot create '%s'", path) : 0;
}

static void *deleter_run(void *arg)
{
    struct block_store *s = arg;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        struct deletion *d = s->deletions;
        if (!d && s->stopping)
            break;
        if (!d && s->tidy_due) {
            s->tidy_due = false;
            pthread_mutex_unlock(&s->lock);
            store_small_tidy(s);
            pthread_mutex_lock(&s->lock);
            continue;
        }
        if (!d) {
            pthread_cond_wait(&s->deletions_changed, &s->lock);
            continue;
        }
        s->deletions = d->next;
        if (!s->deletions)
            s->deletions_end = &s->deletions;
        pthread_mutex_unlock(&s->lock);
        remove_file(s, d->volume, d->number);
        remove_file(s, d->volume, d->number + 1);
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

static void move_to_trash(struct block_store *s, const struct replica *r)
{
    struct volume *v = s->volumes[r->volume];
    char data[PATH_MAX], meta[PATH_MAX], data_trash[PATH_MAX], meta_trash[PATH_MAX];
    enum replica_place place = replica_place_of(r);
    struct deletion *d = mem_new(struct deletion);
    d->volume = r->volume;
    volume_data_path(v, place, r->block_id, data);
    volume_meta_path(v, place, r->block_id, r->gen_stamp, meta);
    pthread_mutex_lock(&s->lock);
    d->number = s->trash_count;
    s->trash_count += 2;
    pthread_mutex_unlock(&s->lock);
    trash_path(v, d->number, data_trash);
    trash_path(v, d->number + 1, meta_trash);
    if (volume_ok(v) && ((!store_unlink_shared(s, v, data) && rename(data, data_trash) < 0 && errno != ENOENT) ||
                         (rename(meta, meta_trash) < 0 && errno != ENOENT)))
        log_warn("store", "block=%" PRId64 " cannot be moved away for deletion: %s", (int64_t)r->block_id,
                 strerror(errno));
    pthread_mutex_lock(&s->lock);
    *s->deletions_end = d;
    s->deletions_end = &d->next;
    pthread_cond_signal(&s->deletions_changed);
    pthread_mutex_unlock(&s->lock);
}

void store_remove_claimed(struct block_store *s, struct replica *r)
{
    uint64_t block_id = r->block_id;
    if (r->small_segment)
        store_small_remove(s, r->volume, block_id, store_small_place(r));
    else if (!r->work->in_memory)
        move_to_trash(s, r);
    pthread_mutex_lock(&s->lock);
    store_forget_locked(s, r);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    store_tell_change(s, block_id);
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

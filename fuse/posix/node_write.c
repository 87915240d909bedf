/* Changing a file's bytes: at the end into a stream, anywhere else into the staging file. */
#include <inttypes.h>
#include <string.h>

#include "client/lib/block_sync.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "fuse/posix/first_block.h"
#include "fuse/posix/new_attributes.h"

/* More than this, and it is saved before the program asks: bounds the disk, and the time of the save that is asked. */
#define EDIT_DATA_MAX_BYTES ((int64_t)64 << 20)
#define EDIT_EXTENTS_MAX    16384
#define COPY_BYTES          ((size_t)64 << 10)
#define STREAM_TRIM_BYTES   ((int64_t)8 << 20) /* how much of a stream is staged, as long as it may be in no datanode */

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void node_note(struct node *n)
{
    bool clean = !n->is_edited && !(n->writer && n->has_written);
    if (!clean || n->unsaved_size >= 0)
        n->was_changed = true;
    n->is_streaming = n->writer != NULL;
    n->unsaved_bytes = n->writer ? n->size : n->changed.data_bytes;
    n->unsaved_size = clean ? -1 : n->size;
}

static void note_change(struct node *n)
{
    n->unsaved_mtime_ns = (uint64_t)clock_wall_ns();
    node_note(n);
}

int node_finish_stream(struct node *n, struct err *reterr)
{
    struct file_writer *w = n->writer;
    if (!w)
        return 0;
    n->writer = NULL;
    bool written = n->has_written;
    n->has_written = n->is_pushed = false;
    /* The time that the kernel was told, or programs would see the file change after it was closed. */
    file_writer_set_time(w, written ? n->unsaved_mtime_ns : n->saved_mtime_ns);
    int rc = file_writer_close(w, reterr);
    n->is_unsynced |= written;
    bool is_taken = rc == ERR_LEASE_EXPIRED || rc == ERR_NOT_FOUND; /* by another client */
    n->has_lost_stream = rc < 0 && written && n->staging && !is_taken;
    if (n->appended_from >= 0) /* what is not staged any more is in the file */
        n->appended_from = !n->has_lost_stream ? -1 : max64(n->appended_from, n->trimmed_at);
    if (n->has_lost_stream) {
        extents_add(&n->changed, n->trimmed_at, n->size, false);
        n->is_edited = n->was_edited = true;
    } else {
        staging_give_back(n->staging);
        n->staging = NULL;
    }
    if (written || rc < 0) {
        node_unload(n);
        n->saved_size = n->size;
        n->is_stale = true; /* times and pieces are the namenode's to say */
    }
    node_note(n);
    return rc;
}

void node_made(struct node *n, const struct dfs_block *first)
{
    pthread_rwlock_wrlock(&n->lock);
    if (first)
        first_block_keep(n, first);
    n->has_pieces |= !n->writer && !n->is_edited && !n->is_stale && n->saved_size == 0;
    pthread_rwlock_unlock(&n->lock);
}

bool node_is_busy(int rc)
{
    return rc == ERR_ALREADY_BEING_CREATED || rc == ERR_RECOVERY_IN_PROGRESS;
}

/* Another client may be writing: its turn ends with its close. */
static int stream_append(struct node_store *s, struct node *n, struct err *reterr)
{
    uint64_t session = s->memory->session;
    int rc = file_writer_append(s->fs, n->path, false, &n->writer, reterr);
    for (int64_t deadline = clock_mono_ms() + LEASE_WAIT_MS; node_is_busy(rc) && clock_mono_ms() < deadline;) {
        clock_sleep_ms(LEASE_POLL_MS);
        rc = file_writer_append(s->fs, n->path, false, &n->writer, reterr);
    }
    if (rc < 0) {
        n->writer = NULL;
        return rc;
    }
    n->size = n->trimmed_at = file_writer_tell(n->writer);
    n->appended_from = -1;
    n->has_lost_stream = false;
    new_attributes_outdated(n);
    n->stream = s->memory->session == session ? session : 0; /* else it may be either's */
    return 0;
}

static int begin_edit(struct node_store *s, struct node *n, struct err *reterr)
{
    int rc = node_finish_stream(n, reterr);
    if (rc < 0 && n->is_edited) /* saving will say whether it goes better that way */
        rc = 0;
    if (rc == 0 && n->appended_from >= 0) /* it may be taken from where it was written to, this must not */
        rc = node_find_end(s, n, reterr);
    if (rc == 0 && n->is_stale && !n->is_edited)
        rc = node_load_attr(s, n, reterr);
    if (rc == 0)
        n->is_edited = n->was_edited = true;
    return rc;
}

static int need_staging(struct node_store *s, struct node *n, struct err *reterr)
{
    return n->staging ? 0 : staging_new(s->staging, n->id, &n->staging, reterr);
}

static int add_zeros(struct node *n, int64_t start, int64_t end, struct err *reterr)
{
    extents_add(&n->changed, start, end, true);
    return n->staging ? staging_note_zeros(n->staging, start, end, reterr) : 0;
}

/* What comes in between is zeros: there is nothing yet, unless something was cut off there before. */
static int grow(struct node *n, int64_t size, struct err *reterr)
{
    int64_t old = n->size;
    if (size <= old)
        return 0;
    n->size = size;
    return n->is_sized && old < n->saved_size ? add_zeros(n, old, size, reterr) : 0;
}

static int check_size(int64_t size, struct err *reterr)
{
    return size <= FILE_MAX_BYTES ? 0 : err_set(reterr, ERR_TOO_LARGE, "a file of %" PRId64 " bytes", size);
}

static int set_size(struct node *n, int64_t size, struct err *reterr)
{
    int rc = 0;
    if (size < n->size)
        extents_cut(&n->changed, size);
    else
        rc = grow(n, size, reterr);
    n->size = size;
    n->is_sized = true;
    n->grown_to = 0;
    n->appended_from = n->appended_from < size ? n->appended_from : -1;
    return rc == 0 && n->staging ? staging_note_size(n->staging, size, reterr) : rc;
}

/* Others may make it longer still. */
static int make_longer(struct node *n, int64_t size, struct err *reterr)
{
    if (n->is_sized)
        return set_size(n, size, reterr);
    n->size = n->grown_to = size;
    return n->staging ? staging_note_grown(n->staging, size, reterr) : 0;
}

/* What others have made of it counts, too, for what is compared with its size. */
static int load_size(struct node_store *s, struct node *n, struct err *reterr)
{
    return n->is_stale && !n->writer ? node_load_attr(s, n, reterr) : 0;
}

static int stage(struct node_store *s, struct node *n, const void *bytes, size_t len, int64_t offset,
                 struct err *reterr)
{
    int rc = need_staging(s, n, reterr);
    if (rc == 0 && (staging_is_full(n->staging) || n->changed.data_bytes >= EDIT_DATA_MAX_BYTES ||
                    n->changed.count >= EDIT_EXTENTS_MAX)) {
        rc = node_save_edits(s, n, true, reterr);
        rc = rc == 0 ? need_staging(s, n, reterr) : rc;
        n->is_edited = true;
    }
    if (rc == 0 && offset > n->size)
        rc = grow(n, offset, reterr);
    if (rc == 0)
        rc = staging_write(n->staging, bytes, len, offset, reterr);
    if (rc == 0) {
        extents_add(&n->changed, offset, offset + (int64_t)len, false);
        n->size = offset + (int64_t)len > n->size ? offset + (int64_t)len : n->size;
    }
    return rc;
}

/* The end of a stream is staged too, until datanodes have it: or it would be gone with this process. */
static int stage_stream(struct node_store *s, struct node *n, const void *bytes, size_t len, int64_t offset,
                        bool appends, struct err *reterr)
{
    int rc = need_staging(s, n, reterr);
    rc = rc == 0 ? staging_note_stream(n->staging, n->stream, reterr) : rc;
    if (rc == 0)
        rc = (appends ? staging_append : staging_write)(n->staging, bytes, len, offset, reterr);
    if (rc == 0 && appends && n->appended_from < 0)
        n->appended_from = offset;
    int64_t end = offset + (int64_t)len, acked = file_writer_acked(n->writer);
    if (rc < 0 || end - n->trimmed_at < 2 * STREAM_TRIM_BYTES || acked - n->trimmed_at < STREAM_TRIM_BYTES)
        return rc;
    struct extents kept = {0};
    extents_add(&kept, acked, end, false);
    rc = staging_trim(n->staging, &kept, n->appended_from, reterr);
    extents_clear(&kept);
    n->trimmed_at = acked;
    return rc;
}

bool node_is_new(const struct node *n)
{
    const struct extent *all = n->changed.items;
    return n->is_edited && n->saved_size == 0 && !n->is_sized && n->changed.count == 1 && all->start == 0 &&
           all->end == n->size && !all->is_zero;
}

static int copy_staged(struct node *n, struct err *reterr)
{
    AUTO(mem_freep) char *bytes = mem_alloc(COPY_BYTES);
    const int64_t end = n->changed.items[0].end;
    int rc = 0;
    for (int64_t at = 0; rc == 0 && at < end;) {
        size_t len = end - at < (int64_t)COPY_BYTES ? (size_t)(end - at) : COPY_BYTES;
        rc = staging_read(n->staging, bytes, len, at, reterr);
        rc = rc == 0 ? file_writer_write(n->writer, bytes, len, reterr) : rc;
        at += (int64_t)len;
    }
    return rc;
}

/* A new file has become too long to be saved by one edit: its bytes go into a stream, and the following ones too. If
 * another client has written it meanwhile, it stays an edit. */
static int stream_new(struct node_store *s, struct node *n, struct err *reterr)
{
    int64_t size = n->size;
    int rc = new_attributes_save(s, n, reterr);
    rc = rc == 0 ? stream_append(s, n, reterr) : rc;
    if (rc < 0)
        return rc;
    bool is_empty = n->size == 0;
    n->size = size;
    rc = is_empty ? copy_staged(n, reterr) : 0;
    if (rc < 0 || !is_empty) {
        struct err ignored = {0};
        n->has_lost_stream = file_writer_close(n->writer, &ignored) < 0;
        n->writer = NULL;
        return rc;
    }
    extents_clear(&n->changed);
    n->is_edited = n->was_edited = n->is_pushed = false;
    n->grown_to = 0;
    n->has_written = true;
    return 0;
}

/* Where the bytes go: *ret_stream into the writer, else to *offset. */
static int place(struct node_store *s, struct node *n, size_t len, int64_t *offset, bool *ret_stream,
                 struct err *reterr)
{
    int rc = 0;
    bool appends = *offset == NODE_AT_END; /* in turn with those of other mounts: they hold the lease meanwhile */
    *ret_stream = false;
    if (appends && n->is_edited && !n->is_held) /* then it can be its turn */
        rc = node_save_edits(s, n, false, reterr);
    if (rc == 0 && !n->writer && !n->is_edited && (appends || n->is_stale))
        rc = node_load_attr(s, n, reterr);
    if (rc == 0 && *offset == NODE_AT_END)
        *offset = n->size;
    if (rc < 0)
        return rc;
    bool is_small = *offset + (int64_t)len <= NEW_MAX_BYTES;
    bool begins_new = n->size == 0 && is_small && !appends;
    bool streams = !n->was_edited || n->size == 0 || (appends && !n->is_held);
    if (!n->writer && !n->is_edited && *offset == n->size && streams && !begins_new) {
        rc = stream_append(s, n, reterr);
        if (rc == 0 && appends)
            *offset = n->size; /* it may have grown before it was our turn */
    } else if (!is_small && *offset == n->size && node_is_new(n) && !n->has_lost_stream && !n->is_held) {
        rc = stream_new(s, n, reterr);
    }
    if (rc == 0 && n->writer && *offset == file_writer_tell(n->writer))
        *ret_stream = true;
    else if (rc == 0)
        rc = begin_edit(s, n, reterr);
    return rc;
}

static int write_placed(struct node_store *s, struct node *n, const void *bytes, size_t len, int64_t offset,
                        bool streams, struct keeper_request *appended, struct err *reterr)
{
    if (appended)
        keeper_append_begins(appended, n->id, offset + (int64_t)len);
    int rc = streams ? stage_stream(s, n, bytes, len, offset, appended != NULL, reterr)
                     : stage(s, n, bytes, len, offset, reterr);
    if (rc == 0 && appended)
        keeper_append_staged(appended);
    if (!streams)
        return rc;
    n->has_written = true;
    n->is_pushed = false;
    rc = rc == 0 ? file_writer_write(n->writer, bytes, len, reterr) : rc;
    n->size = file_writer_tell(n->writer);
    return rc;
}

int node_write(struct node_store *s, struct node *n, const void *bytes, size_t len, int64_t offset,
               struct keeper_request *noted, struct err *reterr)
{
    bool streams, at_end = offset == NODE_AT_END;
    pthread_rwlock_wrlock(&n->lock);
    bool is_there = at_end && keeper_append_is_done(noted);
    int rc = check_size(offset + (int64_t)len, reterr);
    if (rc == 0 && !is_there) {
        rc = place(s, n, len, &offset, &streams, reterr);
        rc = rc == 0 ? write_placed(s, n, bytes, len, offset, streams, at_end ? noted : NULL, reterr) : rc;
        note_change(n);
    }
    if (rc < 0 && at_end)
        noted->done = 0;
    pthread_rwlock_unlock(&n->lock);
    return rc;
}

int node_write_mapped(struct node_store *s, struct node *n, const void *bytes, size_t len, int64_t offset,
                      struct err *reterr)
{
    bool streams;
    pthread_rwlock_wrlock(&n->lock);
    bool is_in_doubt = !n->writer && (n->is_stale || offset + (int64_t)len > n->size);
    int rc = is_in_doubt ? node_load_attr(s, n, reterr) : 0;
    size_t kept = offset >= n->size ? 0 : offset + (int64_t)len > n->size ? (size_t)(n->size - offset) : len;
    if (rc == 0 && kept) {
        rc = place(s, n, kept, &offset, &streams, reterr);
        rc = rc == 0 ? write_placed(s, n, bytes, kept, offset, streams, NULL, reterr) : rc;
        note_change(n);
    }
    pthread_rwlock_unlock(&n->lock);
    return rc;
}

/* What is not beside staged bytes is not worth staging: it is saved at once. If that fails it is not done; nor may a
 * later save do it. */
static int save_if_bare(struct node_store *s, struct node *n, struct err *reterr)
{
    struct err err = {0};
    note_change(n);
    int rc = n->is_edited && n->changed.data_bytes == 0 ? node_save_edits(s, n, true, reterr) : 0;
    if (rc == 0)
        return 0;
    extents_clear(&n->changed);
    n->is_edited = n->is_sized = false;
    n->grown_to = 0;
    n->is_stale = true;
    n->size = n->saved_size;
    if (n->staging && staging_trim(n->staging, &n->changed, -1, &err) < 0)
        log_warn("mount", "inode=%" PRIu64 " err=%s", n->id, err.text);
    return rc;
}

/* A size that was set is saved at once, too, or what others append from now on would be cut off later. A file without a
 * name has no others; and what cannot be saved now is left to who closes the file, as all that is staged. */
static void save_if_sized(struct node_store *s, struct node *n)
{
    struct err err = {0};
    if (n->is_sized && !n->is_held && node_save_edits(s, n, false, &err) < 0)
        log_debug("mount", "the size is set when the file is saved: inode=%" PRIu64 " err=%s", n->id, err.text);
}

static int resize(struct node_store *s, struct node *n, int64_t size, bool may_shrink, struct err *reterr)
{
    pthread_rwlock_wrlock(&n->lock);
    int rc = check_size(size, reterr);
    if (rc == 0 && n->appended_from >= 0)
        rc = node_find_end(s, n, reterr);
    rc = rc == 0 ? load_size(s, n, reterr) : rc;
    if (rc == 0 && (may_shrink ? size != n->size : size > n->size))
        rc = begin_edit(s, n, reterr);
    if (rc == 0 && n->is_edited && may_shrink)
        rc = set_size(n, size, reterr);
    else if (rc == 0 && n->is_edited && size > n->size)
        rc = make_longer(n, size, reterr);
    rc = rc == 0 ? save_if_bare(s, n, reterr) : rc;
    if (rc == 0)
        save_if_sized(s, n);
    node_note(n);
    pthread_rwlock_unlock(&n->lock);
    return rc;
}

int node_resize(struct node_store *s, struct node *n, int64_t size, struct err *reterr)
{
    return resize(s, n, size, true, reterr);
}

int node_grow(struct node_store *s, struct node *n, int64_t size, struct err *reterr)
{
    return resize(s, n, size, false, reterr);
}

int node_zero(struct node_store *s, struct node *n, int64_t start, int64_t end, bool may_grow, struct err *reterr)
{
    pthread_rwlock_wrlock(&n->lock);
    int rc = check_size(end, reterr);
    rc = rc == 0 ? begin_edit(s, n, reterr) : rc;
    rc = rc == 0 ? load_size(s, n, reterr) : rc;
    if (rc == 0 && may_grow && end > n->size)
        rc = make_longer(n, end, reterr);
    if (rc == 0 && start < n->size)
        rc = add_zeros(n, start, end < n->size ? end : n->size, reterr);
    rc = rc == 0 ? save_if_bare(s, n, reterr) : rc;
    node_note(n);
    pthread_rwlock_unlock(&n->lock);
    return rc;
}

int node_resume(struct node_store *s, struct node *n, struct err *reterr)
{
    struct staged what = {.size = n->size};
    int rc = staging_resume(s->staging, n->id, &what, &n->staging, reterr);
    if (rc < 0)
        return rc;
    keeper_appends_settle(s->memory, n->id, extents_end(&what.changed));
    n->changed = what.changed;
    n->size = what.size;
    n->is_sized = what.is_sized;
    n->grown_to = what.grown_to;
    n->appended_from = what.appended_from;
    n->stream = what.session;
    new_attributes_resume(n, &what.set);
    n->is_edited = n->changed.count > 0 || n->size != n->saved_size;
    n->has_lost_stream = true;
    n->is_stale = true;
    node_note(n);
    return 0;
}

void node_forget(struct node *n)
{
    struct err err = {0};
    pthread_rwlock_wrlock(&n->lock);
    if (node_finish_stream(n, &err) < 0)
        log_debug("mount", "a file that nobody will see was not completed: err=%s", err.text);
    extents_clear(&n->changed);
    n->is_edited = false;
    n->grown_to = 0;
    n->appended_from = -1;
    new_attributes_saved(n);
    node_note(n);
    pthread_rwlock_unlock(&n->lock);
}

int node_save_as_of(struct node_store *s, struct node *n, uint64_t mtime_ns, bool *ret_set, struct err *reterr)
{
    pthread_rwlock_wrlock(&n->lock);
    *ret_set = mtime_ns && (n->is_edited || (n->writer && n->has_written));
    if (*ret_set)
        n->unsaved_mtime_ns = mtime_ns;
    int rc = node_finish_stream(n, reterr);
    if (n->is_edited)
        rc = node_save_edits(s, n, false, reterr);
    rc = rc == 0 ? new_attributes_save(s, n, reterr) : rc; /* without what they were to go with */
    node_note(n);
    pthread_rwlock_unlock(&n->lock);
    return rc;
}

int node_save(struct node_store *s, struct node *n, struct err *reterr)
{
    bool ignored;
    return node_save_as_of(s, n, 0, &ignored, reterr);
}

int node_sync(struct node_store *s, struct node *n, struct err *reterr)
{
    pthread_rwlock_wrlock(&n->lock);
    int rc = n->writer ? file_writer_hsync(n->writer, reterr) : 0;
    if (rc == 0 && n->writer)
        n->is_pushed = true;
    else if (rc < 0)
        rc = node_finish_stream(n, reterr);
    if (n->is_edited)
        rc = node_save_edits(s, n, true, reterr);
    rc = rc == 0 ? new_attributes_save(s, n, reterr) : rc;
    if (rc == 0 && n->is_unsynced) {
        rc = block_sync_file(s->fs, n->path, reterr);
        n->is_unsynced = rc < 0;
    }
    node_note(n);
    pthread_rwlock_unlock(&n->lock);
    return rc;
}

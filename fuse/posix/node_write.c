/* Changing a file's bytes: at the end into a stream, anywhere else into the staging file. */
#include <string.h>

#include "common/clock.h"
#include "fuse/posix/node.h"

/* More than this, and it is saved before the program asks: bounds the disk, and the time of the save that is asked. */
#define EDIT_DATA_MAX_BYTES ((int64_t)64 << 20)
#define EDIT_EXTENTS_MAX    16384
#define LEASE_WAIT_MS       30000 /* for another client that writes the same file */
#define LEASE_POLL_MS       50

void node_note(struct node *n)
{
    bool clean = !n->is_edited && !(n->writer && n->has_written);
    if (!clean)
        n->unsaved_mtime_ns = (uint64_t)clock_wall_ns();
    n->unsaved_size = clean ? -1 : n->size;
}

int node_finish_stream(struct node *n, struct err *reterr)
{
    struct file_writer *w = n->writer;
    if (!w)
        return 0;
    n->writer = NULL;
    bool written = n->has_written;
    n->has_written = n->is_pushed = false;
    int rc = file_writer_close(w, reterr);
    if (written || rc < 0) {
        node_unload(n);
        n->saved_size = n->size;
        n->is_stale = true; /* times and pieces are the namenode's to say */
    }
    n->unsaved_size = -1;
    return rc;
}

int node_begin_stream(struct node_store *s, struct node *n, const struct posix_attr *attr, struct err *reterr)
{
    struct file_writer *w;
    pthread_rwlock_wrlock(&n->lock);
    int rc = file_writer_opened(s->fs, n->path, n->id, attr->replication, (int64_t)attr->block_bytes, &w, reterr);
    if (rc == 0 && (n->writer || n->is_edited))
        rc = file_writer_close(w, reterr); /* someone was faster than this request */
    else if (rc == 0)
        n->writer = w;
    pthread_rwlock_unlock(&n->lock);
    return rc;
}

static bool is_busy(int rc)
{
    return rc == ERR_ALREADY_BEING_CREATED || rc == ERR_RECOVERY_IN_PROGRESS;
}

/* Another client may be writing: its turn ends with its close. */
static int stream_append(struct node_store *s, struct node *n, struct err *reterr)
{
    int rc = file_writer_append(s->fs, n->path, false, &n->writer, reterr);
    for (int64_t deadline = clock_mono_ms() + LEASE_WAIT_MS; is_busy(rc) && clock_mono_ms() < deadline;) {
        clock_sleep_ms(LEASE_POLL_MS);
        rc = file_writer_append(s->fs, n->path, false, &n->writer, reterr);
    }
    if (rc < 0)
        n->writer = NULL;
    else
        n->size = file_writer_tell(n->writer);
    return rc;
}

static int begin_edit(struct node_store *s, struct node *n, struct err *reterr)
{
    int rc = node_finish_stream(n, reterr);
    if (rc == 0 && n->is_stale && !n->is_edited)
        rc = node_load_attr(s, n, reterr);
    if (rc == 0)
        n->is_edited = true;
    return rc;
}

/* The end moves: what comes in between is zeros, also where bytes were that had been cut off. */
static void grow(struct node *n, int64_t size)
{
    if (size > n->size)
        extents_add(&n->changed, n->size, size, true);
    n->size = size > n->size ? size : n->size;
}

static int stage(struct node_store *s, struct node *n, const void *bytes, size_t len, int64_t offset,
                 struct err *reterr)
{
    int rc = n->staging ? 0 : staging_new(s->staging, &n->staging, reterr);
    if (rc == 0 && (!staging_reserve(n->staging, (int64_t)len) || n->changed.data_bytes >= EDIT_DATA_MAX_BYTES ||
                    n->changed.count >= EDIT_EXTENTS_MAX)) {
        rc = node_save_edits(s, n, reterr);
        n->is_edited = rc == 0 || n->is_edited;
    }
    if (rc == 0)
        rc = staging_write(n->staging, bytes, len, offset, reterr);
    if (rc == 0) {
        grow(n, offset + (int64_t)len);
        extents_add(&n->changed, offset, offset + (int64_t)len, false);
    }
    return rc;
}

/* Where the bytes go: *ret_stream into the writer, else to *offset. */
static int place(struct node_store *s, struct node *n, int64_t *offset, bool *ret_stream, struct err *reterr)
{
    int rc = 0;
    *ret_stream = false;
    if (!n->writer && !n->is_edited && (*offset == NODE_AT_END || n->is_stale))
        rc = node_load_attr(s, n, reterr);
    if (rc == 0 && *offset == NODE_AT_END)
        *offset = n->size;
    if (rc < 0)
        return rc;
    if (!n->writer && !n->is_edited && *offset == n->size) {
        int64_t expected = n->size;
        rc = stream_append(s, n, reterr);
        if (rc == 0 && n->size != expected && *offset == expected)
            *offset = expected; /* it has grown meanwhile: the bytes belong where they were meant to be */
    }
    if (rc == 0 && n->writer && *offset == file_writer_tell(n->writer))
        *ret_stream = true;
    else if (rc == 0)
        rc = begin_edit(s, n, reterr);
    return rc;
}

int node_write(struct node_store *s, struct node *n, const void *bytes, size_t len, int64_t offset, struct err *reterr)
{
    bool stream;
    pthread_rwlock_wrlock(&n->lock);
    int rc = place(s, n, &offset, &stream, reterr);
    if (rc == 0 && stream) {
        n->has_written = true;
        n->is_pushed = false;
        rc = file_writer_write(n->writer, bytes, len, reterr);
        n->size = file_writer_tell(n->writer);
    } else if (rc == 0) {
        rc = stage(s, n, bytes, len, offset, reterr);
    }
    node_note(n);
    pthread_rwlock_unlock(&n->lock);
    return rc;
}

static int resize(struct node_store *s, struct node *n, int64_t size, bool may_shrink, struct err *reterr)
{
    pthread_rwlock_wrlock(&n->lock);
    int rc = 0;
    if (!n->writer && !n->is_edited && n->is_stale)
        rc = node_load_attr(s, n, reterr);
    if (rc == 0 && (may_shrink ? size != n->size : size > n->size))
        rc = begin_edit(s, n, reterr);
    if (rc == 0 && may_shrink && size < n->size) {
        extents_cut(&n->changed, size);
        n->size = size;
    } else if (rc == 0) {
        grow(n, size);
    }
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
    int rc = begin_edit(s, n, reterr);
    if (rc == 0 && may_grow)
        grow(n, end);
    if (rc == 0 && start < n->size)
        extents_add(&n->changed, start, end < n->size ? end : n->size, true);
    node_note(n);
    pthread_rwlock_unlock(&n->lock);
    return rc;
}

int node_save(struct node_store *s, struct node *n, struct err *reterr)
{
    pthread_rwlock_wrlock(&n->lock);
    int rc = n->is_edited ? node_save_edits(s, n, reterr) : node_finish_stream(n, reterr);
    node_note(n);
    pthread_rwlock_unlock(&n->lock);
    return rc;
}

int node_sync(struct node_store *s, struct node *n, struct err *reterr)
{
    pthread_rwlock_wrlock(&n->lock);
    int rc = n->is_edited ? node_save_edits(s, n, reterr) : n->writer ? file_writer_hsync(n->writer, reterr) : 0;
    if (rc == 0 && n->writer)
        n->is_pushed = true;
    node_note(n);
    pthread_rwlock_unlock(&n->lock);
    return rc;
}

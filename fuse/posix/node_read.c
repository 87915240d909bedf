/* Reading a file's bytes: what is staged over what is saved. */
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "fuse/posix/node.h"

#define ATTR_ARENA_BYTES   (1 << 20)
#define PIECES_ARENA_BYTES (256 << 20) /* of a file with a million blocks */

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void node_unload(struct node *n)
{
    file_reader_close(n->reader);
    n->reader = NULL;
    free(n->pieces);
    n->pieces = NULL;
    n->piece_count = 0;
    n->has_pieces = false;
}

int64_t node_written_size(const struct node *n)
{
    return max64(n->saved_size, max64(n->grown_to, extents_end(&n->changed)));
}

static void node_loaded(struct node *n, const struct posix_attr *attr)
{
    n->saved_size = (int64_t)attr->size;
    n->saved_mtime_ns = attr->mtime_ns;
    n->saved_ctime_ns = attr->ctime_ns;
    n->replication = attr->replication;
    if (!n->is_edited && !n->writer)
        n->size = n->saved_size;
    else if (n->is_edited && !n->is_sized) /* another client may have made it longer or shorter */
        n->size = node_written_size(n);
}

int node_load_attr(struct node_store *s, struct node *n, struct err *reterr)
{
    AUTO_ARENA(a, ATTR_ARENA_BYTES);
    struct posix_attr attr;
    n->is_stale = false; /* before it is asked: what changes meanwhile is news */
    int rc = posix_getattr(s->fs, n->id, &a, &attr, reterr);
    if (rc == 0) {
        node_unload(n);
        node_loaded(n, &attr);
    } else {
        n->is_stale = true;
    }
    return rc;
}

int node_load_pieces(struct node_store *s, struct node *n, struct err *reterr)
{
    AUTO_ARENA(a, PIECES_ARENA_BYTES);
    struct posix_attr attr;
    struct posix_pieces all;
    if (n->has_pieces && !n->is_stale)
        return 0;
    n->is_stale = false;
    int rc = posix_read_pieces(s->fs, n->id, 0, POSIX_TO_END, &a, &attr, &all, reterr);
    if (rc < 0) {
        n->is_stale = true;
        return rc;
    }
    node_unload(n); /* a reader must not be older than the pieces: what it reads goes into the blocks in their place */
    n->pieces = mem_calloc(all.count ? all.count : 1, sizeof *n->pieces);
    for (size_t i = 0; i < all.count; i++)
        n->pieces[i] = (struct piece){.length = (int64_t)all.list[i].length,
                                      .block_id = all.list[i].block_id,
                                      .stamp = all.list[i].stamp,
                                      .is_hole = all.list[i].block_id == 0};
    n->piece_count = all.count;
    n->has_pieces = true;
    node_loaded(n, &attr);
    return 0;
}

int node_load_reader(struct node_store *s, struct node *n, struct err *reterr)
{
    int rc = n->reader || n->saved_size == 0 ? 0 : file_reader_open(s->fs, n->path, &n->reader, reterr);
    if (rc == 0 && n->reader && n->writer) /* attributes do not count a block that is open */
        n->saved_size = file_reader_length(n->reader);
    return rc;
}

/* Behind the end of what is saved, or where another client cut it off meanwhile, are zeros. */
static int read_saved(struct node *n, char *bytes, size_t len, int64_t offset, struct err *reterr)
{
    size_t done = 0;
    int64_t there = n->reader ? min64((int64_t)len, n->saved_size - offset) : 0;
    int rc = there > 0 ? file_reader_pread(n->reader, bytes, (size_t)there, offset, &done, reterr) : 0;
    if (rc == 0)
        memset(bytes + done, 0, len - done);
    return rc;
}

int node_read_merged(struct node *n, void *bytes, size_t len, int64_t offset, struct err *reterr)
{
    int rc = 0;
    int64_t end = offset + (int64_t)len;
    for (int64_t at = offset, next; rc == 0 && at < end; at = next) {
        char *to = (char *)bytes + (at - offset);
        const struct extent *x = extents_from(&n->changed, at);
        bool inside = x && x->start <= at;
        next = inside ? min64(x->end, end) : x ? min64(x->start, end) : end;
        if (!inside)
            rc = read_saved(n, to, (size_t)(next - at), at, reterr);
        else if (x->is_zero)
            memset(to, 0, (size_t)(next - at));
        else
            rc = staging_read(n->staging, to, (size_t)(next - at), at, reterr);
    }
    return rc;
}

/* What has to happen before bytes up to `end` can be read under the shared lock. */
static bool is_ready(const struct node *n, int64_t end)
{
    if (n->has_lost_stream || (n->is_stale && !n->writer))
        return false;
    if (n->writer)
        return n->reader && min64(end, n->size) <= n->saved_size;
    return n->reader || n->saved_size == 0;
}

static int make_ready(struct node_store *s, struct node *n, struct err *reterr)
{
    int rc = node_find_end(s, n, reterr);
    if (rc == 0 && n->is_stale && !n->writer)
        rc = node_load_attr(s, n, reterr);
    if (rc == 0 && n->writer && !n->is_pushed) {
        rc = file_writer_hflush(n->writer, reterr);
        n->is_pushed = rc == 0;
    }
    if (rc == 0 && n->writer) {
        rc = n->reader ? file_reader_refresh(n->reader, reterr) : file_reader_open(s->fs, n->path, &n->reader, reterr);
        if (rc == 0)
            n->saved_size = file_reader_length(n->reader);
    }
    rc = rc == 0 ? node_load_reader(s, n, reterr) : rc;
    if (rc == 0 && n->reader)
        file_reader_set_hasty(n->reader, n->writer && n->has_written);
    return rc;
}

/* The datanodes that had the end of a stream may have died, which nobody notices before something is sent to them:
 * until then the namenode names nobody else, and a reader would wait for them in vain. */
static int rescue_stream(struct node_store *s, struct node *n, struct err *reterr)
{
    int rc = file_writer_hsync(n->writer, reterr);
    if (rc < 0)
        rc = node_finish_stream(n, reterr);
    if (rc < 0 && n->is_edited) /* what they did not say they have is staged */
        rc = 0;
    if (rc == 0)
        rc = make_ready(s, n, reterr);
    if (rc == 0 && n->reader)
        file_reader_set_hasty(n->reader, false);
    return rc;
}

static int read_there(struct node *n, void *bytes, size_t len, int64_t offset, size_t *ret, struct err *reterr)
{
    int64_t there = min64(offset + (int64_t)len, n->size) - offset;
    *ret = there > 0 ? (size_t)there : 0;
    return there > 0 ? node_read_merged(n, bytes, *ret, offset, reterr) : 0;
}

/* Alone, or a writer in between would undo what is made ready. */
static int read_alone(struct node_store *s, struct node *n, void *bytes, size_t len, int64_t offset, size_t *ret,
                      struct err *reterr)
{
    int64_t end = offset + (int64_t)len;
    int rc = is_ready(n, end) ? 0 : make_ready(s, n, reterr);
    rc = rc == 0 ? read_there(n, bytes, len, offset, ret, reterr) : rc;
    if (rc == 0 || !n->writer || !n->has_written)
        return rc;
    rc = rescue_stream(s, n, reterr);
    return rc == 0 ? read_there(n, bytes, len, offset, ret, reterr) : rc;
}

int node_read(struct node_store *s, struct node *n, void *bytes, size_t len, int64_t offset, size_t *ret,
              struct err *reterr)
{
    pthread_rwlock_rdlock(&n->lock);
    bool ready = is_ready(n, offset + (int64_t)len), hasty = n->writer && n->has_written;
    int rc = ready ? read_there(n, bytes, len, offset, ret, reterr) : 0;
    pthread_rwlock_unlock(&n->lock);
    bool overtaken = rc == ERR_STALE; /* by another client's change, word of which is still to come */
    if (ready && (rc == 0 || (!hasty && !overtaken)))
        return rc;
    pthread_rwlock_wrlock(&n->lock);
    if (overtaken)
        n->is_stale = true;
    rc = read_alone(s, n, bytes, len, offset, ret, reterr);
    pthread_rwlock_unlock(&n->lock);
    return rc;
}

/* ---- holes ---- */

/* Is the byte at `at` stored, and up to where is it the same with its neighbours? */
static bool seek_run(const struct node *n, int64_t at, int64_t *ret_end)
{
    const struct extent *x = extents_from(&n->changed, at);
    if (x && x->start <= at) {
        *ret_end = x->end;
        return !x->is_zero;
    }
    int64_t start = 0;
    size_t i = 0;
    while (i < n->piece_count && start + n->pieces[i].length <= at)
        start += n->pieces[i++].length;
    int64_t end = i < n->piece_count ? start + n->pieces[i].length : n->size;
    *ret_end = x ? min64(x->start, end) : end;
    return i < n->piece_count && !n->pieces[i].is_hole;
}

int node_seek(struct node_store *s, struct node *n, int64_t offset, bool data, bool is_known, int64_t *ret,
              struct err *reterr)
{
    int rc = 0;
    pthread_rwlock_wrlock(&n->lock);
    if (n->writer)
        rc = node_finish_stream(n, reterr);
    if (rc == 0)
        rc = node_find_end(s, n, reterr);
    if (rc == 0 && n->is_stale && !n->is_edited)
        rc = node_load_attr(s, n, reterr);
    if (rc == 0)
        rc = node_load_pieces(s, n, reterr);
    if (rc == 0 && (offset < 0 || offset >= n->size)) {
        *ret = -1;
    } else if (rc == 0 && !is_known) {
        *ret = data ? offset : n->size;
    } else if (rc == 0) {
        int64_t at = offset, end;
        while (at < n->size && seek_run(n, at, &end) != data)
            at = end;
        *ret = at < n->size ? at : data ? -1 : n->size;
    }
    pthread_rwlock_unlock(&n->lock);
    return rc;
}

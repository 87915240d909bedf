#include "fuse/plain/write_stream.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/mem.h"

#define STREAM_RECOVERY_TIMEOUT_MS 60000
#define STREAM_RECOVERY_POLL_MS    50
#define STREAM_ZEROS_BYTES         65536

void stream_begin(struct inode *inode, struct dfs *fs, struct file_writer *writer, int64_t length)
{
    struct write_stream *s = mem_new(struct write_stream);
    s->fs = dfs_ref(fs);
    s->writer = writer;
    s->start_length = length;
    inode->stream = s;
    inode->written_length = length;
}

int64_t stream_length(const struct inode *inode)
{
    return inode->stream ? file_writer_tell(inode->stream->writer) : -1;
}

/* Another client may have given its name to another file, which is not to be changed. */
static int file_length(const struct inode *inode, struct dfs *fs, const char *path, int64_t *ret, struct err *reterr)
{
    struct arena a;
    struct dfs_status status;
    arena_init(&a, 1 << 20);
    int rc = dfs_lstat(fs, path, &a, &status, reterr);
    arena_free(&a);
    if (rc == 0 && inode->file_id && status.file_id != inode->file_id)
        return err_set(reterr, ERR_STALE, "it was replaced by another file");
    if (rc == 0)
        *ret = status.length;
    return rc;
}

static int refuse_offset(int64_t offset, int64_t length, struct err *reterr)
{
    return err_set(reterr, ERR_UNSUPPORTED,
                   "write at offset %" PRId64 " of a file of %" PRId64 " bytes: only writes at the end are possible",
                   offset, length);
}

int stream_at(struct inode *inode, struct dfs *fs, const char *path, int64_t offset, struct err *reterr)
{
    int64_t length = stream_length(inode);
    int rc = 0;
    if (length < 0)
        rc = file_length(inode, fs, path, &length, reterr);
    if (rc == 0 && offset >= 0 && length != offset)
        rc = refuse_offset(offset, length, reterr);
    if (rc < 0 || inode->stream)
        return rc;
    struct file_writer *writer;
    rc = file_writer_append(fs, path, false, &writer, reterr);
    if (rc < 0)
        return rc;
    length = file_writer_tell(writer);
    if (offset < 0 || length == offset) {
        stream_begin(inode, fs, writer, length);
        return 0;
    }
    rc = file_writer_close(writer, reterr); /* another client was faster */
    return rc < 0 ? rc : refuse_offset(offset, length, reterr);
}

int stream_write(struct inode *inode, const void *bytes, size_t len, struct err *reterr)
{
    inode->stream->dirty = true;
    inode->stream->pushed = false;
    int rc = file_writer_write(inode->stream->writer, bytes, len, reterr);
    inode->written_length = file_writer_tell(inode->stream->writer);
    return rc;
}

int stream_push(struct inode *inode, struct err *reterr)
{
    struct write_stream *s = inode->stream;
    if (!s || !s->dirty || s->pushed)
        return 0;
    int rc = file_writer_hflush(s->writer, reterr);
    s->pushed = rc == 0;
    return rc;
}

int stream_finish(struct inode *inode, struct err *reterr)
{
    struct write_stream *s = STEAL(inode->stream);
    if (!s)
        return 0;
    int rc = file_writer_close_or_recover(s->writer, reterr);
    dfs_unref(s->fs);
    free(s);
    inode->written_length = -1;
    return rc;
}

/* Cutting inside a block starts a recovery of that block; the file is closed for writing until it is done. */
static int wait_for_recovery(struct dfs *fs, const char *path, struct err *reterr)
{
    bool closed = false;
    int rc = 0;
    for (int64_t deadline = clock_mono_ms() + STREAM_RECOVERY_TIMEOUT_MS; rc == 0 && !closed;) {
        rc = dfs_is_closed(fs, path, &closed, reterr);
        if (rc == 0 && !closed && clock_mono_ms() > deadline)
            rc = err_set(reterr, ERR_TIMEOUT, "the last block is still being recovered after %d s",
                         STREAM_RECOVERY_TIMEOUT_MS / 1000);
        if (rc == 0 && !closed)
            clock_sleep_ms(STREAM_RECOVERY_POLL_MS); /* the namenode has no call that waits */
    }
    return rc;
}

static int stream_extend(struct inode *inode, int64_t from, int64_t length, struct err *reterr)
{
    static const char zeros[STREAM_ZEROS_BYTES];
    int rc = 0;
    for (int64_t left = length - from; rc == 0 && left > 0; left -= STREAM_ZEROS_BYTES)
        rc = stream_write(inode, zeros, left < STREAM_ZEROS_BYTES ? (size_t)left : STREAM_ZEROS_BYTES, reterr);
    return rc;
}

int stream_truncate(struct inode *inode, struct dfs *fs, const char *path, int64_t length, int64_t extend_max_bytes,
                    struct err *reterr)
{
    int64_t now = stream_length(inode);
    int rc = now < 0 ? file_length(inode, fs, path, &now, reterr) : 0;
    if (rc < 0 || length == now)
        return rc;
    if (length > now) {
        if (length - now > extend_max_bytes)
            return err_set(reterr, ERR_TOO_LARGE,
                           "extending a file by %" PRId64 " bytes of zeros; at most %" PRId64 " are possible",
                           length - now, extend_max_bytes);
        bool was_open = inode->stream != NULL;
        rc = stream_at(inode, fs, path, now, reterr);
        if (rc == 0)
            rc = stream_extend(inode, now, length, reterr);
        return rc == 0 && !was_open ? stream_finish(inode, reterr) : rc;
    }
    bool done = false, was_open = inode->stream != NULL;
    rc = stream_finish(inode, reterr);
    if (rc == 0 && was_open)
        rc = file_length(inode, fs, path, &now, reterr);
    if (rc == 0)
        rc = dfs_truncate(fs, path, length, &done, reterr);
    if (rc == 0 && !done)
        rc = wait_for_recovery(fs, path, reterr);
    inode->cuts++;
    return rc;
}
